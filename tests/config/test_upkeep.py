"""Verify and reindex on open stores."""

import pytest

from config import upkeep
from engine.contacts import Contact
from index.memory import MemoryAccounts, MemoryArchive
from index.memory_search import MemoryContacts

ANN = Contact(address="ann@a.example")


@pytest.fixture
async def stores():
    stores = upkeep.Stores(MemoryArchive(lambda: 0.0), MemoryAccounts(), MemoryContacts())
    await stores.accounts.add_domain("a.example")
    await stores.accounts.put([ANN])
    return stores


async def test_an_index_that_is_behind_is_a_fault_and_reindex_mends_it(stores, autojump_clock):
    assert await upkeep.verify(stores) == [
        "contacts.tantivy: 0 contacts of a.example, but there are 1; run `rookery reindex`"
    ]
    assert await upkeep.reindex(stores) == "1 contacts indexed again"
    assert await upkeep.verify(stores) == []


async def test_an_index_that_is_about_to_come_up_is_none(stores, autojump_clock, nursery):
    nursery.start_soon(upkeep.reindex, stores)
    assert await upkeep.verify(stores) == []
