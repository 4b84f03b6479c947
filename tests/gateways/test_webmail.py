"""Webmail over real sockets: logins, cookies, headers, who may call, and what ends a socket."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio_websocket

from engine import administration as a
from engine.webmail.frames import VERSION
from engine.xmpp.scram import make_verifiers
from gateways import webmail_pages
from tests.gateways.house import Client
from tests.stage.socket_stage import socket_stage
from tests.stage.socket_web import log_in
from tests.stage.stage import PASSWORD

ALICE = "alice@example.com"
RIGHT = {"address": ALICE, "password": PASSWORD}


@pytest.fixture
async def stage():
    async with socket_stage() as stage:
        yield stage


async def ask(stage, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an answer."""
    port = stage._ports["web"]
    lines = {"host": f"127.0.0.1:{port}", "content-length": str(len(body.encode())), **headers}
    client = await Client.connect(port)
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    await client.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}")
    text = await client.hears_end()
    await client.stream.aclose()
    head, _, rest = text.partition("\r\n\r\n")
    first, *fields = head.split("\r\n")
    return int(first.split()[1]), dict(field.split(": ", 1) for field in fields), rest


async def post(stage, path: str, body: object, **headers: str) -> tuple[int, dict[str, str], str]:
    return await ask(stage, "POST", path, json.dumps(body), **{"content_type": "application/json", **headers})


@asynccontextmanager
async def open_socket(stage, cookie: str) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    """A socket that is cut at the end, whatever its state."""
    client = await Client.connect(stage._ports["web"])
    async with trio.open_nursery() as nursery:
        yield await trio_websocket.wrap_client_stream(
            nursery, client.stream, "127.0.0.1", "/ws", extra_headers=[("cookie", cookie)]
        )
        await trio.aclose_forcefully(client.stream)


async def test_a_login_gives_a_cookie_that_no_script_reads(stage):
    status, headers, body = await post(stage, "/api/login", RIGHT)
    assert (status, json.loads(body)) == (200, {"address": ALICE})
    assert re.fullmatch(r"rookery=[\w-]{32}; Path=/; Max-Age=1209600; HttpOnly; SameSite=Strict", headers["set-cookie"])
    assert headers["cache-control"] == "no-store"
    _, again, _ = await post(stage, "/api/login", RIGHT)
    assert again["set-cookie"] != headers["set-cookie"]


async def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_only(stage):
    _, headers, _ = await post(stage, "/api/login", RIGHT, x_forwarded_proto="https")
    assert headers["set-cookie"].startswith("__Host-rookery=")
    assert headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        ({"address": ALICE, "password": "wrong"}, 401),
        ({"address": "nobody@example.com", "password": PASSWORD}, 401),
        ({"address": "salesteam@example.com", "password": PASSWORD}, 401),
        ({"address": "not an address@@", "password": PASSWORD}, 401),
        ({"address": "alice", "password": PASSWORD}, 401),  # two domains are served
        ({"address": ALICE}, 400),
        ({"address": ALICE, "password": 7}, 400),
        ("alice", 400),
        ({"address": ALICE, "password": "x" * 5000}, 413),
    ],
)
async def test_what_is_wrong_is_refused(stage, credentials, status):
    answered, headers, _ = await post(stage, "/api/login", credentials)
    assert answered == status
    assert "set-cookie" not in headers


async def test_calls_come_from_our_own_page(stage):
    port = stage._ports["web"]
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):
        assert (await post(stage, "/api/login", RIGHT, **headers))[0] == 403
    assert (await post(stage, "/api/login", RIGHT, content_type="text/plain"))[0] == 415
    assert (await ask(stage, "GET", "/api/login"))[0] == 405
    own = {"origin": f"http://127.0.0.1:{port}", "sec_fetch_site": "same-origin"}
    assert (await post(stage, "/api/login", RIGHT, **own))[0] == 200


async def test_a_socket_of_another_page_is_refused(stage):
    cookie = await log_in(stage._ports["web"], ALICE, PASSWORD)
    upgrade = {"upgrade": "websocket", "connection": "upgrade", "cookie": cookie}
    assert (await ask(stage, "GET", "/ws", origin="https://evil.example", **upgrade))[0] == 403
    assert (await ask(stage, "GET", "/ws"))[0] == 426


@pytest.mark.parametrize("cookie", ["", "rookery=", "rookery=guess", 'other=x; rookery="guess'])
async def test_who_is_not_logged_in_is_told_so(stage, cookie):
    async with open_socket(stage, cookie) as socket:
        assert json.loads(await socket.get_message()) == {"t": "bye", "reason": "signed-out"}
        with pytest.raises(trio_websocket.ConnectionClosed):
            await socket.get_message()


