"""XMPP over WebSocket, on real sockets."""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio_websocket

from engine.limits import Limits
from gateways.listener import CloseGateway, FetchStatus
from gateways.web import Request, _client_of
from gateways.web_socket import is_origin_allowed
from gateways.xmpp_websocket import PATH
from tests.gateways.house import DOMAIN, PATIENCE, PLAIN, Client, open_house

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
OPEN = f"<open xmlns='{FRAMING}' to='{DOMAIN}' version='1.0'/>"
AUTH = f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{PLAIN}</auth>"
BIND = "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"


@asynccontextmanager
async def visit(port: int, *, tls: bool = True) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    """A web socket that is cut at the end, whatever its state."""
    client = await Client.connect(port, tls=tls)
    async with trio.open_nursery() as nursery:
        yield await trio_websocket.wrap_client_stream(nursery, client.stream, DOMAIN, PATH, subprotocols=["xmpp"])
        await trio.aclose_forcefully(client.stream)


async def hears(socket: trio_websocket.WebSocketConnection, pattern: str) -> str:
    with trio.fail_after(PATIENCE):
        while True:
            message = await socket.get_message()
            if found := re.search(pattern, message):
                assert found is not None
                return str(message)


async def login(socket: trio_websocket.WebSocketConnection) -> None:
    await socket.send_message(OPEN)
    await hears(socket, "<mechanisms")
    await socket.send_message(AUTH)
    await hears(socket, "<success")
    await socket.send_message(OPEN)
    await hears(socket, "<bind")
    await socket.send_message(BIND)
    await hears(socket, "<jid>")


async def ask(port: int, text: str) -> str:
    client = await Client.connect(port)
    await client.send(text.replace("\n", "\r\n") + "\r\n\r\n")
    return await client.hears_end()


def handshake(*headers: str, path: str = PATH) -> str:
    key = base64.b64encode(b"x" * 16).decode()
    lines = [f"GET {path} HTTP/1.1", "Host: chat.example.com", "Upgrade: websocket", "Connection: Upgrade"]
    return "\n".join([*lines, f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers])


async def test_a_client_logs_in_and_is_echoed():
    async with open_house() as house:
        listening = await house.listen_web(has_tls=True)
        async with visit(listening.ports[0]) as socket:
            assert socket.subprotocol == "xmpp"
            await login(socket)
            await socket.send_message(
                f"<message xmlns='jabber:client' to='bob@{DOMAIN}' type='chat'><body>hello</body></message>"
            )
            message = await hears(socket, "<body>hello</body>")
            assert message.startswith("<message ")
            assert "xmlns='jabber:client'" in message.replace('"', "'")
            await socket.send_message(f"<close xmlns='{FRAMING}'/>")
            await hears(socket, f"<close xmlns=.{FRAMING}")
        await house.gone()


async def test_messages_that_are_told_together_keep_their_order():
    async with open_house() as house:
        house.copies = 100
        listening = await house.listen_web(has_tls=True)
        async with visit(listening.ports[0]) as socket:
            await login(socket)
            for number in range(5):
                await socket.send_message(
                    f"<message xmlns='jabber:client' to='bob@{DOMAIN}' type='chat'><body>{number}</body></message>"
                )
            heard = [re.sub(".*<body>|</body>.*", "", await socket.get_message()) for _ in range(500)]
            assert heard == [str(number) for number in range(5) for _ in range(100)]


async def test_clear_text_offers_scram_and_never_plain():
    async with open_house() as house:
        house.options = house.options.__class__(
            domains=(DOMAIN,), secret=b"s" * 32, limits=house.limits, tls="optional"
        )
        listening = await house.listen_web()
        async with visit(listening.ports[0], tls=False) as socket:
            await socket.send_message(OPEN)
            features = await hears(socket, "<mechanisms")
            assert "SCRAM-SHA-256" in features
            assert "PLAIN" not in features
            assert "starttls" not in features


async def test_the_subprotocol_is_required():
    async with open_house() as house:
        listening = await house.listen_web()
        assert (await ask(listening.ports[0], handshake())).startswith("HTTP/1.1 400 ")
        assert (await ask(listening.ports[0], handshake("Sec-WebSocket-Protocol: chat"))).startswith("HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", "403"),
        ("null", "403"),
        ("https://chat.example.com.evil.example", "403"),
        ("https://chat.example.com:8443", "403"),
        ("https://chat.example.com", "101"),
        ("https://CHAT.example.com:443", "101"),
        ("https://mail.example.com", "101"),
    ],
)
async def test_the_origin_is_checked(origin: str, status: str):
    async with open_house() as house:
        listening = await house.listen_web(origins=("https://mail.example.com",))
        client = await Client.connect(listening.ports[0])
        text = handshake(f"Origin: {origin}", "Sec-WebSocket-Protocol: xmpp")
        await client.send(text.replace("\n", "\r\n") + "\r\n\r\n")
        assert (await client.hears("HTTP/1.1 [0-9]+"))[-3:] == status


