"""Reading the archive from a process of its own, beside the server or without it.

SQLite's log lets another process read while the server writes: neither waits for the other. But as long as a reader stays
in one transaction, the log cannot be cut off and grows; so nothing here reads for longer than a page, and whoever writes a
page to a slow terminal holds nothing meanwhile. Nothing is ever written; the file is not made if it is not there.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from engine.ports import StorageUnavailable
from index.archive import APPLICATION_ID
from index.line import BUSY_SECONDS
from index.migrations import DatabaseRefused, Schema, recognise

SPAN_MESSAGES: Final = 20_000
"""Looked at in one query where there is no index: 3 to 14 ms, measured with short messages."""

_SPAN: Final = f"""
    SELECT max(id) FROM (SELECT id FROM message WHERE id > :after AND id <= :end ORDER BY id LIMIT {SPAN_MESSAGES:d})
"""  # noqa: S608

CACHE_KIB: Final = 8 * 1024
"""Of the connection: it reads everything once, from one end to the other."""


class Onlooker:
    """A connection that only looks. ``with Onlooker(path) as onlooker``. Blocks.

    Args:
        path: of an archive; one that is not there is empty.

    Raises:
        DatabaseRefused: the file is not ours, damaged, of another version, or may not be read.
        StorageUnavailable: it cannot be read just now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = _connect(path)

    def fetch(self, sql: str, values: dict[str, Any] | None = None) -> Sequence[Any]:
        """All rows of one query, which sees one state of the file."""
        if self._connection is None:
            return ()
        try:
            return self._connection.execute(sql, values or {}).fetchall()
        except sqlite3.Error as error:
            raise StorageUnavailable(f"{self._path.name}: {error}") from error

    def newest(self) -> int:
        """The greatest id there is; 0: none."""
        rows = self.fetch("SELECT max(id) FROM message")
        return (rows[0][0] or 0) if rows else 0

    def spans(self, after: int, end: int) -> Iterator[tuple[int, int]]:
        """All messages behind `after` up to `end`, in spans of `SPAN_MESSAGES`: behind which id each begins, and its last."""
        while True:
            rows = self.fetch(_SPAN, {"after": after, "end": end})
            if not rows or rows[0][0] is None:
                return
            yield after, rows[0][0]
            after = rows[0][0]

    def fetch_some(self, sql: str, values: dict[str, Any], *, characters: int) -> Sequence[Any]:
        """The first rows of a query, until their texts have so many characters."""
        if self._connection is None:
            return ()
        rows: list[Any] = []
        try:
            cursor = self._connection.execute(sql, values)
            for row in cursor:
                rows.append(row)
                characters -= sum(len(value) for value in row if isinstance(value, str))
                if characters <= 0:
                    break
            cursor.close()
        except sqlite3.Error as error:
            raise StorageUnavailable(f"{self._path.name}: {error}") from error
        return rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()


def _connect(path: Path) -> sqlite3.Connection | None:
    """None: there is nothing yet."""
    try:
        if not path.exists():
            return None
        # Not "ro": the last one to leave an orderly folder tidies the log away, and only who could write can do that.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        with ExitStack() as stack:
            stack.callback(connection.close)
            if _prepare(connection, path):
                stack.pop_all()
                return connection
    except (OSError, sqlite3.Error) as error:
        raise DatabaseRefused(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return None


def _prepare(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is an archive that this program can read; False: it is empty."""
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB:d}")
    schema = Schema.load("archive", APPLICATION_ID)
    version = recognise(connection, schema, str(path))
    if 0 < version < schema.version:
        raise DatabaseRefused(f"{path}: of an older version; start the server once, or run `rookery verify`")
    return version > 0
