"""XEP-0156 on real sockets: what a web client asks first."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateways import host_meta, web, xmpp_websocket
from tests.gateways.house import DOMAIN, Client, encryption, open_house

XRD = "/.well-known/host-meta"
JSON = "/.well-known/host-meta.json"


@asynccontextmanager
async def open_web(*, url: str = "", has_tls: bool = False) -> AsyncIterator[int]:
    """The port of a web gateway with these routes."""
    async with open_house() as house:
        secured = encryption() if has_tls else None
        listening = await house.nursery.start(
            lambda task_status: web.serve(
                house.reception,
                [("127.0.0.1", 0)],
                host_meta.routes({DOMAIN}, url),
                secured,
                task_status=task_status,
            )
        )
        yield listening.ports[0]


async def ask(port: int, path: str, *headers: str, host: str = DOMAIN, method: str = "GET", tls: bool = False):
    """Status, headers and body."""
    client = await Client.connect(port, tls=tls)
    await client.send("\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]))
    head, _, body = (await client.hears_end()).partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


async def test_the_link_follows_the_host_that_was_asked_for():
    async with open_web() as port:
        status, headers, body = await ask(port, JSON, host="chat.example.com:8080")
        assert (status, headers["content-type"]) == (200, "application/json")
        assert headers["access-control-allow-origin"] == "*"
        assert int(headers["content-length"]) == len(body)
        (link,) = json.loads(body)["links"]
        assert link["href"] == f"ws://chat.example.com:8080{xmpp_websocket.PATH}"
        status, headers, body = await ask(port, XRD, host=f"127.0.0.1:{port}")
        assert (status, headers["content-type"]) == (200, "application/xrd+xml; charset=utf-8")
        assert headers["access-control-allow-origin"] == "*"
        assert f"href='ws://127.0.0.1:{port}{xmpp_websocket.PATH}'" in body


async def test_an_encrypted_port_is_linked_as_wss():
    async with open_web(has_tls=True) as port:
        _, _, body = await ask(port, JSON, tls=True)
        assert f"wss://{DOMAIN}{xmpp_websocket.PATH}" in body


async def test_a_proxy_on_this_machine_is_believed_that_it_encrypts():
    async with open_web() as port:
        _, _, body = await ask(port, JSON, "X-Forwarded-Proto: https")
        assert f"wss://{DOMAIN}{xmpp_websocket.PATH}" in body
        _, _, body = await ask(port, JSON, "X-Forwarded-Proto: https, http")
        assert f"ws://{DOMAIN}{xmpp_websocket.PATH}" in body


def test_nobody_else_is():
    assert web._said_by_proxy("192.0.2.1", {"x-forwarded-proto": ("https",)}, "x-forwarded-proto") == ""
    assert web._said_by_proxy("unknown", {"x-forwarded-proto": ("https",)}, "x-forwarded-proto") == ""


async def test_the_configured_url_wins():
    async with open_web(url="https://chat.example.net") as port:
        for host in (DOMAIN, "elsewhere.example"):
            status, _, body = await ask(port, JSON, host=host)
            assert status == 200
            assert json.loads(body)["links"][0]["href"] == f"wss://chat.example.net{xmpp_websocket.PATH}"


async def test_a_host_that_is_not_served_is_not_found():
    async with open_web() as port:
        for host in ("evil.example", f"{DOMAIN}.evil.example", f"evil.example'{DOMAIN}"):
            status, _, body = await ask(port, XRD, host=host)
            assert status in {400, 404}
            assert "evil" not in body


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("OPTIONS", 200), ("POST", 405), ("DELETE", 405), ("PROPFIND", 405)]
)
async def test_other_methods(method: str, status: int):
    async with open_web() as port:
        found, headers, body = await ask(port, XRD, method=method)
        assert found == status
        if method == "HEAD":
            assert (body, headers["content-type"]) == ("", "application/xrd+xml; charset=utf-8")
            assert int(headers["content-length"]) > 100
        if method == "OPTIONS":
            assert headers["access-control-allow-origin"] == "*"
            assert "get" in headers["access-control-allow-methods"]
