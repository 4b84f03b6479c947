"""The archive: what is written, and what each client has got of it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from engine.jid import Jid
from engine.messages import Chat


class Draft(msgspec.Struct, frozen=True):
    """A chat to be archived: one row for it, one for its sender, one for each recipient and each absent member."""

    chat: Chat
    recipients: tuple[str, ...]
    absent: tuple[str, ...] = ()


class Cursor(msgspec.Struct, frozen=True):
    """What one client has been given: everything between these archive ids. `fetches`: it asks for the history itself."""

    since: int
    delivered: int
    fetches: bool = False


class Notes(msgspec.Struct, frozen=True):
    """What goes to disk together with chats.

    Attributes:
        cursors: by owner and family of the client; `delivered` never moves back, `since` stays what it was first.
        done: by token of a session that can be resumed: stanzas of its client that are done with this transaction.
        forgotten: tokens of sessions whose count is to be dropped.
    """

    cursors: Mapping[tuple[str, str], Cursor] = {}
    done: Mapping[str, int] = {}
    forgotten: Collection[str] = ()

    def __bool__(self) -> bool:
        return bool(self.cursors or self.done or self.forgotten)


class Stored(msgspec.Struct, frozen=True):
    """Outcome of one draft, in the order of the drafts. `duplicate`: the id is that of the first time it was sent."""

    id: int
    duplicate: bool = False


NOTHING = Notes()


class Archive(Protocol):
    """Every chat, once, in the history of everyone it belongs to."""

    async def commit(self, drafts: Sequence[Draft], notes: Notes = NOTHING) -> list[Stored]:
        """Write all drafts and notes, in one transaction; on disk (fsync) when this returns.

        Ids are given here: microseconds since 1970, strictly growing also when the clock goes back or after a restart. A
        draft whose sender (bare) and origin-id are in the archive already, or earlier in the batch, is a duplicate.
        A chat that says what was `displayed` moves its sender's reading of that conversation
        to the newest message before it that he received there and that is called so; never back.

        Raises:
            StorageUnavailable: nothing was written.
        """

    async def mark_read(self, marks: Sequence[tuple[str, int]]) -> list[bool]:
        """Each owner has read the conversation of this archive id up to it; False: it is not in his history.

        Raises:
            StorageUnavailable: nothing was written.
        """

    async def missed(self, session: Jid, after: int, limit: int, *, has_copies: bool) -> list[Chat]:
        """Chats that the account of `session` received after the archive id `after`, oldest first.

        Also what its other sessions sent to itself or, if `has_copies`, to anyone. The sender's full JID, the address and the
        alias are as they were; `is_delayed` is set. At most `limit`; the one that makes them more than `WAITING_PAGE_BYTES` is
        the last one, so that whoever cuts a page sees that there are more.
        """

    async def cursor(self, owner: str, family: str) -> tuple[Cursor | None, int]:
        """What this client has been given, and the greatest id that any client of the owner has been given (or 0)."""

    async def stanzas_done(self, token: str) -> int:
        """How many stanzas of this session's client were done with its last chat that was committed; 0: none is known."""

    async def forget_stale_sessions(self) -> None:
        """Drop the counts of sessions that had no chat since the archive was opened: their clients did not come back.

        Raises:
            StorageUnavailable: nothing was written.
        """

    async def newest(self) -> int:
        """The newest id given so far; 0 in an empty archive."""

    async def problems(self) -> list[str]:
        """Check everything (SQLite's own check and the invariants of the tables); one line for each fault, naming the row."""
