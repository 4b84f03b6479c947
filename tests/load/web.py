"""A connection over WebSocket (RFC 6455), for XMPP (RFC 7395): one message for each stanza.

Frames are made and read here, because the harness must be cheap: the mask of what it sends is zero, which leaves the bytes as
they are. Masks protect proxies from what scripts send; on loopback there are none.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from secrets import token_bytes
from struct import pack, unpack_from

from tests.load.line import Line
from tests.load.loop import Loop

REQUEST = (
    "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n{}\r\n"
)
OPENING = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{}' version='1.0'/>"
CLOSING = b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
STANZA = re.compile(rb"<(message|presence|iq)(?=[ />])")
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class WebLine(Line):
    """A `Line` whose messages are stanzas.

    Args:
        path: of the web socket.
        protocol: that is spoken on it; empty: none is said.
        headers: more of them, each with its end of line.
    """

    __slots__ = ("_early", "_inbox", "_is_upgraded", "_tell")

    def __init__(
        self,
        loop: Loop,
        address: tuple[str, int],
        hear: Callable[[bytes], None],
        lost: Callable[[str], None],
        path: str,
        protocol: str = "xmpp",
        headers: str = "",
    ) -> None:
        self._inbox = bytearray()
        self._early: list[bytes] = []  # sent before the server has agreed
        self._is_upgraded = False
        self._tell = hear
        super().__init__(loop, address, self._take, lost)
        key = b64encode(token_bytes(16)).decode()
        more = f"Sec-WebSocket-Protocol: {protocol}\r\n{headers}" if protocol else headers
        self._unsent += REQUEST.format(path, *address, key, more).encode()

    def send(self, data: bytes) -> None:
        """One message."""
        self._send_frames(_frame(TEXT, data))

    def say(self, *stanzas: bytes) -> None:
        """A message for each stanza; each says its namespace, because there is no element around it."""
        self._send_frames(
            b"".join([_frame(TEXT, STANZA.sub(rb"<\1 xmlns='jabber:client'", s, count=1)) for s in stanzas])
        )

    def open_stream(self, domain: str) -> None:
        """RFC 7395, 3.4."""
        self.send(OPENING.format(domain).encode())

    def end_stream(self) -> None:
        """RFC 7395, 3.6."""
        self.send(CLOSING)

    def _send_frames(self, frames: bytes) -> None:
        if self._is_upgraded:
            super().send(frames)
        else:
            self._early.append(frames)

    def _take(self, data: bytes) -> None:
        inbox = self._inbox
        inbox += data
        if not self._is_upgraded:
            head, found, rest = bytes(inbox).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._lose(f"no web socket: {head[:200]!r}")
                return
            self._is_upgraded = True
            del inbox[: len(inbox) - len(rest)]
            super().send(b"".join(self._early))
        self._read_frames()

    def _read_frames(self) -> None:
        inbox, place, heard = self._inbox, 0, []
        while (end := _end(inbox, place)) is not None:
            head, payload = inbox[place] & 0xF, bytes(inbox[end[0] : end[1]])
            place = end[1]
            if head < CLOSE:
                heard.append(payload)
            elif head == PING:
                super().send(_frame(PONG, payload))
        del inbox[:place]
        if heard:
            self._tell(b"".join(heard))


def _frame(kind: int, data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return b"%b\0\0\0\0%b" % (bytes((0x80 | kind, 0x80 | size)), data)
    head = pack("!BBH", 0x80 | kind, 0xFE, size) if size < 65_536 else pack("!BBQ", 0x80 | kind, 0xFF, size)
    return b"%b\0\0\0\0%b" % (head, data)


def _end(inbox: bytearray, place: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `place` begins and ends; None: it is not whole."""
    have = len(inbox) - place
    if have < 2:
        return None
    size, begin = inbox[place + 1] & 0x7F, place + 2
    if size == 126 and have >= 4:
        size, begin = unpack_from("!H", inbox, begin)[0], begin + 2
    elif size == 127 and have >= 10:
        size, begin = unpack_from("!Q", inbox, begin)[0], begin + 8
    elif size > 125:
        return None
    return (begin, begin + size) if begin + size <= len(inbox) else None
