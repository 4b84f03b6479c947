"""Statements of many rows.

Python's lock changes hands at each statement, which may cost 5 ms while another thread computes; `executemany` gives it away
for each row (1.5 s for 100 messages beside a busy thread). So many rows go in few statements, and their texts are made once.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

T = TypeVar("T")

CHUNK_ROWS = 256
"""Rows in one statement, at most; with 12 columns far below SQLite's 32,766 parameters."""


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
        sql = _insertion(into, len(chunk), len(chunk[0]), otherwise)
        count += connection.execute(sql, tuple(chain.from_iterable(chunk))).rowcount
    return count


@lru_cache(256)  # nine sizes of some ten statements
def _insertion(into: str, rows: int, columns: int, otherwise: str) -> str:
    # OR FAIL: without it SQLite copies each page that it touches, to undo this one statement.
    return f"INSERT OR FAIL INTO {into} VALUES {placeholders(rows, columns)} {otherwise}"  # noqa: S608


@lru_cache(64)
def placeholders(rows: int, columns: int) -> str:
    """``(?, ?), (?, ?)`` and so on."""
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)
