"""Searches against a plain scan of the archive: ``python -m tests.search.oracle --queries 5000 --seed 1``, or ``make search``.

The archive grows in steps; after each the index has caught up in pages of any size, some of it on disk, some in memory only,
sometimes opened again after an end or a crash, sometimes made anew. Then random questions: any words, any person, resource,
dates, places, both directions. What the index finds must be, message by message, what a scan finds that reads every row of the
owner's history with SQL and compares words as a person would; and the histories must know each of them as the owner's.

The scan knows nothing of `index.tokens`: it has its own few lines of what a word is, good for the words that are said here.
"""

import random
import shutil
import sqlite3
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import click
import msgspec
import trio

from engine.limits import SEARCH_CHARACTERS, SEARCH_WORDS
from engine.messages import HistoryQuery
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.history_index import TantivyHistory
from tests.index.stories import NOON
from tests.search import talk

STEPS: Final = 8
UNSPACED: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI")
ROWS: Final = """
    SELECT message.id, body, role, peer.jid, sender_resource, target_resource
    FROM entry, message, address AS owner, address AS peer
    WHERE owner.jid = ? AND entry.owner = owner.id AND message.id = entry.id AND peer.id = entry.peer
    ORDER BY message.id
"""


class Line(msgspec.Struct, frozen=True):
    """One message of a history, as the scan sees it."""

    id: int
    body: str
    words: frozenset[str]
    peer: str
    resources: frozenset[str]


class Scan:
    """Every row of each history, as they are in the file now."""

    def __init__(self, path: Path) -> None:
        self.histories: dict[str, list[Line]] = {}
        with closing(sqlite3.connect(path)) as connection:
            for owner in (*talk.PEOPLE, talk.ALIAS, "nobody@x.org"):
                rows = connection.execute(ROWS, (owner,)).fetchall()
                self.histories[owner] = [_line(owner, *row) for row in rows]

    def find(self, query: HistoryQuery) -> tuple[list[int], bool]:
        """What a search should find."""
        typed = list(dict.fromkeys(words(query.text[:SEARCH_CHARACTERS])))[:SEARCH_WORDS]
        hits = [
            line.id
            for line in self.histories[query.owner]
            if typed
            and query.peer in {"", line.peer}
            and query.resource in {"", *line.resources}
            and query.start <= line.id
            and (query.end is None or line.id <= query.end)
            and (query.after is None or line.id > query.after)
            and (query.before is None or line.id < query.before)
            and all(any(is_found(word, said) for said in line.words) for word in typed)
        ]
        page = hits[-query.limit :] if query.is_backwards else hits[: query.limit]
        return page, len(page) == len(hits)


def _line(owner: str, message_id: int, body: str, role: int, peer: str, sender: str, target: str) -> Line:
    resources = {sender, target} if owner == peer else {target if role == 1 else sender}
    return Line(message_id, body, frozenset(words(body)), peer, frozenset(resources))


def words(text: str) -> Iterator[str]:
    """Words as a person sees them: letters and digits, without case and accents; scripts without spaces by themselves."""
    word, kind = "", False
    for character in unicodedata.normalize("NFC", "".join(map(_plain, text))) + " ":
        is_unspaced = unicodedata.name(character, "").startswith(UNSPACED)
        if word and (is_unspaced != kind or character == " "):
            if any(map(str.isalnum, word)):
                yield word
            word = ""
        kind = is_unspaced
        word += character.strip()


def _plain(character: str) -> str:
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    kept = "".join(part for part in parts if unicodedata.combining(part) < 200)
    kept = "".join(str(unicodedata.decimal(part, part)) for part in kept)
    return "".join(part if part.isalnum() or unicodedata.category(part) in {"Mn", "Mc"} else " " for part in kept)


def is_found(word: str, said: str) -> bool:
    """Whether someone who types this means that word."""
    return word in said if unicodedata.name(word[0], "").startswith(UNSPACED) else said.startswith(word)


