"""Names as expat writes them (``namespace name prefix``), in parts.

Owns what a name may be beyond what expat checks. `NAMES` is shared by all streams.
"""

import re
from typing import Final

from engine.errors import StreamCondition
from engine.xmpp.xml import XML, StreamError

_NOT_IN_URI: Final = re.compile(r"""[\x00-\x20"<>\\^`{|}]""")
"""RFC 3986: a namespace is a URI (XML-NAMES, 2.1). Parsers put one of these between a namespace and a name, and fail at one
that has it: who sends such a namespace on would cut off those who use them."""

_CACHED_NAMES = 2_048
"""Names of expat that are split already, shared by all streams; a full cache starts again from nothing."""

_CACHED_CHARACTERS: Final = 1_024
"""Longer names are split each time."""

NAMES: dict[str, tuple[str, str, str]] = {}
"""What `split_name` found, for whoever has no time to call it."""


def split_name(tag: str) -> tuple[str, str, str]:
    """``namespace name prefix``, as expat writes it, in parts: name, namespace, prefix."""
    parts = tag.split(" ")
    namespace, name, prefix = ("", tag, "") if len(parts) == 1 else (*parts, "")[:3]
    _check_namespace(namespace)
    if len(NAMES) >= _CACHED_NAMES:
        NAMES.clear()
    if len(tag) < _CACHED_CHARACTERS:
        NAMES[tag] = (name, namespace, prefix)
    return name, namespace, prefix


def attribute_name(key: str) -> str:
    """The name of an attribute as `Element` has it."""
    if " " not in key:
        return key
    namespace, name, *_ = key.split(" ")
    _check_namespace(namespace)
    return f"xml:{name}" if namespace == XML else f"{{{namespace}}}{name}"


def _check_namespace(namespace: str) -> None:
    if _NOT_IN_URI.search(namespace) is not None:
        raise StreamError(StreamCondition.NOT_WELL_FORMED, "a namespace that is no URI")
