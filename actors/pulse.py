"""The pulse: how late the one thread that does everything is.

Owns one task that wants to be woken each `BEAT_SECONDS` and notes how much later it was. Whatever takes the thread too long
at a time, ours or the machine's, shows here, and nowhere else so directly.
"""

from collections import deque
from typing import Final

import trio

BEAT_SECONDS: Final = 0.5
KEPT_BEATS: Final = 120
"""A minute."""


class Pulse:
    """The newest delays of one process."""

    def __init__(self) -> None:
        self._delays: deque[float] = deque((0.0,), maxlen=KEPT_BEATS)

    @property
    def worst(self) -> float:
        """The longest delay of the last minute, in seconds."""
        return max(self._delays)

    async def run(self) -> None:
        """Beat, for ever."""
        while True:
            due = trio.current_time() + BEAT_SECONDS
            await trio.sleep_until(due)
            self._delays.append(max(0.0, trio.current_time() - due))
