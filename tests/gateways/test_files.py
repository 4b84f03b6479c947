"""Files over the web port: who may call, what is said of them, parts, and what goes wrong on the way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import trio

from gateways import files
from tests.gateways.house import Client
from tests.stage.player import Player
from tests.stage.socket_stage import socket_stage
from tests.stage.socket_web import call

SLOT = "{urn:xmpp:http:upload:0}"
BYTES = {"content-type": "application/octet-stream"}


@pytest.fixture
async def stage():
    async with socket_stage() as stage:
        yield stage


@pytest.fixture
def ask(stage):
    async def ask(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return await call(stage._ports["web"], method, path, body, fields)

    return ask


async def upload(stage, player, name: str = "a.png", body: bytes = b"content", **headers: str) -> tuple[int, Any]:
    fields = {"cookie": player.key, **BYTES, **{key.replace("_", "-"): value for key, value in headers.items()}}
    status, _, answer = await call(stage._ports["web"], "POST", f"/files/?name={quote(name)}", body, fields)
    return status, answer


async def slot(client: Player, name: str = "a.png", size: int = 7) -> str:
    """The path of a place."""
    asked = f"<request xmlns='{SLOT[1:-1]}' filename='{name}' size='{size}'/>"
    answer = await client.asks(asked, to="example.com")
    return urlsplit(answer.find(f"{SLOT}slot/{SLOT}put").get("url")).path


def kept(stage) -> list[Path]:
    return [path for path in (stage._data_dir / "files").rglob("*") if path.is_file()]


async def becomes(is_so: Callable[[], object]) -> None:
    """Wait for what happens on the disk, which tells nobody."""
    with trio.fail_after(10):
        while not is_so():  # noqa: ASYNC110
            await trio.sleep(0.01)


# -- webmail ---------------------------------------------------------------------------------------------------------------


async def test_only_our_own_pages_upload(stage):
    alice = await stage.enter_web("alice")
    refused: dict[int, list[dict[str, str]]] = {
        401: [{"cookie": "rookery=guess"}],
        403: [{"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}],
        415: [{"content_type": kind} for kind in ("text/plain", "multipart/form-data", "")],
    }
    for status, attempts in refused.items():
        for headers in attempts:
            assert (await upload(stage, alice, **headers))[0] == status, headers
    client = await Client.connect(stage._ports["web"])
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "x", "cookie": alice.key, **BYTES}.items())
    await client.send(f"POST /files/?name=a HTTP/1.1\r\n{lines}content-length: 99000000000\r\n\r\n")
    assert '{"error":"too-large","limit":52428800}' in await client.hears_end()
    await client.stream.aclose()
    for query in ("", "?name", "?name=%", "?" + "&".join("abcdefghi")):
        fields = {"cookie": alice.key, **BYTES}
        status, _, answer = await call(stage._ports["web"], "POST", f"/files/{query}", b"x", fields)
        assert (status, json.loads(answer)["name"]) == (201, "%" if query.endswith("%") else "file")
        for place in kept(stage):
            place.unlink()
    assert kept(stage) == []
    own = {"origin": f"http://127.0.0.1:{stage._ports['web']}", "sec_fetch_site": "same-origin"}
    assert (await upload(stage, alice, **own))[0] == 201


async def test_an_upload_is_answered_when_it_is_on_disk(stage, ask):
    alice = await stage.enter_web("alice")
    status, answer = await upload(stage, alice, "../../un été.PNG", b"content")
    uploaded = json.loads(answer)
    assert status == 201
    assert {key: uploaded[key] for key in ("name", "size", "type")} == {
        "name": "un été.PNG",
        "size": 7,
        "type": "image/png",
    }
    [place] = kept(stage)
    assert place.read_bytes() == b"content"
    assert place.name == uploaded["id"]
    status, headers, body = await ask("GET", uploaded["path"], cookie=alice.key)
    assert (status, body) == (200, b"content")
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"] == "inline; filename=\"un _t_.PNG\"; filename*=UTF-8''un%20%C3%A9t%C3%A9.PNG"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert headers["cache-control"] == "private, no-cache"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert (await ask("GET", uploaded["path"], cookie=alice.key, if_none_match=headers["etag"]))[::2] == (304, b"")


@pytest.mark.parametrize("name", ["page.html", "image.svg", "script.js", "a.xhtml", "a", "a.pdf", "a.png.exe"])
async def test_what_is_no_image_is_saved_and_never_shown(stage, ask, name):
    alice = await stage.enter_web("alice")
    _, answer = await upload(stage, alice, name, b"<script>alert(1)</script>")
    _, headers, _ = await ask("GET", json.loads(answer)["path"], cookie=alice.key)
    assert headers["content-disposition"].startswith("attachment;")
    assert headers["content-type"] in {"application/octet-stream", "application/pdf"}


async def test_a_file_does_not_exist_for_others(stage, ask):
    alice, bob = await stage.enter_web("alice"), await stage.enter_web("bob")
    _, answer = await upload(stage, alice)
    path = json.loads(answer)["path"]
    for cookie in (bob.key, "", "rookery=guess"):
        assert await ask("GET", path, cookie=cookie) == await ask("GET", f"/files/{'x' * 24}/a.png", cookie=cookie)
        assert (await ask("GET", path, cookie=cookie))[0] == 404
    for other in ("/files/", "/files/..", "/files/../accounts.sqlite", "/files/%2e%2e/archive.sqlite", f"{path}/../.."):
        assert (await ask("GET", other, cookie=bob.key))[0] == 404
    assert (await ask("DELETE", path, cookie=alice.key))[0] == 405
    await ask("POST", "/api/logout", b"{}", cookie=alice.key, content_type="application/json")
    assert (await ask("GET", path, cookie=alice.key))[0] == 404


async def test_parts_are_served(stage, ask):
    alice = await stage.enter_web("alice")
    _, answer = await upload(stage, alice, "a.mp4", b"0123456789")
    path = json.loads(answer)["path"]

    async def part(value: str, **headers: str) -> tuple[int, str, bytes]:
        status, fields, body = await ask("GET", path, cookie=alice.key, range=value, **headers)
        return status, fields.get("content-range", ""), body

    assert await part("bytes=2-4") == (206, "bytes 2-4/10", b"234")
    assert await part("bytes=7-") == (206, "bytes 7-9/10", b"789")
    assert await part("bytes=7-99") == (206, "bytes 7-9/10", b"789")
    assert await part("bytes=-3") == (206, "bytes 7-9/10", b"789")
    assert await part("bytes=-99") == (206, "bytes 0-9/10", b"0123456789")
    assert (await part("bytes=10-"))[:2] == (416, "bytes */10")
    for value in ("bytes=4-2", "bytes=", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b"):
        assert await part(value) == (200, "", b"0123456789")
    assert (await part("bytes=2-4", if_range='"another"'))[0] == 200
    status, headers, body = await ask("HEAD", path, cookie=alice.key)
    assert (status, headers["content-length"], body) == (200, "10", b"")


async def test_an_empty_file_and_a_large_one(stage, ask):
    alice = await stage.enter_web("alice")
    large = bytes(range(256)) * 8192  # 2 MiB: several chunks
    for content in (b"", large):
        status, answer = await upload(stage, alice, "a.bin", content)
        assert status == 201
        assert (await ask("GET", json.loads(answer)["path"], cookie=alice.key))[::2] == (200, content)


# -- XMPP ------------------------------------------------------------------------------------------------------------------


async def test_a_place_is_filled_once_and_then_served_to_who_knows_it(stage, ask):
    alice = await stage.enter("alice")
    path = await slot(alice)
    assert (await ask("GET", path))[0] == 404
    status, headers, _ = await ask("PUT", path, b"content", content_type="image/png")
    assert (status, headers["access-control-allow-origin"]) == (201, "*")
    status, headers, body = await ask("GET", path)
    assert (status, body, headers["content-type"]) == (200, b"content", "image/png")
    assert (await ask("HEAD", path))[1]["content-length"] == "7"
    assert (await ask("PUT", path, b"another"))[0] == 409
    assert (await ask("GET", path))[2] == b"content"
    assert (await ask("OPTIONS", path))[1]["access-control-allow-methods"] == "OPTIONS, HEAD, GET, PUT"
    assert (await ask("POST", path))[0] == 405
    secret = path.split("/")[2]
    for guess in ("x" * 32, secret.swapcase(), secret[:-1], f"../{secret}"):
        assert (await ask("GET", path.replace(secret, guess)))[0] == 404


async def test_what_is_put_has_the_size_that_was_said(stage, ask):
    alice = await stage.enter("alice")
    path = await slot(alice)
    assert (await ask("PUT", path, b"too long"))[0] == 413
    assert (await ask("PUT", path, b"short"))[0] == 400
    assert (await ask("PUT", path.replace("/7/", "/5/"), b"short"))[
        0
    ] == 400  # the place says how much, not the address
    assert (await ask("PUT", "/upload/" + "x" * 32 + "/7/a.png", b"content"))[0] == 404
    client = await Client.connect(stage._ports["web"])
    await client.send(f"PUT {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\n\r\n")
    assert " 411 " in await client.hears_end()
    await client.stream.aclose()
    assert kept(stage) == []
    assert (await ask("PUT", path, b"content"))[0] == 201


async def test_a_client_that_waits_is_told_to_go_on(stage, ask):
    alice = await stage.enter("alice")
    path = await slot(alice)
    client = await Client.connect(stage._ports["web"])
    await client.send(f"PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\nexpect: 100-continue\r\n\r\n")
    await client.hears("100 Continue")
    await client.send("content")
    assert " 201 " in await client.hears_end()
    await client.stream.aclose()
    assert (await ask("GET", path))[2] == b"content"


async def test_half_an_upload_leaves_nothing_and_can_be_tried_again(stage, ask):
    alice = await stage.enter("alice")
    path = await slot(alice, size=1_000_000)
    client = await Client.connect(stage._ports["web"])
    await client.send(f"PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{'x' * 300_000}")
    await becomes(lambda: kept(stage))
    assert (await ask("PUT", path, b"y" * 1_000_000))[0] == 409  # one at a time
    await client.stream.aclose()
    await becomes(lambda: not kept(stage))
    assert (await ask("GET", path))[0] == 404
    assert (await ask("PUT", path, b"y" * 1_000_000))[0] == 201


async def test_uploads_at_once_are_bounded(stage, monkeypatch, ask):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    monkeypatch.setattr(files, "UPLOADS_OF_ONE", 1)
    first, second, of_bob = await slot(alice), await slot(alice), await slot(bob)
    client = await Client.connect(stage._ports["web"])
    await client.send(f"PUT {first} HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\ncon")
    await becomes(lambda: kept(stage))
    assert (await ask("PUT", second, b"content"))[0] == 503
    assert (await ask("PUT", of_bob, b"content"))[0] == 201
    await client.send("tent")
    assert " 201 " in await client.hears_end()
    await client.stream.aclose()
    assert (await ask("PUT", second, b"content"))[0] == 201


async def test_a_disk_that_is_full_is_said(stage, monkeypatch, ask):
    from index import files as files_on_disk

    alice, client = await stage.enter_web("alice"), await stage.enter("alice")
    path = await slot(client)
    monkeypatch.setattr(files_on_disk, "SPARE_BYTES", 1 << 60)
    status, answer = await upload(stage, alice)
    assert (status, json.loads(answer)) == (507, {"error": "full"})
    assert (await ask("PUT", path, b"content"))[0] == 507
