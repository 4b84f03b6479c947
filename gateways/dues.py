"""What each source used of the processor lately, and whose turn is next when there is not enough of it for all.

Owns one figure for each source: the seconds that it used and that have not been forgiven. `FREE_SHARE` of a second is forgiven
each second, but not while the source waits with more to do. So a person's client owes nothing a moment after each message,
and one that always has more to say owes more with every read, however seldom it is read. Who owes least is next.

What a turn costs is measured, and a measurement may be wrong by a thousand times: a collection of garbage takes its tenth of a
second in anybody's turn. Whoever were charged that would wait for seconds, so nobody is charged more than his words can cost.

Kept only while there is not enough for all: see `gateways.poller`. Nothing is known of anybody when that begins: then who has
much to say comes behind who has little. Plain values; the clock is the caller's.
"""

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

FREE_SHARE: Final = 0.02
"""Of a processor, that nobody owes: fifty messages a second."""

BULK_SECONDS: Final = 0.0005
"""Who owes more is read no further while the actors or the archive are behind: one message costs 0.3 ms, and its sender owes
nothing again after 15 ms."""

BULK_BYTES: Final = 8_192
"""Who is met for the first time with as much to say, or more, is taken for one who owes as much as it will cost."""

MOST_SECONDS: Final = 1.0
"""What anybody owes at most: who stops for as long as it takes to be forgiven (50 s) begins anew. Those who owe it take
turns."""

TURN_SECONDS: Final = 0.0005
"""What a turn can cost in which little was said: twice that of a message."""

BYTE_SECONDS: Final = 5e-6
"""And each byte of what was said: the shortest message that is kept has some sixty."""

WRITTEN_SECONDS: Final = 3e-8
"""For each byte of what was said, beside the turn itself: it is written, for both parties, by a thread that shares the
interpreter; measured beside a thousand clients, 30 MB/s. So who says 16 KiB, however quickly they were read, owes 0.5 ms."""


class Source(Protocol):
    """Who has turns."""

    def pending(self) -> int:
        """Bytes that it has to say, about; asked for once."""


class Turn(msgspec.Struct, frozen=True):
    """What one source did.

    Attributes:
        source: whose turn it was.
        seconds: that it took.
        size: bytes of what was said.
    """

    source: Source
    seconds: float
    size: int


class _Due:
    __slots__ = ("is_waiting", "seconds", "since")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.since = 0.0
        self.is_waiting = True


class Dues:
    """Of all sources of one poller."""

    def __init__(self) -> None:
        self._dues: dict[Source, _Due] = {}

    def __len__(self) -> int:
        return len(self._dues)

    def wait(self, source: Source, now: float) -> float:
        """This one has something to do now; what it owes. One that is not known yet comes behind those who owe little."""
        due = self._dues.get(source)
        if due is None:
            due = self._dues[source] = _Due(BULK_SECONDS * max(1.0, source.pending() / BULK_BYTES))
        elif not due.is_waiting:
            due.is_waiting = True
            due.seconds = max(0.0, due.seconds - (now - due.since) * FREE_SHARE)
        return due.seconds

    def charge(self, turns: Iterable[Turn], rate: float, now: float) -> None:
        """These had their turn. Who was forgotten meanwhile owes nothing.

        Args:
            turns: of those who were waiting.
            rate: what came of them later, with it: 1.0 means nothing.
            now: when they were done.
        """
        for turn in turns:
            due = self._dues.get(turn.source)
            if due is None:
                continue
            cost = min(turn.seconds * rate, TURN_SECONDS + turn.size * BYTE_SECONDS)
            due.seconds = min(due.seconds + cost + turn.size * WRITTEN_SECONDS, MOST_SECONDS)
            due.since = now
            due.is_waiting = False

    def forget(self, source: Source) -> None:
        """It is no more."""
        self._dues.pop(source, None)

    def clear(self) -> None:
        """There is enough for all."""
        self._dues.clear()
