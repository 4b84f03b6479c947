"""The archive on disk: every chat once, in the history of everyone it belongs to.

Owns ``archive.sqlite``. The rules of ids and ledger are in `index.ledger`; here they become rows. One call of `commit` is one
transaction and one fsync; the archiver makes the groups. Everything of a transaction is asked and written in few statements
(see `index.statements` for why).

**Duplicates** are found by the unique index over sender and origin-id: the insert leaves them out, and only then is asked
which they were.

**A draft that cannot be written for a reason of its own** (lone surrogates, a gigabyte of text) fails its whole batch, with
Python's or SQLite's own error; nothing was written, and the caller sends the drafts again one by one.

**Limits**: `ADDRESSES_CACHED` addresses are kept in memory with their numbers.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from engine.jid import Jid
from engine.limits import WAITING_PAGE_BYTES
from engine.messages import Chat
from engine.ports import NOTHING, Cursor, Draft, Notes, StorageUnavailable, Stored
from index import clients, files, readings
from index.archive_checks import problems
from index.asyncio_island import Island
from index.chat_rows import CHAT_COLUMNS, INTO_MESSAGE, WITH_CHATS, chat_of, row_of
from index.database import Database, describe_damage
from index.files import SqliteFiles
from index.histories import SqliteHistories
from index.ledger import Entry, MessageIds, Role, entries_of
from index.migrations import Schema
from index.retention import SqliteRetention
from index.statements import in_chunks, insert, placeholders
from index.texts import SqliteTexts

APPLICATION_ID: Final = 0x526F6B61

ADDRESSES_CACHED: Final = 65_536
"""Some 10 MB. At the limit all are forgotten: the busy ones are back with the next batches."""


class SqliteArchive:
    """`engine.ports.Archive` in one SQLite file. ``async with SqliteArchive(...) as archive``.

    Args:
        island: open for as long as this is.
        path: of the file; made if it does not exist.
        clock: seconds since 1970, for the ids.

    Attributes:
        histories: reads the same file.
        texts: the same file, as the history search wants it.
        retention: takes messages out of it for good.
        files: what messages carry, in the folder ``files`` beside it.
    """

    def __init__(self, island: Island, path: Path, *, clock: Callable[[], float]) -> None:
        self._island = island
        self._database = Database(path, Schema.load("archive", APPLICATION_ID), has_foreign_keys=False)
        self.histories = SqliteHistories(island, self._database)
        self.texts = SqliteTexts(island, self._database)
        self.retention = SqliteRetention(island, self._database)
        self.files = SqliteFiles(island, self._database, path.parent / "files")
        self._clock = clock
        self._ids = MessageIds(clock, 0)
        self._opened_at = 0
        self._newest = 0
        self._numbers: dict[str, int] = {}  # of addresses; only such as are committed

    async def open(self) -> None:
        """Open, and migrate if need be.

        Raises:
            DatabaseRefused: the file is damaged, foreign, of a newer version, or may not be opened.
            StorageUnavailable: another process holds it, or the disk fails.
        """
        self._newest = await self._island.run_to_end(self._database.open, _newest)
        self._opened_at = int(self._clock() * 1_000_000)
        self._ids = MessageIds(self._clock, self._newest)

    async def close(self) -> None:
        """Finish what is under way, and close the file."""
        await self._island.run_to_end(self._database.close)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def commit(self, drafts: Sequence[Draft], notes: Notes = NOTHING) -> list[Stored]:
        """See `engine.ports.Archive.commit`. A cancellation of the caller waits until the transaction is over."""
        if not drafts and not notes:
            return []
        now = int(self._clock() * 1_000_000)
        batch = _Batch(drafts, self._ids.take(len(drafts)), notes, now, self._numbers)
        stored = await self._island.run_to_end(self._database.write, batch.write)
        if len(self._numbers) + len(batch.new_numbers) > ADDRESSES_CACHED:
            self._numbers.clear()
        self._numbers.update(batch.new_numbers)
        self._newest = max(self._newest, *(each.id for each in stored), 0)
        return stored

    async def mark_read(self, marks: Sequence[tuple[str, int]]) -> list[bool]:
        """See `engine.ports.Archive.mark_read`."""
        return await self._island.run_to_end(self._database.write, partial(readings.mark, marks=list(marks)))

    async def missed(self, session: Jid, after: int, limit: int, *, has_copies: bool) -> list[Chat]:
        """See `engine.ports.Archive.missed`."""
        values = {
            "owner": session.bare,
            "resource": session.resource,
            "after": after,
            "limit": limit,
            "has_copies": has_copies,
        }

        def read(connection: sqlite3.Connection) -> list[Any]:
            with closing(connection.execute(_MISSED, values)) as rows:
                return list(_page(rows))

        return [chat_of(row, session.bare) for row in await self._island.run(self._database.read, read)]

    async def cursor(self, owner: str, family: str) -> tuple[Cursor | None, int]:
        """See `engine.ports.Archive.cursor`."""
        return await self._island.run(self._database.read, lambda line: clients.read_cursor(line, owner, family))

    async def stanzas_done(self, token: str) -> int:
        """See `engine.ports.Archive.stanzas_done`."""
        return await self._island.run(self._database.read, lambda line: clients.read_done(line, token))

    async def forget_stale_sessions(self) -> None:
        """See `engine.ports.Archive.forget_stale_sessions`."""
        before = self._opened_at
        await self._island.run_to_end(self._database.write, lambda line: clients.forget_sessions(line, before))

    async def newest(self) -> int:
        """See `engine.ports.Archive.newest`."""
        return self._newest

    async def ledger(self, message_id: int) -> list[Entry]:
        """Whose message this is: who sent it, who received it and who was absent, in this order."""

        def read(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(_LEDGER, {"id": message_id}).fetchall()

        rows = await self._island.run(self._database.read, read)
        return [Entry(owner, peer, Role(role)) for owner, peer, role in rows]

    async def problems(self) -> list[str]:
        """See `engine.ports.Archive.problems`. Takes its time, over a connection of its own.

        Raises:
            StorageUnavailable: the file could not be read, for another reason than being damaged.
        """
        try:
            return await self._island.run(self._database.read_apart, problems)
        except StorageUnavailable as error:
            damage = describe_damage(error)
            if damage is None:
                raise
            return [damage]


class _Batch:
    """One commit: drafts, their ids, and notes on their way into the tables."""

    def __init__(self, drafts: Sequence[Draft], ids: range, notes: Notes, now: int, numbers: dict[str, int]) -> None:
        self._drafts = drafts
        self._ids = ids
        self._notes = notes
        self._now = now
        self._known = numbers
        self.new_numbers: dict[str, int] = {}

    def write(self, connection: sqlite3.Connection) -> list[Stored]:
        """Everything of the batch, inside a transaction."""
        entries = [entries_of(draft) for draft in self._drafts]
        number = self._number_addresses(connection, entries)
        stored = self._write_messages(connection, number)
        rows: list[tuple[int, int, int, int]] = []
        absences: list[tuple[int, int]] = []
        for each, of_one in zip(stored, entries, strict=True):
            if each.duplicate:
                continue
            for entry in of_one:
                if entry.role is Role.ABSENT:
                    absences.append((each.id, number[entry.owner]))
                else:
                    rows.append((number[entry.owner], each.id, number[entry.peer], int(entry.role)))
        insert(connection, "entry (owner, id, peer, role)", rows)
        insert(connection, "absence (id, owner)", absences)
        readings.move(connection, self._markers(stored, number))
        files.attach(connection, self._carried(stored))
        files.detach(connection, [(number[chat.sender.bare], chat.retracts) for chat in self._retracting(stored)])
        if self._notes:
            clients.write(connection, self._notes, number, self._now)
        return stored

    def _write_messages(self, connection: sqlite3.Connection, number: dict[str, int]) -> list[Stored]:
        rows: list[tuple[Any, ...]] = []
        first: dict[tuple[int, str], int] = {}  # (sender, origin-id) -> id of those in this batch
        stored: list[Stored] = []
        for draft, message_id in zip(self._drafts, self._ids, strict=True):
            chat = draft.chat
            sender = number[chat.sender.bare]
            if chat.origin_id:
                earlier = first.setdefault((sender, chat.origin_id), message_id)
                if earlier != message_id:
                    stored.append(Stored(earlier, duplicate=True))
                    continue
            stored.append(Stored(message_id))
            rows.append(row_of(chat, message_id, number))
        if insert(connection, INTO_MESSAGE, rows, _UNLESS_RESENT) == len(rows):
            return stored
        resent = {mine: theirs for mine, theirs in _resent(connection, first) if mine != theirs}
        return [Stored(resent[each.id], duplicate=True) if each.id in resent else each for each in stored]

    def _markers(self, stored: list[Stored], number: dict[str, int]) -> Iterable[readings.Marker]:
        for draft, each in zip(self._drafts, stored, strict=True):
            chat = draft.chat
            if chat.displayed and not each.duplicate:
                peer = number[(chat.via or chat.to).bare]
                yield readings.Marker(each.id, number[chat.sender.bare], peer, chat.displayed)

    def _carried(self, stored: list[Stored]) -> list[tuple[int, str]]:
        pairs = zip(self._drafts, stored, strict=True)
        return [(each.id, draft.chat.file) for draft, each in pairs if draft.chat.file and not each.duplicate]

    def _retracting(self, stored: list[Stored]) -> Iterable[Chat]:
        pairs = zip(self._drafts, stored, strict=True)
        return (draft.chat for draft, each in pairs if draft.chat.retracts and not each.duplicate)

    def _number_addresses(self, connection: sqlite3.Connection, entries: list[list[Entry]]) -> dict[str, int]:
        wanted = clients.addresses(self._notes) if self._notes else set()
        for draft, of_one in zip(self._drafts, entries, strict=True):
            wanted.add(draft.chat.to.bare)
            for entry in of_one:
                wanted.add(entry.owner)
                wanted.add(entry.peer)
        numbers = {jid: number for jid in wanted if (number := self._known.get(jid)) is not None}
        missing = [jid for jid in wanted if jid not in numbers]
        insert(connection, "address (jid)", [(jid,) for jid in missing], "ON CONFLICT DO NOTHING")
        for chunk in in_chunks(missing):
            sql = f"SELECT jid, id FROM address WHERE jid IN (VALUES {placeholders(len(chunk), 1)})"  # noqa: S608
            self.new_numbers.update(connection.execute(sql, chunk))
        numbers.update(self.new_numbers)
        return numbers


_UNLESS_RESENT: Final = "ON CONFLICT (sender, origin_id) WHERE origin_id <> '' DO NOTHING"

_MISSED: Final = f"""
    SELECT {CHAT_COLUMNS} FROM entry {WITH_CHATS}
    WHERE entry.owner = (SELECT id FROM address WHERE jid = :owner)
      AND entry.id > :after
      AND (role = 2 OR (role = 1 AND sender_resource <> :resource AND (peer = owner OR (:has_copies AND is_copied))))
    ORDER BY entry.id
    LIMIT :limit
