"""A block that was acknowledged outlives the server, and holds from its first moment on."""

from pathlib import Path

import trio

from tests.faults.client import Client
from tests.faults.server import Server
from tests.scenarios.blocking import blocked, blocks, hears_refusal

DOMAIN = "faults.example"
PASSWORD = "correct horse"


async def test_blocks_outlive_a_kill(tmp_path: Path):
    server = Server(tmp_path, DOMAIN)
    async with trio.open_nursery() as nursery:
        async with server:
            for name in ("alice", "bob"):
                address = f"{name}@{DOMAIN}"
                await server.does("user", "add", address, "--password-stdin", stdin=f"{PASSWORD}\n".encode())
            bob = await Client.enter(nursery, server, f"bob@{DOMAIN}/desk", PASSWORD)
            await blocks(bob, f"alice@{DOMAIN}", "else.where")
            await server.kill()
            await bob.hears_cut()
            await bob.is_cut_off()
            await server.start()
            alice = await Client.enter(nursery, server, f"alice@{DOMAIN}/desk", PASSWORD)
            await alice.is_present()
            await alice.says(bob.bare, "and now?", stanza_id="m1")
            assert await hears_refusal(alice) == ("m1", "service-unavailable", False)
            again = await Client.enter(nursery, server, bob.jid, PASSWORD)
            await again.is_present()
            await again.hears_presence(again.jid)
            assert await blocked(again) == [alice.bare, "else.where"]
            assert alice.jid not in again.presences()
            await server.does("verify")
            assert server.errors == []
            for client in (alice, again):
                await client.leaves()
        nursery.cancel_scope.cancel()
