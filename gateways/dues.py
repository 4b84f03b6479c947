"""What each source used of the processor lately, and whose turn is next when there is not enough of it for all.

Owns one figure for each source: the seconds that it used and that have not been forgiven. `FREE_SHARE` of a second is forgiven
each second, but not while the source waits with more to do. So a person's client owes nothing a moment after each message,
and one that always has more to say owes more with every read, however seldom it is read. Who owes least is next.

Kept only while there is not enough for all: see `gateways.poller`. Plain values; the clock is the caller's.
"""

from collections.abc import Iterable
from typing import Any, Final

FREE_SHARE: Final = 0.02
"""Of a processor, that nobody owes: fifty messages a second."""

BULK_SECONDS: Final = 0.0005
"""Who owes more is read no further while the actors or the archive are behind: one message costs 0.3 ms, and its sender owes
nothing again after 15 ms."""

MOST_SECONDS: Final = 1.0
"""What anybody owes at most: who stops for as long as it takes to be forgiven (50 s) begins anew. Those who owe it take
turns."""


class _Due:
    __slots__ = ("is_waiting", "seconds", "since")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.since = 0.0
        self.is_waiting = False


class Dues:
    """Of all sources of one poller."""

    def __init__(self) -> None:
        self._dues: dict[Any, _Due] = {}

    def __len__(self) -> int:
        return len(self._dues)

    def wait(self, source: Any, now: float) -> float:
        """This one has something to do now; what it owes. One that is not known yet comes behind those who owe little."""
        due = self._dues.get(source)
        if due is None:
            return BULK_SECONDS
        if not due.is_waiting:
            due.is_waiting = True
            due.seconds = max(0.0, due.seconds - (now - due.since) * FREE_SHARE)
        return due.seconds

    def meet(self, source: Any) -> None:
        """Its turn begins."""
        if source not in self._dues:
            self._dues[source] = _Due()

    def charge(self, used: Iterable[tuple[Any, float]], rate: float, now: float) -> None:
        """These had their turn. Who was forgotten meanwhile owes nothing.

        Args:
            used: seconds of each.
            rate: what came of them later, with it: 1.0 means nothing.
            now: when they were done.
        """
        for source, seconds in used:
            due = self._dues.get(source)
            if due is None:
                continue
            due.seconds = min(due.seconds + seconds * rate, MOST_SECONDS)
            due.since = now
            due.is_waiting = False

    def forget(self, source: Any) -> None:
        """It is no more."""
        self._dues.pop(source, None)

    def clear(self) -> None:
        """There is enough for all."""
        self._dues.clear()
