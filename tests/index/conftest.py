"""Both twins of each port, for the same tests."""

import pytest

from index.accounts import SqliteAccounts
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.memory_accounts import MemoryAccounts
from index.memory_archive import MemoryArchive
from tests.index.stories import Clock, says


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def island():
    async with Island() as island:
        yield island


@pytest.fixture(params=["sqlite", "memory"])
async def archive(request, tmp_path, clock, island):
    if request.param == "memory":
        yield MemoryArchive(clock)
    else:
        async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
            yield archive
            assert await archive.problems() == []


@pytest.fixture
def depart(archive):
    """Whoever had this address went, with the history up to this id."""

    async def depart(owner, message_id):
        if isinstance(archive, MemoryArchive):
            archive.histories.departures[owner] = message_id
            return
        sql = "INSERT INTO departure SELECT id, ? FROM address WHERE jid = ?"
        write = archive._database.write
        await archive._island.run_to_end(write, lambda connection: connection.execute(sql, (message_id, owner)))

    return depart


@pytest.fixture(params=["sqlite", "memory"])
async def accounts(request, tmp_path, island):
    if request.param == "memory":
        yield MemoryAccounts()
    else:
        async with SqliteAccounts(island, tmp_path / "accounts.sqlite") as accounts:
            yield accounts
            assert await accounts.problems() == []


@pytest.fixture
async def disk(island, tmp_path, clock):
    """An archive on disk with one chat, "before"; whole in the end."""
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        await archive.commit([says("a@x.org", "b@x.org", "before")])
        yield archive
        assert await archive.problems() == []


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.sqlite"
