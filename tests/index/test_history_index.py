"""What only the history index on disk can do: come back, be damaged or deleted, fail half-way, and be made again in use."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio

import index.history_index
from engine.messages import HistoryQuery
from engine.ports import Indexed, StorageUnavailable
from index.history_index import TantivyHistory
from tests.index.test_history_search import FIRST, A, B, find, said


def saying(numbers: Iterable[int], body: str = "hello") -> list[Indexed]:
    return [said(number, f"{body} {number}") for number in numbers]


def names(path: Path) -> list[str]:
    return [entry.name for entry in path.iterdir()]


async def made(path: Path, *messages: Indexed) -> None:
    search = TantivyHistory.open(path)
    await search.add(messages or saying(range(3)), 0)
    await search.keep()
    await search.aclose()


async def test_reopened_it_knows_what_was_kept(tmp_path: Path) -> None:
    search = TantivyHistory.open(tmp_path / "index")
    await search.add(saying(range(3)), 0)
    assert search.watermark == 0
    await search.keep()
    assert search.watermark == FIRST + 2
    await search.add(saying(range(3, 5)), FIRST + 2)
    assert search.watermark == FIRST + 2
    assert await find(search, "hello") == [0, 1, 2, 3, 4]
    # Tantivy's own threads write through files of this name, which are gone a moment later.
    shutil.copytree(tmp_path / "index", tmp_path / "as if it had crashed", ignore=shutil.ignore_patterns(".tmp*"))
    await search.aclose()
    await search.aclose()
    search = TantivyHistory.open(tmp_path / "index")
    assert await search.newest() == search.watermark == FIRST + 4
    assert await find(search, "hello") == [0, 1, 2, 3, 4]
    await search.aclose()
    search = TantivyHistory.open(tmp_path / "as if it had crashed")
    assert await search.newest() == search.watermark == FIRST + 2
    assert await find(search, "hello") == [0, 1, 2]
    assert await search.count() == 3
    await search.add(saying(range(3, 5)), FIRST + 2)
    assert await find(search, "hello") == [0, 1, 2, 3, 4]
    await search.aclose()


async def test_the_watermark_passes_messages_without_a_body(tmp_path: Path) -> None:
    await made(tmp_path, said(1, "hello"), said(2, ""), said(3, ""))
    search = TantivyHistory.open(tmp_path)
    assert await search.newest() == FIRST + 3
    assert await search.count() == 1
    await search.add([said(4, "")], FIRST + 3)
    await search.keep()
    await search.add([said(5, "hello")], FIRST + 4)
    await search.keep()
    assert search.watermark == FIRST + 5
    assert await search.count() == 2
    assert await find(search, "hello") == [1, 5]
    await search.aclose()


async def test_what_is_in_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = TantivyHistory.open(tmp_path)
    monkeypatch.setattr(index.history_index, "TAIL_MESSAGES", 10)
    await search.add(saying(range(9)), 0)
    assert search.watermark == 0
    await search.add(saying(range(9, 12)), FIRST + 8)
    assert search.watermark == FIRST + 11
    monkeypatch.setattr(index.history_index, "TAIL_CHARACTERS", 1_000)
    await search.add(saying([12], "x" * 30), FIRST + 11)
    assert search.watermark == FIRST + 11
    await search.add(saying([13], " ".join(map(str, range(400)))), FIRST + 12)
    assert search.watermark == FIRST + 13
    await search.aclose()


@pytest.mark.parametrize("how", ["deleted", "emptied", "cut", "flipped"])
async def test_a_damaged_index_is_made_anew(tmp_path: Path, how: str) -> None:
    await made(tmp_path / "whole")
    for file in sorted((tmp_path / "whole").glob("*.*")):
        if file.name in {".managed.json", ".tantivy-writer.lock", ".tantivy-meta.lock"}:
            continue
        copy = tmp_path / file.name
        shutil.copytree(tmp_path / "whole", copy)
        body = bytearray(file.read_bytes())
        body[len(body) // 3] ^= 0x10
        (copy / file.name).write_bytes({"cut": body[: len(body) // 2], "flipped": body}.get(how, b""))
        if how == "deleted":
            (copy / file.name).unlink()
        search = TantivyHistory.open(copy)
        if how != "flipped" or file.name != "meta.json":  # that has no checksum
            assert await search.newest() == 0, file.name
        await search.aclose()


async def test_what_a_crash_left_beside_is_dropped(tmp_path: Path) -> None:
    await made(tmp_path / "index")
    shutil.copytree(tmp_path / "index", tmp_path / "index.new")
    shutil.copytree(tmp_path / "index", tmp_path / "index.old")
    search = TantivyHistory.open(tmp_path / "index")
    assert await find(search, "hello") == [0, 1, 2]
    assert names(tmp_path) == ["index"]
    await search.aclose()


async def test_a_crash_while_the_index_was_replaced(tmp_path: Path) -> None:
    await made(tmp_path / "index.new")
    await made(tmp_path / "index.old")
    search = TantivyHistory.open(tmp_path / "index")
    assert await search.newest() == 0
    assert names(tmp_path) == ["index"]
    await search.aclose()


async def test_nobody_else_can_open_it(tmp_path: Path) -> None:
    search = TantivyHistory.open(tmp_path / "index")
    async with search.anew() as fresh:
        await fresh.add(saying(range(3)), 0)
        with pytest.raises(StorageUnavailable):
            TantivyHistory.open(tmp_path / "index")
        await fresh.add(saying(range(3, 6)), FIRST + 2)
    with pytest.raises(StorageUnavailable):
        TantivyHistory.open(tmp_path / "index")
    assert await find(search, "hello") == [0, 1, 2, 3, 4, 5]
    await search.aclose()


async def test_made_anew_nothing_of_the_old_one_is_left(tmp_path: Path) -> None:
    search = TantivyHistory.open(tmp_path / "index")
    await search.add(saying(range(100), "secret"), 0)
    await search.keep()
    before = {name for name in names(tmp_path / "index") if not name.endswith((".json", ".lock"))}
    assert before
    async with search.anew() as fresh:
        await fresh.add(saying(range(50, 100)), 0)
    assert not before & set(names(tmp_path / "index"))
    assert names(tmp_path) == ["index"]
    await search.add(saying([100]), FIRST + 99)
    await search.keep()
    await search.aclose()
    search = TantivyHistory.open(tmp_path / "index")
    assert await find(search, "secret") == []
    assert await find(search, "hello", limit=100) == list(range(50, 101))
    await search.aclose()


async def test_a_commit_that_fails_is_added_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = TantivyHistory.open(tmp_path)
    await search.add(saying(range(3)), 0)
    await search.keep()
    await search.add(saying(range(3, 6)), FIRST + 2)

    def full() -> None:
        raise StorageUnavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(search._disk._folder, "commit", full)
        with pytest.raises(StorageUnavailable):
            await search.keep()
    assert await search.newest() == search.watermark == FIRST + 2
    assert await find(search, "hello") == [0, 1, 2]
    await search.add(saying(range(3, 6)), FIRST + 2)
    await search.keep()
    assert await find(search, "hello") == [0, 1, 2, 3, 4, 5]
    assert await search.count() == 6
    await search.aclose()


async def test_a_message_that_cannot_be_written(tmp_path: Path) -> None:
    search = TantivyHistory.open(tmp_path)
    await search.add(saying(range(3)), 0)
    await search.keep()
    broken = said(5, "hello", f"{A}/\ud800")
    with pytest.raises(UnicodeEncodeError):
        await search.add([*saying([4]), broken], FIRST + 2)
    await search.keep()
    assert await search.newest() == FIRST + 2
    assert await search.count() == 3
    await search.aclose()


async def test_a_folder_that_is_deleted_is_made_anew(tmp_path: Path) -> None:
    search = TantivyHistory.open(tmp_path / "index")
    await search.add(saying(range(3)), 0)
    await search.keep()
    shutil.rmtree(tmp_path / "index")
    assert await find(search, "hello") == [0, 1, 2]

    async def go_on() -> None:
        await search.add(saying(range(3, 6)), FIRST + 2)  # may notice it, or not yet
        await search.keep()

    with pytest.raises(StorageUnavailable):
        await go_on()
    assert await search.newest() == 0
    await search.add(saying(range(6)), 0)
    await search.keep()
    assert await find(search, "hello") == [0, 1, 2, 3, 4, 5]
    await search.aclose()
    search = TantivyHistory.open(tmp_path / "index")
    assert await search.count() == 6
    await search.aclose()


async def test_a_folder_that_is_deleted_can_be_replaced(tmp_path: Path) -> None:
    search = TantivyHistory.open(tmp_path / "index")
    async with search.anew() as fresh:
        await fresh.add(saying(range(3)), 0)
        shutil.rmtree(tmp_path / "index")
    assert await find(search, "hello") == [0, 1, 2]
    await search.aclose()


async def test_one_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = TantivyHistory.open(tmp_path / "index")
    await search.add(saying(range(3)), 0)
    await search.keep()
    rename, number = Path.rename, 0

    def refuse(self: Path, target: Path) -> Path:
        nonlocal number
        number += 1
        if number == 2:
            raise PermissionError("no")
        return rename(self, target)

    async def make_anew() -> None:
        async with search.anew() as fresh:
            await fresh.add(saying([9]), 0)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(StorageUnavailable, match="no"):
            await make_anew()
    assert await find(search, "hello") == [0, 1, 2]
    await search.add(saying(range(3, 6)), FIRST + 2)
    await search.keep()
    assert await find(search, "hello") == [0, 1, 2, 3, 4, 5]
    await search.aclose()
    assert names(tmp_path) == ["index"]


async def test_searches_see_each_message_once_while_it_grows(tmp_path: Path) -> None:
    search = TantivyHistory.open(tmp_path / "index")
    is_over = False

    async def grow() -> None:
        nonlocal is_over
        for number in range(0, 300, 5):
            await search.add(saying(range(number, number + 5)), FIRST + number - 1 if number else 0)
            if number % 50 == 0:
                await search.keep()
            if number == 150:
                async with search.anew() as fresh:
                    await fresh.add(saying(range(155)), 0)
        is_over = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(grow)
        looks = known = 0
        while not is_over:
            query = HistoryQuery(owner=B, peer=A, text="hel", limit=1_000)
            ids, is_complete = await search.find(query)
            assert is_complete
            assert [message_id - FIRST for message_id in ids] == list(range(len(ids)))
            assert len(ids) >= known
            known, looks = len(ids), looks + 1
    assert looks > 10
    await search.aclose()


async def test_cancelled_it_is_as_before_or_after(tmp_path: Path) -> None:
    search = TantivyHistory.open(tmp_path / "index")
    await search.add(saying(range(3)), 0)
    with trio.CancelScope() as scope:
        scope.cancel()
        await search.keep()
    with trio.CancelScope() as scope:
        scope.cancel()
        await search.add(saying(range(3, 6)), FIRST + 2)
    with trio.CancelScope() as scope:
        async with search.anew() as fresh:
            await fresh.add(saying([9]), 0)
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert await find(search, "hello") == [0, 1, 2]
    await search.keep()
    assert search.watermark == FIRST + 2
    assert await search.count() == 3
    await search.aclose()
    assert names(tmp_path) == ["index"]
