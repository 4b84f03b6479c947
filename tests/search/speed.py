"""One user with a million messages searches them: ``python -m tests.search.speed``, or ``make search``.

The words have the frequencies of a language. The archive is made first, then the index from it, as the server does when its
folder is missing: what that costs a message is printed. Then searches of every kind, one after the other, through the ports
that XMPP and webmail use, in the process: the words are looked up in the index, and the messages in the archive. Measured are
the time until the page is there, and the processor time that it took, which does not depend on what else the machine does.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click
import msgspec
import trio

from engine.messages import HistoryQuery
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.history_index import TantivyHistory
from index.rebuild import bring_history_up_to_date
from tests.index.stories import NOON, says
from tests.scale.contacts import percentile
from tests.search.talk import Vocabulary

MESSAGES, SEARCHES, DAYS = 1_000_000, 2_000, 1_000
OWNER, PEERS = "hub@x.org", 200
PAGE: Final = 50
BAR_MS: Final = 20.0
BATCH: Final = 500
WIDTH: Final = 28


class Kind(msgspec.Struct):
    """One kind of search: the time to each answer, and the processor time of each."""

    hits: int = 0
    wall_ms: list[float] = []
    cpu_ms: list[float] = []

    def __str__(self) -> str:
        times = "  ".join(
            f"{name} p50 {percentile(ms, 0.5):6.2f}  p99 {percentile(ms, 0.99):6.2f}"
            for name, ms in (("ms", self.wall_ms), ("processor ms", self.cpu_ms))
        )
        return f"{len(self.wall_ms):5} searches  {self.hits / len(self.wall_ms):5.1f} hits  {times}"


class Figures(msgspec.Struct):
    """Everything.

    Attributes:
        messages: in the archive, all of one user.
        index_us: processor time of the process for each message that was read from the archive and indexed.
        index_seconds: for all.
        index_bytes: on disk.
        kinds: of searches.
    """

    messages: int
    index_us: float
    index_seconds: float
    index_bytes: int
    kinds: dict[str, Kind]

    @property
    def all(self) -> Kind:
        """Of every kind."""
        one = Kind()
        for kind in self.kinds.values():
            one.hits += kind.hits
            one.wall_ms += kind.wall_ms
            one.cpu_ms += kind.cpu_ms
        return one

    def lines(self) -> Iterator[str]:
        """To be printed."""
        each = f"{self.index_us:.0f} us of a processor and {self.index_bytes / self.messages:.0f} bytes each"
        yield f"{self.messages} messages indexed in {self.index_seconds:.0f} s, {each}"
        for name, kind in self.kinds.items():
            yield f"{name:{WIDTH}} {kind}"
        yield f"{'all':{WIDTH}} {self.all}"
        yield f"p99 < {BAR_MS:.0f} ms: {'ok' if self.is_good else 'MISSED'}"

    @property
    def is_good(self) -> bool:
        """The bar is kept."""
        return percentile(self.all.wall_ms, 0.99) < BAR_MS


class Questions:
    """What someone may ask, by kind. Frequent words are in every fifth message or so, rare ones in a few of all."""

    def __init__(self, dice: random.Random, vocabulary: Vocabulary, ids: tuple[int, int]) -> None:
        self._dice = dice
        self._words = vocabulary.words
        self._first, self._last = ids
        self.kinds: dict[str, Callable[[], HistoryQuery]] = {
            "a rare word": lambda: self._ask(self._rare()),
            "a word": lambda: self._ask(dice.choice(self._words[100:2_000])),
            "a frequent word": lambda: self._ask(self._frequent()),
            "a word of nobody": lambda: self._ask("".join(dice.choices("qxz", k=8))),
            "one letter": lambda: self._ask(self._letters(1)),
            "two letters": lambda: self._ask(self._letters(2)),
            "three letters": lambda: self._ask(self._letters(3)),
            "letters of several words": lambda: self._ask(
                " ".join(self._letters(1) for _ in range(dice.randint(2, 8)))
            ),
            "two frequent words": lambda: self._ask(f"{self._frequent()} {self._frequent()}"),
            "many frequent words": lambda: self._ask(" ".join(self._frequent() for _ in range(6))),
            "a frequent and a rare word": lambda: self._ask(f"{self._frequent()} {self._rare()}"),
            "with a person": lambda: self._ask(self._letters(1), peer=self._peer()),
            "a rare word with a person": lambda: self._ask(self._rare(), peer=self._peer()),
            "within a week": lambda: self._ask(self._frequent(), **self._dates(7)),
            "within some months": lambda: self._ask(f"{self._letters(1)} {self._frequent()}", **self._dates(200)),
            "one letter, before a message": lambda: self._ask(self._letters(1), before=self._moment()),
            "one letter, after a message": lambda: self._ask(
                self._letters(1), after=self._moment(), is_backwards=False
            ),
            "one letter, the oldest": lambda: self._ask(self._letters(1), is_backwards=False),
        }

    def _ask(self, text: str, *, is_backwards: bool = True, **narrowed) -> HistoryQuery:
        return HistoryQuery(owner=OWNER, text=text, limit=PAGE, is_backwards=is_backwards, **narrowed)

    def _frequent(self) -> str:
        return self._dice.choice(self._words[:10])

    def _rare(self) -> str:
        return self._dice.choice(self._words[20_000:])

    def _letters(self, count: int) -> str:
        return self._dice.choice(
            [word for word in self._dice.choices(self._words[:3_000], k=50) if len(word) >= count]
        )[:count]

    def _peer(self) -> str:
        return f"p{self._dice.randrange(PEERS)}@x.org"

    def _moment(self) -> int:
        return self._dice.randint(self._first, self._last)

    def _dates(self, days: int) -> dict[str, int]:
        start = self._moment()
        return {"start": start, "end": start + days * 86_400_000_000}


async def fill(archive: SqliteArchive, clock: list[float], messages: int, days: int, dice: random.Random) -> Vocabulary:
    """So many messages of one user, sent and received, over so many days."""
    vocabulary = Vocabulary(dice)
    for _ in range(0, messages, BATCH):
        drafts = []
        for _ in range(BATCH):
            ends = [f"{OWNER}/desk", f"p{dice.randrange(PEERS)}@x.org/desk"]
            dice.shuffle(ends)
            drafts.append(says(ends[0], ends[1], vocabulary.body()))
        await archive.commit(drafts)
        clock[0] += days * 86_400 * BATCH / messages
    return vocabulary


async def measure(messages: int, searches: int, days: int = DAYS, seed: int = 1) -> Figures:
    """Make archive and index, ask."""
    dice = random.Random(seed)
    clock = [NOON]
    with tempfile.TemporaryDirectory(prefix="rookery-search-") as folder:
        path = Path(folder)
        async with (
            Island() as island,
            SqliteArchive(island, path / "archive.sqlite", clock=lambda: clock[0]) as archive,
        ):
            vocabulary = await fill(archive, clock, messages, days, dice)
            index = TantivyHistory.open(path / "history.tantivy")
            began, busy = time.perf_counter(), time.process_time()
            assert await bring_history_up_to_date(index, archive.texts) == messages
            seconds, index_us = time.perf_counter() - began, (time.process_time() - busy) * 1e6 / messages
            questions = Questions(dice, vocabulary, (int(NOON * 1e6), await archive.newest()))
            kinds: dict[str, Kind] = {name: Kind() for name in questions.kinds}
            for place in range(searches):
                name = list(kinds)[place % len(kinds)]
                await _ask(index, archive, questions.kinds[name](), kinds[name])
            await index.aclose()
            size = sum(file.stat().st_size for file in (path / "history.tantivy").iterdir())
    return Figures(messages, index_us, seconds, size, kinds)


async def _ask(index: TantivyHistory, archive: SqliteArchive, query: HistoryQuery, kind: Kind) -> None:
    began, busy = time.perf_counter(), time.process_time()
    ids, _ = await index.find(query)
    if ids:
        page = await archive.histories.page(HistoryQuery(owner=OWNER, ids=tuple(ids), limit=PAGE))
        kind.hits += len(page.kept)
    kind.wall_ms.append((time.perf_counter() - began) * 1000)
    kind.cpu_ms.append((time.process_time() - busy) * 1000)


@click.command()
@click.option("--messages", default=MESSAGES, show_default=True)
@click.option("--searches", default=SEARCHES, show_default=True)
@click.option("--days", default=DAYS, show_default=True, help="Over which the messages were sent.")
@click.option("--seed", default=1, show_default=True)
def main(messages: int, searches: int, days: int, seed: int) -> None:
    """Measure, print, and say by the exit status whether the bar is kept."""
    figures = trio.run(measure, messages, searches, days, seed)
    for line in figures.lines():
        click.echo(line)
    sys.exit(0 if figures.is_good else 1)


if __name__ == "__main__":
    main()
