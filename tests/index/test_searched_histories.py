"""Searching through the port of histories: one suite for archive and index on disk, and for both in memory."""

import pytest

from engine.messages import HistoryQuery
from engine.ports import StorageUnavailable, UnknownMessage
from index.history_index import TantivyHistory
from index.history_tail import MemoryHistorySearch
from index.memory_archive import MemoryArchive
from index.rebuild import bring_history_up_to_date
from index.searched_histories import SearchedHistories
from tests.index.stories import says, says_to_alias

A, B, C, TEAM = "a@x.org", "b@x.org", "c@x.org", "team@x.org"


@pytest.fixture
async def search(archive, tmp_path):
    if isinstance(archive, MemoryArchive):
        yield MemoryHistorySearch()
    else:
        search = TantivyHistory.open(tmp_path / "history.tantivy")
        yield search
        await search.aclose()


@pytest.fixture
def histories(archive, search):
    return SearchedHistories(archive.histories, search)


@pytest.fixture
def hears(archive, search):
    """Archive these and index them; returns their ids."""

    async def hears(*drafts):
        ids = [stored.id for stored in await archive.commit(drafts)]
        await bring_history_up_to_date(search, archive.texts)
        return ids

    return hears


async def find(histories, text="hello", owner=A, **narrowed):
    page = await histories.page(HistoryQuery(owner=owner, text=text, **narrowed))
    return [kept.chat.id for kept in page.kept], page.is_complete


async def test_messages_with_the_words(histories, hears):
    one, two, _, four = await hears(
        says(f"{A}/desk", f"{B}/phone", "Hello, world"),
        says(B, A, "hello again"),
        says(B, C, "hello world"),
        says_to_alias(A, TEAM, f"{B} {C}", body="hello all"),
    )
    assert await find(histories) == ([one, two, four], True)
    assert await find(histories, "HÉL wor") == ([one], True)
    assert await find(histories, peer=B) == ([one, two], True)
    assert await find(histories, peer=B, resource="phone") == ([one], True)
    assert await find(histories, peer=TEAM) == ([four], True)
    assert await find(histories, "nothing") == ([], True)
    assert await find(histories, "*") == ([], True)
    page = await histories.page(HistoryQuery(owner=A, text="world"))
    assert [(kept.chat.body, kept.is_sent) for kept in page.kept] == [("Hello, world", True)]
    assert await histories.count(HistoryQuery(owner=A, text="hel")) == 3
    assert await histories.count(HistoryQuery(owner=A)) == 3


async def test_pages_and_their_context(histories, hears):
    ids = await hears(*(says(A, B, f"hello {n}" if n % 2 else f"in between {n}") for n in range(20)))
    odd = ids[1::2]
    assert await find(histories, limit=4) == (odd[:4], False)
    assert await find(histories, limit=4, after=odd[3]) == (odd[4:8], False)
    assert await find(histories, limit=4, after=odd[7]) == (odd[8:], True)
    assert await find(histories, limit=4, is_backwards=True) == (odd[6:], False)
    assert await find(histories, limit=4, is_backwards=True, before=odd[2]) == (odd[:2], True)
    [hit], _ = await find(histories, "hello 9")
    assert await find(histories, "", after=hit, limit=2, peer=B) == (ids[10:12], False)
    assert await find(histories, "", before=hit, limit=2, peer=B, is_backwards=True) == (ids[7:9], False)


async def test_named_messages(histories, hears):
    one, two, three = await hears(says(A, B, "hello"), says(A, B, "bye"), says(A, B, "hello"))
    assert await find(histories, ids=(one, two)) == ([one], True)
    assert await find(histories, ids=(two,)) == ([], True)
    assert await find(histories, "*", ids=(one, two)) == ([], True)
    assert await find(histories, ids=(one, three), limit=1) == ([one], False)
    assert await histories.count(HistoryQuery(owner=A, text="hello", ids=(one, two, three), limit=0)) == 2


async def test_what_a_query_names_must_be_there(histories, hears):
    mine, other = await hears(says(A, B, "hello"), says(B, C, "hello"))
    for narrowed in ({"after": other}, {"before": other}, {"known": (mine, other)}, {"ids": (mine, other)}):
        with pytest.raises(UnknownMessage):
            await find(histories, **narrowed)
        with pytest.raises(UnknownMessage):
            await histories.count(HistoryQuery(owner=A, text="hello", **narrowed))
    assert await find(histories, known=(mine,)) == ([mine], True)


async def test_what_was_purged_is_not_found_though_the_index_knows_it(archive, histories, hears, clock):
    old = await hears(*(says(A, B, "hello") for _ in range(5)), says(B, C, "hello"))
    clock.now += 1_000
    new = await hears(*(says(A, B, "hello") for _ in range(5)))
    while not (await archive.retention.purge(new[0])).is_done:
        pass
    for limit in (1, 3, 50):
        assert await find(histories, limit=limit) == (new[:limit], limit >= 5)
        assert await find(histories, limit=limit, is_backwards=True) == (new[-limit:], limit >= 5)
    assert await find(histories, owner=C) == ([], True)
    with pytest.raises(UnknownMessage):
        await find(histories, after=old[0])


async def test_a_history_that_was_somebody_elses(archive, histories, hears, clock):
    await hears(*(says(A, B, "hello") for _ in range(5)))
    while not (await archive.retention.depart(A)).is_done:
        pass
    assert await find(histories) == ([], True)
    assert await histories.count(HistoryQuery(owner=A, text="hello", limit=0)) == 0
    clock.now += 1_000
    [again] = await hears(says(B, A, "hello"))
    assert await histories.count(HistoryQuery(owner=A, text="hello", limit=0)) == 1
    assert await find(histories, limit=2) == ([again], True)
    assert await find(histories, limit=2, is_backwards=True) == ([again], True)
    assert len((await find(histories, owner=B))[0]) == 6


async def test_bounds_and_conversations_are_those_of_the_archive(archive, histories, hears):
    one, two = await hears(says(A, B, "hello"), says(B, A, "hello"))
    assert [kept.chat.id for kept in await histories.bounds(A)] == [one, two]
    assert await histories.bounds(C) is None


async def test_an_archive_that_cannot_be_read(archive, histories, hears):
    await hears(says(A, B, "hello"))
    if isinstance(archive, MemoryArchive):
        archive.fail_with = StorageUnavailable("gone")
        with pytest.raises(StorageUnavailable):
            await find(histories)
