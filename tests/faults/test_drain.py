"""SIGTERM: the server is gone within two seconds, whoever holds on to it, and every session goes on after the restart."""

import time
from pathlib import Path

import pytest
import trio
import trio_websocket

from tests.faults.kill import until
from tests.faults.resume import HOME, PASSWORD, Device
from tests.faults.server import Server
from tests.stage.socket_web import log_in

pytestmark = pytest.mark.alone
DRAIN_SECONDS = 2.0
ALICE, BOB = f"alice@{HOME}", f"bob@{HOME}"
CHAT = f"<message to='{BOB}' type='chat'><body>{{0}}</body><origin-id xmlns='urn:xmpp:sid:0' id='{{0}}'/></message>"


async def holds_on(server: Server, nursery: trio.Nursery) -> list[trio.SocketStream]:
    """Connections whose clients never answer a goodbye: silent, in a half handshake, with half a request, in a web socket."""
    silent = []
    for name, said in (("xmpp", b""), ("xmpps", b"\x16\x03\x01"), ("web", b"GET / HTT"), ("web", b"")):
        stream = await trio.open_tcp_stream("127.0.0.1", server.ports[name])
        await stream.send_all(said)
        silent.append(stream)
    cookie = await log_in(server.ports["web"], ALICE, PASSWORD)
    async with trio.open_nursery() as alone:
        await trio_websocket.wrap_client_stream(
            alone, silent[-1], "127.0.0.1", "/ws", extra_headers=[("cookie", cookie)]
        )
        alone.cancel_scope.cancel()
    return silent


async def test_a_server_that_is_told_to_stop_drains_and_its_sessions_go_on(tmp_path: Path):
    server = Server(tmp_path, HOME)
    async with trio.open_nursery() as nursery:
        async with server:
            for address in (ALICE, BOB):
                await server.does("user", "add", address, "--password-stdin", stdin=f"{PASSWORD}\n".encode())
            silent = await holds_on(server, nursery)
            devices = [await Device.enter(nursery, server, f"{jid}/desk", PASSWORD) for jid in (ALICE, BOB)]
            for device in devices:
                await device.counts()
                await device.tells("<presence/>")
            alice, bob = devices
            await alice.tells(CHAT.format(1))
            await until(lambda: bob.seen == ["1"])
            began = time.monotonic()
            assert await server.stop() == 0
            assert time.monotonic() - began < DRAIN_SECONDS
            for device in devices:
                assert await device.hears_stream_error() == "system-shutdown"
                await device.hears_cut()
            await server.start()
            for device in devices:
                await device.comes_back(server, nursery)
                assert device.answer is not None
                assert device.answer.tag.endswith("resumed"), device.answer.tag
            await alice.tells(CHAT.format(2))
            await until(lambda: bob.seen == ["1", "2"])
            assert server.errors == []
            for stream in silent:
                await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()
