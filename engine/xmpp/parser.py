"""The parser: bytes become elements, and what XMPP forbids is refused before any tree exists.

expat reads, its calls become `Element`s; no string is looked at twice. XMPP restricts XML (RFC 6120, 11.1): a DTD, an
entity other than the predefined five, a comment and a processing instruction are refused where they start. So are another
encoding than UTF-8 (11.6), and a stanza (in bytes or elements), token, nesting or list of attributes over its limit
(13.12). A refusal is a `StreamError` and comes after all that was right before it. The same bytes give the same items and
the same refusal wherever they were cut into pieces.

Two ways to read. *Stepwise*, the parser goes no further than the next item that is asked for, so whoever must change the
stream in between (TLS, SASL) finds the rest of the input untouched: `take_rest`. Otherwise it reads all there is at once,
which is faster.

Cost. expat 2.5 parses an unfinished tag again with each piece that arrives, which is quadratic. So the rest of a long
unfinished tag is kept back until its end is there, or the tag has doubled: each byte is looked at a bounded number of
times. expat also remembers each name of a document for ever, so a long stream moves to a fresh parser now and then.

Size of a stanza: its bytes up to its end tag. Size of a token: the bytes of one tag.
"""

from collections import deque
from typing import Any, Final, NoReturn
from xml.parsers import expat

import msgspec

from engine.errors import StreamCondition
from engine.limits import XML_ATTRIBUTES, XML_DEPTH, XML_ELEMENTS, XML_STREAM_BYTES, XML_TOKEN_BYTES
from engine.xmpp.names import NAMES, attribute_name, split_name
from engine.xmpp.tokens import find_tag_end, is_restricted, open_quote, until_opener
from engine.xmpp.xml import Element, StreamError, start_tag

_SLICE_BYTES = 8_192
"""Given to expat at a time: its buffer grows to a multiple of this and stays."""

_EAGER_BYTES = 1_024
"""An unfinished token up to this size is parsed again with each piece: less than handling the piece costs anyway."""

_ELEMENT_BYTES = 256
"""In memory, beside its text and names."""

