"""One task that waits for all sockets.

A trio task per connection costs 3 KiB and, at each wake-up, a registration with the kernel and a turn of the scheduler. Here
sockets stay registered with one selector (epoll on Linux, kqueue elsewhere); the selector's own descriptor is what trio waits
for. Measured per echo of 200 bytes, 50 clients: trio's `SocketStream` 23 us, a task with `wait_readable` per socket 14 us, this
7.5 us; over TLS 41, 20 and 12 us. And what arrives together on several sockets is handled together, before anything is written.

Rules: a source is called when its socket is ready and never blocks. It reads a bounded amount and is called again in the next
pass if there is more, so none starves another. After `BATCH` sources or `BATCH_SECONDS` the actors get their turn, what they
have to say is written, and all other trio tasks get theirs. A source that raises is told `on_failure`, and only that source.

**When there is not enough for all.** A pass that took `PASS_SECONDS`, or actors and archive that are behind, mean that somebody
waits for others. Among those who all say a little, turns are fair as they are. But when somebody has said very much at once
(`hear_much`), then from there on, until `CALM_SECONDS` after it was so the last time, `gateways.dues` knows who used how much;
a pass is one batch, and in it who owes least is called first. So a session that says something now and then waits for one
batch, however many others have always more to say; those share what is left, and nothing is left unused while anybody wants
it. Who owes much is not called while actors and archive are behind, because what he says would stand before everybody's there.

What somebody used is time of the processor, not of the clock on the wall: in a turn of 0.2 ms this thread may stand still for
20 ms, because another program or SQLite's threads run. Nor is it what the actors had to do before he came.
"""

import selectors
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from time import perf_counter, thread_time
from typing import Final, Protocol

import trio

from gateways.dues import BULK_SECONDS, Dues, Turn

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

BATCH: Final = 64
"""Sources called before others get their turn: at 40 us for a stanza, 3 ms."""

BATCH_SECONDS: Final = 0.004
"""And after so long in any case: a full read may hold hundreds of stanzas."""

PASS_SECONDS: Final = 0.010
"""A pass that takes longer makes people wait for others: with 64 sources of 40 us and their actors it takes some 5 ms."""

CALM_SECONDS: Final = 1.0
"""In which nobody waited, or nobody said very much at once, before nobody's use is looked at any more. Whoever answers and is
answered has a few stanzas under way, however busy all are together."""

LOOK_SECONDS: Final = 0.010
"""Between two looks at whether those inside are behind, while nobody waits."""

LOOK_COST: Final = 8
"""A pass in which turns are fair takes so many times as long as it took to learn who is ready: 1 ms for 1,000, so that no more
than a ninth is spent on being fair."""

PASS_BYTES: Final = 24 * 16_384
"""Or, after `BATCH_SECONDS`, until so much was said: one pass is one commit, and a person's message waits for the words of all
in it. Of 1 MiB a commit takes 60 ms on a busy disk, and those who say much get no more of it in longer ones."""

BEHIND_SECONDS: Final = 0.001
"""Until the next look, when only those are ready who have to wait for those inside."""

BEHIND_COST: Final = 3
"""Or so many times as long as it took to see that: the threads that write to the disk want the interpreter, too."""

PATIENCE_SECONDS: Final = 0.1
"""For those inside: then there is one batch for those who owe much, too. A disk may be stuck, and reading goes on."""


class Source(Protocol):
    """Who is called when a socket is ready."""

    def on_ready(self, events: int) -> int:
        """The socket can be read (`READ`) or written (`WRITE`), or is broken, which shows as either; how much was read."""

    def pending(self) -> int:
        """How much can be read, about."""

    def on_failure(self, error: Exception) -> None:
        """`on_ready` raised this: end, and trouble nobody else."""


