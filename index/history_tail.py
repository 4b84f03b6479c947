"""The newest messages of all histories, in memory, searched by looking at each.

This is the twin of the index on disk, and also its newest part: what is there before the next commit. A message is one text,
shared by the histories that it is in; a condition is a substring (`index.history_words`). Nobody's text is looked at but the
owner's. Looking at one takes 0.1 us for each condition, so whoever fills it bounds it.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import trio

from engine.messages import HistoryQuery
from engine.ports import Indexed
from index.history_words import Condition, bounds_of, conditions_of, words_of


class _Line(msgspec.Struct, frozen=True):
    """One message in one history."""

    id: int
    text: str
    peer: str
    resources: tuple[str, ...]


class HistoryTail:
    """Messages in the order of their ids.

    Attributes:
        count: messages.
        characters: of their texts.
    """

    def __init__(self) -> None:
        self.count = 0
        self.characters = 0
        self._lines: dict[str, list[_Line]] = {}

    def add(self, message: Indexed, text: str) -> None:
        """Take in one with a greater id than any before; `text` as `BodyWords.text` has it."""
        self.count += 1
        self.characters += len(text)
        for side in message.sides:
            self._lines.setdefault(side.owner, []).append(_Line(message.id, text, side.peer, side.resources))

    def hits(self, query: HistoryQuery, conditions: Sequence[Condition]) -> Iterator[int]:
        """Ids of what the query asks for, in its direction; its limit is not looked at."""
        low, high = bounds_of(query)
        lines = self._lines.get(query.owner, [])
        for line in reversed(lines) if query.is_backwards else lines:
            if (
                low <= line.id <= high
                and (not query.peer or (line.peer == query.peer and query.resource in ("", *line.resources)))
                and all(condition.is_met(line.text) for condition in conditions)
            ):
                yield line.id


class MemoryHistorySearch:
    """`engine.ports.HistorySearch` in memory; nothing is kept when the process ends."""

    def __init__(self) -> None:
        self._tail = HistoryTail()
        self._newest = 0

    async def find(self, query: HistoryQuery) -> tuple[Sequence[int], bool]:
        """See `engine.ports.HistorySearch.find`."""
        found = await self._hits(query)
        page = sorted(found[: query.limit])
        return page, len(page) == len(found)

    async def matches(self, query: HistoryQuery) -> int:
        """See `engine.ports.HistorySearch.matches`."""
        return len(await self._hits(query))

    async def add(self, messages: Sequence[Indexed], after: int) -> None:
        """See `engine.ports.HistorySearch.add`."""
        await trio.lowlevel.checkpoint()
        if after > self._newest:
            return
        for message in messages:
            if message.id > self._newest:
                self._newest = message.id
                if message.body:
                    self._tail.add(message, words_of(message.body).text)

    async def keep(self) -> None:
        """It is where it will ever be."""
        await trio.lowlevel.checkpoint()

    async def newest(self) -> int:
        """See `engine.ports.HistorySearch.newest`."""
        return self._newest

    async def count(self) -> int:
        """See `engine.ports.HistorySearch.count`."""
        return self._tail.count

    @asynccontextmanager
    async def anew(self) -> AsyncIterator["MemoryHistorySearch"]:
        """See `engine.ports.HistorySearch.anew`."""
        await trio.lowlevel.checkpoint()
        fresh = MemoryHistorySearch()
        yield fresh
        self._tail, self._newest = fresh._tail, fresh._newest

    async def _hits(self, query: HistoryQuery) -> list[int]:
        await trio.lowlevel.checkpoint()
        conditions = conditions_of(query.text)
        return list(self._tail.hits(query, conditions)) if conditions else []
