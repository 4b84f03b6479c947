"""A session's life: gateway -> session -> user."""

import msgspec

from engine.errors import Condition, StreamCondition
from engine.jid import Jid


class OpenSession(msgspec.Struct, frozen=True):
    """A logged-in client wants to be a session of its account. `again`: it was one already and answers `ReopenSessions`."""

    session: Jid
    again: bool = False


class SessionOpened(msgspec.Struct, frozen=True):
    """The account took the session."""

    session: Jid


class SessionRefused(msgspec.Struct, frozen=True):
    """The account did not take the session."""

    session: Jid
    condition: Condition


class CloseSession(msgspec.Struct, frozen=True):
    """Ends a session from the server's side: its client is told why."""

    condition: StreamCondition | None = None
    text: str = ""


class Disconnect(msgspec.Struct, frozen=True):
    """The client is gone: it said goodbye, its socket broke or it fell silent."""


class SessionClosed(msgspec.Struct, frozen=True):
    """The session is no more."""

    session: Jid
    text: str = ""


class ReopenSessions(msgspec.Struct, frozen=True):
    """A user actor began anew with a clean state: its sessions say again who they are."""


class AnnounceSessions(msgspec.Struct, frozen=True):
    """A domain actor began anew with a clean state: its users say again who is there."""
