"""Files in memory: the twin of `index.files`, over the dicts of an `index.memory_archive.MemoryArchive`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from engine.files import (
    PLACES_AWAITED,
    SLOT_SECONDS,
    STALE_SECONDS,
    UNSHARED_SECONDS,
    FileGone,
    FileTaken,
    SharedFile,
)
from index.ledger import Entry, Role

_SECOND = 1_000_000


class MemoryFiles:
    """`engine.files.FileStore` in dicts.

    Args:
        entries: the ledger of each message.
        reach_disk: awaited by each call; raises what stands for a disk that fails.

    Attributes:
        attachments: message -> id of the file that it carries.
    """

    def __init__(self, entries: Mapping[int, Sequence[Entry]], reach_disk: Callable[[], Awaitable[None]]) -> None:
        self.attachments: dict[int, str] = {}
        self._entries = entries
        self._reach_disk = reach_disk
        self._files: dict[str, SharedFile] = {}
        self._contents: dict[str, bytes] = {}
        self._held: set[str] = set()
        self._receiving: set[str] = set()

    def attach(self, message_id: int, file_id: str) -> None:
        """A message that carries this file was written."""
        if file_id in self._files and self._files[file_id].is_kept:
            self.attachments[message_id] = file_id
            self._held.discard(file_id)

    def depart(self, owner: str) -> None:
        """See `index.files.depart`."""
        for file in [file for file in self._files.values() if file.owner == owner]:
            self._files[file.id] = msgspec.structs.replace(file, owner="")
            self._held.discard(file.id)

    async def reserve(self, file: SharedFile, quota: int) -> bool:
        """See `engine.files.FileStore.reserve`."""
        await self._reach_disk()
        since = file.made_at - SLOT_SECONDS * _SECOND
        counted = [f for f in self._files.values() if f.owner == file.owner and (f.is_kept or f.made_at > since)]
        awaited = [f for f in counted if not f.is_kept]
        if len(awaited) >= PLACES_AWAITED or (quota and sum(f.size for f in counted) + file.size > quota):
            return False
        self._files[file.id] = file
        self._held.add(file.id)
        return True

    async def find(self, file_id: str) -> SharedFile | None:
        """See `engine.files.FileStore.find`."""
        await self._reach_disk()
        return self._files.get(file_id)

    async def may_have(self, file_id: str, address: str) -> bool:
        """See `engine.files.FileStore.may_have`."""
        await self._reach_disk()
        file = self._files.get(file_id)
        return (file is not None and file.owner == address) or any(
            entry.owner == address and entry.role is not Role.ABSENT
            for message_id, carried in self.attachments.items()
            if carried == file_id
            for entry in self._entries.get(message_id, ())
        )

    @asynccontextmanager
    async def receive(self, file: SharedFile) -> AsyncIterator["_Incoming"]:
        """See `engine.files.FileStore.receive`."""
        if file.id in self._receiving:
            raise FileTaken
        self._receiving.add(file.id)
        try:
            known = await self.find(file.id)
            if known is None or known.is_kept:
                raise FileTaken
            yield _Incoming(self, file)
        finally:
            self._receiving.discard(file.id)

    async def keep(self, file_id: str, content: bytes) -> None:
        """All of it is there."""
        await self._reach_disk()
        if file_id not in self._files:
            raise FileGone
        self._contents[file_id] = content
        self._files[file_id] = msgspec.structs.replace(self._files[file_id], is_kept=True)

    async def read(self, file: SharedFile, start: int, size: int) -> bytes:
        """See `engine.files.FileStore.read`."""
        await self._reach_disk()
        if file.id not in self._contents:
            raise FileGone
        return self._contents[file.id][start : start + size]

    async def sweep(self, now: int, before: int = 0) -> int:
        """See `engine.files.FileStore.sweep`."""
        await self._reach_disk()
        unshared = max(before, now - UNSHARED_SECONDS * _SECOND)
        carried = set(self.attachments.values())

        def is_going(file: SharedFile) -> bool:
            if not file.is_kept:
                return file.made_at < now - STALE_SECONDS * _SECOND
            return file.id not in carried and (file.id not in self._held or file.made_at < unshared)

        gone = [file.id for file in self._files.values() if is_going(file)]
        for file_id in gone:
            del self._files[file_id]
            self._contents.pop(file_id, None)
            self._held.discard(file_id)
        return len(gone)

    async def problems(self) -> list[str]:
        """None can arise."""
        await self._reach_disk()
        return []


class _Incoming:
    """`engine.files.Incoming` in memory."""

    def __init__(self, files: MemoryFiles, file: SharedFile) -> None:
        self._files = files
        self._file = file
        self._content = b""

    async def write(self, data: bytes) -> None:
        """See `engine.files.Incoming.write`."""
        await self._files._reach_disk()  # noqa: SLF001 -- one class in two
        self._content += data

    async def keep(self) -> None:
        """See `engine.files.Incoming.keep`."""
        await self._files.keep(self._file.id, self._content)