class Poller:
    """All sockets of the gateways of one process.

    Args:
        batch: what sources tell the actors within it is handled at its end (`Runtime.batch`).
        is_behind: those inside have not done yet what they were told.
        clock: seconds that pass.
        work: seconds that this thread worked.
    """

    def __init__(
        self,
        batch: Callable[[], AbstractContextManager[object]],
        is_behind: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = perf_counter,
        work: Callable[[], float] = thread_time,
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._watched: dict[int, tuple[Source, int]] = {}  # by descriptor, as the selector has them
        self._batch = batch
        self._is_closed = False
        self._is_behind = is_behind
        self._clock = clock
        self._work = work
        self._dues = Dues()
        self._is_fair_until = 0.0
        self._look_at = 0.0
        self._patient_until = 0.0
        self._heard_much_until = 0.0

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

    def hear_much(self) -> None:
        """A source had as much to say as can be read at once, and may have more."""
        self._heard_much_until = self._clock() + CALM_SECONDS

    def forget(self, source: Source) -> None:
        """It is no more."""
        self._dues.forget(source)

    async def run(self) -> None:
        """Wait and call, for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._selector.fileno())
            began = self._clock()
            if began > self._is_fair_until:
                await self._pass(began)
            else:
                rest = self._pass_fairly()
                if rest:
                    await trio.sleep(rest)

    async def _pass(self, began: float) -> None:
        """Call all that are ready."""
        clock, watched, batch = self._clock, self._watched, self._batch
        # With whom each of them is for: another source may close it meanwhile, and a new socket have its number.
        ready = [(key.fd, events, watched.get(key.fd)) for key, events in self._selector.select(0)]
        done, now = 0, began
        while done < len(ready):
            if done:
                await trio.lowlevel.checkpoint()
            end, late = done + BATCH, now + BATCH_SECONDS
            with batch():
                for descriptor, events, known in ready[done:end]:
                    self._call(descriptor, events, known)
                    done += 1
                    if clock() > late:
                        break
            now = clock()
            if now > self._look_at:
                self._look_at = now + LOOK_SECONDS
                if now < self._heard_much_until and (now > began + PASS_SECONDS or self._is_behind()):
                    self._dues.clear()
                    self._is_fair_until = now + CALM_SECONDS
                    return  # who was not called is ready still

    def _pass_fairly(self) -> float:
        """Call some of those that are ready, who owes least first; seconds until the next look."""
        work, dues, watched = self._work, self._dues, self._watched
        began, looked = work(), self._clock()
        found = [(key.fd, events, watched.get(key.fd)) for key, events in self._selector.select(0)]
        ready = [(dues.wait(known[0], looked), fd, events, known) for fd, events, known in found if known is not None]
        ready.sort(key=_owed)
        was_behind, most = self._is_behind(), BULK_SECONDS
        if looked > self._patient_until or not was_behind:
            most, self._patient_until = inf, looked + PATIENCE_SECONDS
        turns: list[Turn] = []
        before = began_calls = work()
        soon = before + BATCH_SECONDS
        late = max(soon, before + (before - began) * LOOK_COST)
        heard = 0
        with self._batch():
            for owed, descriptor, events, known in ready:
                if owed > most:
                    break
                size = self._call(descriptor, events, known)
                now = work()
                turns.append(Turn(known[0], now - before, size))
                before = now
                heard += size
                if now > late or (now > soon and heard > PASS_BYTES):
                    break
        if turns:  # what the actors did with it and what they wrote belongs to those who told them
            rate = 1.0 if was_behind else (work() - began_calls) / max(before - began_calls, 1e-9)
            dues.charge(turns, rate, self._clock())
        if len(turns) < len(ready):
            self._is_fair_until = self._heard_much_until
        return 0.0 if turns else max(BEHIND_SECONDS, (before - began) * BEHIND_COST)

    def _call(self, descriptor: int, events: int, was_for: tuple[Source, int] | None) -> int:
        known = self._watched.get(descriptor)
        if known is None or was_for is None or known[0] is not was_for[0]:
            return 0
        source, wanted = known
        try:
            return source.on_ready(events & wanted)
        except Exception as error:  # noqa: BLE001 -- the source logs it and ends
            source.on_failure(error)
            return 0

    def close(self) -> None:
        """Let go of the selector; the sockets belong to their sources."""
        self._is_closed = True
        self._watched.clear()
        self._selector.close()


def _owed(ready: tuple[float, int, int, object]) -> float:
    return ready[0]
