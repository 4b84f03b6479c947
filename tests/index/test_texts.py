"""What the history search gets of an archive: one suite for both twins."""

import pytest

from engine.ports import Indexed, Side, StorageUnavailable
from index import texts
from index.memory_archive import MemoryArchive
from tests.index.stories import says, says_to_alias

A, B, C, D, TEAM = "a@x.org", "b@x.org", "c@x.org", "d@x.org", "team@x.org"


async def test_a_message_with_its_histories(archive):
    drafts = [
        says(f"{A}/desk", f"{B}/phone", "one"),
        says_to_alias(f"{A}/desk", TEAM, f"{C} {B}", D, body="two"),
        says(f"{A}/desk", f"{A}/phone", "three"),
        says(A, B, "text \x00 \n with 🦜 and <&>'\""),
    ]
    ids = [stored.id for stored in await archive.commit(drafts)]
    assert await archive.texts.since(0, 10) == [
        Indexed(ids[0], "one", (Side(A, B, ("phone",)), Side(B, A, ("desk",)))),
        Indexed(ids[1], "two", (Side(A, TEAM, ("",)), Side(B, A, ("desk",)), Side(C, A, ("desk",)))),
        Indexed(ids[2], "three", (Side(A, A, ("desk", "phone")),)),
        Indexed(ids[3], "text \x00 \n with 🦜 and <&>'\"", (Side(A, B, ("",)), Side(B, A, ("",)))),
    ]


async def test_page_after_page(archive):
    ids = [stored.id for stored in await archive.commit([says(A, B, str(n)) for n in range(250)])]
    pages, after = [], 0
    while page := await archive.texts.since(after, 100):
        pages.append([message.id for message in page])
        after = page[-1].id
    assert pages == [ids[:100], ids[100:200], ids[200:]]
    assert await archive.texts.since(ids[-1], 100) == []
    assert [message.body for message in await archive.texts.since(ids[247] - 1, 2)] == ["247", "248"]


async def test_messages_without_a_body_are_passed_on_but_not_counted(archive):
    one, _, three = await archive.commit([says(A, B, "one"), says(A, B, ""), says(A, B, "three")])
    page = await archive.texts.since(0, 10)
    assert [(message.body, len(message.sides)) for message in page] == [("one", 2), ("", 0), ("three", 2)]
    assert await archive.texts.count(0) == 0
    assert await archive.texts.count(one.id) == 1
    assert await archive.texts.count(three.id) == 2


async def test_long_pages_end_early(archive, monkeypatch):
    if isinstance(archive, MemoryArchive):
        pytest.skip("nothing is read in pieces there")
    long = "x" * texts.PAGE_BYTES
    ids = [stored.id for stored in await archive.commit([says(A, B, body) for body in ("a", "b", long, "c", "d")])]
    crowd = says_to_alias(A, TEAM, " ".join(f"p{n}@x.org" for n in range(20_000)), body="to all")
    ids += [stored.id for stored in await archive.commit([crowd, says(A, B, "e")])]
    pages, after = [], 0
    while page := await archive.texts.since(after, 100):
        pages.append([message.id for message in page])
        after = page[-1].id
    assert pages == [ids[:2], ids[2:3], ids[3:5], ids[5:6], ids[6:]]


async def test_an_archive_that_cannot_be_read(archive):
    if isinstance(archive, MemoryArchive):
        archive.fail_with = StorageUnavailable("gone")
        with pytest.raises(StorageUnavailable):
            await archive.texts.since(0, 10)
        with pytest.raises(StorageUnavailable):
            await archive.texts.count(0)
