"""What goes from the archive for good: what an operator no longer wants to keep, and the history of who was removed.

The rules, and the side door to the disk (as in `engine.ports`: one implementation there, one in memory, the same tests).

- **Purge.** Everything from before a time goes, from every history. It is said beforehand what that is (`Extent`); as no
  message comes from the past, the same goes that was said. A time to come is refused: what is said meanwhile would go, too.
- **Departure.** The history of a removed member goes; those with whom he talked keep theirs. What is in nobody's history any
  more goes, too. The address is not given again before that is done.
"""

from typing import Protocol

import msgspec

from engine.errors import Condition, Refusal


class Extent(msgspec.Struct, frozen=True):
    """What there is from before a time.

    Attributes:
        messages: how many.
        octets: of their texts.
        conversations: that they belong to; each counts once for both sides.
        members: in whose histories they are.
        waiting: of the messages, those that no client of a recipient has got.
    """

    messages: int = 0
    octets: int = 0
    conversations: int = 0
    members: int = 0
    waiting: int = 0


class Step(msgspec.Struct, frozen=True):
    """What one step of a removal has removed. `octets`: of text; `is_done`: there was nothing left to do."""

    removed: int = 0
    octets: int = 0
    is_done: bool = False


class Retention(Protocol):
    """Takes messages out of the archive for good, in steps between which chat goes on.

    Every method raises `engine.ports.StorageUnavailable`.
    """

    async def extent(self, before: int) -> Extent:
        """What there is from before this time (microseconds since 1970). Takes its time and delays nobody."""

    async def purge(self, before: int) -> Step:
        """Remove some of the messages from before this time, the oldest first, from every history.

        What was begun is remembered, see `unfinished`. The ids are never given again. The last step removes nothing.
        """

    async def unfinished(self) -> int | None:
        """The time of a purge that did not come to its end; None: there is none."""

    async def depart(self, owner: str) -> Step:
        """Remove some of the history of someone who left, and all that is known of his clients and what he has read.

        What is in nobody's history any more is removed. `removed` counts what was in his; the last step removes nothing.
        """

    async def erased(self) -> tuple[int, bool]:
        """How often something was removed, and whether the search index was not made anew since: it may have texts yet."""

    async def renewed(self, erased: int) -> None:
        """The search index was made anew of what the archive had when `erased` was this."""

    async def empty_log(self) -> bool:
        """See to it that no text of what was removed is left on the disk; False: another reader is in the way just now."""


def check_purge(before: int, now: int) -> None:
    """Whether everything from before this time may go.

    Args:
        before: microseconds since 1970.
        now: the same.

    Raises:
        Refusal: it is a time to come.
    """
    if before > now:
        raise Refusal(Condition.NOT_ACCEPTABLE, "that time is still to come; what is said until then would go, too")
