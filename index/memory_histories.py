"""Histories in memory: the twin of `index.histories`, and of `index.readings`.

Reads the dicts of an `index.memory_archive.MemoryArchive`, which tells it what was marked. A question looks at every message.
"""

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence

from engine.limits import HISTORY_PAGE_BYTES, UNREAD
from engine.messages import (
    Chat,
    ConversationsPage,
    ConversationsQuery,
    HistoryPage,
    HistoryQuery,
    Kept,
    parse_id,
)
from engine.ports import UnknownMessage
from index.ledger import Entry, Role
from index.overviews import Overview, choose, page_of
from index.readings import LOOKED_AT

Side = tuple[Chat, Entry]


class MemoryHistories:
    """`engine.ports.Histories` over an archive in memory.

    Args:
        chats: all messages, oldest first.
        entries: the ledger of each.
        reach_disk: awaited by each question; raises what stands for a disk that fails.
        attachments: by message that carries a file.

    Attributes:
        readings: by owner and peer, as table ``reading``.
        departures: by owner, as table ``departure``.
    """

    def __init__(
        self,
        chats: Mapping[int, Chat],
        entries: Mapping[int, Sequence[Entry]],
        reach_disk: Callable[[], Awaitable[None]],
        attachments: Container[int] = (),
    ) -> None:
        self.readings: dict[tuple[str, str], int] = {}
        self.departures: dict[str, int] = {}
        self._chats = chats
        self._entries = entries
        self._reach_disk = reach_disk
        self._attachments = attachments

    # -- what was read -------------------------------------------------------------------------------------------------

    def move(self, marker: Chat, marker_id: int) -> None:
        """A marker was archived."""
        owner, peer = marker.sender.bare, (marker.via or marker.to).bare
        before = [side for side in self._ledger_of(owner, peer) if side[0].id < marker_id]
        called = {parse_id(marker.displayed)}
        called |= {chat.id for chat, _ in before if chat.sender.bare == peer and chat.origin_id == marker.displayed}
        called |= {chat.id for chat, _ in before[-LOOKED_AT:] if chat.stanza_id == marker.displayed}
        meant = [c.id for c, entry in before if c.id in called and (entry.role is Role.RECEIVED or owner == peer)]
        if meant:
            self._move(owner, peer, meant[-1])

    def mark(self, owner: str, message_id: int) -> bool:
        """The owner has read up to this message; False: it is not in his history."""
        for chat, entry in self._history_of(owner):
            if chat.id == message_id:
                self._move(owner, entry.peer, message_id)
                return True
        return False

    def _move(self, owner: str, peer: str, message_id: int) -> None:
        self.readings[owner, peer] = max(message_id, self.readings.get((owner, peer), 0))

    def depart(self, owner: str, newest: int) -> None:
        """The owner left, and his history goes up to here."""
        self.departures[owner] = max(newest, self.departures.get(owner, 0))
        for key in [key for key in self.readings if key[0] == owner]:
            del self.readings[key]

    # -- the port ------------------------------------------------------------------------------------------------------

    async def page(self, query: HistoryQuery) -> HistoryPage:
        """See `engine.ports.Histories.page`."""
        await self._reach_disk()
        matching = self._matching(query)
        if query.is_backwards:
            matching.reverse()
        taken: list[Kept] = []
        size = 0
        for chat, entry in matching:
            size += len(chat.payload.encode())
            if len(taken) == query.limit or (taken and size > HISTORY_PAGE_BYTES):
                break
            taken.append(Kept(chat, entry.role is Role.SENT))
        kept = tuple(reversed(taken)) if query.is_backwards else tuple(taken)
        return HistoryPage(kept, is_complete=len(taken) == len(matching))

    async def count(self, query: HistoryQuery) -> int:
        """See `engine.ports.Histories.count`."""
        await self._reach_disk()
        return len(self._matching(query))

    async def bounds(self, owner: str) -> tuple[Kept, Kept] | None:
        """See `engine.ports.Histories.bounds`."""
        await self._reach_disk()
        kept = [Kept(chat, entry.role is Role.SENT) for chat, entry in self._history_of(owner)]
        return (kept[0], kept[-1]) if kept else None

    async def conversations(self, query: ConversationsQuery) -> ConversationsPage:
        """See `engine.ports.Histories.conversations`."""
        await self._reach_disk()
        history = self._history_of(query.owner)
        by_id = {chat.id: Kept(chat, entry.role is Role.SENT) for chat, entry in history}
        peers = dict.fromkeys(entry.peer for _, entry in history)
        overviews = [one for peer in peers if (one := self._overview(query.owner, peer, history)) is not None]
        chosen, is_complete = choose(overviews, query)
        return page_of(overviews, chosen, by_id, query, is_complete=is_complete)

    def _overview(self, owner: str, peer: str, history: list[Side]) -> Overview | None:
        end = [side for side in history if side[1].peer == peer][-UNREAD:]
        said = [side for side in end if side[0].body]
        if not said:
            return None
        marked = self.readings.get((owner, peer), 0)
        own = [chat.id for chat, entry in said if entry.role is Role.SENT]
        read = max(marked, *own, 0)
        unread = [chat for chat, entry in said if entry.role is Role.RECEIVED and chat.id > read]
        return Overview(peer, said[-1][0].id, len(unread), read)

    # -- what is there -------------------------------------------------------------------------------------------------

    def _matching(self, query: HistoryQuery) -> list[Side]:
        history = self._history_of(query.owner)
        named = {*query.known, *query.ids, *(place for place in (query.after, query.before) if place is not None)}
        if not named <= {chat.id for chat, _ in history}:
            raise UnknownMessage(f"an id is not in the history of {query.owner}")
        return [
            (chat, entry)
            for chat, entry in history
            if (not query.peer or entry.peer == query.peer)
            and (not query.resource or query.resource in _resources(chat, entry))
            and (query.start <= chat.id)
            and (query.end is None or chat.id <= query.end)
            and (query.after is None or chat.id > query.after)
            and (query.before is None or chat.id < query.before)
            and (not query.ids or chat.id in query.ids)
            and (not query.has_file or chat.id in self._attachments)
        ]

    def _history_of(self, owner: str) -> list[Side]:
        gone = self.departures.get(owner, 0)
        return [side for side in self._ledger_of(owner) if side[0].id > gone]

    def _ledger_of(self, owner: str, peer: str | None = None) -> list[Side]:
        return [
            (chat, entry)
            for chat in self._chats.values()
            for entry in self._entries[chat.id]
            if entry.owner == owner and peer in {None, entry.peer} and entry.role is not Role.ABSENT
        ]


def _resources(chat: Chat, entry: Entry) -> set[str]:
    """Of the peer in this message."""
    if entry.owner == entry.peer:
        return {chat.sender.resource, chat.to.resource}
    return {chat.to.resource if entry.role is Role.SENT else chat.sender.resource}
