"""Blocking (XEP-0191 1.3): whom a member shuts out, and what that stops; as a table: ``python -m engine.blocking``.

**What an item names** (section 5): ``user@domain/resource`` that session, ``user@domain`` all of the account,
``domain/resource`` that resource of a server, ``domain`` everybody there. Any address can be on a list, whoever has it or
nobody: an address that is given to somebody else later is blocked already. Two are never blocked, whatever is on the list: the
account itself, so that no device locks another out (section 7, note 1), and the own server, which carries out the unblocking.

**What it stops** (section 3.3): everything, in both directions. The blocker is told that he blocks whom he writes to. The
blocked person gets the very answer of an address where nobody is.

**Presence** is hidden both ways between the two (`BlockLists.is_hidden`). What the server tells of somebody who is not there,
it tells of a blocker, too: a probe is answered with unavailable and a subscription with consent, although section 3.3 asks for
silence: every other contact is answered, so silence would say that this one blocks. For the same reason the card of a contact
and whether an address exists are told as ever: they are the domain's to tell, not the person's.

**Aliases.** An alias is a contact of its own. Its presence goes on, whoever among its members blocks whom. A message to it
passes over members who block its sender or the alias; the sender is not told, since the alias took it. Whoever writes to an
alias reaches those members, too, whom he blocks: he wrote to the team.

Costs: every question is O(1); while nobody of a domain blocks anyone it is one look at an empty dict.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from engine.errors import Condition, Detail, Refusal
from engine.jid import Jid
from engine.limits import BLOCKED_ADDRESSES
from engine.messages import BlockingKind, Chat, Iq, RequestRefused
from engine.presence import PresenceChange


class Side(StrEnum):
    """Who of the two blocks the other. Both: what the sender does counts."""

    SENDER = "the sender blocks the recipient"
    RECIPIENT = "the recipient blocks the sender"


class Kind(StrEnum):
    """A stanza, as far as blocking asks."""

    MESSAGE = "message"
    MESSAGE_ERROR = "message (error)"
    REQUEST = "iq (get, set)"
    ANSWER = "iq (result, error)"
    PRESENCE = "presence"
    FAREWELL = "presence (unavailable)"


class Answer(StrEnum):
    """What the sender is told of a stanza that was stopped."""

    BLOCKED = "not-acceptable, blocked"
    ABSENT = "service-unavailable"
    NOTHING = "nothing"


_BLOCKED, _ABSENT, _NOTHING = Answer.BLOCKED, Answer.ABSENT, Answer.NOTHING
TABLE: Final[Mapping[Side, Mapping[Kind, Answer]]] = {
    Side.SENDER: {
        Kind.MESSAGE: _BLOCKED,
        Kind.MESSAGE_ERROR: _NOTHING,  # errors and answers are never answered
        Kind.REQUEST: _BLOCKED,
        Kind.ANSWER: _NOTHING,
        Kind.PRESENCE: _BLOCKED,
        Kind.FAREWELL: _NOTHING,  # the server has said it already, when the block began
    },
    Side.RECIPIENT: {
        Kind.MESSAGE: _ABSENT,
        Kind.MESSAGE_ERROR: _NOTHING,
        Kind.REQUEST: _ABSENT,
        Kind.ANSWER: _NOTHING,
        Kind.PRESENCE: _NOTHING,
        Kind.FAREWELL: _NOTHING,
    },
}

_REFUSALS: Final[Mapping[Answer, tuple[Condition, Detail | None]]] = {
    Answer.BLOCKED: (Condition.NOT_ACCEPTABLE, Detail.BLOCKED),
    Answer.ABSENT: (Condition.SERVICE_UNAVAILABLE, None),
}


class Stop(msgspec.Struct, frozen=True):
    """A stanza goes no further. `refusal`: what its sender is told; None: nothing."""

    side: Side
    refusal: RequestRefused | None = None


class BlockList(msgspec.Struct, frozen=True):
    """One account's list.

    Attributes:
        items: prepared addresses.
        accounts: the own domain's bare addresses that an item names, as a whole or one of their sessions.
        has_domain: everybody of the own domain is blocked.
    """

    items: frozenset[str]
    accounts: frozenset[str]
    has_domain: bool

    @classmethod
    def of(cls, items: Iterable[str], domain: str) -> "BlockList":
        """The list of an account of `domain`."""
        items = frozenset(items)
        suffix = f"@{domain}"
        named = (item.partition("/")[0] for item in items)
        return cls(items, frozenset(bare for bare in named if bare.endswith(suffix)), domain in items)


EMPTY: Final = BlockList(frozenset(), frozenset(), has_domain=False)
"""Of an account that blocks nobody."""


class BlockLists:
    """The lists of one domain's members. Its actor keeps them current, everybody reads them.

    Args:
        domain: whose members.
        lists: owner -> items.
    """

    __slots__ = ("_domain", "_lists", "_naming")

    def __init__(self, domain: str, lists: Mapping[str, Iterable[str]] | None = None) -> None:
        self._domain = domain
        self._lists: dict[str, BlockList] = {}
        self._naming: dict[str, set[str]] = {}  # account, or the domain -> who blocks it
        for owner, items in (lists or {}).items():
            self.put(owner, items)

    def __bool__(self) -> bool:
        return bool(self._lists)

    def copy(self) -> "BlockLists":
        """The lists as they are now."""
        return BlockLists(self._domain, {owner: entry.items for owner, entry in self._lists.items()})

    def of(self, owner: str) -> BlockList:
        """One account's list."""
        return self._lists.get(owner, EMPTY)

    def put(self, owner: str, items: Iterable[str]) -> None:
        """From now on this is the account's list."""
        before = self._lists.pop(owner, None)
        if before is not None:
            for named in self._index(before):
                self._naming[named].discard(owner)
                if not self._naming[named]:
                    del self._naming[named]
        after = BlockList.of(items, self._domain)
        if after.items:
            self._lists[owner] = after
            for named in self._index(after):
                self._naming.setdefault(named, set()).add(owner)

    def _index(self, entry: BlockList) -> Iterable[str]:
        return (*entry.accounts, self._domain) if entry.has_domain else entry.accounts

    # -- two addresses -------------------------------------------------------------------------------------------------

    def is_blocked(self, owner: str, other: Jid) -> bool:
        """Whether an item of the account's list names the other address."""
        entry = self._lists.get(owner)
        if entry is None or other.bare in (owner, self._domain):
            return False
        items = entry.items
        return other.bare in items or other.domain in items or (bool(other.resource) and other.full in items)

    def side(self, sender: Jid, to: Jid) -> Side | None:
        """Who of the two blocks the other; None: nobody."""
        if not self._lists:
            return None
        if self.is_blocked(sender.bare, to):
            return Side.SENDER
        return Side.RECIPIENT if self.is_blocked(to.bare, sender) else None

    def is_hidden(self, one: Jid, other: Jid) -> bool:
        """Whether the two see nothing of each other's presence."""
        return self.side(one, other) is not None

    def separates(self, one: str, other: str) -> bool | None:
        """Whether two accounts see nothing of each other's presence; None: some of their sessions do not."""
        is_partly = False
        for owner, named in ((one, other), (other, one)):
            entry = self._lists.get(owner)
            if entry is None or owner == named:
                continue
            if entry.has_domain or named in entry.items:
                return True
            is_partly = is_partly or named in entry.accounts
        return None if is_partly else False

    def touched(self, owner: str, other: "BlockLists") -> frozenset[str] | None:
        """Accounts that the owner's list names here or in `other`, but not in both alike; None: any account of the domain."""
        one, two = self.of(owner), other.of(owner)
        if one.has_domain is not two.has_domain:
            return None
        return BlockList.of(one.items ^ two.items, self._domain).accounts

    # -- stanzas -------------------------------------------------------------------------------------------------------

    def stop_chat(self, chat: Chat) -> Stop | None:
        """Whether a message goes no further, before anybody else sees it and before it is history."""
        if not self._lists or (side := self.side(chat.sender, chat.to)) is None:
            return None
        kind = Kind.MESSAGE_ERROR if chat.kind == "error" else Kind.MESSAGE
        return _stop(side, kind, lambda condition, detail: RequestRefused.of_chat(chat, condition, detail=detail))

    def stop_iq(self, iq: Iq) -> Stop | None:
        """Whether a request or an answer to another session goes no further."""
        if not self._lists or (side := self.side(iq.sender, iq.to)) is None:
            return None
        kind = Kind.REQUEST if iq.kind in {"get", "set"} else Kind.ANSWER
        return _stop(side, kind, lambda condition, detail: RequestRefused.of_iq(iq, condition, detail))

    def stop_presence(self, session: Jid, to: Jid, *, is_farewell: bool = False) -> Stop | None:
        """Whether presence to somebody (directed, a probe, a subscription) goes no further."""
        if not self._lists or (side := self.side(session, to)) is None:
            return None
        return _stop(
            side,
            Kind.FAREWELL if is_farewell else Kind.PRESENCE,
            lambda condition, detail: RequestRefused.of_presence(session, to, condition, detail=detail),
        )

    def told_by(self, session: Jid, directed: Collection[Jid], addresses: Iterable[str]) -> list[Jid]:
        """Who of those that are blocked had directed presence of this session, for taking it back.

        Args:
            session: the blocker's.
            directed: where its presence went.
            addresses: of the command; one may name a single session of an account in `directed`.
        """
        named = [jid for text in addresses if (jid := Jid.parse(text)).resource and jid.to_bare() in directed]
        return [to for to in dict.fromkeys((*directed, *named)) if self.is_blocked(session.bare, to)]

    def shuts_out(self, owner: str, chat: Chat) -> bool:
        """Whether the account does not want a message that was sent to it, or to an alias that names it."""
        if owner not in self._lists:
            return False
        return self.is_blocked(owner, chat.sender) or (chat.via is not None and self.is_blocked(owner, chat.via))

    # -- broadcasts ----------------------------------------------------------------------------------------------------

    def withhold(self, changes: Sequence[PresenceChange]) -> tuple[tuple[PresenceChange, ...], set[str]]:
        """What of a tick everybody may see, but for some accounts; and these: each is told what is `visible` to it."""
        if not self._lists:
            return tuple(changes), set()
        for_all: list[PresenceChange] = []
        accounts = set(self._naming.get(self._domain, ()))
        for change in changes:
            bare = change.jid.bare
            accounts.update(self._naming.get(bare, ()))
            entry = self._lists.get(bare)
            if entry is not None:
                accounts.update(entry.accounts)
            if entry is not None and entry.has_domain:
                accounts.add(bare)
            else:
                for_all.append(change)
        return tuple(for_all), accounts

    def visible(self, changes: Iterable[PresenceChange], viewer: Jid) -> tuple[PresenceChange, ...]:
        """What one session may see of these."""
        if not self._lists:
            return tuple(changes)
        return tuple(change for change in changes if not self.is_hidden(viewer, change.jid))


