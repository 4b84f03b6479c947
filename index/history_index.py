"""Finds messages in a Tantivy index (`engine.ports.HistorySearch`), in the folder ``history.tantivy``.

Which words find a message is decided in `index.history_words`, how it is a document in `index.history_disk`. What someone
types never reaches Tantivy's query parser: it is cut into words, each becomes a query of its own, and whose history is
searched is a term that is ANDed here, in one place (`_Search._asked`).

**The newest messages are in memory** (`index.history_tail`), so they are found as soon as they are added. A commit takes 5 to 8
ms of a processor and some fsyncs, whatever it holds: it comes when there are `TAIL_MESSAGES` or `TAIL_CHARACTERS` of them, or
when `keep` is called. Memory and disk never overlap: what is committed leaves the memory in the same step.

**The watermark** is the greatest id on disk. What a crash takes away is added again by whoever reads the archive from there.

**Pages** are in order of archive ids. Tantivy looks at every hit to find the first of them (15 ns each), and one who
looks for a frequent word has hundreds of thousands: so the last day is asked first, then the last month (`SPANS`), then all.

**Physical removal** is a new index (`anew`), made beside the old one, in ``history.tantivy.new``, and put in its place. Until
then searches use the old one; what they find is looked up in the archive anyway, which is the truth.

**Threads**: writing and searching run in worker threads (Tantivy releases the interpreter), at most one writer and
`SEARCH_THREADS` searches at a time.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import tantivy
import trio

from engine.messages import HistoryQuery
from engine.ports import Indexed, StorageUnavailable
from index.history_disk import Committed, HistoryDisk, side_term
from index.history_tail import HistoryTail
from index.history_words import Condition, bounds_of, conditions_of
from index.tantivy_folder import drop_left_over

T = TypeVar("T")

TAIL_MESSAGES: Final = 8_192
"""In memory; then comes a commit. One condition is compared with all of them in 1 ms, if they are all of one history. A commit
of so many costs 17 us a message, one of 2,000 costs 25, one of 100 costs 170."""

TAIL_CHARACTERS: Final = 4_000_000
"""Of their words: a few messages may be as long as two thousand."""

SEARCH_THREADS: Final = 2
"""Searches at a time; further ones wait for one that ends. More would only take the processors from the chat."""

SPANS: Final = (86_400_000_000, 30 * 86_400_000_000)
"""Microseconds of history that are looked at before all of it is: a day, a month."""


class TantivyHistory:
    """The index on disk, and its newest part in memory. Make it with `open`, end it with `aclose`."""

    def __init__(self, disk: HistoryDisk) -> None:
        self._disk = disk
        self._committed = disk.look()
        self._tail = HistoryTail()
        self._newest = self._committed.newest
        self._lock = trio.Lock()
        self._remaking = trio.Lock()
        self._writers = trio.CapacityLimiter(1)
        self._searches = trio.CapacityLimiter(SEARCH_THREADS)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the index in this folder; one that is missing or damaged is made anew. Blocks (1 ms per MB).

        Raises:
            StorageUnavailable: another process has it open, or the folder cannot be written.
        """
        disk = HistoryDisk(Path(path))
        drop_left_over(disk.path)
        return cls(disk)

    async def aclose(self) -> None:
        """Have everything on disk, if it can be written, and free the folder; a second call does nothing."""
        with trio.CancelScope(shield=True):
            with suppress(StorageUnavailable):
                await self.keep()
            async with self._lock:
                await self._in_thread(self._disk.close)

    @property
    def watermark(self) -> int:
        """Everything up to this archive id is on disk."""
        return self._committed.newest

    async def newest(self) -> int:
        """See `engine.ports.HistorySearch.newest`."""
        return self._newest

    async def count(self) -> int:
        """See `engine.ports.HistorySearch.count`."""
        return self._committed.count + self._tail.count

    async def find(self, query: HistoryQuery) -> tuple[Sequence[int], bool]:
        """See `engine.ports.HistorySearch.find`."""
        search = _Search(self._committed, self._tail, query)
        limit = max(0, query.limit)
        found = await trio.to_thread.run_sync(search.find, limit + 1, limiter=self._searches)
        page = sorted(found[:limit])
        return page, len(page) == len(found)

    async def matches(self, query: HistoryQuery) -> int:
        """See `engine.ports.HistorySearch.matches`."""
        search = _Search(self._committed, self._tail, query)
        return await trio.to_thread.run_sync(search.count, limiter=self._searches)

    async def add(self, messages: Sequence[Indexed], after: int) -> None:
        """See `engine.ports.HistorySearch.add`."""
        async with self._lock:
            new = [message for message in messages if message.id > self._newest]
            if after > self._newest or not new:
                return
            texts = await self._write(partial(self._disk.add, new))
            for message, text in zip(new, texts, strict=True):
                if message.body:
                    self._tail.add(message, text)
            self._newest = new[-1].id
            if self._tail.count >= TAIL_MESSAGES or self._tail.characters >= TAIL_CHARACTERS:
                await self._commit()

    async def keep(self) -> None:
        """See `engine.ports.HistorySearch.keep`."""
        async with self._lock:
            if self._newest > self._committed.newest:
                await self._commit()

    @asynccontextmanager
    async def anew(self) -> AsyncIterator["TantivyFreshHistory"]:
        """See `engine.ports.HistorySearch.anew`."""
        async with self._remaking:
            disk = await self._in_thread(partial(HistoryDisk.beside, self._disk.path))
            try:
                yield TantivyFreshHistory(disk, self._in_thread)
                with trio.CancelScope(shield=True):
                    async with self._lock:
                        committed = await self._in_thread(partial(disk.replace, self._disk))
                        self._disk, self._committed, self._tail = disk, committed, HistoryTail()
                        self._newest = committed.newest
            except BaseException:
                with trio.CancelScope(shield=True):
                    await self._in_thread(disk.remove)
                raise

    async def _commit(self) -> None:
        # Not to be cancelled half-way: what goes to the disk leaves the memory.
        with trio.CancelScope(shield=True):
            self._committed = await self._write(self._disk.commit)
        self._tail = HistoryTail()

    async def _write(self, work: Callable[[], T]) -> T:
        """Run it under the lock; if it fails, only what was committed is left."""
        try:
            return await self._in_thread(work)
        except Exception:
            with trio.CancelScope(shield=True):
                self._committed = await self._in_thread(self._disk.recover)
            self._tail, self._newest = HistoryTail(), self._committed.newest
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._writers)


