"""What only the index on disk can do: come back, be damaged, fail half-way, and stay quick."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

import index.contacts
from engine.contacts import Contact, ContactKind, RemovedContact
from engine.ports import StorageUnavailable
from index.contacts import TantivyContacts

ANNA = Contact(address="anna.mueller@example.com", name="Anna-Lena Müller", phone="+1 (555) 010-7788", changed=1)
BOB = Contact(address="bob@example.com", name="Bob Annan", title="Engineer", changed=2)
TARO = Contact(address="taro@example.com", name="山田太郎", changed=6)
OTHER = Contact(address="anna@other.org", name="Anna Other", title="Sales", changed=1)
EVERYONE = [ANNA, BOB, TARO, OTHER]


async def names(search: TantivyContacts, text: str = "") -> list[str]:
    found = await search.search("example.com", text, {}, 100)
    return [address.partition("@")[0] for address in found.addresses]


async def made(path: Path) -> None:
    search = TantivyContacts.open(path)
    assert search.needs_rebuild
    await search.rebuild(EVERYONE)
    assert not search.needs_rebuild
    await search.aclose()


async def test_reopened_it_knows_everything(tmp_path: Path) -> None:
    await made(tmp_path)
    search = TantivyContacts.open(tmp_path)
    assert not search.needs_rebuild
    assert search.watermarks == {"example.com": 6, "other.org": 1}
    assert await names(search, "muller") == ["anna.mueller"]
    await search.update([Contact(address="eve@example.com", changed=9)])
    assert search.watermarks["example.com"] == 6, "what came between 6 and 9 may be missing"
    await search.aclose()
    await search.aclose()


def broken_files(path: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(path.iterdir()):
        if file.suffix == ".lock" or file.name == ".managed.json":
            continue
        for how in ("deleted", "emptied", "cut", "garbage", "flipped"):
            yield how, file


def spoil(how: str, file: Path) -> None:
    body = bytearray(file.read_bytes())
    if how == "deleted":
        file.unlink()
        return
    if how == "flipped":
        body[len(body) // 3] ^= 0x10
    file.write_bytes({"emptied": b"", "cut": body[: len(body) // 2], "garbage": b"\xff\0" * 500, "flipped": body}[how])


async def test_any_damage_is_noticed(tmp_path: Path) -> None:
    await made(tmp_path / "whole")
    for number, (how, file) in enumerate(list(broken_files(tmp_path / "whole"))):
        copy = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", copy)
        spoil(how, copy / file.name)
        if how == "flipped" and file.name == "meta.json":
            continue  # has no checksum; a flipped digit of its opstamp means nothing
        search = TantivyContacts.open(copy)
        assert search.needs_rebuild, f"{how} {file.name}"
        assert await names(search) == []
        await search.rebuild(EVERYONE)
        assert await names(search, "muller") == ["anna.mueller"]
        await search.aclose()


async def test_left_over_files_do_no_harm(tmp_path: Path) -> None:
    await made(tmp_path)
    (tmp_path / "00000000000000000000000000000000.term").write_bytes(b"unfinished")
    (tmp_path / ".tantivy-writer.lock").write_bytes(b"stale")
    search = TantivyContacts.open(tmp_path)
    assert not search.needs_rebuild
    assert await names(search, "muller") == ["anna.mueller"]
    await search.aclose()


async def test_other_rules_of_tokenisation_make_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(index.contacts, "_MARK", "mark_0_9")
        await made(tmp_path)
    search = TantivyContacts.open(tmp_path)
    assert search.needs_rebuild
    assert search.watermarks == {}
    await search.aclose()


async def test_a_file_in_its_place_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("what?")
    await made(tmp_path / "index")


async def test_foreign_content_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "meta.json").write_text(json.dumps({"segments": 3}))
    await made(tmp_path)


async def test_in_use_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    search = TantivyContacts.open(tmp_path)
    await search.rebuild(EVERYONE)
    with pytest.raises(StorageUnavailable):
        TantivyContacts.open(tmp_path)
    (tmp_path / "meta.json").write_text("damaged")
    with pytest.raises(StorageUnavailable):
        TantivyContacts.open(tmp_path)
    assert await names(search, "muller") == ["anna.mueller"]
    await search.aclose()


async def test_a_commit_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = TantivyContacts.open(tmp_path)
    await search.rebuild(EVERYONE)
    eve = Contact(address="eve@example.com", name="Eve", changed=7)

    def full(*_: object) -> str:
        raise StorageUnavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(search._folder, "commit", full)
        with pytest.raises(StorageUnavailable):
            await search.update([eve, RemovedContact(address=BOB.address, kind=ContactKind.MEMBER, changed=8)])
        with pytest.raises(StorageUnavailable):
            await search.rebuild([eve])
    assert await names(search, "bob") == ["bob"]
    await search.update([Contact(address="fay@example.com", name="Fay", changed=9)])
    assert await names(search, "fay") == ["fay"]
    assert await names(search, "eve") == []
    assert await names(search, "bob") == ["bob"]
    assert search.watermarks["example.com"] == 6, "7 and 8 are missing until the next start"
    await search.aclose()


async def test_a_disk_that_fails_is_said_and_forgotten(tmp_path: Path) -> None:
    search = TantivyContacts.open(tmp_path / "index")
    await search.rebuild(EVERYONE)
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(StorageUnavailable, match="index"):
        await search.update([Contact(address="eve@example.com", changed=7)])
    await search.aclose()
    await made(tmp_path / "index")


async def test_cancelled_it_is_all_or_nothing(tmp_path: Path) -> None:
    search = TantivyContacts.open(tmp_path)
    await search.rebuild(EVERYONE)
    with trio.CancelScope() as scope:
        async with search.writing() as writing:
            await writing.put([Contact(address="eve@example.com", name="Eve", changed=7)])
            await writing.flush()
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert await names(search, "eve") == []
    await search.update([Contact(address="fay@example.com", name="Fay", changed=8)])
    assert await names(search, "eve") == []
    assert await names(search, "fay") == ["fay"]
    await search.aclose()


async def test_a_page_of_many_visits_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many match, only the page is read from the index."""
    search = TantivyContacts.open(tmp_path)
    await search.rebuild([Contact(address=f"a{n}@example.com", name=f"Anna {n:05}", changed=n) for n in range(3_000)])
    read: list[int] = []
    best = index.contacts._Search._best

    def counted(self: object, query: object, wanted: int, level: int = 0) -> list[object]:
        hits = best(self, query, wanted, level)
        read.append(len(hits))
        return hits

    monkeypatch.setattr(index.contacts._Search, "_best", counted)
    for text in ("a", "an", "anna", "", "c", "anna 0"):
        read.clear()
        found = await search.search("example.com", text, {}, 20)
        assert list(found.addresses) == [f"a{n}@example.com" for n in range(20)]
        assert sum(read) < 21 * 12
    await search.aclose()
