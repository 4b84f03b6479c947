"""The ready queue and the turns in which it is worked off.

Owns who runs next and what is flushed after it; what an actor does with a message is the actor's, what a failure does is
`actors.supervision`'s.

Rules:

- Ready actors run in turn, each at most `ACTOR_MESSAGES` messages at a time.
- A turn ends after `TURN_MESSAGES`, after `TURN_SECONDS`, or when nothing is ready; then every `after_turn` callable runs
  once. The dispatcher gives way to I/O between turns.
- Turns do not nest: `drain` within a handler or a flush does nothing, for the turn that runs goes on anyway.
"""

import logging
from collections import deque
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Final

import trio

from actors.doze import Doze
from actors.seat import NOT_PLAIN, Seat, describe
from actors.supervision import Supervision

logger = logging.getLogger(__name__)

TURN_MESSAGES: Final = 256
"""Messages of one turn before I/O gets its turn: at 5 to 20 us each, nobody's socket waits longer than some 5 ms."""

TURN_SECONDS: Final = 0.02
"""And after so long in any case, when an actor is done: to give one client a page of what it missed takes 5 ms."""

ACTOR_MESSAGES: Final = 32
"""Messages of one actor before the next ready actor: a flood for one delays the others by less than a millisecond, and taking
an actor up costs little against 32 messages."""


class Dispatcher:
    """The ready actors of one runtime.

    Args:
        supervision: decides what a failing handler means.
        release: called with the seat of an actor that stopped.

    Attributes:
        messages: handled since the start.
        busy_workers: workers that have something to do; counted here because `wait_idle` asks for them too.
        is_over: ends `run` as soon as it is set.
    """

    def __init__(self, supervision: Supervision, release: Callable[[Seat], None]) -> None:
        self.messages = 0
        self.busy_workers = 0
        self.is_over = False
        self.batch = Batch(self)
        self._supervision = supervision
        self._release = release
        self._ready: deque[Seat] = deque()
        self._flushes: dict[Callable[[], None], None] = {}
        self._doze = Doze()
        self._is_running = False
        self._on_idle: list[trio.Event] = []

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def is_idle(self) -> bool:
        """Nothing is ready, nothing waits to be flushed, no worker is at work."""
        return not (self._ready or self._flushes or self.busy_workers or self._is_running)

    def make_ready(self, seat: Seat) -> None:
        """Queue an actor that has something to do; its `is_scheduled` is set."""
        self._ready.append(seat)
        if not self._is_running:
            self._doze.wake()

    def after_turn(self, flush: Callable[[], None]) -> None:
        """Call this once at the end of the turn that runs, or of the next one."""
        self._flushes[flush] = None
        if not self._is_running:
            self._doze.wake()

    async def run(self) -> None:
        """Take turns until `is_over`."""
        while not self.is_over:
            if self._ready or self._flushes:
                self.turn()
                await trio.lowlevel.checkpoint()
            else:
                self.check_idle()
                await self._doze.wait()

    def end(self) -> None:
        """Make `run` return."""
        self.is_over = True
        self._doze.wake()

    def clear(self) -> None:
        """Forget what is ready and let go of who waits: nothing runs any more."""
        self._ready.clear()
        self._flushes.clear()
        self.check_idle()

    def drain(self) -> None:
        """Take a turn now, unless one runs."""
        if not self._is_running:
            self.turn()

    def turn(self) -> None:
        """Run ready actors until there are none or the budget is spent, then flush; what is left is the dispatcher's."""
        ready = self._ready
        budget, late = TURN_MESSAGES, perf_counter() + TURN_SECONDS
        self._is_running = True
        try:
            while ready and budget > 0:
                budget -= self._run(ready.popleft(), min(ACTOR_MESSAGES, budget))
                if not ready and self._flushes:  # a flush may make actors ready: they belong to this turn
                    self._flush()
                if perf_counter() > late:
                    break
            if self._flushes:
                self._flush()
        finally:
            self._is_running = False
            if ready or self._flushes:
                self._doze.wake()

    def _run(self, seat: Seat, budget: int) -> int:
        """Handle messages of one actor; how many (at least 1: a start without messages has its costs too)."""
        if seat.is_new:
            self._supervision.begin(seat)
        items = seat.items
        stopped = seat.stopped
        receive, on_receive = seat.receive, seat.actor.on_receive
        done = 0
        try:
            while items and done < budget and not stopped.value:
                item = items.popleft()
                done += 1
                try:
                    if type(item) in NOT_PLAIN:
                        receive(item)
                    else:
                        on_receive(item)
                except Exception as error:  # noqa: BLE001 - what a handler raises is decided by its owner
                    self._supervision.recover(seat, item, error)
                    on_receive = seat.actor.on_receive  # of the one that took its seat
        finally:
            if stopped.value:
                self._release(seat)
            elif seat.items:
                self._ready.append(seat)
            else:
                seat.items = None
                seat.is_scheduled = False
        self.messages += done
        return done or 1

    def _flush(self) -> None:
        flushes, self._flushes = self._flushes, {}
        for flush in flushes:
            try:
                flush()
            except Exception as error:
                logger.error("a flush failed: %s", describe(error))  # noqa: TRY400 - never an error's text
                logger.debug("a flush failed", exc_info=True)

    # -- rest ----------------------------------------------------------------------------------------------------------

    async def wait_idle(self) -> None:
        """Wait until `is_idle`."""
        while not self.is_idle:
            event = trio.Event()
            self._on_idle.append(event)
            await event.wait()

    def check_idle(self) -> None:
        """Wake those who wait in `wait_idle`, if there is nothing to do."""
        if self._on_idle and self.is_idle:
            for event in self._on_idle:
                event.set()
            self._on_idle.clear()

    def worker_is_busy(self) -> None:
        """A worker has something to do."""
        self.busy_workers += 1

    def worker_is_idle(self) -> None:
        """A worker has nothing more to do."""
        self.busy_workers -= 1
        self.check_idle()


class Batch:
    """What `Runtime.batch` gives: holds wake-ups back and takes a turn at its end. One object serves all, also nested."""

    __slots__ = ("_dispatcher", "_nested")

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._nested = 0

    def __enter__(self) -> None:
        if self._dispatcher._is_running:  # noqa: SLF001 - a part of the dispatcher
            self._nested += 1
        else:
            self._dispatcher._is_running = True  # noqa: SLF001

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._nested:
            self._nested -= 1
        else:
            self._dispatcher.turn()
