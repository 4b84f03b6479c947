"""The web port: requests that are two, paths that lead elsewhere, cookies that somebody else chose, and what is in the log
after it.

Precedents: CVE-2025-43859 (h11 took chunks with wrong ends, so a proxy and a server saw different requests), CVE-2016-1231
and CVE-2023-32315 (Prosody's and Openfire's paths that leave their folder), CVE-2021-3740 (Chatwoot: sessions outlived a
new password), CVE-2025-65415 (a session that was chosen before the login). Cross-site sockets and calls:
`tests/gateways/test_webmail.py`.
"""

import json
import logging
import re

import pytest
import trio

from tests.gateways.house import Client
from tests.gateways.test_webmail import ALICE, RIGHT, ask, open_socket, post
from tests.stage.socket_stage import socket_stage
from tests.stage.socket_web import log_in
from tests.stage.stage import PASSWORD


@pytest.fixture
async def stage():
    async with socket_stage() as stage:
        yield stage


async def speak(stage, text: str) -> str:
    """All that the server answers to these bytes, until it closes."""
    client = await Client.connect(stage._ports["web"])
    try:
        await client.send(text)
        with trio.move_on_after(3):
            return await client.hears_end()
        return client.heard
    finally:
        await trio.aclose_forcefully(client.stream)


LOGIN = json.dumps(RIGHT)
SECOND = "GET /second HTTP/1.1\r\nhost: a\r\n\r\n"


HEADS = [
    f"content-length: {len(LOGIN)}\r\ntransfer-encoding: chunked\r\n",
    f"transfer-encoding: chunked\r\ncontent-length: {len(LOGIN)}\r\n",
    f"content-length: {len(LOGIN)}\r\ncontent-length: 5\r\n",
    f"content-length: +{len(LOGIN)}\r\n",
    f"content-length: {len(LOGIN)}, {len(LOGIN) + 1}\r\n",
    "transfer-encoding: xchunked\r\n",
    "transfer-encoding: chunked, identity\r\n",
    "transfer-encoding:\x0bchunked\r\n",
    "transfer-encoding: identity\r\n",
    f"content-length : {len(LOGIN)}\r\n",
    f"x: y\ncontent-length: {len(LOGIN)}\r\n",
    f" content-length: {len(LOGIN)}\r\n",
]


async def test_a_request_that_could_be_read_in_two_ways_logs_nobody_in(stage):
    for head in HEADS:
        answer = await speak(
            stage, f"POST /api/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{head}\r\n{LOGIN}{SECOND}"
        )
        assert answer.count("HTTP/1.1 ") <= 1
        assert "/second" not in answer
        # A line that ends with a line feed alone may be taken for one (RFC 9112, 2.2); then it is the only request there is.
        assert "set-cookie" not in answer.lower() or head.startswith("x: y\n"), head


async def test_a_chunk_ends_as_it_must(stage):
    for end in ["XX", "\n\n", "\r\r", "\n\r"]:
        chunked = f"{len(LOGIN):x}\r\n{LOGIN}{end}0\r\n\r\n"
        answer = await speak(
            stage,
            "POST /api/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
            f"transfer-encoding: chunked\r\n\r\n{chunked}{SECOND}",
        )
        assert "set-cookie" not in answer.lower()


async def test_a_connection_has_one_request(stage):
    """So what a proxy would take for the next visitor's answer is never there."""
    answer = await speak(stage, f"GET /first HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n\r\n{SECOND}{SECOND}")
    assert answer.count("HTTP/1.1 ") == 1
    assert "connection: close" in answer


PATHS = [
    "/../../../etc/passwd",
    "/assets/../../../../etc/passwd",
    "/assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/assets/%252e%252e/etc/passwd",
    "/assets/..%2f..%2fetc/passwd",
    "/assets/%u002e%u002e/%u002e%u002e/etc/passwd",
    "/assets//etc/passwd",
    "/%5c..%5c..%5cetc/passwd",
    "//etc/passwd",
    "/files/../archive.sqlite",
    "/files/%2e%2e/archive.sqlite",
    "/files/x/../../accounts.sqlite",
    "/..;/archive.sqlite",
    "/data/archive.sqlite",
    "/control.sock",
    "/tls/self-signed.pem",
    "/index.html%00.js",
    "/assets",
    "/assets/",
    "/metrics",
]


async def test_no_path_leads_out(stage):
    cookie = await log_in(stage._ports["web"], ALICE, PASSWORD)
    for path in PATHS:
        status, _, body = await ask(stage, "GET", path, cookie=cookie)
        assert status in {400, 404, 405}, (path, status)
        assert "root:" not in body
        assert "SQLite" not in body


async def test_a_cookie_that_was_there_before_the_login_is_worth_nothing_after_it(stage):
    for secret in ["chosen-by-somebody-else", "x" * 4_000, "' OR 1=1 --", "%00", '"quoted"']:
        _, headers, _ = await post(stage, "/api/login", RIGHT, cookie=f"rookery={secret}")
        given = re.match(r"rookery=([\w-]+);", headers["set-cookie"])
        assert given is not None
        assert given[1] != secret
        async with open_socket(stage, f"rookery={secret}") as socket:
            assert json.loads(await socket.get_message())["reason"] == "signed-out"


async def test_two_cookies_of_the_name_are_not_mixed(stage):
    """A neighbour host may set a cookie of the same name: then the browser sends both."""
    mine = await log_in(stage._ports["web"], ALICE, PASSWORD)
    async with open_socket(stage, f"rookery=somebody-elses; {mine}") as socket:
        first = json.loads(await socket.get_message())
        assert first == {"t": "bye", "reason": "signed-out"}


async def test_no_secret_is_in_a_url_or_in_the_log_and_no_line_is_forged(stage, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = [PASSWORD, "a-wrong-password", "what nobody else may read", "in the query"]
    cookie = await log_in(stage._ports["web"], ALICE, PASSWORD)
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.counts()
    await alice.says(bob.bare, "what nobody else may read")
    await bob.hears_message("what nobody else may read")
    await post(stage, "/api/login", {"address": ALICE, "password": "a-wrong-password"})
    await ask(stage, "GET", "/x?token=in%20the%20query", x_forwarded_for="1.2.3.4\t2026-01-01 ERROR forged")
    await ask(stage, "GET", "/%0d%0aERROR%20forged", user_agent="forged")
    browser = await stage.enter_web("bob")
    await browser.says(ALICE, "what nobody else may read")
    await alice.sends("<message to='bob@example.com'><body>what nobody else may read")
    await alice.is_cut_off()
    logged = [record.getMessage() for record in caplog.records if record.name.partition(".")[0] in OURS]
    for secret in (*secrets, cookie.partition("=")[2], browser.key.partition("=")[2], alice.token):
        assert secret
        assert not [line for line in logged if secret in line], secret
    assert not [line for line in logged if "forged" in line]


OURS = {"actors", "config", "engine", "gateways", "index"}
