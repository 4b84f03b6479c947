"""One epoll loop: who can read or write, and what is due.

Everything of the harness runs in it, on one thread. `Loop.run_until` is the only place that waits, and never without a limit.
"""

import heapq
import itertools
import select
import time
from collections.abc import Callable
from typing import Protocol

EVENTS_AT_ONCE = 512
LONGEST_WAIT = 0.05
"""Seconds; how late `run_until` notices that something is so which no event told."""


class Endpoint(Protocol):
    """What has a file descriptor."""

    def fileno(self) -> int: ...

    def on_events(self, events: int) -> None: ...


class Loop:
    """The loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._endpoints: dict[int, Endpoint] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    # -- who -----------------------------------------------------------------------------------------------------------

    def add(self, endpoint: Endpoint, events: int) -> None:
        """Watch it."""
        self._endpoints[endpoint.fileno()] = endpoint
        self._epoll.register(endpoint.fileno(), events)

    def change(self, endpoint: Endpoint, events: int) -> None:
        """Watch it for something else."""
        self._epoll.modify(endpoint.fileno(), events)

    def remove(self, endpoint: Endpoint) -> None:
        """Watch it no longer; before its descriptor is closed."""
        if self._endpoints.pop(endpoint.fileno(), None) is not None:
            self._epoll.unregister(endpoint.fileno())

    # -- when ----------------------------------------------------------------------------------------------------------

    def at(self, moment: float, call: Callable[[], None]) -> None:
        """Call it at this moment of `time.perf_counter`, or as soon after as the loop gets to it."""
        heapq.heappush(self._timers, (moment, next(self._order), call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call it so much later."""
        self.at(time.perf_counter() + seconds, call)

    def every(self, seconds: float, call: Callable[[], bool]) -> None:
        """Call it again and again, until it returns False."""

        def tick() -> None:
            if call():
                self.after(seconds, tick)

        self.after(seconds, tick)

    # -- waiting -------------------------------------------------------------------------------------------------------

    def run_until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Run until something is so, at most so many seconds; whether it is."""
        now = time.perf_counter()
        end = now + seconds
        while not is_so():
            if now >= end:
                return False
            due = min(self._timers[0][0] if self._timers else end, end)
            self._turn(min(max(due - now, 0.0), LONGEST_WAIT))
            now = time.perf_counter()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
        return True

    def run_for(self, seconds: float) -> None:
        """Run so long."""
        self.run_until(lambda: False, seconds)

    def _turn(self, timeout: float) -> None:
        endpoints = self._endpoints
        found = self._epoll.poll(0, EVENTS_AT_ONCE)
        if not found and timeout:
            # epoll waits for whole milliseconds, which is too coarse for what is due; select waits for microseconds.
            select.select((self._epoll,), (), (), timeout)
            found = self._epoll.poll(0, EVENTS_AT_ONCE)
        for descriptor, events in found:
            endpoint = endpoints.get(descriptor)
            if endpoint is not None:  # removed by another one of this turn
                endpoint.on_events(events)

    def close(self) -> None:
        """The end. Endpoints are closed by their owners."""
        self._epoll.close()
