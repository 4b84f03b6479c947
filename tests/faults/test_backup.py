"""A backup in the middle of talk, and a server that starts from it."""

import shutil
from pathlib import Path

import trio

from tests.faults.client import Client
from tests.faults.kill import until
from tests.faults.oracle import integrity, read_archive
from tests.faults.resume import HOME, PASSWORD, Device
from tests.faults.server import Server
from tests.stage.reading import read_page

ALICE, BOB = f"alice@{HOME}", f"bob@{HOME}"
CHAT = f"<message to='{BOB}' type='chat'><body>{{0}}</body><origin-id xmlns='urn:xmpp:sid:0' id='{{0}}'/></message>"


async def test_what_was_acknowledged_before_is_in_the_copy_and_nobody_notices(tmp_path: Path):
    server, copy = Server(tmp_path / "one", HOME), tmp_path / "copy"
    async with trio.open_nursery() as nursery:
        async with server:
            for address in (ALICE, BOB):
                await server.does("user", "add", address, "--password-stdin", stdin=f"{PASSWORD}\n".encode())
            alice, bob = [await Device.enter(nursery, server, f"{jid}/desk", PASSWORD) for jid in (ALICE, BOB)]
            for device in (alice, bob):
                await device.counts()
                await device.tells("<presence/>")

            async def talk() -> None:
                for number in range(1_000_000):
                    await alice.tells(CHAT.format(number))
                    await until(lambda number=number: bob.seen[-1:] == [str(number)])

            with trio.CancelScope() as talking:
                async with trio.open_nursery() as talkers:
                    talkers.start_soon(talk)
                    await until(lambda: len(bob.seen) >= 50)
                    before = list(bob.seen)
                    await server.does("backup", str(copy))
                    after = list(bob.seen)
                    talking.cancel()
            assert len(after) > len(before), "nobody could talk meanwhile"
            assert server.errors == []
        rows = [row.origin for row in read_archive(copy / "archive.sqlite", 0)]
        assert rows[: len(before)] == before
        assert rows == [str(number) for number in range(len(rows))]
        assert integrity(copy / "archive.sqlite") == integrity(copy / "accounts.sqlite") == "ok"

        other = Server(tmp_path / "two", HOME)
        shutil.copytree(copy, other.data)
        async with other:
            bob = await Client.enter(nursery, other, f"{BOB}/phone", PASSWORD)
            page = await read_page(bob, with_=ALICE)
            assert page.bodies[:2] == ["0", "1"]
            assert "no faults" in await other.does("verify")
            await bob.leaves()
            assert other.errors == []
        nursery.cancel_scope.cancel()
