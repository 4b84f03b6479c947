"""The rules that every archive keeps: which ids messages get, and in whose history a message is.

A message has one row, and one ledger entry for each person whom it concerns:

- the sender has *sent* it, in his conversation with the address that he wrote to: for an alias message, with the alias;
- each recipient has *received* it, in his conversation with the sender;
- a member of the alias who was offline while others were online was *absent*: noted, but not in his history.

One person has one entry for one message. Who writes to himself, or to an alias that he belongs to, has sent it; who is among
both the recipients and the absent has received it.
"""

from collections.abc import Callable
from enum import IntEnum

import msgspec

from engine.ports import Draft


class Role(IntEnum):
    """What a message is to the owner of an entry. The numbers are those of the database."""

    SENT = 1
    RECEIVED = 2
    ABSENT = 3


class Entry(msgspec.Struct, frozen=True, order=True):
    """One row of the ledger. `owner` and `peer` are bare addresses."""

    owner: str
    peer: str
    role: Role


def entries_of(draft: Draft) -> list[Entry]:
    """The ledger entries of a draft, the sender's first."""
    chat = draft.chat
    sender = chat.sender.bare
    others = dict.fromkeys(draft.absent, Role.ABSENT)
    others.update(dict.fromkeys(draft.recipients, Role.RECEIVED))
    others.pop(sender, None)
    sent = Entry(sender, (chat.via or chat.to).bare, Role.SENT)
    return [sent, *(Entry(owner, sender, role) for owner, role in others.items())]


class MessageIds:
    """Gives out ids: microseconds since 1970 that strictly grow, also when the clock goes back.

    Each draft takes one. That of a duplicate, or of a commit that failed, stays unused: a commit that was reported as failed
    may yet be found in the file after a crash.
    """

    def __init__(self, clock: Callable[[], float], newest: int) -> None:
        self._clock = clock
        self._last = newest

    def take(self, count: int) -> range:
        """The next `count` ids; none leave everything as it is."""
        first = max(self._last + 1, int(self._clock() * 1_000_000))
        ids = range(first, first + count)
        self._last = ids[-1] if ids else self._last
        return ids
