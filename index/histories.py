"""Histories on disk: pages, counts and conversations, read from the tables of `index.archive`.

**A page costs the same at every depth.** Its place is a key (the archive id), and every query walks an index from there on:
the primary key of ``entry`` for a whole history, ``entry_by_peer`` for one conversation, no further than the page. No row is
passed over but when one resource or files are asked for, which is why that goes over the connection for long reads.

**Conversations** are found by jumping from peer to peer in ``entry_by_peer``; of each, its end is looked at. The messages
themselves are read for the page alone.

A query is one unit of work on one connection and sees one state of the file. Its Python part runs on the connection's thread,
too, so the loop gets values that are ready.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from engine.limits import CONVERSATIONS, HISTORY_PAGE_BYTES, UNREAD
from engine.messages import ConversationsPage, ConversationsQuery, HistoryPage, HistoryQuery, Kept
from engine.ports import UnknownMessage
from index.asyncio_island import Island
from index.chat_rows import CHAT_COLUMNS, WITH_CHATS, chat_of
from index.database import Database
from index.ledger import Role
from index.overviews import Overview, choose, page_of
from index.statements import in_chunks, placeholders

T = TypeVar("T")

NEWEST_ID: Final = (1 << 63) - 1


class SqliteHistories:
    """`engine.ports.Histories` in the file of an archive.

    Args:
        island: open for as long as this is used.
        database: of the archive.
    """

    def __init__(self, island: Island, database: Database) -> None:
        self._island = island
        self._database = database

    async def page(self, query: HistoryQuery) -> HistoryPage:
        """See `engine.ports.Histories.page`."""
        read = self._database.survey if query.resource or query.has_file else self._database.read
        return await self._run(read, partial(_page, query=query))

    async def count(self, query: HistoryQuery) -> int:
        """See `engine.ports.Histories.count`."""
        return await self._run(self._database.survey, partial(_count, query=query))

    async def bounds(self, owner: str) -> tuple[Kept, Kept] | None:
        """See `engine.ports.Histories.bounds`."""
        return await self._run(self._database.read, partial(_bounds, owner=owner))

    async def conversations(self, query: ConversationsQuery) -> ConversationsPage:
        """See `engine.ports.Histories.conversations`."""
        return await self._run(self._database.survey, partial(_conversations, query=query))

    async def _run(
        self, read: Callable[[Callable[[sqlite3.Connection], T]], Awaitable[T]], work: Callable[[sqlite3.Connection], T]
    ) -> T:
        return await self._island.run(read, work)


# -- pages -------------------------------------------------------------------------------------------------------------


class _Range(msgspec.Struct, frozen=True):
    """A query in numbers: whose entries, with whom, from which id to which."""

    owner: int
    peer: int | None
    low: int
    high: int


def _page(connection: sqlite3.Connection, query: HistoryQuery) -> HistoryPage:
    where = _range(connection, query)
    if where is None:
        return HistoryPage((), is_complete=True)
    condition, values = _condition(where, query)
    order = "DESC" if query.is_backwards else "ASC"
    sql = f"SELECT role, {CHAT_COLUMNS} {condition} ORDER BY entry.id {order} LIMIT ?"
    kept, is_complete = _take(connection.execute(sql, (*values, query.limit + 1)), query.limit, query.owner)
    return HistoryPage(tuple(reversed(kept)) if query.is_backwards else tuple(kept), is_complete)


def _take(rows: sqlite3.Cursor, limit: int, owner: str) -> tuple[list[Kept], bool]:
    """As many rows as a page may have, and whether these were all."""
    kept: list[Kept] = []
    size = 0
    for row in rows:
        one = _kept(row, owner)
        size += len(one.chat.payload.encode())
        if len(kept) == limit or (kept and size > HISTORY_PAGE_BYTES):
            rows.close()
            return kept, False
        kept.append(one)
    return kept, True


def _count(connection: sqlite3.Connection, query: HistoryQuery) -> int:
    where = _range(connection, query)
    if where is None:
        return 0
    condition, values = _condition(where, query)
    count: int = connection.execute(f"SELECT count(*) {condition}", values).fetchone()[0]
    return count


def _bounds(connection: sqlite3.Connection, owner: str) -> tuple[Kept, Kept] | None:
    oldest = _page(connection, HistoryQuery(owner=owner, limit=1)).kept
    newest = _page(connection, HistoryQuery(owner=owner, limit=1, is_backwards=True)).kept
    return (oldest[0], newest[0]) if oldest else None


def _range(connection: sqlite3.Connection, query: HistoryQuery) -> _Range | None:
    """None: there can be nothing.

    Raises:
        UnknownMessage: an id of the query is not in this history.
    """
    owner, gone, peer = connection.execute(_WHO, {"owner": query.owner, "peer": query.peer}).fetchone()
    _check_known(connection, owner, gone, query)
    if owner is None or (query.peer and peer is None):
        return None
    low = max(query.start, gone + 1, 0 if query.after is None else query.after + 1)
    high = NEWEST_ID if query.end is None else query.end
    if query.before is not None:
        high = min(high, query.before - 1)
    return _Range(owner, peer if query.peer else None, low, high)


def _check_known(connection: sqlite3.Connection, owner: int | None, gone: int, query: HistoryQuery) -> None:
    named = {*query.known, *query.ids, *(place for place in (query.after, query.before) if place is not None)}
    found = 0
    for chunk in in_chunks(sorted(named)):
        sql = f"SELECT count(*) FROM entry WHERE owner = ? AND +id > ? AND id IN (VALUES {placeholders(len(chunk), 1)})"  # noqa: S608
        found += connection.execute(sql, (owner, gone, *chunk)).fetchone()[0]
    if found < len(named):
        raise UnknownMessage(f"{len(named) - found} of {len(named)} ids are not in the history of {query.owner}")


def _condition(where: _Range, query: HistoryQuery) -> tuple[str, list[Any]]:
    """FROM and WHERE, and their values."""
    index = "" if where.peer is None or query.ids else "INDEXED BY entry_by_peer"
    place = (
        "+entry.id" if query.ids else "entry.id"
    )  # with the plus: each id is looked up, not all between the ends passed over
    sql = f"FROM entry {index} {WITH_CHATS} WHERE entry.owner = ? AND {place} BETWEEN ? AND ?"
    values: list[Any] = [where.owner, where.low, where.high]
    if where.peer is not None:
        sql += " AND entry.peer = ?"
        values.append(where.peer)
    if query.resource:
        sql += f" AND {_OF_RESOURCE}"
        values += [query.resource, query.resource]
    if query.has_file:
        sql += " AND EXISTS (SELECT 1 FROM attachment WHERE attachment.id = entry.id)"
    if query.ids:
        sql += f" AND entry.id IN (VALUES {placeholders(len(query.ids), 1)})"
        values += query.ids
    return sql, values


def _kept(row: Any, owner: str) -> Kept:
    role, *columns = row
    return Kept(chat_of(columns, owner), role == Role.SENT)


_WHO: Final = """
    SELECT owner.id, ifnull((SELECT departure.id FROM departure WHERE departure.owner = owner.id), 0), peer.id
    FROM (SELECT (SELECT id FROM address WHERE jid = :owner) AS id) AS owner,
         (SELECT (SELECT id FROM address WHERE jid = :peer) AS id) AS peer
