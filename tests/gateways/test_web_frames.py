"""Frames that go past the library: whatever a client sends, and in whatever pieces, the messages are those of the library."""

from collections.abc import Iterable
from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, TextMessage
from wsproto.frame_protocol import FrameProtocol
from wsproto.utilities import RemoteProtocolError

from gateways.web_frames import Sieve, text_frame, unmask

LIMIT = 100_000
TEXT, BINARY, CLOSE, PING, PONG, MORE = 0x81, 0x82, 0x88, 0x89, 0x8A, 0x80


def frame(first: int, payload: bytes, mask: bytes = b"abcd") -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    else:
        head = pack("!BBH", first, 0xFE, size) if size < 65_536 else pack("!BBQ", first, 0xFF, size)
    return head + mask + unmask(mask, payload)


def through_library(pieces: Iterable[bytes]) -> list[str]:
    """What it makes of them, message by message, up to the end."""
    library, heard, parts = Connection(ConnectionType.SERVER), [], []
    for piece in pieces:
        try:
            library.receive_data(piece)
            for event in library.events():
                if isinstance(event, Message):
                    parts.append(event.data)
                    if event.message_finished:
                        heard.append("".join(parts) if isinstance(event, TextMessage) else b"".join(parts))
                        parts = []
                elif isinstance(event, CloseConnection):
                    return heard
        except RemoteProtocolError:
            return heard
    return heard


def through_sieve(pieces: Iterable[bytes]) -> tuple[list[str], list[bytes]]:
    """What it takes, with what the library makes of the rest behind it; and that rest."""
    taken: list[str] = []
    sieve = Sieve(lambda message: taken.append(message.decode()), LIMIT)
    passed = []
    for piece in pieces:
        sieve.feed(piece)
        rest = sieve.sift(lambda: True)
        if rest:
            passed.append(rest)
    return taken + through_library(passed), passed


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


texts = st.text(max_size=300).map(str.encode)
frames = st.one_of(
    st.builds(frame, st.just(TEXT), texts, st.binary(min_size=4, max_size=4)),
    st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125)),
    st.builds(frame, st.just(TEXT), st.just(b"x" * 70_000)),
    st.builds(lambda text: frame(0x01, text[:1]) + frame(MORE, text[1:]), st.text("ab", min_size=2).map(str.encode)),
    st.builds(frame, st.sampled_from([BINARY, CLOSE, 0xC1, 0x83, TEXT]), st.sampled_from([b"", b"\xff\xfe", b"ok"])),
)


@given(st.lists(frames, max_size=8), st.lists(st.integers(min_value=0, max_value=200_000), max_size=12))
def test_messages_are_those_of_the_library(sent, places):
    data = b"".join(sent)
    heard, passed = through_sieve(cut(data, places))
    assert heard == through_library([data])
    assert len(b"".join(passed)) <= len(data)


def test_a_text_in_one_frame_is_taken_and_the_rest_is_passed_on():
    ping = frame(PING, b"hello")
    heard, passed = through_sieve([frame(TEXT, b"one") + ping + frame(TEXT, "zwölf".encode())])
    assert heard == ["one", "zwölf"]
    assert passed == [ping]


def test_what_the_library_puts_together_is_not_overtaken():
    fragments = frame(0x01, b"on") + frame(MORE, b"e")
    later = frame(TEXT, b"two")
    heard, passed = through_sieve([fragments + later, later])
    assert heard == ["one", "two", "two"]
    assert b"".join(passed) == fragments + later + later


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x" * (LIMIT + 1))[:14],  # its head is enough
        bytes((TEXT, 3)) + b"one",  # without a mask
        frame(TEXT, b"\xff"),
        frame(0xC1, b"packed"),
    ],
)
def test_what_breaks_the_rules_is_for_the_library(data):
    sieve = Sieve(lambda _: pytest.fail("taken"), LIMIT)
    sieve.feed(data)
    assert sieve.sift(lambda: True) == data
    assert sieve.is_open


def test_it_stops_when_it_must_and_goes_on_later():
    taken: list[bytes] = []
    sieve = Sieve(taken.append, LIMIT)
    sieve.feed(frame(TEXT, b"one") + frame(TEXT, b"two"))
    assert sieve.sift(lambda: not taken) == b""
    assert taken == [b"one"]
    assert sieve.sift(lambda: True) == b""
    assert taken == [b"one", b"two"]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_frame_of_the_server_is_that_of_the_library(size):
    message = "x" * size
    assert text_frame(message.encode()) == FrameProtocol(client=False, extensions=[]).send_data(message)


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=500))
def test_a_mask_there_and_back(mask, data):
    masked = unmask(mask, data)
    assert masked == bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
    assert unmask(mask, masked) == data
