"""The assembled server, as far as no play shows it."""

import json
from contextlib import asynccontextmanager
from functools import partial

import trio
from prometheus_client.parser import text_string_to_metric_families

from config.assemble import serve
from config.settings import load
from engine import administration as a
from gateways import control
from tests.gateways.house import Client

CONFIGURATION = """\
domains = ["a.example"]
[xmpp]
listen = ["127.0.0.1:0"]
direct_tls_listen = []
[web]
listen = "127.0.0.1:0"
allowed_origins = ["https://mail.example.com"]
"""


async def ask(port, *lines):
    client = await Client.connect(port)
    await client.send("\r\n".join([*lines, "", ""]))
    try:
        return await client.hears("^HTTP/1.1 .*\r\n\r\n") + client.heard
    finally:
        await trio.aclose_forcefully(client.stream)


@asynccontextmanager
async def served(folder, configuration):
    """The ports by listener, and the data folder."""
    file = folder / "rookery.toml"
    file.write_text(configuration)
    settings = load(file)
    (said_ready, ready), stop = trio.open_memory_channel(1), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve, settings, ready=said_ready.send_nowait, stop=stop))
        with trio.fail_after(30):
            line = await ready.receive()
            words = (entry.split() for entry in line.removeprefix("rookery ready: ").split(", "))
            yield {name: int(address.rpartition(":")[2]) for name, address in words}, settings.data_dir
        stop.set()


async def test_figures_are_told_at_their_own_listener_and_nowhere_else(tmp_path):
    configuration = CONFIGURATION + '[metrics]\nlisten = "127.0.0.1:0"\n'
    async with served(tmp_path, configuration) as (ports, data):
        assert " 404 " in await ask(ports["web"], "GET /metrics HTTP/1.1", "Host: a.example")
        assert " 404 " in await ask(ports["metrics"], "GET / HTTP/1.1", "Host: a.example")
        assert " 405 " in await ask(ports["metrics"], "POST /metrics HTTP/1.1", "Host: a.example", "Content-Length: 0")
        text = (await ask(ports["metrics"], "GET /metrics HTTP/1.1", "Host: a.example")).partition("\r\n\r\n")[2]
        families = {family.name: family for family in text_string_to_metric_families(text)}
        status = await trio.to_thread.run_sync(_status, data)
    for name in ("sessions", "queue", "archive_lag_seconds", "dropped", "refused", "restarts", "pulse_delay_seconds"):
        assert f"rookery_{name}" in families, name
    accepted = {sample.labels["listener"]: sample.value for sample in families["rookery_accepted"].samples}
    assert accepted == {"xmpp": 0, "web": 1, "metrics": 3}
    assert "a.example" not in text
    assert status["web_accepted"] == 1
    assert status["queue_archiver"] == status["archive_queue"] == status["restarts"] == 0
    assert status["web_ended_reasons"] == "done 1"


def _status(data):
    with control.Caller(data) as caller:
        shown = caller.call(a.ShowStatus())
    assert isinstance(shown, a.StatusShown)
    return shown.figures


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