def _stop(side: Side, kind: Kind, refuse: Callable[[Condition, Detail | None], RequestRefused]) -> Stop:
    answer = TABLE[side][kind]
    return Stop(side, None if answer is Answer.NOTHING else refuse(*_REFUSALS[answer]))


NOBODY: Final = BlockLists("")
"""Of a domain that is not served."""


def changed(items: Collection[str], kind: BlockingKind, addresses: Sequence[str]) -> tuple[str, ...]:
    """A list after a command.

    Raises:
        Refusal: it would be too long.
    """
    if kind == "unblock":
        return tuple(sorted(set(items).difference(addresses))) if addresses else ()
    after = set(items).union(addresses)
    if len(after) > BLOCKED_ADDRESSES:
        raise Refusal(Condition.POLICY_VIOLATION, f"more than {BLOCKED_ADDRESSES} blocked addresses")
    return tuple(sorted(after))


def table_lines() -> Iterable[str]:
    """The table as text, one line for each kind of stanza."""
    yield "".ljust(26) + "".join(side.ljust(36) for side in Side)
    for kind in Kind:
        yield kind.ljust(26) + "".join(TABLE[side][kind].ljust(36) for side in Side)


if __name__ == "__main__":
    print("\n".join(table_lines()))  # noqa: T201 -- the printable table
