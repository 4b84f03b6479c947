"""XML: the only place that builds and writes it (`engine.xmpp.parser` is the only one that reads it).

Elements. An `Element` is a name, a namespace, attributes and children (elements and text). It is never changed once it
was told to anyone. Namespaces stand beside names instead of prefixes, so an element means the same wherever it is put.
Attributes of another namespace are in Clark notation (``{namespace}name``), except ``xml:lang``, which everyone writes so.

Building. `E` builds; `serialise` writes, and is the one place that escapes. It refuses names that are no names and
characters that XML 1.0 has no way to carry (control characters, lone surrogates): nothing that a user typed can break
out of its place, or make a peer's parser close its stream. Text from outside XML goes through `clean_text` first.

Writing recurses: the parser bounds the depth of what comes in, and nothing that we build is deep.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final, Self

from engine.errors import StreamCondition

CLIENT: Final = "jabber:client"
STREAMS: Final = "http://etherx.jabber.org/streams"
STANZA_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAM_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
XML: Final = "http://www.w3.org/XML/1998/namespace"

_CACHED_NAMES = 2_048
"""Names whose check or rendering is remembered, over all streams; a full cache starts again from nothing."""

_NAME_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NAME = re.compile(f"[{_NAME_START}][{_NAME_START}.0-9\u00b7\u0300-\u036f\u203f-\u2040-]*")
"""XML 1.0, 2.3, without the colon: what any parser may give us, we can write again."""

_TAG_START = re.compile(r"<[^\s/>]+")
_NOT_PLAIN = re.compile("[&<>'\x00-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_ALLOWED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TEXT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
)


class StreamError(Exception):
    """The input cannot be part of a stream: `condition` for the peer, one line of `text` for the person."""

    def __init__(self, condition: StreamCondition, text: str = "") -> None:
        super().__init__(text or condition.value)
        self.condition = condition
        self.text = text


class BadXmlError(ValueError):
    """Someone tried to build an element with a name or a character that XML does not have: a fault of ours."""


class Element:
    """One XML element; treat as immutable once it was told to anyone.

    Attributes:
        name: local name.
        namespace: its namespace, never a prefix.
        attributes: by local name, ``xml:lang``, or ``{namespace}name``.
        children: elements and text in document order; from the parser, no two texts stand side by side.
    """

    __slots__ = ("attributes", "children", "name", "namespace")

    def __init__(
        self,
        name: str,
        namespace: str = CLIENT,
        attributes: dict[str, str] | None = None,
        children: "list[Element | str] | None" = None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.attributes = {} if attributes is None else attributes
        self.children: list[Element | str] = [] if children is None else children

    @property
    def text(self) -> str:
        """The element's own text, without that of its children."""
        return "".join([child for child in self.children if isinstance(child, str)])

    @property
    def language(self) -> str:
        """``xml:lang``; empty when it has none of its own."""
        return self.attributes.get("xml:lang", "")

    def elements(self) -> "list[Element]":
        """The child elements, without text."""
        return [child for child in self.children if isinstance(child, Element)]

    def get(self, attribute: str, default: str = "") -> str:
        """The value of an attribute, or `default` when it is absent."""
        return self.attributes.get(attribute, default)

    def find(self, name: str, namespace: str) -> "Element | None":
        """The first child element of that name."""
        for child in self.children:
            if isinstance(child, Element) and child.name == name and child.namespace == namespace:
                return child
        return None

    def find_all(self, name: str, namespace: str) -> "list[Element]":
        """All child elements of that name."""
        return [child for child in self.elements() if child.name == name and child.namespace == namespace]

    def find_text(self, name: str, namespace: str, default: str = "") -> str:
        """The text of the first child of that name, or `default` without such a child."""
        child = self.find(name, namespace)
        return default if child is None else child.text

    def is_named(self, name: str, namespace: str) -> bool:
        """Whether this is ``{namespace}name``."""
        return self.name == name and self.namespace == namespace

    def replace(
        self, *, attributes: Mapping[str, str | None] | None = None, children: "list[Element | str] | None" = None
    ) -> Self:
        """A copy with some attributes set (or, with None, removed) and, if given, other children."""
        merged = dict(self.attributes)
        for key, value in (attributes or {}).items():
            merged.pop(key, None)
            if value is not None:
                merged[key] = value
        return type(self)(self.name, self.namespace, merged, list(self.children) if children is None else children)

    def __iter__(self) -> "Iterator[Element]":
        return iter(self.elements())

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element):
            return NotImplemented
        return (
            self.name == other.name
            and self.namespace == other.namespace
            and self.attributes == other.attributes
            and self.children == other.children
        )

    __hash__ = None  # type: ignore[assignment]  # it has a dict and a list inside

    def __repr__(self) -> str:
        try:
            return f"<Element {serialise(self, '')}>"
        except BadXmlError:
            return f"<Element {self.name!r} with what cannot be written>"