async def test_a_logout_ends_all_sockets_at_once(stage):
    alice, other = await stage.enter_web("alice"), await stage.enter_web("alice")
    second = await stage.open_tab(alice)
    status, headers, _ = await post(stage, "/api/logout", {}, cookie=alice.key)
    assert status == 200
    assert "Max-Age=0" in headers["set-cookie"]
    for tab in (alice, second):
        assert (await tab.hears("bye"))["reason"] == "signed-out"
    await stage.settle(other)  # another browser stays logged in
    with pytest.raises(AssertionError):
        await stage.come_back(alice)
    assert (await alice.hears("bye"))["reason"] == "signed-out"


async def test_a_new_password_ends_all_sockets_at_once(stage):
    first, second, bob = await stage.enter_web("alice"), await stage.enter_web("alice"), await stage.enter_web("bob")
    await stage.operate(a.SetPassword(address=ALICE, verifiers=make_verifiers("another", iterations=4096)))
    for tab in (first, second):
        assert (await tab.hears("bye"))["reason"] == "signed-out"
    await stage.settle(bob)
    assert (await post(stage, "/api/login", RIGHT))[0] == 401
    assert (await post(stage, "/api/login", {"address": ALICE, "password": "another"}))[0] == 200


async def test_a_new_login_of_the_same_browser_ends_the_old_one(stage):
    alice = await stage.enter_web("alice")
    await post(stage, "/api/login", RIGHT, cookie=alice.key)
    assert (await alice.hears("bye"))["reason"] == "signed-out"


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([{"t": "hello", "v": VERSION + 1}], "reload"),
        ([{"t": "ping"}], "misunderstood"),
        ([{"t": "hello"}], "misunderstood"),
        ([{"t": "unheard-of"}], "misunderstood"),
        ([[]], "misunderstood"),
        ([{"t": "hello", "v": VERSION}, {"t": "say", "id": 7}], "misunderstood"),
    ],
)
async def test_what_is_no_frame_ends_the_socket(stage, frames, reason):
    cookie = await log_in(stage._ports["web"], ALICE, PASSWORD)
    async with open_socket(stage, cookie) as socket:
        for frame in frames:
            await socket.send_message(json.dumps(frame))
        with trio.fail_after(10):
            while (heard := json.loads(await socket.get_message()))["t"] != "bye":
                pass
    assert heard["reason"] == reason


async def test_a_ping_is_answered(stage):
    alice = await stage.enter_web("alice")
    await alice.sends("ping")
    await alice.hears("pong")


async def test_who_cannot_be_read_is_refused(stage):
    alice = await stage.enter_web("alice")
    for fields in ({"id": ""}, {"id": "x" * 200}, {"id": "\x01"}, {"body": "  "}, {"body": ""}):
        frame = {"id": "1", "to": "bob@example.com", "body": "x", **fields}
        await alice.sends("say", **frame)
        assert (await alice.hears("failed"))["condition"] == "bad-request"
    assert (await alice.asks("history", before="not an id"))["condition"] == "bad-request"
    assert (await alice.asks("card", address="nobody@example.com"))["condition"] == "service-unavailable"
    assert (await alice.asks("card", address="bob@example.com"))["address"] == "bob@example.com"


async def test_what_is_personal_is_kept_by_nobody_between(stage):
    _, signed_in, _ = await post(stage, "/api/login", RIGHT)
    cookie = signed_in["set-cookie"].partition(";")[0]
    upload = {"content_type": "application/octet-stream", "cookie": cookie}
    status, uploaded, body = await ask(stage, "POST", "/files/?name=a.png", "content", **upload)
    assert status == 201
    _, fetched, _ = await ask(stage, "GET", json.loads(body)["path"], cookie=cookie)
    _, missing, _ = await ask(stage, "GET", "/files/x/a.png", cookie=cookie)
    _, signed_out, _ = await post(stage, "/api/logout", {}, cookie=cookie)
    assert {answer["cache-control"] for answer in (signed_in, uploaded, missing, signed_out)} == {"no-store"}
    assert fetched["cache-control"] == "private, no-cache"  # asked for again each time, with the login


def test_the_policy_of_the_page_is_strict():
    policy = webmail_pages._safety(())["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == rules["form-action"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert not any(word in policy for word in ("unsafe", "*", "http"))


async def test_pages_are_safe(stage):
    status, headers, body = await ask(stage, "GET", "/")
    if status == 503:
        assert "make ui" in body
        return
    policy = headers["content-security-policy"]
    assert status == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-cache"
    script = re.search(r'src="(/assets/[^"]+\.js)"', body)
    assert script is not None
    status, headers, _ = await ask(stage, "HEAD", script[1], accept_encoding="gzip, br")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert "immutable" in headers["cache-control"]
    assert int(headers["content-length"]) < 120_000
    assert (await ask(stage, "POST", "/"))[0] == 405
    assert (await ask(stage, "GET", "/assets/../index.html"))[0] == 404


def test_who_may_frame_the_page_is_configured():
    policy = webmail_pages._safety(("https://mail.example.com",))["content-security-policy"]
    assert "frame-ancestors https://mail.example.com;" in policy
