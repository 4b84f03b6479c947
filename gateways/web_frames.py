"""Frames of web sockets (RFC 6455, section 5), as far as whole text messages go: all that browsers and clients send in earnest.

The library (trio-websocket) opens and closes sockets, answers pings, puts fragments together, and ends what breaks the
rules. Each message that it carries costs several changes of task and two objects on the way. A message that came in one frame
needs none of that: a `Sieve` takes it out before the library sees it, and what is sent is one `text_frame`.

**The library sees whole frames only**, in their order. After the first frame that is neither a whole text message nor a ping or
pong, it gets everything (`Sieve.is_open`): what it puts together must not be overtaken.

Limits: a message longer than the socket's limit is the library's to refuse; of an unfinished frame no more than that is kept.
"""

from collections.abc import Callable
from struct import pack, unpack_from
from typing import Final

TEXT: Final = 0x81
"""The first byte of a text message in one frame."""

_CONTROL: Final = frozenset({0x89, 0x8A})
"""Of a ping and a pong."""

_SHORT: Final = 125
_MEDIUM: Final = 65_535
_MASKED: Final = 0x80


def text_frame(message: bytes) -> bytes:
    """A text message of the server; UTF-8."""
    size = len(message)
    if size <= _SHORT:
        return bytes((TEXT, size)) + message
    return (pack("!BBH", TEXT, 126, size) if size <= _MEDIUM else pack("!BBQ", TEXT, 127, size)) + message


def unmask(mask: bytes, data: bytes) -> bytes:
    """What a client masked (5.3); the same way there and back."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


class Sieve:
    """Takes whole text messages out of what a client sends.

    Args:
        take: gets each.
        limit: bytes of a message.

    Attributes:
        is_open: it lets everything through from here on.
    """

    __slots__ = ("_buffer", "_limit", "_take", "is_open")

    def __init__(self, take: Callable[[bytes], None], limit: int) -> None:
        self._take = take
        self._limit = limit
        self._buffer = b""
        self.is_open = False

    def feed(self, data: bytes) -> None:
        """What came."""
        self._buffer = self._buffer + data if self._buffer else data

    def sift(self, may_go_on: Callable[[], bool]) -> bytes:
        """Take what can be taken, until that may not go on; what is for the library, empty if nothing is."""
        passed = b""
        while self._buffer and not self.is_open and may_go_on():
            frame = self._frame()
            if frame is None:
                break
            start, end = frame
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            message = unmask(raw[start - 4 : start], raw[start:]) if raw[0] == TEXT else None
            if message is not None and _is_text(message):
                self._take(message)
            else:
                passed += raw
                self.is_open = raw[0] not in _CONTROL
        if self.is_open:
            passed, self._buffer = passed + self._buffer, b""
        return passed

    def _frame(self) -> tuple[int, int] | None:
        """Where the payload of the first frame begins and ends; None: it is not whole, or not to be looked at any more."""
        buffer = self._buffer
        have = len(buffer)
        if have < 2:
            return None
        size, start = buffer[1] & 0x7F, 6
        if size > _SHORT:
            width = 2 if size == 126 else 8
            if have < 2 + width:
                return None
            size, start = unpack_from("!H" if width == 2 else "!Q", buffer, 2)[0], 6 + width
            is_longer_than_need_be = size <= (_SHORT if width == 2 else _MEDIUM)  # 5.2: the library refuses it
            self.is_open = is_longer_than_need_be
        if not buffer[1] & _MASKED or size > self._limit or self.is_open:
            self.is_open = True
            return None
        return (start, start + size) if have >= start + size else None


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
