"""Deleting messages so that none of their text stays on the disk.

SQLite zeroes what is deleted (``PRAGMA secure_delete``, see `index.database`), but not everything that it once copied: when
a page of its tree becomes too empty, the rows of its neighbours move over, and where they stood before, their text remains
in the gap until something is written there. A later deletion does not find that text. So while rows may move, there is
nothing to read in them: in one transaction,

1. the texts of the messages to be deleted, and of all that lie near them, are overwritten in place with as many zeros. A
   row that keeps its size does not move;
2. the messages are deleted, and SQLite moves what it likes;
3. the neighbours get their texts back, in place again.

Nobody else sees the state in between. The log, which has older states of the pages, is emptied by `index.retention`.

Limits: this is about bodies and payloads. Ids, resources and addresses of deleted messages may be left in gaps.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Final

from index.statements import insert

NEAR_PAGES: Final = 8
"""Pages to each side within which rows may move. SQLite balances a page with two neighbours at a time, perhaps several
times in one transaction. With random sizes and deletions, 1 left text in 6 of 150 files, 2 in one, 8 in none."""

NEWEST_ID: Final = (1 << 63) - 1

_FORWARD: Final = ("id > :low AND id < :high ORDER BY id", "id")
_BACKWARD: Final = ("id > :low AND id < :high ORDER BY id DESC", "id DESC")


def erase(connection: sqlite3.Connection, ids: Collection[int]) -> int:
    """Delete these messages, inside a transaction; their entries are the caller's business.

    Few statements, see `index.statements` for why; so the texts wait in tables of the connection's own memory.

    Returns:
        How many bytes of text they had.
    """
    if not ids:
        return 0
    for table in ("gone", "near"):
        connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, body TEXT, payload TEXT)")
    ordered = sorted(ids)
    insert(connection, "temp.gone (id)", [(number,) for number in ordered])
    octets: int = connection.execute(_OCTETS).fetchone()[0]
    _keep_neighbours(connection, ordered)
    for table in ("gone", "near"):
        connection.execute(f"{_BLANK} WHERE id IN (SELECT id FROM temp.{table})")  # noqa: S608
    connection.execute("DELETE FROM message WHERE id IN (SELECT id FROM temp.gone)")
    connection.execute(_RESTORE)
    for table in ("gone", "near"):
        connection.execute(f"DELETE FROM temp.{table}")  # noqa: S608
    return octets


def _keep_neighbours(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Put the messages that lie within `NEAR_PAGES` of one of `ids`, and are none of them, into ``near``."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    values = {
        "reach": NEAR_PAGES * page_bytes,
        "page": page_bytes // 2,
        "in_page": page_bytes // 9,
    }
    for low, high in _gaps(ids):
        bounds = {"low": 0 if low is None else low, "high": NEWEST_ID if high is None else high}
        if low is not None:
            connection.execute(_KEEP.format(*_FORWARD), values | bounds)
        if high is not None:
            connection.execute(_KEEP.format(*_BACKWARD), values | bounds)


def _gaps(ids: Sequence[int]) -> Iterator[tuple[int | None, int | None]]:
    """What lies before, between and behind ids in order; None: there is nothing on that side."""
    yield None, ids[0]
    yield from ((low, high) for low, high in pairwise(ids) if high - low > 1)
    yield ids[-1], None


_TEXT_OCTETS: Final = "length(CAST(body AS BLOB)) + length(CAST(payload AS BLOB))"
_ZEROS: Final = "substr(hex(zeroblob((length(CAST({0} AS BLOB)) + 1) / 2)), 1, length(CAST({0} AS BLOB)))"

_OCTETS: Final = f"SELECT ifnull(sum({_TEXT_OCTETS}), 0) FROM message WHERE id IN (SELECT id FROM temp.gone)"  # noqa: S608
_BLANK: Final = f"UPDATE message SET body = {_ZEROS.format('body')}, payload = {_ZEROS.format('payload')}"  # noqa: S608
_RESTORE: Final = """
    UPDATE message SET body = (SELECT body FROM temp.near WHERE near.id = message.id),
        payload = (SELECT payload FROM temp.near WHERE near.id = message.id)
    WHERE id IN (SELECT id FROM temp.near)
"""

# Of a long row, some part lies in the page itself, the rest in pages of its own, which do not move. A row takes 48 bytes more.
_KEEP: Final = """
    INSERT OR IGNORE INTO temp.near (id, body, payload)
    SELECT id, body, payload FROM (
        SELECT id, body, payload, sum(octets) OVER (ORDER BY {1}) - octets AS distance
        FROM (
            SELECT id, body, payload, CASE WHEN octets < :page THEN octets + 48 ELSE :in_page END AS octets
            FROM (
                SELECT id, body, payload, length(CAST(body AS BLOB)) + length(CAST(payload AS BLOB)) AS octets
                FROM message WHERE {0} LIMIT :reach / 48
            )
        )
    ) WHERE distance < :reach
"""
