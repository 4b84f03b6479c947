"""Presence, subscriptions, and what an alias knows of its members."""

from typing import Literal

import msgspec

from engine.jid import Jid
from engine.messages.values import Request
from engine.presence import Presence, PresenceChange, Status

SubscriptionKind = Literal["subscribe", "subscribed", "unsubscribe", "unsubscribed"]


class SetPresence(msgspec.Struct, frozen=True):
    """session -> user: presence without an address (RFC 6121, 4.2, 4.4, 4.5)."""

    session: Jid
    presence: Presence | None
    text: str = ""


class SendPresence(msgspec.Struct, frozen=True):
    """session -> user: directed presence (RFC 6121, 4.6)."""

    session: Jid
    to: Jid
    presence: Presence | None
    text: str = ""


class ProbePresence(msgspec.Struct, frozen=True):
    """session -> user -> domain (RFC 6121, 4.3)."""

    session: Jid
    to: Jid


class Subscribe(msgspec.Struct, frozen=True):
    """session -> user -> domain: a subscription stanza (RFC 6121, 3); the domain answers at once."""

    session: Jid
    to: Jid
    kind: SubscriptionKind


class FlushPresence(msgspec.Struct, frozen=True):
    """domain -> itself: the window of a burst is over."""


class PresenceChanged(msgspec.Struct, frozen=True):
    """user or alias -> domain. `status`: the merged one, after the change."""

    change: PresenceChange
    status: Status


class PresenceSeen(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """domain -> every session that sees others: the changes of one tick; the same object for all of them.

    Also one session's first look at the domain, an answer to a probe, and directed presence.
    """

    changes: tuple[PresenceChange, ...]


class FetchPresences(msgspec.Struct, frozen=True):
    """session -> user -> domain: everything that this session may see."""

    request: Request


class PresencesFetched(msgspec.Struct, frozen=True):
    """domain -> session. `changes`: every device there is; none for a session that sees nobody."""

    request: Request
    changes: tuple[PresenceChange, ...]


class FetchStatus(msgspec.Struct, frozen=True):
    """session -> user -> domain: how long a contact, a person or an alias, has had the status that it has."""

    request: Request
    address: str


class StatusFetched(msgspec.Struct, frozen=True):
    """domain -> session. `seconds`: since the status changed; None: it is not known, or not for this session to know."""

    request: Request
    address: str
    seconds: int | None


class SubscriptionAnswered(msgspec.Struct, frozen=True):
    """domain -> session: from whom, and what."""

    sender: Jid
    kind: SubscriptionKind


class MemberStatusChanged(msgspec.Struct, frozen=True):
    """domain -> alias: a member's merged status."""

    address: str
    status: Status


class CloseDomain(msgspec.Struct, frozen=True):
    """supervisor -> domain: it is served no more. It has no members by now."""


class FetchMembers(msgspec.Struct, frozen=True):
    """alias -> domain: an alias that began anew asks for its `SetMembers`."""

    address: str


class StopAlias(msgspec.Struct, frozen=True):
    """domain -> alias: it was removed."""


class SetMembers(msgspec.Struct, frozen=True):
    """domain -> alias: the people it expands to, and the status of each who is not Offline."""

    people: tuple[str, ...]
    statuses: dict[str, Status]
