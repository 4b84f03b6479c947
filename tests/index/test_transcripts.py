"""Whole histories, read beside the server: the same messages as an oracle has, page by page."""

import sqlite3
import tracemalloc

import pytest
import trio

from engine.ports import StorageUnavailable
from index import onlooker, transcripts
from index.archive import SqliteArchive
from index.migrations import DatabaseRefused
from index.onlooker import Onlooker
from index.transcripts import Excerpt, read
from tests.index.stories import NOON, says, ten_messages

A, B, C, D, TEAM = "a@x.org", "b@x.org", "c@x.org", "d@x.org", "team@x.org"
NOON_ID = int(NOON * 1_000_000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.sqlite"


@pytest.fixture
async def archive(island, path, clock):
    async with SqliteArchive(island, path, clock=clock) as archive:
        yield archive


def bodies(path, owner, **conditions):
    with Onlooker(path) as looker:
        return [line.chat.body for line in read(looker, Excerpt(owner, **conditions))]


async def fill(archive, clock):
    """A message a second, from 0 to 9."""
    for n, draft in enumerate(ten_messages()):
        clock.now = NOON + n
        await archive.commit([draft])


async def test_a_member_has_what_is_in_his_conversations(archive, path, clock):
    await fill(archive, clock)
    assert bodies(path, A) == list("012456789")
    assert bodies(path, D) == ["5"]  # who was absent has it not
    assert bodies(path, A, peer=B) == list("0179")
    assert bodies(path, A, peer=TEAM) == ["4"]
    assert bodies(path, A, peer="nobody@x.org") == []
    assert bodies(path, "nobody@x.org") == []


async def test_an_alias_has_what_was_sent_to_it(archive, path, clock):
    await fill(archive, clock)
    assert bodies(path, TEAM, is_alias=True) == ["4", "5"]
    assert bodies(path, TEAM, is_alias=True, peer=D) == ["5"]
    assert bodies(path, TEAM, is_alias=True, peer=B) == []


async def test_from_and_to_are_inclusive(archive, path, clock):
    await fill(archive, clock)
    three, seven = NOON_ID + 3_000_000, NOON_ID + 7_000_000
    assert bodies(path, A, start=three, end=seven) == list("4567")
    assert bodies(path, A, start=three - 1_000_000, end=seven - 1) == list("2456")
    assert bodies(path, A, peer=B, start=NOON_ID, end=NOON_ID) == ["0"]
    assert bodies(path, TEAM, is_alias=True, start=three + 1_000_001, end=seven) == ["5"]
    assert bodies(path, A, start=seven, end=three) == []


async def test_a_line_says_all(archive, path, clock):
    draft = says(f"{A}/desk", f"{B}/phone", "hi", "origin", stanza_id="s", language="de", kind="normal")
    (stored,) = await archive.commit([draft])
    for owner, peer, is_sent in ((A, B, True), (B, A, False)):
        with Onlooker(path) as looker:
            (line,) = read(looker, Excerpt(owner))
        chat = line.chat
        assert (line.peer, line.is_sent, chat.id) == (peer, is_sent, stored.id)
        assert (chat.sender.full, chat.to.full) == (f"{A}/desk", f"{B}/phone")
        assert (chat.kind, chat.stanza_id, chat.origin_id, chat.language) == ("normal", "s", "origin", "de")
        assert (chat.body, chat.payload, chat.via) == ("hi", "<body>hi</body>", None)


@pytest.mark.parametrize("page", [1, 2, 3, 7])
async def test_pages_meet_without_gap_or_doubling(archive, path, clock, monkeypatch, page):
    monkeypatch.setattr(transcripts, "PAGE_CHARACTERS", 100 * page)
    monkeypatch.setattr(onlooker, "_SPAN", onlooker._SPAN.replace("LIMIT 20000", f"LIMIT {page + 1}"))
    await fill(archive, clock)
    assert bodies(path, A) == list("012456789")
    assert bodies(path, B, peer=A) == list("01479")
    assert bodies(path, TEAM, is_alias=True) == ["4", "5"]


async def test_what_is_said_meanwhile_is_not_in_it_and_nothing_waits(archive, path, monkeypatch):
    monkeypatch.setattr(transcripts, "PAGE_CHARACTERS", 1)
    await archive.commit([says(A, B, str(n)) for n in range(3)])
    with Onlooker(path) as looker:
        lines = read(looker, Excerpt(A))
        assert next(lines).chat.body == "0"
        await archive.commit([says(A, B, "late")])
        # Between two pages nothing is held: the log can be cut off.
        with sqlite3.connect(path) as other:
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        other.close()
        assert [line.chat.body for line in lines] == ["1", "2"]


async def test_memory_is_bounded(archive, path):
    for _ in range(15):
        await archive.commit([says(A, B, "x" * 20_000) for _ in range(100)])
    tracemalloc.start()
    try:
        with Onlooker(path) as looker:
            count = sum(1 for _ in read(looker, Excerpt(A)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 1500  # 60 MB of text
    assert peak < 20_000_000


async def test_the_folder_stays_in_order(island, path, clock):
    async with SqliteArchive(island, path, clock=clock) as archive:
        await archive.commit([says(A, B)])
    assert bodies(path, A) == ["hello"]
    assert [p.name for p in path.parent.iterdir()] == ["archive.sqlite"]


def test_what_is_not_there_is_empty_and_not_made(path):
    assert bodies(path, A) == []
    assert not path.exists()
    path.touch()
    assert bodies(path, A) == []


async def test_a_file_that_is_not_ours_is_refused(island, path, clock):
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(DatabaseRefused, match="cannot be read"):
        bodies(path, A)
    path.unlink()
    async with SqliteArchive(island, path, clock=clock):
        pass
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 1")
    other.close()
    with pytest.raises(DatabaseRefused, match="older version"):
        bodies(path, A)
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(DatabaseRefused, match="newer"):
        bodies(path, A)
    await trio.lowlevel.checkpoint()


async def test_a_file_that_breaks_meanwhile_is_told(archive, path):
    await archive.commit([says(A, B, "x" * 3000) for _ in range(100)])
    with Onlooker(path) as looker:
        with sqlite3.connect(path) as other:
            other.execute("DROP TABLE entry")
        other.close()
        with pytest.raises(StorageUnavailable, match=r"archive\.sqlite: no such table"):
            list(read(looker, Excerpt(A)))
