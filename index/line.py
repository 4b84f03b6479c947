"""A connection to a SQLite file with its thread: units of work on aiosqlite.

aiosqlite's unit is the statement: a hop to its thread and back for each. Here a unit of work is a plain function of the
connection that runs as a whole on that thread, so Python's lock changes hands a few times for each, not twice for each
statement, which may cost 5 ms while another thread computes. A unit whose caller is cancelled is not begun any more, or
interrupted.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

import aiosqlite

log = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_SECONDS = 1.0
"""How long a lock of another process (a backup, a curious operator) is waited for; then `StorageUnavailable`."""

BUSY_AGAIN_SECONDS = 0.02
"""How long it is waited for by the next ones, until one has succeeded: whoever queues behind them, readers of histories among
them, must not wait a second for each."""

INTERRUPT_SECONDS = 0.002
"""Between two attempts to stop a read whose caller was cancelled."""


def code_of(error: BaseException | None) -> int | None:
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


class Connection(sqlite3.Connection):
    """A connection whose `executescript`, which aiosqlite runs on its thread, also takes a unit of work."""

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """See `do`; a text is run as always."""
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
            if code_of(error) is not None or self.text_factory is not str:
                raise
            log.warning("a text is damaged: it is no UTF-8")  # not the error, which has the text
            self.text_factory = _read_damaged
            return work(self)
        except UnicodeDecodeError:  # SQLite names what is damaged, and that is no text
            raise _damage() from None


async def do(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run a unit of work on the connection's thread; a connection of class `Connection`.

    Raises:
        sqlite3.Error: it failed, or was interrupted.
    """
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


class Line:
    """A connection that is made when it is needed, and made again after it was dropped. Used under `lock`."""

    def __init__(self, connect: Callable[[], Awaitable[aiosqlite.Connection]]) -> None:
        self.lock = asyncio.Lock()
        self._connect = connect
        self._connection: aiosqlite.Connection | None = None
        self._was_busy = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """See `do`."""
        if self._connection is None:
            self._connection = await self._connect()
            self._was_busy = False
        try:
            result = await do(self._connection, work)
        except sqlite3.Error as error:
            if code_of(error) == sqlite3.SQLITE_BUSY and not self._was_busy:
                await self._wait_for_others(self._connection, BUSY_AGAIN_SECONDS)
                self._was_busy = True
            raise
        if self._was_busy:
            await self._wait_for_others(self._connection, BUSY_SECONDS)
            self._was_busy = False
        return result

    @staticmethod
    async def _wait_for_others(connection: aiosqlite.Connection, seconds: float) -> None:
        await do(connection, lambda line: line.execute(f"PRAGMA busy_timeout = {seconds * 1_000:.0f}").close())

    async def drop(self) -> None:
        """Close the connection; the next `run` makes another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                await connection.close()
