"""Taking messages out of an archive in memory: the twin of `index.retention`.

Works on the dicts of an `index.memory_archive.MemoryArchive`. A step is one message, or one entry of a history.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

from engine.messages import Chat
from engine.ports import Cursor
from engine.retention import Extent, Step
from index.ledger import Entry, Role
from index.memory_files import MemoryFiles
from index.memory_histories import MemoryHistories


class MemoryRetention:
    """`engine.retention.Retention` over an archive in memory.

    Args:
        chats: all messages, oldest first.
        entries: the ledger of each.
        of_owner: the same by owner.
        by_origin: ids by sender and origin-id.
        cursors: of clients, by owner and family.
        histories: knows readings and departures.
        files: what messages carry.
        reach_disk: awaited by each call; raises what stands for a disk that fails.

    Attributes:
        purged: no message before this time is left, or will be.
    """

    def __init__(
        self,
        *,
        chats: MutableMapping[int, Chat],
        entries: MutableMapping[int, list[Entry]],
        of_owner: MutableMapping[str, list[tuple[int, Entry]]],
        by_origin: MutableMapping[tuple[str, str], int],
        cursors: MutableMapping[str, dict[str, Cursor]],
        histories: MemoryHistories,
        files: MemoryFiles,
        reach_disk: Callable[[], Awaitable[None]],
    ) -> None:
        self.purged = 0
        self._chats = chats
        self._entries = entries
        self._of_owner = of_owner
        self._by_origin = by_origin
        self._cursors = cursors
        self._histories = histories
        self._files = files
        self._reach_disk = reach_disk
        self._erased = self._renewed = 0

    async def extent(self, before: int) -> Extent:
        """See `engine.retention.Retention.extent`."""
        await self._reach_disk()
        old = [message_id for message_id in self._chats if message_id < before]
        sides = [(message_id, entry) for message_id in old for entry in self._shown(message_id)]
        return Extent(
            messages=len(old),
            octets=sum(map(self._octets, old)),
            conversations=len({frozenset((entry.owner, entry.peer)) for _, entry in sides}),
            members=len({entry.owner for _, entry in sides}),
            waiting=len({message_id for message_id, entry in sides if self._is_waiting(message_id, entry)}),
        )

    async def purge(self, before: int) -> Step:
        """See `engine.retention.Retention.purge`."""
        await self._reach_disk()
        self.purged = max(self.purged, before)
        oldest = next((message_id for message_id in self._chats if message_id < before), None)
        if oldest is None:
            return Step(is_done=True)
        return Step(1, self._erase([oldest]))

    async def unfinished(self) -> int | None:
        """See `engine.retention.Retention.unfinished`."""
        await self._reach_disk()
        return self.purged if any(message_id < self.purged for message_id in self._chats) else None

    async def depart(self, owner: str) -> Step:
        """See `engine.retention.Retention.depart`."""
        await self._reach_disk()
        self._files.depart(owner)
        if owner not in self._of_owner and owner not in self._cursors:
            return Step(is_done=True)
        self._histories.depart(owner, max(self._chats, default=0))
        self._cursors.pop(owner, None)
        mine = [(message_id, entry) for message_id, entry in self._of_owner[owner] if entry.role is not Role.ABSENT]
        if not mine:
            return Step(is_done=True)
        message_id, entry = mine[0]
        self._entries[message_id].remove(entry)
        self._of_owner[owner].remove(mine[0])
        self._erased += 1
        return Step(1, 0 if self._shown(message_id) else self._erase([message_id]))

    async def erased(self) -> tuple[int, bool]:
        """See `engine.retention.Retention.erased`."""
        await self._reach_disk()
        return self._erased, self._erased > self._renewed

    async def renewed(self, erased: int) -> None:
        """See `engine.retention.Retention.renewed`."""
        await self._reach_disk()
        self._renewed = max(self._renewed, erased)

    async def empty_log(self) -> bool:
        """There is none."""
        await self._reach_disk()
        return True

    def _shown(self, message_id: int) -> list[Entry]:
        return [entry for entry in self._entries[message_id] if entry.role is not Role.ABSENT]

    def _is_waiting(self, message_id: int, entry: Entry) -> bool:
        cursors: Mapping[str, Cursor] = self._cursors.get(entry.owner, {})
        return entry.role is Role.RECEIVED and all(cursor.delivered < message_id for cursor in cursors.values())

    def _octets(self, message_id: int) -> int:
        chat = self._chats[message_id]
        return len(chat.body.encode()) + len(chat.payload.encode())

    def _erase(self, ids: Iterable[int]) -> int:
        octets = 0
        for message_id in ids:
            octets += self._octets(message_id)
            chat = self._chats.pop(message_id)
            self._files.attachments.pop(message_id, None)
            self._by_origin.pop((chat.sender.bare, chat.origin_id), None)
            for entry in self._entries.pop(message_id):
                self._of_owner[entry.owner].remove((message_id, entry))
        self._erased += 1
        return octets
