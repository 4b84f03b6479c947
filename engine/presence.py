"""Presence: four statuses, many devices, one rule for webmail.

What people see is one of four statuses. On the wire of XMPP they are values of ``<show/>`` (RFC 6121, 4.7.2.1):

========== ====================== =====================================
status     show                   meaning
========== ====================== =====================================
Available  none, ``chat``         writes and reads now
Away       ``away``, ``xa``       signed in, not at the device
Busy       ``dnd``                there, but asks not to be disturbed
Offline    (type unavailable)     no session that takes chats
========== ====================== =====================================

**Sessions merge.** A person is as reachable as the best of his sessions: Available before Busy before Away, because Busy is
said on purpose and Away mostly by an idle timer. An alias is as reachable as the best of its members, in the order
Available, Away, Busy: somebody who is away comes back sooner than somebody who asked not to be disturbed.

**Offline in webmail** silences webmail only. A session whose presence is unavailable (in webmail: the status Offline)

- gets no chats that are addressed to the person,
- sees everyone as Unavailable: it is told nothing of the others' presence,
- counts for nothing in what the others see.

The person's other sessions stay as they are: an XMPP client that is available goes on and alone receives the chats. Hence
the rule needs no special case: it is `takes_chats`, `sees_others` and `merge` over the sessions, whatever their channel.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

import msgspec

from engine.jid import Jid

Show = Literal["", "chat", "away", "xa", "dnd"]


class Status(StrEnum):
    """What people see of a contact."""

    AVAILABLE = "Available"
    AWAY = "Away"
    BUSY = "Busy"
    OFFLINE = "Offline"


_STATUS_OF_SHOW: dict[str, Status] = {
    "": Status.AVAILABLE,
    "chat": Status.AVAILABLE,
    "away": Status.AWAY,
    "xa": Status.AWAY,
    "dnd": Status.BUSY,
}
_SHOW_OF_STATUS: dict[Status, Show] = {Status.AVAILABLE: "", Status.AWAY: "away", Status.BUSY: "dnd"}
_PERSON_ORDER = (Status.AVAILABLE, Status.BUSY, Status.AWAY, Status.OFFLINE)
_ALIAS_ORDER = (Status.AVAILABLE, Status.AWAY, Status.BUSY, Status.OFFLINE)


class Presence(msgspec.Struct, frozen=True):
    """The presence of one available session (RFC 6121, 4.7). Unavailable is the absence of a `Presence`.

    Attributes:
        show: value of ``<show/>``; empty when there is none.
        text: the person's own words, ``<status/>``.
        priority: -128 to 127; a negative one takes no chats addressed to the bare JID.
        payload: the stanza's other children, rendered (capabilities, photo hash, idle time).
        software: which client this is, as its capabilities name it (the node of XEP-0115); empty: it does not say.
    """

    show: Show = ""
    text: str = ""
    priority: int = 0
    payload: str = ""
    software: str = ""

    @property
    def status(self) -> Status:
        """The status that people see."""
        return _STATUS_OF_SHOW[self.show]

    @classmethod
    def of_status(cls, status: Status, text: str = "") -> "Presence | None":
        """The presence behind a status that was chosen from a menu; None for Offline."""
        return None if status is Status.OFFLINE else cls(show=_SHOW_OF_STATUS[status], text=text)


class PresenceChange(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """The newest presence of one session or alias. Compared by identity: renderings are cached for as long as it lives.

    Attributes:
        jid: the session's full JID, or the alias with `engine.alias.RESOURCE`.
        presence: None when it became unavailable.
        text: the words of an unavailable presence.
    """

    jid: Jid
    presence: Presence | None
    text: str = ""


def takes_chats(presence: Presence | None) -> bool:
    """Whether chats to the person reach this session (RFC 6121, 8.5.2.1: available, priority not negative)."""
    return presence is not None and presence.priority >= 0


def sees_others(presence: Presence | None) -> bool:
    """Whether this session is told of the others' presence (RFC 6121, 4.2; Offline in webmail sees nobody)."""
    return presence is not None


def merge(presences: Iterable[Presence | None]) -> Status:
    """The person's status: the best of his sessions."""
    return _best((presence.status for presence in presences if presence is not None), _PERSON_ORDER)


def merge_members(statuses: Iterable[Status]) -> Status:
    """The alias's status: the best of its members."""
    return _best(statuses, _ALIAS_ORDER)


def _best(statuses: Iterable[Status], order: tuple[Status, ...]) -> Status:
    return min(statuses, key=order.index, default=Status.OFFLINE)