"""  # noqa: S608

# What was removed for good had ids, too.
_NEWEST: Final = """
    SELECT max(ifnull((SELECT max(id) FROM message), 0), ifnull((SELECT max(id) FROM departure), 0),
               (SELECT purged FROM retention) - 1)
"""

_LEDGER: Final = """
    SELECT owner.jid, peer.jid, role
    FROM (
        SELECT owner, peer, role FROM entry WHERE id = :id
        UNION ALL SELECT absence.owner, sender, 3 FROM absence JOIN message USING (id) WHERE absence.id = :id
    ) AS side JOIN address AS owner ON owner.id = side.owner JOIN address AS peer ON peer.id = side.peer
    ORDER BY role, owner.jid
"""


def _page(rows: Iterable[Any]) -> Iterator[Any]:
    """Up to the one that makes them more than a page: each may have a quarter of a MiB, and all of it is copied and checked."""
    size = 0
    for place, row in enumerate(rows):
        yield row
        size += sum(len(text) for text in row[-3:-1] if isinstance(text, str))  # body and payload
        if place and size > WAITING_PAGE_BYTES:
            return


def _resent(connection: sqlite3.Connection, first: dict[tuple[int, str], int]) -> Iterable[tuple[int, int]]:
    """For each new id with an origin-id, the id that its message has in the archive."""
    for chunk in in_chunks(list(first)):
        sql = (
            "SELECT sender, origin_id, id FROM message WHERE origin_id <> ''"  # noqa: S608
            f" AND (sender, origin_id) IN (VALUES {placeholders(len(chunk), 2)})"
        )
        for sender, origin_id, message_id in connection.execute(sql, tuple(chain.from_iterable(chunk))):
            yield first[sender, origin_id], message_id


def _newest(connection: sqlite3.Connection) -> int:
    newest: int = connection.execute(_NEWEST).fetchone()[0]
    return newest
