"""What the archive has for the history search (`engine.ports.Texts`), read in pages from the tables of `index.archive`.

**Limits**: a page ends when `PAGE_BYTES` are full. The first message is always in it, so it grows with the longest message and
the largest alias, which have limits of their own.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final

from engine.messages import Chat
from engine.ports import Indexed, Side
from index.asyncio_island import Island
from index.database import Database
from index.ledger import Entry, Role

PAGE_BYTES: Final = 1_048_576
"""Of bodies and addresses in one page. A message between two has some 200 bytes."""

_SIDE_BYTES: Final = 64  # two addresses, about


class SqliteTexts:
    """`engine.ports.Texts` in the file of an archive.

    Args:
        island: open for as long as this is used.
        database: of the archive.
    """

    def __init__(self, island: Island, database: Database) -> None:
        self._island = island
        self._database = database

    async def since(self, after: int, limit: int) -> Sequence[Indexed]:
        """See `engine.ports.Texts.since`."""
        return await self._island.run(self._database.survey, partial(_page, after=after, limit=limit))

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


_ROWS: Final = """
    SELECT message.id, body, sender_resource, target_resource, owner.jid, peer.jid, role
    FROM message
    LEFT JOIN entry ON entry.id = message.id AND body <> ''
    LEFT JOIN address AS owner ON owner.id = entry.owner
    LEFT JOIN address AS peer ON peer.id = entry.peer
    WHERE message.id > ?
    ORDER BY message.id
"""
"""All that is left; read no further than the page."""


def _page(connection: sqlite3.Connection, after: int, limit: int) -> list[Indexed]:
    page: list[Indexed] = []
    size = 0
    rows = connection.execute(_ROWS, (after,))
    for message_id, of_one in groupby(rows, itemgetter(0)):
        sides: list[Side] = []
        for row in of_one:
            _, body, sender_resource, target_resource, owner, peer, role = row
            if owner is not None:
                sides.append(side_of(owner, peer, role, sender_resource, target_resource))
        size += len(body) + _SIDE_BYTES * len(sides)
        if page and size > PAGE_BYTES:
            break
        page.append(Indexed(message_id, body, tuple(sorted(sides, key=_owner))))
        if len(page) == limit:
            break
    rows.close()
    return page


def _count(connection: sqlite3.Connection, up_to: int) -> int:
    count: int = connection.execute("SELECT count(*) FROM message WHERE id <= ? AND body <> ''", (up_to,)).fetchone()[0]
    return count


def _owner(side: Side) -> str:
    return side.owner
