"""What was read and what was said outlive the server, with the same ids."""

from pathlib import Path

import trio

from tests.faults.client import Client
from tests.faults.server import Server
from tests.scenarios.test_unread import marks
from tests.stage.reading import live_id, read_inbox, read_page

DOMAIN = "faults.example"
PASSWORD = "correct horse"
ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"


async def test_history_and_what_is_unread_outlive_a_kill(tmp_path: Path):
    server = Server(tmp_path, DOMAIN)
    async with trio.open_nursery() as nursery:
        async with server:
            for address in (ALICE, BOB):
                await server.does("user", "add", address, "--password-stdin", stdin=f"{PASSWORD}\n".encode())
            alice, bob = [await Client.enter(nursery, server, f"{jid}/desk", PASSWORD) for jid in (ALICE, BOB)]
            await bob.is_present()
            live = []
            for number in range(3):
                await alice.says(BOB, str(number), stanza_id=f"m{number}")
                live.append(live_id(await bob.hears_message(str(number))))
            await marks(bob, ALICE, "m1")
            assert (await read_inbox(bob))[0] == [(ALICE, "2", 1)]
            await server.kill()
            for client in (alice, bob):
                await client.hears_cut()
                await client.is_cut_off()
            await server.start()
            for resource in ("desk", "phone"):
                device = await Client.enter(nursery, server, f"{BOB}/{resource}", PASSWORD)
                assert (await read_inbox(device))[0] == [(ALICE, "2", 1)]
                page = await read_page(device, with_=ALICE)
                assert (page.bodies, page.ids) == (["0", "1", "2", None], [*live, page.last])
                await device.leaves()
            await server.does("verify")
            assert server.errors == []
        nursery.cancel_scope.cancel()
