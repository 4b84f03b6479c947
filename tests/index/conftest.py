"""Both twins of each port, for the same tests."""

import pytest

from index.accounts import SqliteAccounts
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.memory import MemoryAccounts, MemoryArchive
from tests.index.stories import Clock


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


@pytest.fixture(params=["sqlite", "memory"])
async def accounts(request, tmp_path, island):
    if request.param == "memory":
        yield MemoryAccounts()
    else:
        async with SqliteAccounts(island, tmp_path / "accounts.sqlite") as accounts:
            yield accounts
            assert await accounts.problems() == []