class SteppingClock:
    """Seconds since 1970; between two looks at it pass some milliseconds, or some weeks."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._now = NOON

    def __call__(self) -> float:
        """What time it is."""
        self._now += 10 ** self._random.uniform(-3, 6.5)
        return self._now


class Play:
    """One archive that grows, its index, and what was asked of them.

    Attributes:
        queries: asked.
        hits: found, all together.
        faults: what was wrong, in words.
    """

    def __init__(self, folder: Path, archive: SqliteArchive, seed: int) -> None:
        self.queries = self.hits = 0
        self.faults: list[str] = []
        self._folder = folder
        self._archive = archive
        self._random = random.Random(seed)
        self._index = TantivyHistory.open(folder / "history.tantivy")

    async def run(self, messages: int, queries: int) -> None:
        """So many messages and queries, in steps."""
        for _ in range(STEPS):
            await self._grow(messages // STEPS)
            scan = Scan(self._folder / "archive.sqlite")
            for _ in range(queries // STEPS):
                await self._ask(scan)
        await self._index.aclose()

    async def _grow(self, count: int) -> None:
        said = list(talk.drafts(self._random, count))
        while said:
            size = self._random.randint(1, 200)
            await self._archive.commit(said[:size])
            said = said[size:]
        if self._random.random() < 0.3:
            async with self._index.anew():
                pass
        while page := await self._archive.texts.since(
            after := await self._index.newest(), self._random.randint(1, 300)
        ):
            await self._index.add(page, after)
            if self._random.random() < 0.1:
                await self._index.keep()
            if self._random.random() < 0.03:
                await self._begin_again()

    async def _begin_again(self) -> None:
        """After an end in good order, or after a crash: then what was in memory only is lost."""
        folder, copy = self._folder / "history.tantivy", self._folder / "copy"
        with suppress(shutil.Error):  # a merge makes files and deletes them meanwhile
            await trio.to_thread.run_sync(shutil.copytree, folder, copy)
        await self._index.aclose()
        if self._random.random() < 0.5:
            await trio.to_thread.run_sync(shutil.rmtree, folder)
            await trio.to_thread.run_sync(copy.rename, folder)
        else:
            await trio.to_thread.run_sync(shutil.rmtree, copy)
        self._index = TantivyHistory.open(folder)

    async def _ask(self, scan: Scan) -> None:
        query = self._query(scan)
        expected = scan.find(query)
        found, is_complete = await self._index.find(query)
        self.queries += 1
        self.hits += len(found)
        if (list(found), is_complete) != expected:
            self.faults.append(f"{query}: found {list(found)} {is_complete}, expected {expected}")
        if found:
            page = await self._archive.histories.page(
                HistoryQuery(owner=query.owner, ids=tuple(found), limit=len(found))
            )
            if [kept.chat.id for kept in page.kept] != list(found):
                self.faults.append(f"{query}: {list(found)} is not all in the history of {query.owner}")
        if await self._index.matches(query) != len(scan.find(msgspec.structs.replace(query, limit=10**9))[0]):
            self.faults.append(f"{query}: another number of matches")

    def _query(self, scan: Scan) -> HistoryQuery:
        choose, is_so = self._random.choice, lambda likelihood: self._random.random() < likelihood
        owner = choose((*talk.PEOPLE * 4, *scan.histories))
        lines = scan.histories[owner] or scan.histories[talk.PEOPLE[0]]
        anyone = scan.histories[choose(talk.PEOPLE)]
        peer = choose((*talk.PEOPLE, talk.ALIAS, choose(lines).peer, choose(lines).peer)) if is_so(0.3) else ""
        return HistoryQuery(
            owner=owner,
            peer=peer,
            resource=choose(talk.RESOURCES).removeprefix("/") if peer and is_so(0.3) else "",
            start=choose(lines).id if is_so(0.2) else 0,
            end=choose(anyone).id + self._random.randint(-1, 1) if is_so(0.2) else None,
            after=choose(lines).id if is_so(0.2) else None,
            before=choose(lines).id if is_so(0.2) else None,
            text=talk.asked(self._random, choose(choose((lines, lines, anyone))).body),
            limit=choose((1, 2, 10, 50, 1_000)),
            is_backwards=is_so(0.5),
        )


async def play(messages: int, queries: int, seed: int) -> Play:
    """One run; look at its faults."""
    with tempfile.TemporaryDirectory(prefix="rookery-search-") as folder:
        path = Path(folder)
        clock = SteppingClock(seed)
        async with Island() as island, SqliteArchive(island, path / "archive.sqlite", clock=clock) as archive:
            one = Play(path, archive, seed)
            await one.run(messages, queries)
            return one


@click.command()
@click.option("--messages", default=8_000, show_default=True)
@click.option("--queries", default=5_000, show_default=True)
@click.option("--seed", type=int, help="Repeats a run.")
def main(messages: int, queries: int, seed: int | None) -> None:
    """Compare, print, and say by the exit status whether all was right."""
    seed = seed or random.SystemRandom().randrange(1, 1_000_000)
    one = trio.run(play, messages, queries, seed)
    for fault in one.faults[:20]:
        click.echo(fault)
    click.echo(f"seed {seed}: {messages} messages, {one.queries} queries, {one.hits} hits, {len(one.faults)} faults")
    sys.exit(1 if one.faults or not one.hits else 0)


if __name__ == "__main__":
    main()
