"""RFC 6455 from the other side: frames that are right are answered, frames that are not end the connection with the right code.

Autobahn's test suite needs Python 2; ``make autobahn`` runs its cases 1 to 7, 9 and 10 where there is one. The cases here
are the RFC's own sentences, by its sections, and run everywhere; each also with its bytes one at a time.
"""

import base64
import os
import struct

import pytest
import trio

from tests.hostile.echo import echoing

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
PATIENCE = 10.0


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    is_masked: bool = True,
    length: int | None = None,
) -> bytes:
    """One frame (5.2). `length`: the form of the length, 7, 16 or 64 bits; None: the shortest."""
    first = (fin << 7) | (rsv << 4) | opcode
    size = len(payload)
    form = length or (7 if size < 126 else 16 if size < 65_536 else 64)
    masked = is_masked << 7
    head = {
        7: struct.pack("!BB", first, masked | min(size, 125)),
        16: struct.pack("!BBH", first, masked | 126, size & 0xFFFF),
    }.get(form, struct.pack("!BBQ", first, masked | 127, size))
    if not is_masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))


def close(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


MANY = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", fin=False) * 500 + frame(CONTINUATION, b"c")
ECHO = [
    ("empty text", frame(TEXT), [(TEXT, b"")]),
    ("empty binary", frame(BINARY), [(BINARY, b"")]),
    *((f"text of {size}", frame(TEXT, b"*" * size), [(TEXT, b"*" * size)]) for size in (1, 125, 126, 127, 128, 65_535, 65_536)),
    *((f"binary of {size}", frame(BINARY, b"\xfe" * size), [(BINARY, b"\xfe" * size)]) for size in (125, 126, 65_535, 65_536)),
    ("utf-8", frame(TEXT, "κόσμε 🐦".encode()), [(TEXT, "κόσμε 🐦".encode())]),
    ("noncharacters", frame(TEXT, b"\xef\xbf\xbe\xf4\x8f\xbf\xbf"), [(TEXT, b"\xef\xbf\xbe\xf4\x8f\xbf\xbf")]),
    ("ping", frame(PING, b"hello"), [(PONG, b"hello")]),
    ("empty ping", frame(PING), [(PONG, b"")]),
    ("largest ping", frame(PING, b"\xfe" * 125), [(PONG, b"\xfe" * 125)]),
    ("pong that nobody asked for", frame(PONG, b"x") + frame(PING, b"y"), [(PONG, b"y")]),
    ("ten pings", frame(PING, b"p") * 10, [(PONG, b"p")] * 10),
    ("two fragments", frame(TEXT, b"ab", fin=False) + frame(CONTINUATION, b"cd"), [(TEXT, b"abcd")]),
    ("empty fragments", frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION), [(TEXT, b"")]),
    (
        "a character in two fragments",
        frame(TEXT, b"\xce", fin=False) + frame(CONTINUATION, b"\xba"),
        [(TEXT, b"\xce\xba")],
    ),
    (
        "a ping between fragments",
        frame(TEXT, b"ab", fin=False) + frame(PING, b"in between") + frame(CONTINUATION, b"cd"),
        [(PONG, b"in between"), (TEXT, b"abcd")],
    ),
    ("many fragments", MANY, [(TEXT, b"a" + b"b" * 500 + b"c")]),
]  # fmt: skip
WRONG_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
BAD = [
    ("reserved bit 1", frame(TEXT, b"x", rsv=4), 1002),
    ("reserved bit 2", frame(BINARY, b"x", rsv=2), 1002),
    ("reserved bit 3", frame(PING, b"x", rsv=1), 1002),
    *((f"reserved opcode {opcode}", frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    ("not masked", frame(TEXT, b"x", is_masked=False), 1002),
    ("ping of 126", frame(PING, b"x" * 126), 1002),
    ("ping in fragments", frame(PING, b"x", fin=False), 1002),
    ("close in fragments", frame(CLOSE, b"", fin=False), 1002),
    ("nothing to continue", frame(CONTINUATION, b"x"), 1002),
    ("nothing to continue, again", frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(CONTINUATION, b"c"), 1002),
    ("another message within one", frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    ("length in too many bytes", frame(TEXT, b"x", length=16), 1002),
    ("length in far too many bytes", frame(TEXT, b"x", length=64), 1002),
    ("no utf-8", frame(TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"), 1007),
    ("no utf-8 in the second fragment", frame(TEXT, b"ab", fin=False) + frame(CONTINUATION, b"\xff"), 1007),
    ("an unfinished character", frame(TEXT, b"\xce"), 1007),
    ("an overlong character", frame(TEXT, b"\xc0\xaf"), 1007),
    ("beyond Unicode", frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    ("close of one byte", frame(CLOSE, b"\x03"), 1002),
    ("close with no utf-8", close(1000, b"\xff"), 1007),
    *((f"close code {code}", close(code), 1002) for code in WRONG_CODES),
]  # fmt: skip
ENDS = [
    ("close", close(), None),
    *((f"close code {code}", close(code), code) for code in (1000, 1001, 1003, 1007, 1011, 3000, 3999, 4000, 4999)),
    ("close with a reason", close(1000, "bye 🐦".encode()), 1000),
    ("close with the longest reason", close(1000, b"x" * 123), 1000),
]


class Peer:
    """A client as bytes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.heard = b""

    @classmethod
    async def open(cls, port: int) -> "Peer":
        peer = cls(await trio.open_tcp_stream("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        await peer.stream.send_all(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in peer.heard:
            assert await peer.hear()
        head, _, peer.heard = peer.heard.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101")
        return peer

    async def hear(self) -> bool:
        try:
            data = await self.stream.receive_some()
        except trio.BrokenResourceError:
            data = b""
        self.heard += data
        return bool(data)

    async def next(self) -> tuple[int, bytes] | None:
        """The next frame; None: the connection is closed. A server does not mask, and has no reserved bit."""
        while (found := self._take()) is None:
            if not await self.hear():
                return None
        return found

    def _take(self) -> tuple[int, bytes] | None:
        data = self.heard
        if len(data) < 2:
            return None
        assert not data[0] & 0x70
        assert data[0] & 0x80
        assert not data[1] & 0x80
        size, start = data[1], 2
        if size >= 126:
            size, start = (int.from_bytes(data[2:4]), 4) if size == 126 else (int.from_bytes(data[2:10]), 10)
        if len(data) < start + size or len(data) < start:
            return None
        self.heard = data[start + size :]
        return data[0] & 0x0F, data[start : start + size]


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
async def test_what_is_right_is_answered(piece: int):
    async with echoing() as port:
        for name, data, wanted in ECHO:
            if piece and len(data) > 2_000:
                continue
            peer = await Peer.open(port)
            with trio.fail_after(PATIENCE):
                await send(peer, data, piece)
                assert [await peer.next() for _ in wanted] == wanted, name
                await send(peer, close(1000), piece)
                assert await peer.next() == (CLOSE, b"\x03\xe8"), name
                assert await peer.next() is None, name
            await peer.stream.aclose()


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "bytewise"])
async def test_what_is_wrong_ends_the_connection(piece: int):
    async with echoing() as port:
        for name, data, code in BAD:
            peer = await Peer.open(port)
            with trio.fail_after(PATIENCE):
                await send(peer, data, piece)
                found = await peer.next()
                while found is not None and found[0] != CLOSE:
                    found = await peer.next()
                # To be cut without a word is right, too (7.1.7): who breaks the protocol need not be told why.
                assert found is None or int.from_bytes(found[1][:2]) == code, (name, found)
                assert await peer.next() is None, name
            await peer.stream.aclose()


async def test_a_goodbye_is_returned():
    async with echoing() as port:
        for name, data, code in ENDS:
            peer = await Peer.open(port)
            with trio.fail_after(PATIENCE):
                await send(peer, data, 0)
                found = await peer.next()
                assert found is not None, name
                assert found[0] == CLOSE, name
                assert (int.from_bytes(found[1][:2]) if found[1] else None) in {code, 1000 if code is None else code}, (
                    name
                )
                assert await peer.next() is None, name
            await peer.stream.aclose()


async def send(peer: Peer, data: bytes, piece: int) -> None:
    try:
        for start in range(0, len(data), piece or len(data) or 1):
            await peer.stream.send_all(data[start : start + (piece or len(data))])
    except trio.BrokenResourceError:
        pass  # it has heard enough
