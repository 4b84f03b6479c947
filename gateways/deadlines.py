"""Deadlines of connections: a callback, later.

Thousands of connections have a deadline each (for login, for silence, for the goodbye), nearly all of which never come: so a
deadline is one small object in one heap, and one task sleeps for all of them. Setting one costs a microsecond, cancelling one
less: its place in the heap goes when its time comes, or when an eighth of the heap is cancelled.

Time is `trio.current_time`, so a mock clock moves it. A callback that raises is logged and harms no other.
"""

import heapq
import itertools
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import trio

from actors.seat import describe

log = logging.getLogger(__name__)

COMPACT_FROM: Final = 256
"""Cancelled deadlines below this number are left in the heap: rebuilding a small one saves nothing."""


class Deadline:
    """One callback that is due at `time` (seconds of trio's clock)."""

    __slots__ = ("callback", "owner", "time")

    def __init__(self, owner: "Deadlines", time: float, callback: Callable[[], None]) -> None:
        self.owner = owner
        self.time = time
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Take it back; of no effect when it was called already."""
        if self.callback is not None:
            self.callback = None
            self.owner.forget_one()


class Deadlines:
    """All deadlines of the gateways of one process.

    Args:
        batch: what callbacks tell the actors within it is handled at its end (`Runtime.batch`).
    """

    def __init__(self, batch: Callable[[], AbstractContextManager[object]]) -> None:
        self._batch = batch
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = itertools.count()
        self._cancelled = 0
        self._scope: trio.CancelScope | None = None

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def add(self, delay: float, callback: Callable[[], None]) -> Deadline:
        """Call back in `delay` seconds."""
        return self.add_at(trio.current_time() + delay, callback)

    def add_at(self, time: float, callback: Callable[[], None]) -> Deadline:
        """Call back at this time of trio's clock."""
        deadline = Deadline(self, time, callback)
        heapq.heappush(self._heap, (time, next(self._order), deadline))
        if self._scope is not None and time < self._scope.deadline:
            self._scope.deadline = time
        return deadline

    def forget_one(self) -> None:
        """Count a cancelled one; when an eighth of the heap is such, build it anew: a microsecond for each of them."""
        self._cancelled += 1
        if self._cancelled >= COMPACT_FROM and self._cancelled * 8 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    async def run(self) -> None:
        """Call whatever is due, for ever."""
        while True:
            if self._heap and self._heap[0][0] <= trio.current_time():
                with self._batch():
                    self._call_due()
            with trio.CancelScope(deadline=self._heap[0][0] if self._heap else float("inf")) as self._scope:
                await trio.sleep_forever()
            self._scope = None

    def _call_due(self) -> None:
        now = trio.current_time()
        while self._heap and self._heap[0][0] <= now:
            deadline = heapq.heappop(self._heap)[2]
            callback, deadline.callback = deadline.callback, None
            if callback is None:
                self._cancelled -= 1
                continue
            try:
                callback()
            except Exception as error:
                log.error("a deadline of a connection failed: %s", describe(error))  # noqa: TRY400 -- never an error's text
                log.debug("a deadline of a connection failed", exc_info=True)
