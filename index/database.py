"""One SQLite file: opened, kept, and its troubles told in one vocabulary.

Three connections, each with aiosqlite's thread: one writes, one reads (read-only), so that a read delays no commit, and one
reads what takes more than a few milliseconds, so that it delays no other read (`Database.survey`). What takes seconds gets a
connection of its own (`Database.read_apart`).

**A unit of work** is a plain function of the connection that runs as a whole on its thread (`index.line`), a write inside BEGIN
IMMEDIATE and COMMIT, in few statements (`index.statements`).

**Durable**: WAL with ``synchronous=FULL`` syncs the log at each COMMIT (NORMAL loses acknowledged messages in a power cut).

**Errors**: what the world does (full, locked, broken, read-only, damaged) becomes `StorageUnavailable`, after which nothing of
the transaction is there; what the program does wrong comes through as it is. After an error that may have hurt the
connection, the next call opens a new one; the file itself is never made anew behind a running server's back.

**Deleted** is zeroed (``secure_delete``), and stays in the log until that is emptied.

**Files**: mode 0600, and 0700 for a folder made here. Closing leaves one file without ``-wal`` and ``-shm``.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import aiosqlite

from engine.ports import StorageUnavailable
from index import log_file
from index.line import BUSY_SECONDS, Connection, Line, code_of, do
from index.migrations import DatabaseRefused, Schema, migrate, recognise

log = logging.getLogger(__name__)

T = TypeVar("T")

CACHE_KIB = 32 * 1024
"""Pages kept in memory by each connection: the growing ends of some thousand people's histories."""

CHECKPOINT_PAGES = 4_000
"""The log is copied into the file each 16 MiB: a page that is written often is then copied less often (with SQLite's own
1,000, 100 messages take a seventh longer)."""

LOG_BYTES = 64 * 1024 * 1024
"""A log that a long read made longer is cut back to this."""

EMPTY_LOG_ATTEMPTS = 100
EMPTY_LOG_SECONDS = 0.05
"""Between two attempts to empty the log; pages of other programs are read in less."""

_STORAGE_CODES = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}
_HARMLESS_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}
_DAMAGE_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Database:
    """One file with its schema. Coroutines run on the asyncio loop, units of work on a connection's thread.

    Args:
        path: of the file.
        schema: what it is migrated to when it is opened.
        has_foreign_keys: whether SQLite checks them at each write; without, `problems` does when asked.
    """

    def __init__(self, path: Path, schema: Schema, *, has_foreign_keys: bool) -> None:
        self.path = path
        self._schema = schema
        self._has_foreign_keys = has_foreign_keys
        self._writer = Line(lambda: self._connect("rw"))
        self._reader = Line(lambda: self._connect("ro"))
        self._surveyor = Line(lambda: self._connect("ro"))

    async def open(self, first_look: Callable[[sqlite3.Connection], T]) -> T:
        """Make the file if there is none, migrate it, and connect; returns what `first_look` reads.

        Raises:
            DatabaseRefused: the file is damaged, foreign, newer, or may not be opened.
            StorageUnavailable: another process holds it, or the disk fails.
        """
        self._make_file()
        found = log_file.pages_in(self.path)
        try:
            await self._run(self._writer, lambda connection: self._prepare(connection, found))
            return await self.read(first_look)
        except StorageUnavailable as error:
            await self.close()
            if code_of(error.__cause__) in _DAMAGE_CODES:
                raise DatabaseRefused(f"{self.path}: damaged, or no database: {error.__cause__}") from error
            raise
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections; the writer last, because it tidies the log away."""
        for line in (self._surveyor, self._reader, self._writer):
            async with line.lock:
                await line.drop()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction of its own; on disk when this returns, nothing of it there when it raises.

        Raises:
            StorageUnavailable: the disk or another process is in the way.
        """
        return await self._run(self._writer, lambda connection: _transact(connection, work))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which only reads. It sees every commit that was finished before, and one state of the file throughout.

        Raises:
            StorageUnavailable: the disk is in the way.
        """
        return await self._run(self._reader, lambda connection: _look(connection, work))

    async def survey(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, over the connection for what takes longer than a few milliseconds; made when it is first needed."""
        return await self._run(self._surveyor, lambda connection: _look(connection, work))

    async def read_apart(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, over a connection of its own: for what takes long."""
        line = Line(lambda: self._connect("ro"))
        try:
            return await self._run(line, lambda connection: _look(connection, work))
        finally:
            await line.drop()

    async def empty_log(self) -> bool:
        """Copy the log into the file and cut it off; False: another program reads an old state of it and does not end.

        Raises:
            StorageUnavailable: the disk is in the way.
        """
        line = Line(lambda: self._connect("rw"))
        try:
            for _ in range(EMPTY_LOG_ATTEMPTS):
                # Most of it is copied while others write; they wait for the rest.
                await self._run(
                    line, lambda connection: connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                )
                async with self._writer.lock:
                    if await self._run(line, _cut_log):
                        return True
                await asyncio.sleep(EMPTY_LOG_SECONDS)
            return False
        finally:
            await line.drop()

    async def _run(self, line: Line, work: Callable[[sqlite3.Connection], T]) -> T:
        async with line.lock:
            try:
                return await line.run(work)
            except sqlite3.Error as error:
                code = code_of(error)
                if code not in _STORAGE_CODES:
                    raise
                if code not in _HARMLESS_CODES:
                    await line.drop()
                raise StorageUnavailable(f"{self.path.name}: {error} ({error.sqlite_errorname})") from error

    async def _connect(self, mode: str) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # no transaction but those that are asked for
            cached_statements=256,
            factory=Connection,
        )
        try:
            await do(connection, self._set_up)
        except BaseException:
            await connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is zeroed; see `index.erasure`
        connection.execute("PRAGMA temp_store = MEMORY")  # no text in a file that is not ours
        connection.execute(f"PRAGMA foreign_keys = {self._has_foreign_keys:d}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB:d}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES:d}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES:d}")

    def _prepare(self, connection: sqlite3.Connection, pages_in_log: int) -> None:
        version = recognise(connection, self._schema, str(self.path))
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise DatabaseRefused(f"{self.path}: this file system does not allow a write-ahead log")
        if pages_in_log:
            (_, read, _) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            log_file.tell_passed_over(self.path, pages_in_log, read)
        migrate(connection, self._schema, version)

    def _make_file(self) -> None:
        try:
            if not self.path.parent.exists():
                self.path.parent.mkdir(mode=0o700, parents=True)
            # SQLite gives its -wal and -shm the mode of the file.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)
        except OSError as error:
            raise DatabaseRefused(f"{self.path}: cannot be opened: {error.strerror}") from error


def describe_damage(error: StorageUnavailable) -> str | None:
    """The line for `problems` if the storage failed because the file is damaged; None if for another reason."""
    return str(error) if code_of(error.__cause__) in _DAMAGE_CODES else None


def _transact(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # Some errors (full, I/O) have rolled back already. A ROLLBACK that fails is answered by a new connection.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _look(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        # Whatever happened: a connection that stayed in here would go on seeing this old state.
        connection.execute("ROLLBACK")


def _cut_log(connection: sqlite3.Connection) -> bool:
    """Whether the log could be emptied; nobody is waited for."""
    connection.execute("PRAGMA busy_timeout = 0")
    (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy
