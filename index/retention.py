"""Taking messages out of the archive: those that are too old, and the history of who was removed.

Owns what goes with what; `index.erasure` deletes the texts. Both kinds work in steps, each a short transaction, so that
chat goes on between them: what is to be done is written down first (tables ``retention`` and ``departure``), so that an end in
the middle changes nothing but when it is done.

**Too old.** A message goes with the entries and absences of everyone, the oldest first. One of a large alias goes in
several steps, its sender's entry last: at every moment the tables hold together.

**Removed.** The owner's entries go, with all that is known of his clients and his readings. The others keep
theirs; a message that is in nobody's history any more goes, too.

**The log** has older states of the pages. `empty_log` copies it into the file and cuts it off; as long as another program
reads an old state that is not possible, and it says so.

Limits of one step: `STEP_ROWS`, `STEP_MESSAGES`, `STEP_SCATTERED`.
"""

import sqlite3
from typing import Final

from engine.retention import Extent, Step
from index.asyncio_island import Island
from index.database import Database
from index.erasure import erase
from index.files import depart as give_files_up
from index.statements import in_chunks, placeholders

STEP_ROWS: Final = 512
"""Entries and absences in one step: what a message to a large alias has more goes in further ones."""

STEP_MESSAGES: Final = 64
"""Of a purge, where they lie side by side: 2 to 3 ms. What a step costs for its neighbours alone is 2 ms."""

STEP_SCATTERED: Final = 4
"""Of a departure, where each lies apart and has neighbours of its own."""


class SqliteRetention:
    """`engine.retention.Retention` in the file of an archive.

    Args:
        island: open for as long as this is used.
        database: of the archive.
    """

    def __init__(self, island: Island, database: Database) -> None:
        self._island = island
        self._database = database

    async def extent(self, before: int) -> Extent:
        """See `engine.retention.Retention.extent`."""
        return await self._island.run(self._database.read_apart, lambda connection: _extent(connection, before))

    async def purge(self, before: int) -> Step:
        """See `engine.retention.Retention.purge`."""
        return await self._island.run_to_end(self._database.write, lambda connection: _purge(connection, before))

    async def unfinished(self) -> int | None:
        """See `engine.retention.Retention.unfinished`."""
        return await self._island.run(self._database.read, _unfinished)

    async def erased(self) -> tuple[int, bool]:
        """See `engine.retention.Retention.erased`."""
        return await self._island.run(self._database.read, _erased)

    async def renewed(self, erased: int) -> None:
        """See `engine.retention.Retention.renewed`."""
        values = {"erased": erased}
        await self._island.run_to_end(
            self._database.write, lambda connection: connection.execute(_RENEW, values).rowcount
        )

    async def depart(self, owner: str) -> Step:
        """See `engine.retention.Retention.depart`."""
        return await self._island.run_to_end(self._database.write, lambda connection: _depart(connection, owner))

    async def empty_log(self) -> bool:
        """See `engine.retention.Retention.empty_log`."""
        return await self._island.run_to_end(self._database.empty_log)


# -- too old -----------------------------------------------------------------------------------------------------------


def _extent(connection: sqlite3.Connection, before: int) -> Extent:
    values = {"before": before}
    messages, octets = connection.execute(_MESSAGES, values).fetchone()
    members, conversations = connection.execute(_HISTORIES, values).fetchone()
    (waiting,) = connection.execute(_WAITING, values).fetchone()
    return Extent(messages, octets, conversations, members, waiting)


def _purge(connection: sqlite3.Connection, before: int) -> Step:
    connection.execute("UPDATE retention SET purged = :before WHERE purged < :before", {"before": before})
    values = {"before": before, "messages": STEP_MESSAGES, "rows": STEP_ROWS}
    ids = _numbers(connection, _OLDEST, values)
    if not ids:
        (oldest,) = connection.execute("SELECT min(id) FROM message WHERE id < ?", (before,)).fetchone()
        return Step(is_done=True) if oldest is None else _thin_out(connection, oldest)
    connection.execute(_ERASE)
    _delete_sides(connection, ids)
    return Step(len(ids), erase(connection, ids))


def _thin_out(connection: sqlite3.Connection, message_id: int) -> Step:
    """Take some of the entries and absences of a message that has too many for one step; its sender's stays for last."""
    values = {"id": message_id, "rows": STEP_ROWS}
    if not connection.execute(_SOME_ABSENCES, values).rowcount:
        connection.execute(_SOME_ENTRIES, values)
    return Step()


def _delete_sides(connection: sqlite3.Connection, ids: list[int]) -> None:
    for table in ("entry", "absence", "attachment"):
        for chunk in in_chunks(ids):
            connection.execute(f"DELETE FROM {table} WHERE id IN (VALUES {placeholders(len(chunk), 1)})", chunk)  # noqa: S608


def _numbers(connection: sqlite3.Connection, sql: str, values: dict[str, int]) -> list[int]:
    """The numbers that a query finds, in one step: each row more would give Python's lock away once more."""
    row = connection.execute(f"SELECT group_concat(id) FROM ({sql})", values).fetchone()  # noqa: S608
    text: str | None = row[0]
    return sorted(map(int, text.split(","))) if text else []


def _unfinished(connection: sqlite3.Connection) -> int | None:
    row = connection.execute(_UNFINISHED).fetchone()
    return None if row is None else int(row[0])


def _erased(connection: sqlite3.Connection) -> tuple[int, bool]:
    erased, renewed = connection.execute("SELECT erased, renewed FROM retention").fetchone()
    return erased, erased > renewed


# -- removed -----------------------------------------------------------------------------------------------------------


def _depart(connection: sqlite3.Connection, owner: str) -> Step:
    give_files_up(connection, owner)
    row = connection.execute("SELECT id FROM address WHERE jid = ?", (owner,)).fetchone()
    if row is None:
        return Step(is_done=True)
    (number,) = row
    connection.execute(_DEPART, (number,))
    for table in ("client", "reading"):
        connection.execute(f"DELETE FROM {table} WHERE owner = ?", (number,))  # noqa: S608
    values = {"owner": number, "rows": STEP_ROWS}
    ids = _numbers(connection, _ENTRIES, values)
    if not ids:
        return Step(is_done=True)
    connection.execute(_ERASE)
    alone = _numbers(connection, _ALONE, values)
    if len(alone) > STEP_SCATTERED:  # what comes behind these is for the next step
        alone = alone[:STEP_SCATTERED]
        ids = [message_id for message_id in ids if message_id <= alone[-1]]
    connection.execute("DELETE FROM entry WHERE owner = ? AND id <= ?", (number, ids[-1]))
    _delete_sides(connection, alone)
    return Step(len(ids), erase(connection, alone))


# -- the statements ----------------------------------------------------------------------------------------------------

_MESSAGES: Final = """
    SELECT count(*), ifnull(sum(length(CAST(body AS BLOB)) + length(CAST(payload AS BLOB))), 0)
    FROM message WHERE id < :before
"""
_HISTORIES: Final = """
    SELECT count(DISTINCT owner), count(DISTINCT min(owner, peer) || ' ' || max(owner, peer))
    FROM entry WHERE id < :before
"""
_WAITING: Final = """
    SELECT count(DISTINCT id) FROM entry WHERE id < :before AND role = 2
        AND id > ifnull((SELECT max(delivered) FROM client WHERE client.owner = entry.owner), 0)
"""
_OLDEST: Final = """
    SELECT id FROM (
        SELECT id, sum(sides) OVER (ORDER BY id) AS total FROM (
            SELECT id, (SELECT count(*) FROM entry WHERE entry.id = message.id)
                + (SELECT count(*) FROM absence WHERE absence.id = message.id) AS sides
            FROM message WHERE id < :before ORDER BY id LIMIT :messages
        )
    ) WHERE total <= :rows
"""
_SOME_ABSENCES: Final = """
    DELETE FROM absence WHERE id = :id AND owner IN (SELECT owner FROM absence WHERE id = :id LIMIT :rows)
"""
_SOME_ENTRIES: Final = """
    DELETE FROM entry WHERE id = :id
        AND owner IN (SELECT owner FROM entry WHERE id = :id AND role <> 1 LIMIT :rows)
"""
_ENTRIES: Final = "SELECT id FROM entry WHERE owner = :owner ORDER BY id LIMIT :rows"
_ALONE: Final = f"""
    SELECT id FROM ({_ENTRIES}) AS mine
    WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.id = mine.id AND entry.owner <> :owner)
"""  # noqa: S608
_UNFINISHED: Final = "SELECT purged FROM retention WHERE EXISTS (SELECT 1 FROM message WHERE id < purged)"
_ERASE: Final = "UPDATE retention SET erased = erased + 1"
_RENEW: Final = "UPDATE retention SET renewed = :erased WHERE renewed < :erased"
_DEPART: Final = """
    INSERT INTO departure (owner, id) SELECT ?, ifnull(max(id), 0) FROM message WHERE true
    ON CONFLICT (owner) DO UPDATE SET id = max(departure.id, excluded.id)
"""