def E(  # noqa: N802 -- short as the tag that it stands for
    name: str,
    namespace: str,
    /,
    *children: "Element | str | None",
    attributes: Mapping[str, str] | None = None,
    **named: str | None,
) -> Element:
    """Build an element.

    ``E("query", ROSTER, E("item", ROSTER, jid=address), ver=version)`` is a query with one item.

    Args:
        name: local name.
        namespace: its namespace; stanzas are in `CLIENT`.
        children: elements and text; None and empty text are left out.
        attributes: for names that are no Python names, such as ``xml:lang``.
        named: other attributes; None is left out. ``from_`` and the like lose their underscore.
    """
    given = dict(attributes) if attributes else {}
    for key, value in named.items():
        if value is not None:
            given[key.removesuffix("_")] = value
    return Element(name, namespace, given, [child for child in children if child is not None and child != ""])


def is_allowed_text(text: str) -> bool:
    """Whether XML 1.0 can carry every character of this text."""
    return _NOT_ALLOWED.search(text) is None


def clean_text(text: str) -> str:
    """The text without the characters that XML 1.0 cannot carry, for what comes from outside XML."""
    return _NOT_ALLOWED.sub("", text)


def escape_text(text: str) -> str:
    """Text as it stands between tags.

    Raises:
        BadXmlError: a character that XML 1.0 cannot carry.
    """
    if _NOT_PLAIN.search(text) is None:
        return text
    _check_characters(text)
    return text.translate(_TEXT_ESCAPES)


def escape_attribute(text: str) -> str:
    """An attribute's value as it stands between single quotes; line breaks and tabs survive.

    Raises:
        BadXmlError: a character that XML 1.0 cannot carry.
    """
    if _NOT_PLAIN.search(text) is None:
        return text
    _check_characters(text)
    return text.translate(_ATTRIBUTE_ESCAPES)


def serialise(element: Element, default_namespace: str = CLIENT) -> str:
    """Write an element for a place where `default_namespace` is the default one and ``stream:`` is declared.

    An element of the stream namespace gets the prefix ``stream:``, as old clients look for just that, but not within
    another one, which may be read where that prefix is not declared (RFC 7395, 3.3.3). An element of XML's own namespace
    gets the prefix ``xml:``, as nothing may declare that. Any other element that is not in the default namespace of its
    place declares its own, first of all attributes.

    Raises:
        BadXmlError: a name that is no name, or a character that XML 1.0 cannot carry.
    """
    parts: list[str] = []
    _write(element, default_namespace, parts, _PREFIXES)
    return "".join(parts)


def render(*elements: Element) -> str:
    """Several elements one after the other, in the namespace ``jabber:client``: the form of a `Chat`'s payload."""
    parts: list[str] = []
    for element in elements:
        _write(element, CLIENT, parts)
    return "".join(parts)


