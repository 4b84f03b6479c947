"""The timers of a runtime: a message to an actor, later.

Owns one heap of deadlines and the one task that sleeps until the first of them. Time is `trio.current_time`, so a mock clock
moves it. A cancelled timer lets go of its message at once and of its place in the heap when its time comes, or when more than
half of the heap is cancelled, whichever is sooner: so the heap is at most twice what is pending, and cancelling is O(1) on
average.

A timer does not keep its actor alive, and outlives a restart: the new instance gets what the old one scheduled.
"""

import heapq
import itertools
import math
from typing import Any, Final

import trio

COMPACT_FROM: Final = 64
"""Cancelled timers below this number are left to expire: rebuilding a small heap saves no memory worth the work."""


class Timer:
    """One message that is due at `deadline` (seconds of trio's clock)."""

    __slots__ = ("_timers", "deadline", "message", "ref")

    def __init__(self, timers: "Timers", deadline: float, ref: Any, message: Any) -> None:
        self._timers: Timers | None = timers
        self.deadline = deadline
        self.ref = ref
        self.message = message

    @property
    def is_pending(self) -> bool:
        """Neither fired nor cancelled."""
        return self._timers is not None

    def cancel(self) -> None:
        """Take it back; of no effect when it fired already."""
        timers, self._timers = self._timers, None
        if timers is not None:
            self.ref = self.message = None
            timers.forget_one()

    def fire(self) -> None:
        """Tell the message, unless the actor is gone."""
        self._timers = None
        ref, message, self.ref, self.message = self.ref, self.message, None, None
        if ref.is_alive():
            ref.actor_inbox.put_beyond(message)


class Timers:
    """All timers of one runtime."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._cancelled = 0
        self._order = itertools.count()
        self._scope: trio.CancelScope | None = None

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    @property
    def heap_size(self) -> int:
        """Pending timers and cancelled ones that are still in the heap."""
        return len(self._heap)

    def add(self, delay: float, ref: Any, message: Any, slack: float = 0.0) -> Timer:
        """Schedule a message in `delay` seconds; one that is due fires at the next turn of the loop, in order.

        `slack`: it may be as much later, to be fired together with others of the same slack.
        """
        deadline = trio.current_time() + max(delay, 0.0)
        if slack:
            deadline = math.ceil(deadline / slack) * slack
        timer = Timer(self, deadline, ref, message)
        heapq.heappush(self._heap, (deadline, next(self._order), timer))
        if self._scope is not None and deadline < self._scope.deadline:
            self._scope.deadline = deadline
        return timer

    def forget_one(self) -> None:
        """Count one cancelled timer, and rebuild the heap when it is mostly such."""
        self._cancelled += 1
        if self._cancelled >= COMPACT_FROM and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    async def run(self) -> None:
        """Fire what is due, for ever."""
        while True:
            self._fire_due()
            deadline = self._heap[0][0] if self._heap else float("inf")
            with trio.CancelScope(deadline=deadline) as self._scope:
                await trio.sleep_forever()
            self._scope = None

    def _fire_due(self) -> None:
        now = trio.current_time()
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.is_pending:
                timer.fire()
            else:
                self._cancelled -= 1
