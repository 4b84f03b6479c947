"""Verify and reindex on open stores."""

import pytest

from config import upkeep
from engine.contacts import Contact
from engine.ports import Indexed
from index.history_tail import MemoryHistorySearch
from index.memory_accounts import MemoryAccounts
from index.memory_archive import MemoryArchive
from index.memory_search import MemoryContacts
from index.session_journal import MemoryJournal
from tests.index.stories import says

ANN = Contact(address="ann@a.example")


@pytest.fixture
async def stores():
    archive = MemoryArchive(lambda: 1.0)
    stores = upkeep.Stores(
        archive,
        MemoryAccounts(),
        MemoryContacts(),
        MemoryHistorySearch(),
        archive.texts,
        archive.retention,
        archive.histories,
        archive.files,
        MemoryJournal(),
    )
    await stores.accounts.add_domain("a.example")
    await stores.accounts.put([ANN])
    return stores


async def test_an_index_that_is_behind_is_a_fault_and_reindex_mends_it(stores, autojump_clock):
    assert await upkeep.verify(stores) == [
        "contacts.tantivy: 0 contacts of a.example, but there are 1; run `rookery reindex`"
    ]
    assert await upkeep.reindex(stores) == "1 contacts and 0 messages indexed again"
    assert await upkeep.verify(stores) == []


async def test_an_index_that_is_about_to_come_up_is_none(stores, autojump_clock, nursery):
    nursery.start_soon(upkeep.reindex, stores)
    assert await upkeep.verify(stores) == []


async def test_messages_that_are_missing_in_the_index(stores, autojump_clock):
    await upkeep.reindex(stores)
    one, two = await stores.archive.commit(
        [says("ann@a.example", "bob@a.example"), says("bob@a.example", "ann@a.example")]
    )
    assert await upkeep.verify(stores) == [], "an index may be behind"
    await stores.history.add([Indexed(one.id, "", ()), *await stores.texts.since(one.id, 1)], 0)
    assert await upkeep.verify(stores) == ["history.tantivy: 1 messages, but there are 2; run `rookery reindex`"]
    assert await upkeep.reindex(stores) == "1 contacts and 2 messages indexed again"
    assert await upkeep.verify(stores) == []
    assert await stores.history.newest() == two.id


async def test_what_is_damaged_is_told_and_the_rest_is_left(tmp_path):
    """A part of the archive cannot be read at all: what is known of it is told, not that it failed."""
    async with upkeep.open_stores(tmp_path) as stores:
        await stores.archive.commit([says("ann@a.example", "bob@a.example", f"{n} {'x' * 500}") for n in range(40)])
    file = tmp_path / upkeep.ARCHIVE
    content = bytearray(file.read_bytes())
    page = content.index(b"1 xxxxx") // 4_096 * 4_096
    content[page : page + 4_096] = bytes(4_096)
    file.write_bytes(content)
    async with upkeep.open_stores(tmp_path) as stores:
        problems = await upkeep.verify(stores)
    assert "archive.sqlite" in problems[0]
    assert problems[-1].endswith("; the rest was not looked at")
