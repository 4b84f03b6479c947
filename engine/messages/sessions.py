"""A session's life: gateway -> session -> user."""

import msgspec

from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.messages.values import Request
from engine.presence import Presence


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
    """connection -> session: the client is gone.

    Attributes:
        is_goodbye: it ended its session; otherwise its socket broke, or it fell silent.
        wire: Python's identity of the wire; a session that has gone on to another one by now stays. 0: whichever it is.
    """

    is_goodbye: bool = False
    wire: int = 0


class PasswordChanged(msgspec.Struct, frozen=True):
    """registrar -> webmail: this account has a new password, or none; whoever is logged in by the old one is so no more."""

    account: str


class SessionClosed(msgspec.Struct, frozen=True):
    """The session is no more."""

    session: Jid
    text: str = ""


class SessionDetached(msgspec.Struct, frozen=True):
    """session -> user: its client is gone, but may come back; or `is_back`."""

    session: Jid
    is_back: bool = False


class ReopenSessions(msgspec.Struct, frozen=True):
    """A user actor began anew with a clean state: its sessions say again who they are."""


class AnnounceSessions(msgspec.Struct, frozen=True):
    """A domain actor began anew with a clean state: its users say again who is there."""


# -- acknowledged, resumable (XEP-0198; the web socket does the same in its own words) ---------------------------------


class EnableAcks(msgspec.Struct, frozen=True):
    """client -> session: count from now on. `is_resumable`: and let the session be taken up again on another connection."""

    is_resumable: bool


class AcksEnabled(msgspec.Struct, frozen=True):
    """session -> client. `token`: names the session to be resumed, for so many `seconds`; empty: it cannot be."""

    token: str
    seconds: int


class AcksRefused(msgspec.Struct, frozen=True):
    """session -> client: not now."""

    condition: Condition


class StanzasReceived(msgspec.Struct, frozen=True):
    """connection -> session: so many stanzas have come in all."""

    count: int


class RequestAck(msgspec.Struct, frozen=True):
    """client -> session: how far are you? And session -> client."""


class Acked(msgspec.Struct, frozen=True):
    """client -> session, session -> client: everything up to this stanza is done. On the wire it wraps at 2**32."""

    handled: int


class AckedTooMuch(msgspec.Struct, frozen=True):
    """session -> client: it acknowledged what it was never sent; its stream ends."""

    handled: int
    sent: int


class SessionResumed(msgspec.Struct, frozen=True):
    """session -> client: it goes on here; what it has not got follows. `handled`: its stanzas that are done."""

    session: Jid
    token: str
    handled: int


class ResumeRefused(msgspec.Struct, frozen=True):
    """session -> client: there is nothing to go on with; it may bind a resource."""

    condition: Condition


class Written(msgspec.Struct, frozen=True):
    """wire -> session: chats up to this archive id are out of this process; a kill of it does not take them back."""

    archive_id: int


class PageWritten(msgspec.Struct, frozen=True):
    """wire -> session: the page of what was missed that was fetched with this number is out of this process."""

    number: int


class ClientState(msgspec.Struct, frozen=True):
    """client -> session: whether somebody looks at it (XEP-0352)."""

    is_active: bool


class EnableCopies(msgspec.Struct, frozen=True):
    """client -> session -> user: copies of what the account's other sessions send and get (XEP-0280), or no more.

    `has_own`: also `ChatArchived` of what the session itself sent.
    """

    request: Request
    is_on: bool
    has_own: bool = False


class SessionState(msgspec.Struct, frozen=True):
    """What a session needs to go on after the server was killed; see `engine.resumption`.

    Attributes:
        acked: number of the last stanza that the client has got.
        acked_id: archive id up to which it has got everything.
        chats: number and archive id of each chat that it was sent, or is about to be, and has not acknowledged.
        given: archive id up to which everything was given; see `engine.catch_up`.
        family: of the client; see `engine.clients`.
        presence: that the client sent last.
        roster_version: that the client has; None: it did not ask for the roster.
        has_copies, knows_blocked: it asked for copies, for the block list.
    """

    acked: int = 0
    acked_id: int = 0
    chats: tuple[tuple[int, int], ...] = ()
    given: int = 0
    family: str = ""
    presence: Presence | None = None
    roster_version: str | None = None
    has_copies: bool = False
    knows_blocked: bool = False


class ForgetSession(msgspec.Struct, frozen=True):
    """session -> archiver: it cannot be resumed any more; its count of chats is not needed."""

    token: str


class ForgetClients(msgspec.Struct, frozen=True):
    """departures -> archiver: this member is gone; who is given his address again begins with new clients."""

    owner: str


class FetchSession(msgspec.Struct, frozen=True):
    """session -> archiver -> historian: what was kept of this account's session? `reply_to`: whom to tell."""

    token: str
    account: str
    reply_to: str


class SessionFetched(msgspec.Struct, frozen=True):
    """historian -> session. `session`: None: nothing was kept."""

    session: Jid | None
    done: int
    state: SessionState
