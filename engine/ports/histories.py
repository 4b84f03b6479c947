"""Reading the archive, one owner at a time, and searching it."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from engine.messages import ConversationsPage, ConversationsQuery, HistoryPage, HistoryQuery, Kept


class UnknownMessage(Exception):  # noqa: N818 -- a state of the world, not a fault of the program
    """A query names an archive id that is not in the history that it asks about."""


class Histories(Protocol):
    """Reads the archive, one owner at a time; no read delays a commit.

    An owner who departed and whose address was given again has what came after that. Every method raises `StorageUnavailable`.
    """

    async def page(self, query: HistoryQuery) -> HistoryPage:
        """One page. The same effort at every depth.

        `query.text` is looked at by histories that can be searched (`index.searched_histories`), and not by others.

        It ends before `engine.limits.HISTORY_PAGE_BYTES` are full. With a resource, all of the conversation may have to
        be looked at.

        Raises:
            UnknownMessage: `after`, `before`, one of `known` or one of `ids` is not in this history.
        """

    async def count(self, query: HistoryQuery) -> int:
        """How many messages there are, whatever the limit of the query. Looks at each: 50 ms for a million.

        Raises:
            UnknownMessage: as `page`.
        """

    async def bounds(self, owner: str) -> tuple[Kept, Kept] | None:
        """The oldest and the newest message; None: an empty history."""

    async def conversations(self, query: ConversationsQuery) -> ConversationsPage:
        """The most recent conversations and what is unread; see `engine.limits.UNREAD`. The effort grows with the peers."""


class Side(msgspec.Struct, frozen=True):
    """A message in one history: whose, in the conversation with whom, and from or to which resources of that peer."""

    owner: str
    peer: str
    resources: tuple[str, ...] = ()


class Indexed(msgspec.Struct, frozen=True):
    """What the history search knows of a message; one without a body is never found."""

    id: int
    body: str
    sides: tuple[Side, ...]


class Texts(Protocol):
    """What the archive has for the history search."""

    async def since(self, after: int, limit: int) -> Sequence[Indexed]:
        """Every message after this archive id, oldest first: `limit` of them, fewer if they are long. Empty: there is none."""

    async def count(self, up_to: int) -> int:
        """How many messages with a body there are up to this archive id; takes its time."""


class HistorySearch(Protocol):
    """Finds messages in histories by words."""

    async def find(self, query: HistoryQuery) -> tuple[Sequence[int], bool]:
        """Archive ids of one page of what `query.owner` sent or received, oldest first; and whether it is complete.

        Each word of `query.text` must begin a word of the body, and one of a script without spaces must be somewhere in it;
        case, accents and width do not matter; a text without a letter or digit finds nothing. `ids` is not looked at.
        """

    async def matches(self, query: HistoryQuery) -> int:
        """How many messages `find` would find without a limit."""

    async def add(self, messages: Sequence[Indexed], after: int) -> None:
        """Take in all that the archive has after this id, up to the last of these; they are found when this returns.

        Those that are known already are passed over. Nothing happens if the index does not reach up to `after`.

        Raises:
            StorageUnavailable: what `newest` says is known, the rest is to be added again.
        """

    async def keep(self) -> None:
        """Have everything on disk.

        Raises:
            StorageUnavailable: as in `add`.
        """

    async def newest(self) -> int:
        """Everything up to this archive id is found."""

    async def count(self) -> int:
        """How many messages with a body the index has."""

    def anew(self) -> AbstractAsyncContextManager["FreshHistory"]:
        """Make the index again, from nothing, beside the one in use, which is searched and grows meanwhile.

        At the end of the block the fresh one takes its place, and nothing of the old one is left on disk; if the block raises,
        nothing has changed.

        Raises:
            StorageUnavailable: nothing has changed.
        """


class FreshHistory(Protocol):
    """An index that is being made again; see `HistorySearch.anew`."""

    async def add(self, messages: Sequence[Indexed], after: int) -> None:
        """See `HistorySearch.add`; what is added is found when it is complete."""

    async def newest(self) -> int:
        """Everything up to this archive id has been added."""
