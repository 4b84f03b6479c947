"""The index follows the database, whatever happened to either."""

import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.contacts import Contact, ContactKind, RemovedContact
from engine.ports import DirectoryChanges
from index.contacts import TantivyContacts
from index.memory_search import MemoryContacts
from index.rebuild import Brought, Outcome, bring_up_to_date

Search = TantivyContacts | MemoryContacts


class Database:
    """What `bring_up_to_date` asks of `engine.ports.Accounts`."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Contact | RemovedContact]] = {}

    async def domains(self) -> list[str]:
        return list(self.entries)

    async def changes(self, domain: str, after: int) -> DirectoryChanges:
        entries = list(self.entries[domain].values())
        contacts = sum(isinstance(entry, Contact) for entry in entries)
        version = max((entry.changed for entry in entries), default=0)
        return DirectoryChanges([entry for entry in entries if entry.changed > after], contacts, version)

    def add(self, address: str, name: str = "") -> Contact:
        contact = Contact(address=address, name=name, changed=self.version(address) + 1)
        self.entries[address.partition("@")[2]][address] = contact
        return contact

    def remove(self, address: str) -> RemovedContact:
        gone = RemovedContact(address=address, kind=ContactKind.MEMBER, changed=self.version(address) + 1)
        self.entries[address.partition("@")[2]][address] = gone
        return gone

    def version(self, address: str) -> int:
        return max((entry.changed for entry in self.entries[address.partition("@")[2]].values()), default=0)


@pytest.fixture
def database() -> Any:
    made = Database()
    made.entries = {"a.org": {}, "b.org": {}}
    for name in ("Ann", "Bea", "Cid"):
        made.add(f"{name.lower()}@a.org", name)
    made.add("dot@b.org", "Dot")
    return made


@pytest.fixture(params=["tantivy", "memory"])
async def search(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Search]:
    opened: Search = TantivyContacts.open(tmp_path / "index") if request.param == "tantivy" else MemoryContacts()
    yield opened
    await opened.aclose()


async def found(search: Search, domain: str = "a.org", text: str = "") -> Sequence[str]:
    return [address.partition("@")[0] for address in (await search.search(domain, text, {}, 100)).addresses]


async def test_first_start_indexes_everything(search: Search, database: Any) -> None:
    assert search.needs_rebuild
    database.remove("cid@a.org")
    assert await bring_up_to_date(search, database) == [
        Brought("a.org", Outcome.ANEW, 2),
        Brought("b.org", Outcome.ANEW, 1),
    ]
    assert not search.needs_rebuild
    assert await found(search) == ["ann", "bea"]
    assert search.watermarks == {"a.org": 4, "b.org": 1}


async def test_later_only_what_changed(search: Search, database: Any) -> None:
    await bring_up_to_date(search, database)
    database.add("ann@a.org", "Zoe")
    database.remove("bea@a.org")
    database.add("eve@a.org", "Eve")
    assert await bring_up_to_date(search, database) == [
        Brought("a.org", Outcome.CHANGES, 3),
        Brought("b.org", Outcome.UNCHANGED, 0),
    ]
    assert await found(search) == ["cid", "eve", "ann"]
    assert await found(search, text="zoe") == ["ann"]


async def test_live_updates_move_the_watermark(search: Search, database: Any) -> None:
    await bring_up_to_date(search, database)
    await search.update([database.add("eve@a.org", "Eve")])
    assert await bring_up_to_date(search, database) == [
        Brought("a.org", Outcome.UNCHANGED, 0),
        Brought("b.org", Outcome.UNCHANGED, 0),
    ]
    assert await found(search, text="eve") == ["eve"]


async def test_a_removed_domain_is_forgotten(search: Search, database: Any) -> None:
    await bring_up_to_date(search, database)
    del database.entries["a.org"]
    assert await bring_up_to_date(search, database) == [
        Brought("a.org", Outcome.FORGOTTEN, 0),
        Brought("b.org", Outcome.UNCHANGED, 0),
    ]
    assert await found(search) == []
    assert await found(search, "b.org") == ["dot"]
    assert search.watermarks == {"b.org": 1}


async def test_a_restored_database_is_older_than_the_index(search: Search, database: Any) -> None:
    await bring_up_to_date(search, database)
    del database.entries["a.org"]["cid@a.org"]
    assert (await bring_up_to_date(search, database))[0] == Brought("a.org", Outcome.ANEW, 2)
    assert await found(search) == ["ann", "bea"]


async def test_a_removal_that_nobody_remembers(search: Search, database: Any) -> None:
    await bring_up_to_date(search, database)
    del database.entries["a.org"]["ann@a.org"]
    assert (await bring_up_to_date(search, database))[0] == Brought("a.org", Outcome.ANEW, 2)
    assert await found(search) == ["bea", "cid"]


async def test_on_demand_everything_again(search: Search, database: Any) -> None:
    await bring_up_to_date(search, database)
    brought = await bring_up_to_date(search, database, is_forced=True)
    assert [one.outcome for one in brought] == [Outcome.ANEW, Outcome.ANEW]
    assert await found(search) == ["ann", "bea", "cid"]


async def test_an_empty_domain(search: Search, database: Any) -> None:
    database.entries = {"empty.org": {}}
    assert await bring_up_to_date(search, database) == [Brought("empty.org", Outcome.ANEW, 0)]
    assert await bring_up_to_date(search, database) == [Brought("empty.org", Outcome.UNCHANGED, 0)]


async def test_the_folder_may_be_deleted(tmp_path: Path, database: Any) -> None:
    for _ in range(2):
        search = TantivyContacts.open(tmp_path / "index")
        assert search.needs_rebuild
        await bring_up_to_date(search, database)
        assert await found(search) == ["ann", "bea", "cid"]
        await search.aclose()
        shutil.rmtree(tmp_path / "index")


async def test_changes_missed_while_down(tmp_path: Path, database: Any) -> None:
    search = TantivyContacts.open(tmp_path)
    await bring_up_to_date(search, database)
    await search.aclose()
    database.add("eve@a.org", "Eve")
    search = TantivyContacts.open(tmp_path)
    await search.update([database.add("fay@a.org", "Fay")])  # before anyone looked for what was missed
    assert (await bring_up_to_date(search, database))[0] == Brought("a.org", Outcome.CHANGES, 2)
    assert await found(search) == ["ann", "bea", "cid", "eve", "fay"]
    await search.aclose()
