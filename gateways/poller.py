"""One task that waits for all sockets.

A trio task per connection costs 3 KiB and, at each wake-up, a registration with the kernel and a turn of the scheduler. Here
sockets stay registered with one selector (epoll on Linux, kqueue elsewhere); the selector's own descriptor is what trio waits
for. Measured per echo of 200 bytes, 50 clients: trio's `SocketStream` 23 us, a task with `wait_readable` per socket 14 us, this
7.5 us; over TLS 41, 20 and 12 us. And what arrives together on several sockets is handled together, before anything is written.

Rules: a source is called when its socket is ready and never blocks. It reads a bounded amount and is called again in the next
pass if there is more, so none starves another. After `BATCH` sources or `BATCH_SECONDS` the actors get their turn, what they
have to say is written, and all other trio tasks get theirs. A source that raises is told `on_failure`, and only that source.
"""

import selectors
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Final, Protocol

import trio

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

BATCH: Final = 64
"""Sources called before others get their turn: at 40 us for a stanza, 3 ms."""

BATCH_SECONDS: Final = 0.004
"""And after so long in any case: a full read may hold hundreds of stanzas."""


class Source(Protocol):
    """Who is called when a socket is ready."""

    def on_ready(self, events: int) -> None:
        """The socket can be read (`READ`) or written (`WRITE`), or is broken, which shows as either."""

    def on_failure(self, error: Exception) -> None:
        """`on_ready` raised this: end, and trouble nobody else."""


class Poller:
    """All sockets of the gateways of one process.

    Args:
        batch: what sources tell the actors within it is handled at its end (`Runtime.batch`).
    """

    def __init__(self, batch: Callable[[], AbstractContextManager[object]]) -> None:
        self._selector = selectors.DefaultSelector()
        self._watched: dict[int, tuple[Source, int]] = {}  # by descriptor, as the selector has them
        self._batch = batch
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, sock: socket.socket, source: Source, events: int) -> None:
        """Call the source for these events from now on; 0: for none."""
        descriptor = sock.fileno()
        if self._is_closed or descriptor < 0:
            return  # whoever still holds a socket is on the way to close it, too
        known = self._watched.get(descriptor)
        if known is None:
            if events:
                self._watched[descriptor] = source, events
                self._selector.register(descriptor, events)
        elif not events:
            del self._watched[descriptor]
            self._selector.unregister(descriptor)
        elif known[1] != events or known[0] is not source:
            self._watched[descriptor] = source, events
            self._selector.modify(descriptor, events)

    async def run(self) -> None:
        """Wait and call, for ever."""
        selector, watched, batch = self._selector, self._watched, self._batch
        while True:
            await trio.lowlevel.wait_readable(selector.fileno())
            # With whom each of them is for: another source may close it meanwhile, and a new socket have its number.
            ready = [(key.fd, events, watched.get(key.fd)) for key, events in selector.select(0)]
            done = 0
            while done < len(ready):
                if done:
                    await trio.lowlevel.checkpoint()
                end, late = done + BATCH, perf_counter() + BATCH_SECONDS
                with batch():
                    for descriptor, events, known in ready[done:end]:
                        self._call(descriptor, events, known)
                        done += 1
                        if perf_counter() > late:
                            break

    def _call(self, descriptor: int, events: int, was_for: tuple[Source, int] | None) -> None:
        known = self._watched.get(descriptor)
        if known is None or was_for is None or known[0] is not was_for[0]:
            return
        source, wanted = known
        try:
            source.on_ready(events & wanted)
        except Exception as error:  # noqa: BLE001 -- the source logs it and ends
            source.on_failure(error)

    def close(self) -> None:
        """Let go of the selector; the sockets belong to their sources."""
        self._is_closed = True
        self._watched.clear()
        self._selector.close()
