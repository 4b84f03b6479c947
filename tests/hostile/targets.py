"""What reads bytes of strangers, each as a function that must not raise: for Hypothesis (`tests.hostile.test_targets`), and
for a fuzzer that looks at coverage (`tests.hostile.coverage`).
"""

import random
from collections.abc import Callable
from contextlib import suppress

import msgspec

from engine.errors import Refusal
from engine.jid import Jid, JidError
from engine.webmail import frames, reading
from engine.xmpp.framing import parse_document
from engine.xmpp.parser import Parser
from engine.xmpp.xml import StreamError, serialise
from index.tokens import query_words
from tests.engine.xmpp.client import Harness
from tests.hostile.grammar import Grammar
from tests.hostile.words import ADDRESSES, VALUES

OPEN = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
ALICE = Jid("alice@example.com", "x")
SASL = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{}'>{}</auth>"


def read_parser(data: bytes) -> None:
    """Whole and in pieces of seven bytes: the same items, and refused in pieces is refused as a whole.

    The refusal may wait for the end of a long tag. Of two faults it may be the other one: the parser looks at all that came.
    """
    (whole, refusal), (pieces, refusal_of_pieces) = (_read(data, size) for size in (len(data) or 1, 7))
    count = min(len(whole), len(pieces))
    assert whole[:count] == pieces[:count], (data, whole, pieces)
    assert refusal or not refusal_of_pieces, (data, refusal_of_pieces)
    assert refusal or count == len(pieces), (data, whole, pieces)


def _read(data: bytes, size: int) -> tuple[list[str | bytes], str]:
    """The items, and the condition of a refusal."""
    parser, items = Parser(10_000), list[str | bytes]()
    parser.receive(OPEN)
    try:
        parser.next_item()
        for start in range(0, len(data), size):
            parser.receive(data[start : start + size])
            while (item := parser.next_item()) is not None:
                items.append(serialise(item) if hasattr(item, "children") else type(item).__name__)
    except StreamError as error:
        return items, error.condition.value
    return items, ""


def read_message(data: bytes) -> None:
    """A message of a web socket."""
    with suppress(StreamError):
        parse_document(data, 10_000)


def read_jid(data: bytes) -> None:
    """An address: prepared once is prepared."""
    with suppress(JidError):
        found = Jid.parse(data.decode("utf-8", "replace"))
        assert Jid.parse(found.full) == found, data


def read_sasl(data: bytes) -> None:
    """A login, as its first message and as its second; none succeeds without the password."""
    from base64 import b64encode

    payload = b64encode(data).decode() or "="
    for mechanism in ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"):
        harness = Harness(is_encrypted=True)
        harness.send(b"<stream:stream to='example.org' version='1.0' " + OPEN[15:])
        harness.send(SASL.format(mechanism, payload).encode())
        harness.send(f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{payload}</response>".encode())
        assert b"<success" not in harness.output or data.endswith(b"\0pencil"), data


def read_frame(data: bytes) -> None:
    """What a browser says."""
    try:
        frame = frames.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    if not isinstance(frame, frames.Hello | frames.Ping):
        try:
            reading.read(frame, ALICE, 1)
        except Refusal as refusal:
            reading.refusal(frame, refusal)


def read_search(data: bytes) -> None:
    """A search text: few words, each of letters and digits."""
    words = query_words(data.decode("utf-8", "replace"))
    assert len(words) <= 8


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parser": read_parser,
    "message": read_message,
    "jid": read_jid,
    "sasl": read_sasl,
    "frame": read_frame,
    "search": read_search,
}


def corpus(name: str, count: int = 300) -> list[bytes]:
    """What to begin with."""
    grammar = Grammar(random.Random(1))
    grown = {"parser": grammar.stanza, "message": grammar.stanza, "frame": grammar.frame}.get(name)
    if grown is not None:
        return [grown() for _ in range(count)]
    scram = [b"\0alice\0pencil", b"n,,n=alice,r=abc", b"p=tls-server-end-point,,n=alice,r=abc", b"c=biws,r=abc,p=AAAA"]
    return [*(text.encode("utf-8", "replace") for text in (*ADDRESSES, *VALUES)), *scram]
