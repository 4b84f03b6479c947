"""The cataloguer: what is archived is found, whatever happens in between."""

import pytest
import trio

from actors.archiver import Archiver
from actors.cataloguer import Cataloguer
from actors.directory import ARCHIVER, CATALOGUER, SCRIBE, Directory
from actors.scribe import KEEP_SECONDS, PAGE, Scribe
from engine import messages as m
from engine.messages import HistoryQuery
from engine.ports import StorageUnavailable
from engine.standing import Standings
from index.history_tail import HistoryTail, MemoryHistorySearch
from index.memory_archive import MemoryArchive
from index.session_journal import MemoryJournal
from tests.index.stories import says

A, B = "a@x.org", "b@x.org"


class FlakyIndex(MemoryHistorySearch):
    """An index on a disk that fails, and that cannot bear everything."""

    def __init__(self):
        super().__init__()
        self.fails = False
        self.poison = None
        self.kept = []
        self.pages = []

    async def add(self, messages, after):
        if self.fails:
            raise StorageUnavailable("the disk is full")
        if any(self.poison and self.poison in message.body for message in messages):
            raise ValueError("not this one")
        self.pages.append(len(messages))
        await super().add(messages, after)

    async def keep(self):
        if self.fails:
            self._tail, self._newest = HistoryTail(), 0
            raise StorageUnavailable("the disk is full")
        self.kept.append(self._newest)


@pytest.fixture
def index():
    return FlakyIndex()


@pytest.fixture
def archive():
    return MemoryArchive(lambda: 1_700_000_000 + trio.current_time())


@pytest.fixture
def start(runtime, archive, index):
    """Start archiver and cataloguer; returns what says something through them."""
    directory = Directory()

    async def start():
        newest = await archive.newest()
        directory.bind(
            ARCHIVER, runtime.start(Archiver, archive, MemoryJournal(), Standings(newest), runtime, directory)
        )
        directory.bind(SCRIBE, runtime.start(Scribe, index, archive.texts, newest, runtime, directory))
        directory.bind(CATALOGUER, runtime.start(Cataloguer, newest, runtime, directory))

        def say(*bodies):
            for body in bodies:
                directory.tell(ARCHIVER, m.ArchiveChat(m.SendChat(says(A, B, body).chat), (B,)))

        return say

    return start


async def found(index, text):
    return len((await index.find(HistoryQuery(owner=B, text=text, limit=10_000)))[0])


async def test_what_is_said_is_found_within_half_a_second(start, index, autojump_clock):
    say = await start()
    for number in range(20):
        say(f"number {number}")
        await trio.sleep(0.5)
        assert await found(index, "number") == number + 1
    assert index.pages == [1] * 20


async def test_what_comes_together_is_fetched_together(start, index, autojump_clock):
    say = await start()
    for number in range(50):
        say(f"number {number}")
        await trio.sleep(0.01)
    await trio.sleep(0.5)
    assert await found(index, "number") == 50
    assert len(index.pages) <= 4


async def test_what_is_new_goes_to_disk_once_in_a_while(start, index, autojump_clock):
    say = await start()
    for number in range(int(KEEP_SECONDS)):
        say(f"number {number}")
        await trio.sleep(1)
    await trio.sleep(KEEP_SECONDS)
    assert index.kept == [await index.newest()]


async def test_an_index_that_is_behind_catches_up(start, archive, index, autojump_clock):
    await archive.commit([says(A, B, f"number {n}") for n in range(3 * PAGE + 10)])
    await start()
    await trio.sleep(0.5)
    assert await found(index, "number") == 3 * PAGE + 10
    assert index.pages == [PAGE, PAGE, PAGE, 10]


async def test_a_disk_that_fails_loses_nothing(start, index, caplog, autojump_clock):
    say = await start()
    say("number one")
    await trio.sleep(0.5)
    index.fails = True
    say("number two")
    await trio.sleep(KEEP_SECONDS + 1)
    assert await found(index, "number") <= 1
    index.fails = False
    await trio.sleep(2)
    assert await found(index, "number") == 2
    await trio.sleep(KEEP_SECONDS + 1)
    assert index.kept[-1] == await index.newest()


async def test_an_archive_that_cannot_be_read_is_read_later(start, archive, index, autojump_clock):
    say = await start()
    await trio.sleep(1)
    say("number one")
    await trio.sleep(0.01)
    archive.fail_with = StorageUnavailable("locked")
    await trio.sleep(1)
    assert await found(index, "number") == 0
    archive.fail_with = None
    await trio.sleep(2)
    assert await found(index, "number") == 1


async def test_a_message_that_the_index_cannot_bear_is_passed_over(start, index, caplog, autojump_clock):
    index.poison = "poison"
    say = await start()
    say("number one", "number of poison", "number three")
    await trio.sleep(0.5)
    assert await found(index, "number") == 2
    say("number four")
    await trio.sleep(0.5)
    assert await found(index, "number") == 3
    assert "poison" not in caplog.text.replace("ValueError", "")


async def test_an_index_that_is_deleted_is_filled_again(start, index, autojump_clock):
    say = await start()
    say(*(f"number {number}" for number in range(10)))
    await trio.sleep(1)
    async with index.anew():
        pass
    say("number ten")
    await trio.sleep(1)
    assert await found(index, "number") == 11
