"""One SQLite file: opened, kept, and its troubles told in one vocabulary.

Three connections, each with aiosqlite's thread: one writes, one reads (read-only), so that a read delays no commit, and one
reads what takes more than a few milliseconds, so that it delays no other read (`Database.survey`). What takes seconds gets a
connection of its own (`Database.read_apart`).

**One hop per unit of work.** aiosqlite's unit is the statement: a hop to its thread and back for each. Here a unit of work is
a plain function of the connection that runs as a whole on that thread, a write inside BEGIN IMMEDIATE and COMMIT. So a
cancellation never leaves half a transaction, and Python's lock changes hands a few times per transaction instead of twice
per statement: each time may cost 5 ms while another thread computes. For the same reason many rows go in few statements
(`in_chunks`, `insert`); `executemany` gives the lock away for each row (1.5 s for 100 messages beside a busy thread).

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
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiosqlite

from engine.ports import StorageUnavailable
from index import log_file
from index.migrations import DatabaseRefused, Schema, migrate, recognise

log = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_SECONDS = 1.0
"""How long a lock of another process (a backup, a curious operator) is waited for; then `StorageUnavailable`."""

BUSY_AGAIN_SECONDS = 0.02
"""How long it is waited for by the next ones, until one has succeeded: whoever queues behind them, readers of histories among
them, must not wait a second for each."""

CACHE_KIB = 32 * 1024
"""Pages kept in memory by each connection: the growing ends of some thousand people's histories."""

CHECKPOINT_PAGES = 4_000
"""The log is copied into the file each 16 MiB: a page that is written often is then copied less often (with SQLite's own
1,000, 100 messages take a seventh longer)."""

LOG_BYTES = 64 * 1024 * 1024
"""A log that a long read made longer is cut back to this."""

CHUNK_ROWS = 256
"""Rows in one statement, at most; with 12 columns far below SQLite's 32,766 parameters."""

EMPTY_LOG_ATTEMPTS = 100
EMPTY_LOG_SECONDS = 0.05
"""Between two attempts to empty the log; pages of other programs are read in less."""

INTERRUPT_SECONDS = 0.002
"""Between two attempts to stop a read whose caller was cancelled."""

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
        self._writer = _Line(lambda: self._connect("rw"))
        self._reader = _Line(lambda: self._connect("ro"))
        self._surveyor = _Line(lambda: self._connect("ro"))

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
            if _code(error.__cause__) in _DAMAGE_CODES:
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
        line = _Line(lambda: self._connect("ro"))
        try:
            return await self._run(line, lambda connection: _look(connection, work))
        finally:
            await line.drop()

    async def empty_log(self) -> bool:
        """Copy the log into the file and cut it off; False: another program reads an old state of it and does not end.

        Raises:
            StorageUnavailable: the disk is in the way.
        """
        line = _Line(lambda: self._connect("rw"))
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

    async def _run(self, line: "_Line", work: Callable[[sqlite3.Connection], T]) -> T:
        async with line.lock:
            try:
                return await line.run(work)
            except sqlite3.Error as error:
                code = _code(error)
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
            factory=_Connection,
        )
        try:
            await _do(connection, self._set_up)
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
    return str(error) if _code(error.__cause__) in _DAMAGE_CODES else None


def in_chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """The rows in pieces of 256, 128, ... 1: few statements, and few different ones to be prepared and cached."""
    start, left = 0, len(rows)
    while left:
        size = min(CHUNK_ROWS, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start, left = start + size, left - size


def insert(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]], otherwise: str = "") -> int:
    """Insert rows; returns how many were inserted or updated.

    Args:
        connection: inside a transaction that is rolled back as a whole when this raises.
        into: table and columns.
        rows: a value for each column.
        otherwise: an ``ON CONFLICT`` clause.
    """
    count = 0
    for chunk in in_chunks(rows):
        # OR FAIL: without it SQLite copies each page that it touches, to undo this one statement.
        sql = f"INSERT OR FAIL INTO {into} VALUES {placeholders(len(chunk), len(chunk[0]))} {otherwise}"  # noqa: S608
        count += connection.execute(sql, tuple(chain.from_iterable(chunk))).rowcount
    return count


def placeholders(rows: int, columns: int) -> str:
    """``(?, ?), (?, ?)`` and so on."""
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)


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


def _code(error: BaseException | None) -> int | None:
    """SQLite's primary result code, if the error is SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _damage() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("the schema is damaged")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT"
    return error


def _read_damaged(text: bytes) -> str:
    return text.decode(errors="replace")


class _Script(str, Generic[T]):
    """A unit of work, where aiosqlite takes the text of a script."""

    __slots__ = ("is_abandoned", "is_over", "result", "work")

    work: Callable[[sqlite3.Connection], T]
    result: T
    is_abandoned: bool
    is_over: bool


class _Connection(sqlite3.Connection):
    """A connection whose `executescript`, which aiosqlite runs on its thread, also takes a unit of work."""

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        if not isinstance(sql_script, _Script):
            return super().executescript(sql_script)
        try:
            if not sql_script.is_abandoned:
                sql_script.result = self._do(sql_script.work)
        finally:
            sql_script.is_over = True
        return self.cursor()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Once more if it met a text that is damaged: from then on such are read with marks in the place of what is none."""
        try:
            return work(self)
        except sqlite3.OperationalError as error:
            if _code(error) is not None or self.text_factory is not str:
                raise
            log.warning("a text is damaged: it is no UTF-8")  # not the error, which has the text
            self.text_factory = _read_damaged
            return work(self)
        except UnicodeDecodeError:  # SQLite names what is damaged, and that is no text
            raise _damage() from None


async def _do(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    script: _Script[T] = _Script("a unit of work")
    script.work, script.is_abandoned, script.is_over = work, False, False
    try:
        await connection.executescript(script)
    except asyncio.CancelledError:
        script.is_abandoned = True
        while not script.is_over:  # an interrupt is lost when it comes between two statements
            await connection.interrupt()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(INTERRUPT_SECONDS)
        raise
    return script.result


class _Line:
    """A connection that is made when it is needed, and made again after it was dropped. Used under `lock`."""

    def __init__(self, connect: Callable[[], Awaitable[aiosqlite.Connection]]) -> None:
        self.lock = asyncio.Lock()
        self._connect = connect
        self._connection: aiosqlite.Connection | None = None
        self._was_busy = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = await self._connect()
            self._was_busy = False
        try:
            result = await _do(self._connection, work)
        except sqlite3.Error as error:
            if _code(error) == sqlite3.SQLITE_BUSY and not self._was_busy:
                await self._wait_for_others(self._connection, BUSY_AGAIN_SECONDS)
                self._was_busy = True
            raise
        if self._was_busy:
            await self._wait_for_others(self._connection, BUSY_SECONDS)
            self._was_busy = False
        return result

    @staticmethod
    async def _wait_for_others(connection: aiosqlite.Connection, seconds: float) -> None:
        await _do(connection, lambda line: line.execute(f"PRAGMA busy_timeout = {seconds * 1_000:.0f}").close())

    async def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                await connection.close()