def start_tag(name: str, attributes: Mapping[str, str], namespaces: Mapping[str, str]) -> str:
    """A start tag alone, for the root of a stream. `name` has its prefix; `namespaces` are declared, by prefix."""
    declared = [
        f" xmlns{':' if prefix else ''}{prefix}='{escape_attribute(namespace)}'"
        for prefix, namespace in namespaces.items()
    ]
    given = [
        f"{_ATTRIBUTES.get(key) or _check_attribute(key)}{escape_attribute(value)}'"
        for key, value in attributes.items()
    ]
    return f"<{name}{''.join(declared)}{''.join(given)}>"


def end_tag(name: str) -> str:
    """An end tag alone, for the root of a stream."""
    return f"</{name}>"


def standalone(xml: str) -> str:
    """What `serialise` wrote for the inside of a stream, as a document of its own: with the declaration that it lacks."""
    name = _TAG_START.match(xml)
    if name is None:
        raise BadXmlError("not an element")
    at = name.end()
    declared = "" if xml.startswith("<stream:") or xml.startswith(" xmlns=", at) else f" xmlns='{CLIENT}'"
    if "<stream:" in xml:  # itself, or something within that an archive has from an earlier version
        declared += f" xmlns:stream='{STREAMS}'"
    return f"{xml[:at]}{declared}{xml[at:]}"


_PREFIXES_WITHIN: Final = {XML: "xml"}
_PREFIXES: Final = {**_PREFIXES_WITHIN, STREAMS: "stream"}


def _write(element: Element, default: str, parts: list[str], prefixes: Mapping[str, str] = _PREFIXES_WITHIN) -> None:
    # The hot path of sending: one f-string for each tag, and two look-ups instead of checks for names seen before.
    namespace = element.namespace
    tag = _TAGS.get(element.name) or _check_tag(element.name)
    opening = tag
    if namespace != default:
        if namespace in prefixes:
            tag = opening = f"{prefixes[namespace]}:{tag}"
        else:
            opening = f"{tag} xmlns='{escape_attribute(namespace)}'"
            default = namespace
    for key, value in element.attributes.items():
        opening += _ATTRIBUTES.get(key) or _check_attribute(key)
        opening += f"{value if _NOT_PLAIN.search(value) is None else escape_attribute(value)}'"
    children = element.children
    if not children:
        parts.append(f"<{opening}/>")
        return
    parts.append(f"<{opening}>")
    for child in children:
        if isinstance(child, str):
            parts.append(child if _NOT_PLAIN.search(child) is None else escape_text(child))
        else:
            _write(child, default, parts)
    parts.append(f"</{tag}>")


_TAGS: dict[str, str] = {}
_ATTRIBUTES: dict[str, str] = {"xml:lang": " xml:lang='"}


def _check_tag(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadXmlError(f"not the name of an element: {name!r}")
    if len(_TAGS) >= _CACHED_NAMES:
        _TAGS.clear()
    _TAGS[name] = name
    return name


def _check_attribute(key: str) -> str:
    """What stands before the attribute's value, with the declaration of its namespace when it has one."""
    namespace, brace, name = key[1:].partition("}") if key.startswith("{") else ("", "", key)
    if key.startswith("xml:"):
        namespace, name = XML, key[4:]
    if not _NAME.fullmatch(name) or (name == "xmlns" and not namespace) or (brace and not namespace):
        raise BadXmlError(f"not the name of an attribute: {key!r}")
    if not namespace:
        rendered = f" {name}='"
    elif namespace == XML:
        rendered = f" xml:{name}='"
    else:
        # Each attribute has a prefix of its own, made from its key, so that two of one element never collide.
        prefix = f"ns{hashlib.blake2s(key.encode(), digest_size=6).hexdigest()}"
        rendered = f" xmlns:{prefix}='{escape_attribute(namespace)}' {prefix}:{name}='"
    if len(_ATTRIBUTES) >= _CACHED_NAMES:
        _ATTRIBUTES.clear()
    _ATTRIBUTES[key] = rendered
    return rendered


def _check_characters(text: str) -> None:
    if (bad := _NOT_ALLOWED.search(text)) is not None:
        raise BadXmlError(f"XML has no character U+{ord(bad.group()):04X}")
