"""What the archive has for the history search (`engine.ports.Texts`), read in pages from the tables of `index.archive`.

**Limits**: a page ends when `PAGE_BYTES` or `PAGE_SIDES` are full. The first message is always in it, so it grows with the
longest message and the largest alias, which have limits of their own. `ADDRESSES_KNOWN` are in memory: the archive never gives
a number to another address.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from engine.messages import Chat
from engine.ports import Indexed, Side
from index.asyncio_island import Island
from index.database import Database
from index.ledger import Entry, Role
from index.statements import in_chunks, placeholders

PAGE_BYTES: Final = 1_048_576
"""Of bodies in one page. A message between two has some 100."""

PAGE_SIDES: Final = 16_384
"""Histories that the messages of one page are in: two addresses for each, 1 MB or so."""

ADDRESSES_KNOWN: Final = 10_000
"""Looked up once, not for each message: two thirds of what a page costs otherwise. At the limit all are forgotten."""


class SqliteTexts:
    """`engine.ports.Texts` in the file of an archive.

    Args:
        island: open for as long as this is used.
        database: of the archive.
    """

    def __init__(self, island: Island, database: Database) -> None:
        self._island = island
        self._database = database
        self._jids: dict[int, str] = {}  # by number; touched by one thread at a time

    async def since(self, after: int, limit: int) -> Sequence[Indexed]:
        """See `engine.ports.Texts.since`."""
        read = partial(_page, after=after, limit=limit, jids=self._jids)
        return await self._island.run(self._database.survey, read)

    async def count(self, up_to: int) -> int:
        """See `engine.ports.Texts.count`."""
        return await self._island.run(self._database.read_apart, partial(_count, up_to=up_to))


class MemoryTexts:
    """`engine.ports.Texts` over an archive in memory.

    Args:
        chats: all messages, oldest first.
        entries: the ledger of each.
        reach_disk: awaited by each question; raises what stands for a disk that fails.
    """

    def __init__(
        self,
        chats: Mapping[int, Chat],
        entries: Mapping[int, Sequence[Entry]],
        reach_disk: Callable[[], Awaitable[None]],
    ) -> None:
        self._chats = chats
        self._entries = entries
        self._reach_disk = reach_disk

    async def since(self, after: int, limit: int) -> Sequence[Indexed]:
        """See `engine.ports.Texts.since`."""
        await self._reach_disk()
        chats = [chat for chat in self._chats.values() if chat.id > after][:limit]
        return [Indexed(chat.id, chat.body, self._sides(chat) if chat.body else ()) for chat in chats]

    async def count(self, up_to: int) -> int:
        """See `engine.ports.Texts.count`."""
        await self._reach_disk()
        return sum(1 for chat in self._chats.values() if chat.body and chat.id <= up_to)

    def _sides(self, chat: Chat) -> tuple[Side, ...]:
        sides = (
            side_of(entry.owner, entry.peer, entry.role, chat.sender.resource, chat.to.resource)
            for entry in self._entries[chat.id]
            if entry.role is not Role.ABSENT
        )
        return tuple(sorted(sides, key=_owner))


def side_of(owner: str, peer: str, role: int, sender_resource: str, target_resource: str) -> Side:
    """A message in the history of its owner; the resources are those of whoever is the peer."""
    if owner == peer:
        return Side(owner, peer, (sender_resource, target_resource))
    return Side(owner, peer, (target_resource if role == Role.SENT else sender_resource,))


_MESSAGES: Final = """
    SELECT id, body, sender, sender_resource, ifnull(via, target), target_resource
    FROM message WHERE id > ? ORDER BY id LIMIT ?
"""

_Row = tuple[int, str, int, str, int, str]
"""Of `_MESSAGES`."""

_OWNERS: Final = "SELECT id, owner FROM entry INDEXED BY entry_by_message WHERE id > ? AND id <= ? ORDER BY id"
"""The index has all that is asked for. Role and peer follow from the message, see `index.ledger`."""


def _page(connection: sqlite3.Connection, after: int, limit: int, jids: dict[int, str]) -> list[Indexed]:
    """A page; `jids`: addresses by number that are known already, and from now on those of the page."""
    messages = _messages(connection, after, limit)
    if not messages:
        return []
    first, last = messages[0][0], messages[-1][0]
    owners: dict[int, list[int]] = {message[0]: [] for message in messages if message[1]}
    rows = connection.execute(_OWNERS, (after, last))
    for count, (message_id, owner) in enumerate(rows):
        if count >= PAGE_SIDES and message_id > first:
            last = message_id - 1
            break
        if message_id in owners:  # it has a body
            owners[message_id].append(owner)
    rows.close()
    numbers = {number for message in messages for number in (message[2], message[4])}
    _learn(connection, jids, numbers.union(*owners.values()))
    return [
        Indexed(message[0], message[1], _sides(message, owners.get(message[0], ()), jids))
        for message in messages
        if message[0] <= last
    ]


def _sides(message: _Row, owners: Sequence[int], jids: Mapping[int, str]) -> tuple[Side, ...]:
    _, _, sender, sender_resource, target, target_resource = message
    peer, resources = jids[sender], (sender_resource,)
    sides = [Side(jids[owner], peer, resources) for owner in owners if owner != sender]
    if sender in owners:
        sides.append(side_of(peer, jids[target], Role.SENT, sender_resource, target_resource))
    return tuple(sorted(sides, key=_owner))


def _messages(connection: sqlite3.Connection, after: int, limit: int) -> list[_Row]:
    messages: list[_Row] = []
    size = 0
    rows = connection.execute(_MESSAGES, (after, limit))
    for row in rows:
        size += len(row[1])
        if messages and size > PAGE_BYTES:
            break
        messages.append(row)
    rows.close()
    return messages


def _learn(connection: sqlite3.Connection, jids: dict[int, str], numbers: set[int]) -> None:
    """The addresses of these numbers."""
    if len(jids) > ADDRESSES_KNOWN:
        jids.clear()
    for chunk in in_chunks(list(numbers.difference(jids))):
        sql = f"SELECT id, jid FROM address WHERE id IN (VALUES {placeholders(len(chunk), 1)})"  # noqa: S608
        jids.update(connection.execute(sql, chunk))


def _count(connection: sqlite3.Connection, up_to: int) -> int:
    count: int = connection.execute("SELECT count(*) FROM message WHERE id <= ? AND body <> ''", (up_to,)).fetchone()[0]
    return count


def _owner(side: Side) -> str:
    return side.owner
