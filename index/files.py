"""Files on disk: their bytes in a folder of their own, their rows in the archive's database (`index.schema`, 0005).

**Half a file is never seen.** Bytes go to ``<two letters of the id>/<id>.part``; when all are there they are synced, the file
takes its name beside that, the folder is synced, and only then the row says that it is kept. Whatever ends in between leaves an
awaited row, and bytes that are overwritten or removed with it. Removal goes the other way: the row says so first, then the
bytes go, then the row.

**Names on the disk are ids** and never come from people. The folder is 0700, files are 0600.

**Room.** An upload is refused while the disk has less than `SPARE_BYTES` left: chat needs it more.

Limits: reading and writing wait on `THREADS` threads; a caller has no more in memory than it was given in one call. Contents
are removed as file systems do it: unlinked, not overwritten.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import trio

from engine.files import (
    PLACES_AWAITED,
    SLOT_SECONDS,
    STALE_SECONDS,
    UNSHARED_SECONDS,
    FileGone,
    FileTaken,
    SharedFile,
)
from engine.ports import StorageUnavailable
from index.asyncio_island import Island
from index.database import Database
from index.statements import in_chunks, placeholders

T = TypeVar("T")

SPARE_BYTES: Final = 256 * 1024 * 1024
"""Days of chat of a busy office."""

THREADS: Final = 4
"""A slow disk keeps no more threads than this, and no other work of the server from its own."""

SWEEP_FILES: Final = 64
"""In one step."""

_SECOND: Final = 1_000_000


class SqliteFiles:
    """`engine.files.FileStore` in the file of an archive, and a folder.

    Args:
        island: open for as long as this is used.
        database: of the archive.
        folder: for the contents; made when it is first needed.
    """

    def __init__(self, island: Island, database: Database, folder: Path) -> None:
        self._island = island
        self._database = database
        self._folder = folder
        self._threads = trio.CapacityLimiter(THREADS)
        self._receiving: set[str] = set()

    async def reserve(self, file: SharedFile, quota: int) -> bool:
        """See `engine.files.FileStore.reserve`."""
        return await self._island.run_to_end(self._database.write, lambda line: _reserve(line, file, quota))

    async def find(self, file_id: str) -> SharedFile | None:
        """See `engine.files.FileStore.find`."""

        def look(connection: sqlite3.Connection) -> Any:
            return connection.execute(_FIND, (file_id,)).fetchone()

        row = await self._island.run(self._database.read, look)
        return None if row is None else SharedFile(*row)

    async def may_have(self, file_id: str, address: str) -> bool:
        """See `engine.files.FileStore.may_have`."""
        values = {"id": file_id, "address": address}

        def look(connection: sqlite3.Connection) -> bool:
            return bool(connection.execute(_MAY_HAVE, values).fetchone()[0])

        return await self._island.run(self._database.read, look)

    @asynccontextmanager
    async def receive(self, file: SharedFile) -> AsyncIterator["_Incoming"]:
        """See `engine.files.FileStore.receive`."""
        if file.id in self._receiving:
            raise FileTaken
        self._receiving.add(file.id)
        part = self._part(file.id)
        try:
            known = await self.find(file.id)
            if known is None or known.is_kept:
                raise FileTaken
            stream = await self._do(_open_part, self._folder, part, file.size)
            try:
                yield _Incoming(self, file, stream, part)
            finally:
                with trio.CancelScope(shield=True):
                    await self._do(_close_part, stream, part)
        finally:
            self._receiving.discard(file.id)

    async def read(self, file: SharedFile, start: int, size: int) -> bytes:
        """See `engine.files.FileStore.read`."""
        return await self._do(_read, self._place(file.id), start, size)

    async def sweep(self, now: int, before: int = 0) -> int:
        """See `engine.files.FileStore.sweep`."""
        values = {
            "stale": now - STALE_SECONDS * _SECOND,
            "unshared": max(before, now - UNSHARED_SECONDS * _SECOND),
            "limit": SWEEP_FILES,
        }
        removed = 0
        while True:
            found = await self._island.run(self._database.read_apart, lambda line: _to_go(line, values))
            if not found:
                return removed
            gone = await self._island.run_to_end(
                self._database.write, lambda line, ids=found: _give_up(line, ids, values)
            )
            for file_id in gone:
                for path in (self._place(file_id), self._part(file_id)):
                    await self._do(_unlink, path)
            await self._island.run_to_end(self._database.write, lambda line, ids=gone: _forget(line, ids))
            removed += len(gone)
            if not gone:
                return removed

    async def problems(self) -> list[str]:
        """See `engine.files.FileStore.problems`."""
        rows = await self._island.run(self._database.read_apart, lambda line: line.execute(_ALL_KEPT).fetchall())
        return [
            f"files/{file_id[:2]}/{file_id}: {fault}"
            for file_id, size in rows
            if (fault := await self._do(_fault, self._place(file_id), size))
        ]

    async def keep(self, file_id: str, part: Path) -> None:
        """A file is complete and synced at `part`: put it where it belongs, and say so."""
        await self._do(_move, part, self._place(file_id))
        if not await self._island.run_to_end(
            self._database.write, lambda line: line.execute(_KEEP, (file_id,)).rowcount
        ):
            raise FileGone

    def _place(self, file_id: str) -> Path:
        return self._folder / file_id[:2] / file_id

    def _part(self, file_id: str) -> Path:
        return self._folder / file_id[:2] / f"{file_id}.part"

    async def _do(self, work: Callable[..., T], *args: Any) -> T:
        try:
            return await trio.to_thread.run_sync(work, *args, limiter=self._threads)
        except FileNotFoundError as error:
            raise FileGone from error
        except OSError as error:
            raise StorageUnavailable(f"files: {error.strerror}") from error


class _Incoming:
    """`engine.files.Incoming` on disk."""

    def __init__(self, files: SqliteFiles, file: SharedFile, stream: Any, part: Path) -> None:
        self._files = files
        self._file = file
        self._stream = stream
        self._part = part

    async def write(self, data: bytes) -> None:
        """See `engine.files.Incoming.write`."""
        await self._files._do(self._stream.write, data)  # noqa: SLF001 -- one class in two

    async def keep(self) -> None:
        """See `engine.files.Incoming.keep`."""
        await self._files._do(_sync, self._stream)  # noqa: SLF001
        await self._files.keep(self._file.id, self._part)


# -- on the disk, in a thread ------------------------------------------------------------------------------------------


def _open_part(folder: Path, part: Path, size: int) -> Any:
    for path in (folder, part.parent):
        _make_folder(path)
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < size + SPARE_BYTES:
        raise OSError(0, "the disk is nearly full")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.fdopen(os.open(part, flags, 0o600), "wb")


def _close_part(stream: Any, part: Path) -> None:
    with suppress(OSError):  # what could not be written is not kept
        stream.close()
    part.unlink(missing_ok=True)


def _sync(stream: Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _move(part: Path, place: Path) -> None:
    part.replace(place)
    _sync_folder(place.parent)


def _make_folder(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _sync_folder(folder.parent)  # or its name may be gone after a power cut, with all that is in it


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(place: Path, start: int, size: int) -> bytes:
    handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return os.pread(handle, size, start)
    finally:
        os.close(handle)


def _unlink(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
        _sync_folder(path.parent)  # its row goes next: it must not be back after a power cut


def _fault(place: Path, size: int) -> str:
    try:
        found = place.stat().st_size
    except FileNotFoundError:
        return "is missing"
    return "" if found == size else f"has {found} bytes, but should have {size}"


# -- rows --------------------------------------------------------------------------------------------------------------


def attach(connection: sqlite3.Connection, carried: Sequence[tuple[int, str]]) -> None:
    """Messages that were just written, and the id of the file that each carries; of files that there are."""
    for message_id, file_id in carried:
        if connection.execute(_ATTACH, {"message": message_id, "id": file_id}).rowcount:
            connection.execute("UPDATE file SET held = 0 WHERE id = ?", (file_id,))


def detach(connection: sqlite3.Connection, retracted: Sequence[tuple[int, str]]) -> None:
    """These senders, by number, took back what they said under this origin-id."""
    for sender, name in retracted:
        connection.execute(_DETACH, (sender, name))


def depart(connection: sqlite3.Connection, owner: str) -> None:
    """This member left: his uploads are nobody's, and only kept for those whose messages carry them."""
    connection.execute("UPDATE file SET owner = '', held = 0 WHERE owner = ?", (owner,))