_RESTRICTED = "DTD, entities, comments and instructions are not allowed"
_WHITESPACE: Final = " \t\r\n"
_CODES = expat.errors.codes
_SYNTAX = _CODES[expat.errors.XML_ERROR_SYNTAX]
_CONDITIONS = {
    _CODES[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: StreamCondition.RESTRICTED_XML,
    _CODES[expat.errors.XML_ERROR_UNKNOWN_ENCODING]: StreamCondition.UNSUPPORTED_ENCODING,
    _CODES[expat.errors.XML_ERROR_INCORRECT_ENCODING]: StreamCondition.UNSUPPORTED_ENCODING,
}
"""expat's error -> condition; any other one is ``not-well-formed``."""


class Opening(msgspec.Struct, frozen=True):
    """The start tag of the root: the stream header.

    Attributes:
        element: name, namespace and attributes; no children.
        prefix: that of its name; empty without one.
        namespaces: what it declares, by prefix; the default namespace under an empty one.
    """

    element: Element
    prefix: str
    namespaces: dict[str, str]

    def start_tag(self) -> str:
        """The tag again, without its attributes."""
        name = self.element.name
        return start_tag(f"{self.prefix}:{name}" if self.prefix else name, {}, self.namespaces)


class Closing(msgspec.Struct, frozen=True):
    """The end tag of the root."""


class Parser:
    """One XML document that arrives in pieces.

    Args:
        stanza_bytes: bound on one child of the root (or, without a stream, on the root).
        is_stream: the root gives `Opening` and `Closing`, its children are the stanzas. Otherwise the root is the stanza.
        is_stepwise: parse no further than the next item; may be changed at any time.
    """

    def __init__(self, stanza_bytes: int, *, is_stream: bool = True, is_stepwise: bool = False) -> None:
        self.stanza_bytes = stanza_bytes
        self.is_stepwise = is_stepwise
        self._level = int(is_stream)  # how many elements are open around a stanza
        self._items: deque[Opening | Element | Closing] = deque()
        self._fault: tuple[StreamCondition, str] | None = None
        self._rest = bytearray()  # input that expat did not get yet
        self._is_begun = False  # expat got its first byte
        self._is_closed = False
        self._opening: Opening | None = None
        self._start_expat()

    # -- for the caller ------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take further input; nothing is parsed yet. The caller bounds what waits here (`waiting_bytes`)."""
        if not self._is_closed:
            self._rest += data

    @property
    def waiting_bytes(self) -> int:
        """Input that is not parsed yet."""
        return len(self._rest)

    @property
    def held_bytes(self) -> int:
        """What the input that is not a whole item yet takes in memory, about."""
        if len(self._stack) <= self._level:
            return len(self._rest) + len(self._tail)
        return len(self._rest) + self._fed - self._began + self._elements * _ELEMENT_BYTES

    def next_item(self) -> Opening | Element | Closing | None:
        """The next complete item; None when more input is needed.

        Raises:
            StreamError: the input after the items so far cannot be part of a stream. The parser is of no more use.
        """
        while not self._items:
            if self._fault is not None:
                raise StreamError(*self._fault)
            if not self._rest or not self._advance():
                return None
        return self._items.popleft()

    def take_rest(self) -> bytes:
        """All input after the last item; whole only when stepwise. The parser is of no more use."""
        rest = bytes(self._rest)
        self._stop()
        return rest

    def close(self) -> None:
        """Nothing is to be parsed any more. Without this its memory waits for the garbage collector, and that comes seldom."""
        self._stop()

    def finish(self) -> None:
        """Say that the document is complete.

        Raises:
            StreamError: it is not.
        """
        if self._fault is not None:
            raise StreamError(*self._fault)
        if self._rest or self._tail or self._stack or self._is_prolog:
            raise StreamError(StreamCondition.NOT_WELL_FORMED, "the document is not complete")

    # -- feeding expat -------------------------------------------------------------------------------------------------

    def _start_expat(self) -> None:
        """A new expat; within a stream, one that stands just after the same stream header."""
        parser: Any = expat.ParserCreate("utf-8", " ")
        parser.namespace_prefixes = True
        self._expat = parser
        self._text: list[str] = []  # joined at the next tag
        self._stack: list[Element] = []
        self._fed = 0  # bytes that expat got
        self._tail = b""  # of these, the bytes of an unfinished token
        self._scanned, self._quote = 0, 0  # of `_rest`, how far the search for the token's end came, and inside what
        self._began = 0  # where the current stanza starts
        self._elements = 0  # of the current stanza
        self._is_prolog = self._opening is None
        if self._opening is None:
            self._namespaces: dict[str, str] = {}
            parser.StartNamespaceDeclHandler = self._declare
            parser.XmlDeclHandler = self._check_declaration
            parser.StartDoctypeDeclHandler = self._refuse_restricted
            parser.EntityDeclHandler = self._refuse_restricted
        else:
            header = self._opening.start_tag().encode()
            parser.Parse(header, False)
            self._fed = len(header)
            self._stack.append(self._opening.element)
        parser.CommentHandler = self._refuse_restricted
        parser.ProcessingInstructionHandler = self._refuse_restricted
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append  # the fastest handler there is

    def _advance(self) -> bool:
        """Give expat the next piece. False when more input is needed for that."""
        piece = b""
        try:
            if not self._is_begun and not self._begin():
                return False
            piece = self._next_piece()
            if not piece:
                return False
            self._fed += len(piece)
            self._expat.Parse(piece, False)
            self._look_back(piece)
        except StreamError as error:
            self._fail(error)
        except expat.ExpatError as error:
            self._fail(self._explain(error, self._tail + piece))
        return True

    def _begin(self) -> bool:
        """Look at the first two bytes, from which expat would guess an encoding whatever it was told."""
        # COMPAT: some clients end the element before a restart with a line break, which an XML declaration may not follow.
        del self._rest[: len(self._rest) - len(self._rest.lstrip(_WHITESPACE.encode()))]
        head = bytes(self._rest[:2])
        if head and head[0] in b"\x00\xfe\xff":
            raise StreamError(StreamCondition.UNSUPPORTED_ENCODING, "the stream is not UTF-8")
        if head and head[:1] != b"<":
            raise StreamError(StreamCondition.NOT_WELL_FORMED, "the stream is not XML")
        if head[1:] == b"\0":
            raise StreamError(StreamCondition.UNSUPPORTED_ENCODING, "the stream is not UTF-8")
        self._is_begun = len(head) == 2
        return self._is_begun

    def _next_piece(self) -> bytes:
        """Take from the waiting input what expat shall get; empty when it is better to wait."""
        rest = self._rest
        if len(self._tail) > _EAGER_BYTES:
            end = self._find_tag_end()
            if len(self._tail) + (end or len(rest)) > XML_TOKEN_BYTES:
                self._refuse(StreamCondition.POLICY_VIOLATION, f"a tag of more than {XML_TOKEN_BYTES} bytes")
            if not end and len(rest) < len(self._tail):
                return b""
            piece = bytes(rest[: end or len(rest)])
        elif self.is_stepwise or self._is_worn:
            size = rest.find(b">", 0, _SLICE_BYTES) + 1 or _SLICE_BYTES
            piece = until_opener(self._tail, bytes(rest[:size]))
        else:
            piece = until_opener(self._tail, bytes(rest[:_SLICE_BYTES]))
        del rest[: len(piece)]
        self._scanned = 0
        return piece

    def _find_tag_end(self) -> int:
        """How much of the waiting input belongs to the unfinished tag; 0 when its end is not there. Each byte is seen once."""
        end, self._quote = find_tag_end(self._rest, self._scanned, self._quote)
        self._scanned = 0 if end else len(self._rest)
        return end

    def _look_back(self, piece: bytes) -> None:
        """After a piece: what of it is unfinished, and does that keep the limits?"""
        position = self._expat.CurrentByteIndex
        if position == self._fed and len(self._stack) == self._level and not (self._text or self._is_prolog):
            self._tail = b""  # nothing: whole stanzas are what nearly every piece brings
            if self._is_worn:
                self._start_expat()
            return
        self._check_before(position)
        unfinished = self._fed - position
        tail = (self._tail + piece)[-unfinished:] if unfinished else b""
        if is_restricted(tail) or (self._is_prolog and b"<!" in self._tail + piece):
            self._refuse_restricted()
        if unfinished > _EAGER_BYTES:
            if tail[:1] != b"<" or tail[1:2] == b"?":
                self._refuse(StreamCondition.POLICY_VIOLATION, "a reference or declaration without an end")
            if len(self._tail) <= _EAGER_BYTES or len(tail) != len(self._tail) + len(piece):
                self._quote = open_quote(tail)
        self._tail = tail
        if self._is_worn and not tail and len(self._stack) == self._level and not self._is_closed:
            self._start_expat()

    @property
    def _is_worn(self) -> bool:
        """Whether the stream should move to a fresh expat as soon as no stanza is open."""
        return self._fed > XML_STREAM_BYTES and self._opening is not None

    # -- what expat tells ----------------------------------------------------------------------------------------------

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        names = NAMES.get(tag) or split_name(tag)
        if attributes:
            if len(attributes) > XML_ATTRIBUTES:
                self._refuse(StreamCondition.POLICY_VIOLATION, f"an element with more than {XML_ATTRIBUTES} attributes")
            for key in attributes:
                if " " in key:
                    attributes = {attribute_name(key): value for key, value in attributes.items()}
                    break
        element = Element(names[0], names[1], attributes)
        stack, text = self._stack, self._text
        depth = len(stack)
        if depth > self._level:
            siblings = stack[-1].children
            if text:
                siblings.append("".join(text))
                text.clear()
            siblings.append(element)
            self._elements += 1
            if depth - self._level >= XML_DEPTH or self._elements >= XML_ELEMENTS:
                reason = f"elements nested deeper than {XML_DEPTH}, or more than {XML_ELEMENTS} in one stanza"
                self._refuse(StreamCondition.POLICY_VIOLATION, reason)
        elif depth < self._level:
            self._open(element, names[2])
        else:
            if text:
                self._check_whitespace()
            self._is_prolog = False
            self._began = self._expat.CurrentByteIndex
            self._elements = 0
        stack.append(element)

    def _open(self, element: Element, prefix: str) -> None:
        self._expat.StartNamespaceDeclHandler = None
        self._opening = Opening(element, prefix, self._namespaces)
        self._is_prolog = False
        self._items.append(self._opening)

    def _end(self, _tag: str) -> None:
        stack, text = self._stack, self._text
        element = stack.pop()
        depth = len(stack)
        if depth < self._level:
            if text:
                self._check_whitespace()
            self._items.append(Closing())
            self._is_closed = True
            self._rest.clear()
            return
        if text:
            element.children.append("".join(text))
            text.clear()
        if depth == self._level:
            self._check_size(self._expat.CurrentByteIndex)
            self._items.append(element)

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces[prefix or ""] = uri or ""

    def _check_declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise StreamError(StreamCondition.UNSUPPORTED_ENCODING, "the stream is not UTF-8")
        if version != "1.0":
            raise StreamError(StreamCondition.BAD_FORMAT, "the stream is not XML 1.0")

    # -- refusing ------------------------------------------------------------------------------------------------------

    def _refuse_restricted(self, *_: object) -> NoReturn:
        self._refuse(StreamCondition.RESTRICTED_XML, _RESTRICTED)

    def _refuse(self, condition: StreamCondition, text: str) -> NoReturn:
        self._check_before(self._expat.CurrentByteIndex)
        raise StreamError(condition, text)

    def _check_before(self, position: int) -> None:
        """Look for a fault before the one at `position`, so that the answer is the same however the input was cut."""
        if len(self._stack) > self._level:
            self._check_size(position)
        elif self._text:
            self._check_whitespace()

    def _check_size(self, position: int) -> None:
        if position - self._began > self.stanza_bytes:
            raise StreamError(StreamCondition.POLICY_VIOLATION, f"a stanza of more than {self.stanza_bytes} bytes")

    def _check_whitespace(self) -> None:
        if "".join(self._text).strip(_WHITESPACE):
            raise StreamError(StreamCondition.BAD_FORMAT, "text between stanzas")
        self._text.clear()

    def _explain(self, error: expat.ExpatError, seen: bytes) -> StreamError:
        """What expat found wrong, as a condition; `seen` ends with what it got last."""
        position = self._expat.ErrorByteIndex
        try:
            self._check_before(position)
        except StreamError as earlier:
            return earlier
        at = max(0, position - self._fed + len(seen))
        # A syntax error is told at the start of its token, any other one at the byte that is wrong.
        seen = seen[: at + (2 if error.code == _SYNTAX else 1)]
        construct = seen[max(0, seen.rfind(b"<", 0, -1)) :]
        if (is_restricted(construct) and b">" not in construct[:-1]) or (self._is_prolog and b"<!" in seen):
            return StreamError(StreamCondition.RESTRICTED_XML, _RESTRICTED)
        condition = _CONDITIONS.get(error.code, StreamCondition.NOT_WELL_FORMED)
        return StreamError(condition, expat.ErrorString(error.code) or "")

    def _fail(self, error: StreamError) -> None:
        if not self._is_closed:  # what follows the end of a stream is nobody's business
            # Not the error itself: it knows every frame that it went through, and they know this parser and all that it holds.
            self._fault = error.condition, error.text
        self._stop()

    def _stop(self) -> None:
        self._is_closed = True
        self._rest.clear()
        self._expat = None  # its handlers are our methods: break the circle
