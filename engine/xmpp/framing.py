"""Framing: one stream, two ways to put it on a transport.

On TCP (RFC 6120, 4) a stream is one long XML document: its root's start tag opens, its end tag closes, the root's children
are the stanzas, and a restart begins another document. On WebSocket (RFC 7395) each message is one document by itself:
``<open/>`` opens, ``<close/>`` closes, and each stanza declares its own namespaces. Nothing else differs, so whoever
drives a stream sees a `Header`, then elements, then a `Closing`, and writes with the same four methods.

Both read stepwise until `be_fast`: no input after the item that was asked for is touched, because TLS and SASL change
what it means.
"""

from collections import deque
from itertools import pairwise
from typing import Final, Protocol
from xml.parsers import expat

import msgspec

from engine.errors import StreamCondition
from engine.ports import Burst
from engine.xmpp.parser import Closing, Opening, Parser
from engine.xmpp.xml import CLIENT, STREAMS, E, Element, StreamError, end_tag, serialise, standalone, start_tag

FRAMING: Final = "urn:ietf:params:xml:ns:xmpp-framing"
VERSION: Final = "1.0"

_XML_DECLARATION = "<?xml version='1.0'?>"
_ROOT = "stream:stream"
_LANGUAGE = "en"


class Header(msgspec.Struct, frozen=True):
    """The other side opens its stream. Attributes as they were given, empty when absent (RFC 6120, 4.7)."""

    to: str
    sender: str
    version: str
    language: str


class Framing(Protocol):
    """How a stream's items are read from a transport and written to it."""

    def receive(self, data: bytes) -> None:
        """Take what the transport gave; on WebSocket exactly one message. Nothing is parsed yet."""

    @property
    def waiting_bytes(self) -> int:
        """Input that is not parsed yet."""

    @property
    def held_bytes(self) -> int:
        """What input that is not a whole item yet takes in memory, about."""

    def next_item(self) -> Header | Element | Closing | None:
        """The next complete item; None when more input is needed.

        Raises:
            StreamError: the input cannot be part of a stream.
        """

    def restart(self) -> None:
        """A new stream begins with the input that is not parsed yet (RFC 6120, 4.3.3)."""

    def discard(self) -> None:
        """A new stream begins; the input that is not parsed yet was sent before TLS and is forgotten."""

    def end(self) -> None:
        """Nothing comes any more."""

    def be_fast(self, stanza_bytes: int) -> None:
        """No further restart: parse as much as there is at once, with this bound on a stanza."""

    def opening(self, attributes: dict[str, str]) -> bytes:
        """The stream header of this side; ``from``, ``to``, ``id`` as given."""

    def stanza(self, xml: str | bytes) -> bytes:
        """One rendered element (`serialise`) as it goes to the transport."""

    def burst(self, burst: Burst) -> list[bytes]:
        """Rendered elements as they go to the transport."""

    def closing(self) -> bytes:
        """The end of this side's stream."""


class TcpFraming:
    """RFC 6120, section 4: a stream is one document."""

    def __init__(self, stanza_bytes: int) -> None:
        self._parser = Parser(stanza_bytes, is_stepwise=True)

    def receive(self, data: bytes) -> None:
        """Take what the transport gave."""
        self._parser.receive(data)

    @property
    def waiting_bytes(self) -> int:
        """Input that is not parsed yet."""
        return self._parser.waiting_bytes

    @property
    def held_bytes(self) -> int:
        """What input that is not a whole item yet takes in memory."""
        return self._parser.held_bytes

    def next_item(self) -> Header | Element | Closing | None:
        """The next complete item."""
        item = self._parser.next_item()
        return self._header(item) if isinstance(item, Opening) else item

    def restart(self) -> None:
        """A new document begins."""
        rest = self._parser.take_rest()
        self._parser = Parser(self._parser.stanza_bytes, is_stepwise=True)
        self._parser.receive(rest)

    def discard(self) -> None:
        """A new document begins; what waits is forgotten."""
        self._parser.take_rest()
        self._parser = Parser(self._parser.stanza_bytes, is_stepwise=True)

    def end(self) -> None:
        """Nothing comes any more."""
        self._parser.close()

    def be_fast(self, stanza_bytes: int) -> None:
        """No further restart."""
        self._parser.is_stepwise = False
        self._parser.stanza_bytes = stanza_bytes

    def opening(self, attributes: dict[str, str]) -> bytes:
        """This side's stream header."""
        header = start_tag(_ROOT, _full(attributes), {"": CLIENT, "stream": STREAMS})
        return (_XML_DECLARATION + header).encode()

    def stanza(self, xml: str | bytes) -> bytes:
        """One rendered element."""
        return xml if isinstance(xml, bytes) else xml.encode()

    def burst(self, burst: Burst) -> list[bytes]:
        """Rendered elements."""
        return [burst.data]

    def closing(self) -> bytes:
        """The end of this side's stream."""
        return end_tag(_ROOT).encode()

    @staticmethod
    def _header(opening: Opening) -> Header:
        """Check the namespaces of the root (RFC 6120, 4.8)."""
        element = opening.element
        if element.namespace != STREAMS:
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"the stream is not in {STREAMS}")
        if opening.prefix not in ("stream", ""):
            raise StreamError(StreamCondition.BAD_NAMESPACE_PREFIX, "the stream's prefix is not 'stream'")
        if element.name != "stream":
            raise StreamError(StreamCondition.BAD_FORMAT, "the root is no stream")
        # Without a prefix the stream's namespace is the default one, and each stanza declares its own (RFC 6120, 4.8.2).
        if opening.namespaces.get("", CLIENT) not in (CLIENT, "" if opening.prefix else STREAMS):
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"the default namespace is not {CLIENT}")
        return _read_header(element)