def _reserve(connection: sqlite3.Connection, file: SharedFile, quota: int) -> bool:
    values = {"owner": file.owner, "since": file.made_at - SLOT_SECONDS * _SECOND}
    used, awaited = connection.execute(_USED, values).fetchone()
    if awaited >= PLACES_AWAITED or (quota and used + file.size > quota):
        return False
    row = (file.id, file.owner, file.name, file.size, file.made_at)
    connection.execute("INSERT INTO file (id, owner, name, size, made, state) VALUES (?, ?, ?, ?, ?, 1)", row)
    return True


def _to_go(connection: sqlite3.Connection, values: dict[str, int]) -> list[str]:
    return [file_id for (file_id,) in connection.execute(f"SELECT id FROM file WHERE {_GOING} LIMIT :limit", values)]  # noqa: S608


def _give_up(connection: sqlite3.Connection, ids: Sequence[str], values: dict[str, int]) -> list[str]:
    """Of these files, those that go indeed; a message may have been written meanwhile."""
    given_up = []
    for file_id in ids:
        sql = f"UPDATE file SET state = 3 WHERE id = :id AND {_GOING}"  # noqa: S608
        if connection.execute(sql, {**values, "id": file_id}).rowcount:
            given_up.append(file_id)
    return given_up


def _forget(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    for chunk in in_chunks(ids):
        connection.execute(f"DELETE FROM file WHERE state = 3 AND id IN (VALUES {placeholders(len(chunk), 1)})", chunk)  # noqa: S608


_FIND: Final = "SELECT id, owner, name, size, made, state = 2 FROM file WHERE id = ? AND state <> 3"
_ALL_KEPT: Final = "SELECT id, size FROM file WHERE state = 2"
_KEEP: Final = "UPDATE file SET state = 2 WHERE id = ? AND state = 1"
_ATTACH: Final = "INSERT INTO attachment (id, file) SELECT :message, id FROM file WHERE id = :id AND state = 2"
_DETACH: Final = """
    DELETE FROM attachment WHERE id = (SELECT id FROM message WHERE sender = ? AND origin_id = ? AND origin_id <> '')
"""
_MAY_HAVE: Final = """
    SELECT EXISTS (SELECT 1 FROM file WHERE id = :id AND owner = :address)
        OR EXISTS (
            SELECT 1 FROM attachment CROSS JOIN entry
            ON entry.owner = (SELECT id FROM address WHERE jid = :address) AND entry.id = attachment.id
            WHERE attachment.file = :id
        )
"""
_USED: Final = """
    SELECT ifnull(sum(CASE WHEN state = 2 OR (state = 1 AND made > :since) THEN size END), 0),
        count(CASE WHEN state = 1 AND made > :since THEN 1 END)
    FROM file WHERE owner = :owner
"""
_GOING: Final = """(
    state = 3
    OR (state = 1 AND made < :stale)
    OR (state = 2 AND (held = 0 OR made < :unshared)
        AND NOT EXISTS (SELECT 1 FROM attachment WHERE attachment.file = file.id))
)"""

CHECKS: Final = (
    (
        "attachment of message {0}: there is no such message",
        "SELECT attachment.id FROM attachment LEFT JOIN message USING (id) WHERE message.id IS NULL",
    ),
    (
        "attachment of message {0}: there is no file {1}",
        "SELECT attachment.id, file FROM attachment LEFT JOIN file ON file.id = file WHERE file.id IS NULL",
    ),
)
"""For `index.archive`."""
