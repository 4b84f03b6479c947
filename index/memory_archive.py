"""The archive in memory: the same behaviour as on disk, proved by the same tests.

For tests and scenario plays; nothing is kept when the process ends. A method does its work in one go and then gives other
tasks their turn once, as the disk does. `MemoryArchive.fail_with` stands for a disk that fails.
"""

from collections.abc import Callable, Sequence
from itertools import islice

import msgspec
import trio

from engine.jid import Jid
from engine.limits import WAITING_PAGE_BYTES
from engine.messages import Chat
from engine.ports import NOTHING, Cursor, Draft, Notes, StorageUnavailable, Stored
from index.clients import CLIENTS_PER_ACCOUNT
from index.ledger import Entry, MessageIds, Role, entries_of
from index.memory_files import MemoryFiles
from index.memory_histories import MemoryHistories
from index.memory_retention import MemoryRetention
from index.texts import MemoryTexts


class MemoryArchive:
    """`engine.ports.Archive` in dicts.

    Args:
        clock: seconds since 1970, for the ids.

    Attributes:
        fail_with: raised by every call until it is None again.
        histories: reads the same messages.
        texts: the same messages, as the history search wants them.
        retention: takes messages out of it for good.
        files: what messages carry.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.fail_with: StorageUnavailable | None = None
        self._clock = clock
        self._ids = MessageIds(clock, 0)
        self._chats: dict[int, Chat] = {}
        self._entries: dict[int, list[Entry]] = {}
        self._by_origin: dict[tuple[str, str], int] = {}
        self._of_owner: dict[str, list[tuple[int, Entry]]] = {}
        self._cursors: dict[str, dict[str, Cursor]] = {}
        self._done: dict[str, int] = {}
        self.files = MemoryFiles(self._entries, self._reach_disk)
        self.histories = MemoryHistories(self._chats, self._entries, self._reach_disk, self.files.attachments)
        self.texts = MemoryTexts(self._chats, self._entries, self._reach_disk)
        self.retention = MemoryRetention(
            chats=self._chats,
            entries=self._entries,
            of_owner=self._of_owner,
            by_origin=self._by_origin,
            cursors=self._cursors,
            histories=self.histories,
            files=self.files,
            reach_disk=self._reach_disk,
        )

    async def commit(self, drafts: Sequence[Draft], notes: Notes = NOTHING) -> list[Stored]:
        """See `engine.ports.Archive.commit`."""
        await self._reach_disk()
        ids = self._ids.take(len(drafts))
        stored = [self._store(draft, message_id) for draft, message_id in zip(drafts, ids, strict=True)]
        for draft, each in zip(drafts, stored, strict=True):
            if draft.chat.displayed and not each.duplicate:
                self.histories.move(draft.chat, each.id)
        self._note(notes)
        return stored

    async def mark_read(self, marks: Sequence[tuple[str, int]]) -> list[bool]:
        """See `engine.ports.Archive.mark_read`."""
        await self._reach_disk()
        return [self.histories.mark(owner, message_id) for owner, message_id in marks]

    async def missed(self, session: Jid, after: int, limit: int, *, has_copies: bool) -> list[Chat]:
        """See `engine.ports.Archive.missed`."""
        await self._reach_disk()

        def is_missed(entry: Entry, chat: Chat) -> bool:
            if entry.role is not Role.SENT:
                return entry.role is Role.RECEIVED
            is_copied = entry.peer == entry.owner or (has_copies and chat.is_copied)
            return chat.sender.resource != session.resource and is_copied

        found = (
            self._chats[message_id]
            for message_id, entry in self._of_owner.get(session.bare, ())
            if message_id > after and is_missed(entry, self._chats[message_id])
        )
        size, page = 0, list[Chat]()
        for chat in islice(found, limit):
            page.append(msgspec.structs.replace(chat))
            size += len(chat.body) + len(chat.payload)
            if len(page) > 1 and size > WAITING_PAGE_BYTES:
                break
        return page

    async def cursor(self, owner: str, family: str) -> tuple[Cursor | None, int]:
        """See `engine.ports.Archive.cursor`."""
        await self._reach_disk()
        cursors = self._cursors.get(owner, {})
        return cursors.get(family), max((cursor.delivered for cursor in cursors.values()), default=0)

    async def stanzas_done(self, token: str) -> int:
        """See `engine.ports.Archive.stanzas_done`."""
        await self._reach_disk()
        return self._done.get(token, 0)

    async def forget_stale_sessions(self) -> None:
        """None can be: this archive is as old as its process."""
        await self._reach_disk()

    async def newest(self) -> int:
        """See `engine.ports.Archive.newest`."""
        gone = max(self.retention.purged - 1, *self.histories.departures.values(), 0)
        return max(next(reversed(self._chats), 0), gone)  # ids grow

    async def ledger(self, message_id: int) -> list[Entry]:
        """See `index.archive.SqliteArchive.ledger`."""
        await self._reach_disk()
        return sorted(self._entries.get(message_id, ()), key=lambda entry: (entry.role, entry.owner))

    async def problems(self) -> list[str]:
        """None can arise."""
        await self._reach_disk()
        return []

    async def _reach_disk(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.fail_with is not None:
            raise self.fail_with

    def _store(self, draft: Draft, message_id: int) -> Stored:
        chat = draft.chat
        if chat.origin_id:
            first = self._by_origin.setdefault((chat.sender.bare, chat.origin_id), message_id)
            if first != message_id:
                return Stored(first, duplicate=True)
        self._chats[message_id] = msgspec.structs.replace(
            chat, id=message_id, is_delayed=True, is_lasting=True, displayed="", file="", retracts=""
        )
        if chat.file:
            self.files.attach(message_id, chat.file)
        if chat.retracts:
            self.files.attachments.pop(self._by_origin.get((chat.sender.bare, chat.retracts), 0), None)
        self._entries[message_id] = entries_of(draft)
        for entry in self._entries[message_id]:
            self._of_owner.setdefault(entry.owner, []).append((message_id, entry))
        return Stored(message_id)

    def _note(self, notes: Notes) -> None:
        for (owner, family), cursor in notes.cursors.items():
            cursors = self._cursors.setdefault(owner, {})
            known = cursors.get(family, cursor)
            delivered = max(known.delivered, cursor.delivered)
            cursors[family] = Cursor(known.since, delivered, known.fetches or cursor.fetches)
            if len(cursors) > CLIENTS_PER_ACCOUNT:
                behind = max(cursors, key=lambda name: (-cursors[name].delivered, name))
                del cursors[behind]
        for token, done in notes.done.items():
            self._done[token] = max(done, self._done.get(token, 0))
        for token in notes.forgotten:
            self._done.pop(token, None)