def test_two_origins_are_none():
    headers = {"host": ("a.example",), "origin": ("https://a.example", "https://b.example")}
    assert not is_origin_allowed(Request("GET", PATH, "", headers, "192.0.2.1", False), frozenset())
    assert is_origin_allowed(Request("GET", PATH, "", {}, "192.0.2.1", False), frozenset())


def test_only_a_proxy_on_this_machine_is_believed():
    headers = {"x-forwarded-for": ("6.6.6.6, 192.0.2.9",)}
    assert _client_of("127.0.0.1", headers) == "192.0.2.9"
    assert _client_of("::1", headers) == "192.0.2.9"
    assert _client_of("198.51.100.1", headers) == "198.51.100.1"
    assert _client_of("127.0.0.1", {}) == "127.0.0.1"
    assert _client_of("127.0.0.1", {"x-forwarded-for": ("unknown",)}) == "127.0.0.1"


async def test_other_requests():
    async with open_house() as house:
        port = (await house.listen_web()).ports[0]
        assert (await ask(port, "GET / HTTP/1.1\nHost: x")).startswith("HTTP/1.1 404 Not Found\r\n")
        assert (await ask(port, handshake(path="/elsewhere"))).startswith("HTTP/1.1 404 ")
        assert (await ask(port, f"GET {PATH} HTTP/1.1\nHost: x")).startswith("HTTP/1.1 426 ")
        assert (await ask(port, f"POST {PATH} HTTP/1.1\nHost: x\nContent-Length: 0")).startswith("HTTP/1.1 426 ")
        assert (await ask(port, "nonsense")).startswith("HTTP/1.1 400 ")
        assert (await ask(port, "GET / HTTP/1.1\nHost: x\nX: " + "x" * 20_000)).startswith("HTTP/1.1 431 ")


async def test_a_binary_message_is_refused():
    async with open_house() as house:
        listening = await house.listen_web(has_tls=True)
        async with visit(listening.ports[0]) as socket:
            await login(socket)
            await socket.send_message(b"<message/>")
            with pytest.raises(trio_websocket.ConnectionClosed):
                await hears(socket, "never")
            assert socket.closed is not None
            assert socket.closed.code == 1003
        await house.gone()


async def test_a_message_that_is_too_long_is_refused():
    async with open_house(Limits(stanza_bytes=20_000, bytes_per_second=0, logins_per_minute=0)) as house:
        listening = await house.listen_web(has_tls=True)
        async with visit(listening.ports[0]) as socket:
            await login(socket)
            await socket.send_message("<message xmlns='jabber:client'>" + "x" * 20_000)
            with pytest.raises(trio_websocket.ConnectionClosed):
                await hears(socket, "never")
            assert socket.closed is not None
            assert socket.closed.code == 1009
        await house.gone()


async def test_a_broken_stream_is_told_why():
    async with open_house() as house:
        listening = await house.listen_web(has_tls=True)
        async with visit(listening.ports[0]) as socket:
            await login(socket)
            await socket.send_message("<message")
            await hears(socket, "not-well-formed")
            await hears(socket, "<close")
        await house.gone()


async def test_shutdown():
    async with open_house() as house:
        listening = await house.listen_web(has_tls=True)
        quiet = await Client.connect(listening.ports[0])
        async with visit(listening.ports[0]) as socket:
            await login(socket)
            assert (await listening.gateway.ask(FetchStatus(), block=False).wait()).open == 2
            listening.gateway.tell(CloseGateway())
            await hears(socket, "system-shutdown")
            await hears(socket, "<close")
            await socket.send_message(f"<close xmlns='{FRAMING}'/>")
            with pytest.raises(trio_websocket.ConnectionClosed):
                await hears(socket, "never")
        await quiet.hears_end()
        await house.gone()


async def test_a_client_that_vanishes_is_told_to_its_session(caplog: pytest.LogCaptureFixture):
    async with open_house() as house:
        listening = await house.listen_web(has_tls=True)
        async with visit(listening.ports[0]) as socket:
            await login(socket)
        await house.gone()
        assert caplog.text == ""