class TantivyFreshHistory:
    """An index that is being made again; given out by `TantivyHistory.anew`."""

    def __init__(self, disk: HistoryDisk, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._disk = disk
        self._in_thread = in_thread
        self._newest = 0

    async def add(self, messages: Sequence[Indexed], after: int) -> None:
        """See `engine.ports.FreshHistory.add`."""
        new = [message for message in messages if message.id > self._newest]
        if after > self._newest or not new:
            return
        await self._in_thread(partial(self._disk.add, new))
        self._newest = new[-1].id

    async def newest(self) -> int:
        """See `engine.ports.FreshHistory.newest`."""
        return self._newest


class _Search:
    """One search, in a worker thread, over one state of disk and memory."""

    def __init__(self, committed: Committed, tail: HistoryTail, query: HistoryQuery) -> None:
        self._committed = committed
        self._tail = tail
        self._query = query
        narrowed = (
            (query.peer, query.resource) if query.peer and query.resource else (query.peer,) if query.peer else ()
        )
        self._side = side_term(query.owner, *narrowed)
        self._conditions = conditions_of(query.text) if _is_sound(self._side) else ()
        low, high = bounds_of(query)
        self._low, self._high = max(low, committed.oldest), min(high, committed.newest)

    def find(self, wanted: int) -> list[int]:
        """The first so many ids, in the direction of the query; all newer ones are in memory."""
        if not self._conditions:
            return []
        hits = self._tail.hits(self._query, self._conditions)
        if self._query.is_backwards:
            found = list(islice(hits, wanted))
            return found + self._on_disk(wanted - len(found))
        found = self._on_disk(wanted)
        return found + list(islice(hits, wanted - len(found)))

    def count(self) -> int:
        """All of them."""
        if not self._conditions:
            return 0
        in_memory = sum(1 for _ in self._tail.hits(self._query, self._conditions))
        if self._low > self._high:
            return in_memory
        counting = {"messages": {"value_count": {"field": "id"}}}
        counted = self._committed.searcher.aggregate(self._asked(self._low, self._high), counting)
        return in_memory + int(counted["messages"]["value"])

    def _on_disk(self, wanted: int) -> list[int]:
        found: list[int] = []
        low, high = self._low, self._high
        for span in (*SPANS, None):
            if low > high or len(found) >= wanted:
                break
            if span is None or span > high - low:
                found += self._page(low, high, wanted - len(found))
                break
            if self._query.is_backwards:
                found += self._page(high - span + 1, high, wanted - len(found))
                high -= span
            else:
                found += self._page(low, low + span - 1, wanted - len(found))
                low += span
        return found

    def _page(self, low: int, high: int, wanted: int) -> list[int]:
        order = tantivy.Order.Desc if self._query.is_backwards else tantivy.Order.Asc
        asked = self._asked(low, high)
        hits = self._committed.searcher.search(asked, wanted, count=False, order_by_field="id", order=order).hits
        return [message_id for message_id, _ in hits]

    def _asked(self, low: int, high: int) -> tantivy.Query:
        """What the query asks for within these ids; the owner's histories only, whatever else it says."""
        committed = self._committed
        parts = [self._term("side", self._side)]
        if low > committed.oldest or high < committed.newest:
            parts.append(tantivy.Query.range_query(committed.schema, "id", tantivy.FieldType.Unsigned, low, high))
        parts += map(self._condition, self._conditions)
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in parts])

    def _condition(self, condition: Condition) -> tantivy.Query:
        schema = self._committed.schema
        if condition.start is not None:
            return self._term("start", condition.start)
        if condition.is_unspaced:
            return tantivy.Query.phrase_query(schema, "pairs", [*condition.pairs])
        return tantivy.Query.fuzzy_term_query(schema, "word", condition.run, distance=0, prefix=True)

    def _term(self, field: str, value: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._committed.schema, field, value, index_option="basic")


def _is_sound(text: str) -> bool:
    """Whether it is a text at all: no archive holds lone surrogates, and Tantivy refuses them."""
    return text.encode(errors="ignore").decode() == text