"""

_OF_RESOURCE: Final = """(
    CASE role WHEN 1 THEN target_resource ELSE sender_resource END = ?
    OR (entry.owner = entry.peer AND sender_resource = ?)
)"""


# -- conversations -----------------------------------------------------------------------------------------------------


def _conversations(connection: sqlite3.Connection, query: ConversationsQuery) -> ConversationsPage:
    owner, gone, _ = connection.execute(_WHO, {"owner": query.owner, "peer": ""}).fetchone()
    rows = connection.execute(_OVERVIEWS, {"owner": owner, "gone": gone}).fetchall()
    overviews = [Overview(*row) for row in rows]
    chosen, is_complete = choose(overviews, query)
    newest = _messages(connection, owner, query.owner, [overview.newest for overview in chosen])
    return page_of(overviews, chosen, newest, query, is_complete=is_complete)


def _messages(connection: sqlite3.Connection, owner: int, jid: str, ids: Sequence[int]) -> dict[int, Kept]:
    found: dict[int, Kept] = {}
    for chunk in in_chunks(ids):
        sql = (
            f"SELECT role, {CHAT_COLUMNS} FROM entry {WITH_CHATS}"  # noqa: S608
            f" WHERE entry.owner = ? AND entry.id IN (VALUES {placeholders(len(chunk), 1)})"
        )
        for row in connection.execute(sql, (owner, *chunk)):
            kept = _kept(row, jid)
            found[kept.chat.id] = kept
    return found


def _end_of(peer: str, after: str) -> str:
    """The newest entries of one conversation, newest first, each with its message."""
    return f"""(
        SELECT id, role FROM entry INDEXED BY entry_by_peer
        WHERE owner = :owner AND entry.peer = {peer} AND id > {after} ORDER BY id DESC LIMIT {UNREAD}
    ) AS latest CROSS JOIN message USING (id)"""  # noqa: S608


_MARKED: Final = """
    ifnull((SELECT reading.id FROM reading WHERE owner = :owner AND reading.peer = partner.peer), 0)
"""

_OVERVIEWS: Final = f"""
    WITH RECURSIVE partner (peer) AS (
        SELECT min(peer) FROM entry INDEXED BY entry_by_peer WHERE owner = :owner
        UNION ALL
        SELECT (
            SELECT min(peer) FROM entry INDEXED BY entry_by_peer WHERE owner = :owner AND peer > partner.peer
        ) FROM partner WHERE partner.peer IS NOT NULL
        LIMIT {CONVERSATIONS}
    ), conversation AS MATERIALIZED (
        SELECT
            peer,
            (SELECT latest.id FROM {_end_of("partner.peer", ":gone")} WHERE body <> '' LIMIT 1) AS newest,
            max({_MARKED}, ifnull((
                SELECT latest.id FROM {_end_of("partner.peer", f"max(:gone, {_MARKED})")}
                WHERE role = 1 AND body <> '' LIMIT 1
            ), 0)) AS seen
        FROM partner WHERE peer IS NOT NULL
    )
    SELECT
        jid,
        newest,
        (
            SELECT count(*) FROM {_end_of("conversation.peer", "max(:gone, seen)")}
            WHERE role = 2 AND body <> ''
        ),
        seen
    FROM conversation CROSS JOIN address ON address.id = conversation.peer
    WHERE newest IS NOT NULL
"""  # noqa: S608
