"""Writing the same shape many times: build it once, then fill in the values.

A pattern is made from an `Element` that has `SLOT` where a value belongs. It is written by the one serialiser, so it is as
well-formed as everything else, and becomes a format string: ``pattern % values`` costs less than a microsecond. Values are
put in as they are: text and attributes must have been escaped before, and what was rendered already goes in unchanged.

What differs between the recipients of one rendering is their address only. `HERE` marks its places; a pattern is cut there
*before* anything is filled in, so no value can ever be taken for a place.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from engine.xmpp.xml import CLIENT, Element, serialise

SLOT: Final = "\ue000"
HERE: Final = "\ue001"

Kept = TypeVar("Kept")


def pattern(element: Element, namespace: str = CLIENT) -> str:
    """The element as a format string with one ``%s`` for each `SLOT`, for a place of that default namespace."""
    return serialise(element, namespace).replace("%", "%%").replace(SLOT, "%s")


def address_patterns(element: Element) -> tuple[str, ...]:
    """The same, cut where the recipient's address belongs."""
    return tuple(pattern(element).split(HERE))


class Recent(Generic[Kept]):
    """What was made for the last few objects, by identity: a broadcast is rendered once, though its recipients' turns mix.

    At the limit the oldest entry goes; it is made again if somebody asks.
    """

    __slots__ = ("_kept", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[int, tuple[object, Kept]] = {}  # holding the object keeps its id from being used again

    def get(self, key: object, make: Callable[[Any], Kept]) -> Kept:
        """What was made for this very object; `make(key)` when there is nothing yet."""
        entry = self._kept.get(id(key))
        if entry is not None:
            return entry[1]
        made = make(key)
        if len(self._kept) >= self._limit:
            del self._kept[next(iter(self._kept))]
        self._kept[id(key)] = (key, made)
        return made

    def __len__(self) -> int:
        return len(self._kept)
