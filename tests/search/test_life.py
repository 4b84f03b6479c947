"""The index in the life of a server: missing, damaged, deleted, made again. Chat goes on, and in the end all is found."""

import json
import shutil

import pytest
import trio

from index.archive import SqliteArchive
from index.asyncio_island import Island
from tests.faults.client import Client
from tests.faults.server import Server
from tests.index.stories import NOON, says
from tests.scale.members import DOMAIN, PASSWORD, address, write_csv
from tests.stage.reading import read_page

MESSAGES = 2_000
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.1
ANN, BEN = address(0), address(1)


class House:
    """A server with a history, and who talks there."""

    def __init__(self, server: Server, nursery: trio.Nursery) -> None:
        self.server = server
        self.folder = server.data / "history.tantivy"
        self._nursery = nursery

    async def start(self) -> None:
        await self.server.start()
        self.ann, self.ben = [
            await Client.enter(self._nursery, self.server, f"{who}/desk", PASSWORD) for who in (ANN, BEN)
        ]
        for client in (self.ann, self.ben):
            await client.is_present()

    async def leave(self) -> None:
        for client in (self.ann, self.ben):
            await client.line.close()

    async def stop(self) -> None:
        await self.leave()
        assert await self.server.stop() == 0

    async def chats(self, body: str) -> None:
        """While the index is whatever it is."""
        await self.ann.says(BEN, body)
        await self.ben.hears_message(body)

    async def finds(self, text: str, count: int) -> None:
        """Sooner or later."""
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                if await self.count(text) == count:
                    return
                await trio.sleep(LOOK_SECONDS)

    async def count(self, text: str) -> int:
        page = await read_page(self.ann, "<max>0</max>", **{"{urn:xmpp:fulltext:0}fulltext": text})
        return int(page.count or 0)

    async def is_sound(self) -> None:
        status = json.loads(await self.server.does("status", "--json"))
        assert status["search_behind_seconds"] == 0
        assert await self.server.does("verify") == "no faults found\n"
        assert self.server.errors == []


@pytest.fixture
async def house(tmp_path, nursery):
    server = Server(tmp_path, DOMAIN)
    await server.does("user", "import", str(write_csv(tmp_path / "members.csv", 2, 2)))
    async with Island() as island, SqliteArchive(island, server.data / "archive.sqlite", clock=lambda: NOON) as archive:
        await archive.commit([says(f"{ANN}/desk", BEN, f"old number{n}") for n in range(MESSAGES)])
    house = House(server, nursery)
    await house.start()
    yield house
    await house.leave()
    await server.stop()


async def test_everything_is_found_in_the_end(house):
    await house.chats("while there was no index")
    await house.finds("old num", MESSAGES)
    await house.finds("while", 1)
    await house.is_sound()

    await house.server.kill()
    await house.leave()
    shutil.rmtree(house.folder)
    await house.start()
    await house.chats("while the folder was gone")
    await house.finds("old num", MESSAGES)
    await house.finds("while", 2)
    await house.is_sound()

    await house.stop()
    [longest, *_] = sorted(house.folder.glob("*.term"), key=lambda file: -file.stat().st_size)
    body = bytearray(longest.read_bytes())
    body[len(body) // 2] ^= 1
    longest.write_bytes(body)
    await house.start()
    await house.chats("while a bit was flipped")
    await house.finds("old num", MESSAGES)
    await house.finds("while", 3)
    await house.is_sound()

    shutil.rmtree(house.folder)
    await house.chats("while it was deleted under the server's feet")
    assert await house.server.does("reindex") == f"2 contacts and {MESSAGES + 4} messages indexed again\n"
    assert await house.count("old num") == MESSAGES
    assert await house.count("while") == 4
    await house.chats("while all was well")
    await house.finds("while", 5)
    await house.is_sound()

    await house.stop()
    assert await house.server.does("verify") == "no faults found\n"
    assert await house.server.does("reindex") == f"2 contacts and {MESSAGES + 5} messages indexed again\n"
