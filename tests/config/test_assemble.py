"""The assembled server, as far as no play shows it."""

import json
from functools import partial

import trio

from config.assemble import serve
from config.settings import load
from tests.gateways.house import Client

CONFIGURATION = """\
domains = ["a.example"]
[xmpp]
listen = ["127.0.0.1:0"]
direct_tls_listen = []
[web]
listen = "127.0.0.1:0"
allowed_origins = ["https://mail.example.com"]
[limits]
"""


async def ask(port, *lines):
    client = await Client.connect(port)
    await client.send("\r\n".join([*lines, "", ""]))
    try:
        return await client.hears("^HTTP/1.1 .*\r\n\r\n") + client.heard
    finally:
        await trio.aclose_forcefully(client.stream)


async def test_web_clients_find_the_socket_and_pages_that_are_allowed_may_open_it(tmp_path):
    file = tmp_path / "rookery.toml"
    file.write_text(CONFIGURATION)
    (said_ready, ready), stop = trio.open_memory_channel(1), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve, load(file), ready=said_ready.send_nowait, stop=stop))
        with trio.fail_after(30):
            port = int((await ready.receive()).rpartition(":")[2])
            said = await ask(port, "GET /.well-known/host-meta.json HTTP/1.1", "Host: chat.a.example")
            (link,) = json.loads(said.rpartition("\r\n\r\n")[2])["links"]
            assert link["href"] == "ws://chat.a.example/xmpp-websocket"
            assert " 404 " in await ask(port, "GET /.well-known/host-meta HTTP/1.1", "Host: b.example")
            socket = [
                "GET /xmpp-websocket HTTP/1.1",
                "Host: chat.a.example",
                "Upgrade: websocket",
                "Connection: upgrade",
            ]
            socket += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA=="]
            socket += ["Sec-WebSocket-Protocol: xmpp"]
            assert " 101 " in await ask(port, *socket, "Origin: https://mail.example.com")
            assert " 403 " in await ask(port, *socket, "Origin: https://evil.example")
        stop.set()