class WebSocketFraming:
    """RFC 7395, section 3: each message is a document."""

    def __init__(self, stanza_bytes: int) -> None:
        self._stanza_bytes = stanza_bytes
        self._messages: deque[bytes] = deque()

    def receive(self, data: bytes) -> None:
        """Take what the transport gave."""
        # COMPAT: whitespace is no keepalive here (RFC 7395, 3.8), but does no harm either.
        if data.strip():
            self._messages.append(data)

    @property
    def waiting_bytes(self) -> int:
        """Input that is not parsed yet."""
        return sum(map(len, self._messages))

    @property
    def held_bytes(self) -> int:
        """What input that is not a whole item yet takes in memory."""
        return self.waiting_bytes

    def next_item(self) -> Header | Element | Closing | None:
        """The next complete item."""
        if not self._messages:
            return None
        element = parse_document(self._messages.popleft(), self._stanza_bytes)
        if element.is_named("open", FRAMING):
            return _read_header(element)
        return Closing() if element.is_named("close", FRAMING) else element

    def restart(self) -> None:
        """Each message is a document already."""

    def discard(self) -> None:
        """A new document begins; what waits is forgotten."""
        self._messages.clear()

    def end(self) -> None:
        """Nothing comes any more."""
        self._messages.clear()

    def be_fast(self, stanza_bytes: int) -> None:
        """No further restart."""
        self._stanza_bytes = stanza_bytes

    def opening(self, attributes: dict[str, str]) -> bytes:
        """This side's stream header."""
        return serialise(E("open", FRAMING, attributes=_full(attributes))).encode()

    def stanza(self, xml: str | bytes) -> bytes:
        """One rendered element."""
        return standalone(xml.decode() if isinstance(xml, bytes) else xml).encode()

    def burst(self, burst: Burst) -> list[bytes]:
        """Rendered elements, a message for each (section 3.3.3)."""
        return [self.stanza(xml) for xml in (split(burst.data) if burst.count > 1 else (burst.data,))]

    def closing(self) -> bytes:
        """The end of this side's stream."""
        return serialise(E("close", FRAMING)).encode()


def parse_document(data: bytes, stanza_bytes: int) -> Element:
    """The one element that is the whole of a document.

    Raises:
        StreamError: it is not complete, not well-formed, or over a limit.
    """
    parser = Parser(stanza_bytes, is_stream=False)
    parser.receive(data)
    try:
        element = parser.next_item()
        if parser.next_item() is None:
            parser.finish()
    finally:
        parser.close()
    if not isinstance(element, Element):
        raise StreamError(StreamCondition.NOT_WELL_FORMED, "not one element")
    return element


def _read_header(element: Element) -> Header:
    return Header(element.get("to"), element.get("from"), element.get("version"), element.language)


def _full(attributes: dict[str, str]) -> dict[str, str]:
    return {**attributes, "version": VERSION, "xml:lang": _LANGUAGE}


def split(data: bytes) -> list[bytes]:
    """Rendered elements, one after the other, each for itself."""
    parser = expat.ParserCreate()
    depth = 0
    starts: list[int] = []

    def start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth == 2:
            starts.append(parser.CurrentByteIndex - len(_AROUND))

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(b"".join((_AROUND, data, b"</a>")), True)
    return [data[one:other] for one, other in pairwise([*starts, len(data)])]


_AROUND: Final = b"<a>"
