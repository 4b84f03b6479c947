"""The runtime: thousands of actors on one trio thread.

Owns the life of every actor from start to stop, and puts together what runs them: `actors.dispatcher` (whose turn it is),
`actors.timers`, `actors.post` (other threads) and `actors.supervision` (failures).

Rules:

- A put on an empty inbox makes its actor ready. One dispatcher runs ready actors, with a budget per actor and per turn, and
  gives way to I/O between turns.
- A read pump does not wait for the dispatcher: ``with runtime.batch(): feed(data)`` runs everything that became ready, there
  and then, and wakes nobody. Connections register their flush with `after_turn`: what arrives together leaves together.
- Everything happens on the thread that runs `Runtime.run`. Other threads may tell, ask, stop and start.
- A failing handler is decided by supervision; `trio.Cancelled` and other non-`Exception`s pass through unhandled.
- A stopped owner takes its children along; `stop_all` stops the youngest first, so children go before their owners.

The names in `__all__` are to be imported from here; of Pykka, other packages see `ActorRef` and `ActorDeadError` only.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import trio
from pykka import ActorDeadError, ActorRef

from actors.dispatcher import Batch, Dispatcher
from actors.future import FutureNotReady, TrioFuture
from actors.mailbox import ActorStopped
from actors.post import ADMIT, Post
from actors.seat import (
    Seat,
    TrioActor,
    TrioRef,
    current_runtime,
    describe,
    reset_current_runtime,
    set_current_runtime,
)
from actors.supervision import Decision, Escalation, SetAside, Supervision, new_actor
from actors.timers import Timer, Timers
from actors.worker import Worker, work

__all__ = [
    "ActorDeadError",
    "ActorRef",
    "ActorStopped",
    "Decision",
    "Escalation",
    "FutureNotReady",
    "Queues",
    "Runtime",
    "RuntimeStatus",
    "SetAside",
    "Timer",
    "TrioActor",
    "TrioFuture",
    "TrioRef",
]

logger = logging.getLogger(__name__)

A = TypeVar("A", bound=TrioActor)
SetAsideHook = Callable[[ActorRef[Any], Any, BaseException], None]


class RuntimeStatus(msgspec.Struct, frozen=True):
    """The counters of a runtime.

    Attributes:
        actors: alive now.
        ready: actors that have messages to handle now.
        busy_workers: workers that have messages to handle now.
        messages: handled since the start, without those of workers.
        timers: pending now.
        restarts: of actors, since the start.
        set_aside: messages that failed twice, since the start.
    """

    actors: int
    ready: int
    busy_workers: int
    messages: int
    timers: int
    restarts: int
    set_aside: int


class Queues(msgspec.Struct, frozen=True):
    """All mailboxes of a runtime, together.

    Attributes:
        waiting: messages that wait now.
        deepest: messages that wait in the fullest one.
        deepest_of: the class of its actor; empty: nothing waits.
        dropped: messages lost at the limit of a mailbox since the start, by class of its actor and reason.
    """

    waiting: int
    deepest: int
    deepest_of: str
    dropped: dict[tuple[str, str], int]


class Runtime:
    """The actors of one trio run.

    Args:
        on_set_aside: called with (ref, message, error) when a message is given up. What it raises is logged.

    Attributes:
        thread: identity of the thread that runs the actors; until `run`, of the one that made this object.
        dispatcher: whose turn it is.
        supervision: what failed, and the set-aside messages.
    """

    def __init__(self, on_set_aside: SetAsideHook | None = None) -> None:
        self.thread = threading.get_ident()
        self.supervision = Supervision(self.escalate, on_set_aside)
        self.dispatcher = Dispatcher(self.supervision, self.release)
        self.post = Post(self.admit)
        self._timers = Timers()
        self._seats: dict[Seat, None] = {}
        self._dropped: Counter[tuple[str, str]] = Counter()  # by those who are gone
        self._nursery: trio.Nursery | None = None
        self._unspawned: list[Seat] = []
        self._fatal: Escalation | None = None
        self._on_stopped: dict[Seat, trio.Event] = {}

    @classmethod
    def current(cls) -> "Runtime":
        """The runtime that runs in this trio run.

        Raises:
            RuntimeError: there is none.
        """
        return current_runtime()

    @property
    def on_set_aside(self) -> SetAsideHook | None:
        """Called with (ref, message, error) when a message is given up."""
        return self.supervision.on_set_aside

    @on_set_aside.setter
    def on_set_aside(self, hook: SetAsideHook | None) -> None:
        self.supervision.on_set_aside = hook

    @property
    def status(self) -> RuntimeStatus:
        """The counters as of now."""
        return RuntimeStatus(
            actors=len(self._seats),
            ready=len(self.dispatcher),
            busy_workers=self.dispatcher.busy_workers,
            messages=self.dispatcher.messages,
            timers=len(self._timers),
            restarts=self.supervision.restarts,
            set_aside=self.supervision.set_aside_count,
        )

    @property
    def queues(self) -> Queues:
        """All mailboxes as of now; looks at each actor: 1 ms for some thousand."""
        dropped = self._dropped.copy()
        waiting = deepest = 0
        deepest_of = ""
        for seat in self._seats:
            depth = len(seat)
            waiting += depth
            if depth > deepest:
                deepest, deepest_of = depth, seat.ref.actor_class.__name__
            _count_dropped(dropped, seat)
        return Queues(waiting, deepest, deepest_of, dict(dropped))

    # -- running -------------------------------------------------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the actors until cancelled; who is alive then ends without `on_stop` (see `stop_all`). To be run once.

        Raises:
            Escalation: an actor without owner failed beyond its budget.
        """
        self.thread = threading.get_ident()
        mark = set_current_runtime(self)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._timers.run)
                for seat in self._unspawned:
                    nursery.start_soon(work, self.supervision, self.dispatcher, self.release, seat)
                self._unspawned.clear()
                self.post.open()
                task_status.started()
                await self.dispatcher.run()
                nursery.cancel_scope.cancel()
        finally:
            self._nursery = None
            self._abandon()
            reset_current_runtime(mark)
        if self._fatal is not None:
            raise self._fatal

    def drain(self) -> None:
        """Run everything that is ready, until nothing is or the budget of a turn is spent; the dispatcher does the rest.

        For the read pump, after each read. Within a handler or a flush it does nothing: the turn that runs goes on anyway.
        """
        self.dispatcher.drain()

    def batch(self) -> Batch:
        """``with runtime.batch(): ...`` drains at its end, and wakes no task for what is told within.

        There must be no await within. Saves two task switches per read against telling and then `drain`.
        """
        return self.dispatcher.batch

    def after_turn(self, flush: Callable[[], None]) -> None:
        """Call this once at the end of the drain that runs, or of the next one; equal callables count as one.

        An exception that it raises is logged and concerns nobody else.
        """
        self.dispatcher.after_turn(flush)

    def schedule(self, delay: float, ref: ActorRef[Any], message: Any, slack: float = 0.0) -> Timer:
        """Tell an actor in `delay` seconds of trio's clock; taken even by a full mailbox. On the runtime's thread only.

        `slack`: so much later is good enough; then many such are told at once, and the process is woken once for all.
        """
        return self._timers.add(delay, ref, message, slack)

    async def quiescent(self) -> None:
        """Wait until no actor has anything to do and no worker is at work. For tests; pending timers do not count."""
        await trio.lowlevel.checkpoint()
        self.post.deliver()
        await self.dispatcher.wait_idle()

    def escalate(self, ref: ActorRef[Any], error: BaseException) -> None:
        """Make `run` raise: this actor must not be missing."""
        self._fatal = Escalation(f"{ref} failed beyond its restart budget: {describe(error)}")
        self._fatal.__cause__ = error
        self.dispatcher.end()

    # -- the life of an actor ------------------------------------------------------------------------------------------

    def start(self, actor_class: type[A], *args: Any, owner: ActorRef[Any] | None = None, **kwargs: Any) -> TrioRef[A]:
        """Start an actor; its `on_start` runs before its first message, at the next turn.

        Args:
            actor_class: what to start.
            args: for its ``__init__``, now and at each restart.
            owner: decides when it fails, is told `ActorStopped` if it is lost, and takes it along when it stops itself. None:
                the process ends when it is lost.
            kwargs: for its ``__init__``.

        Raises:
            Exception: whatever its ``__init__`` raises.
        """
        return self._start(actor_class, owner, args, kwargs, is_supervised=actor_class.supervised)

    def start_unsupervised(self, actor_class: type[A], *args: Any, **kwargs: Any) -> TrioRef[A]:
        """Start an actor that stops at its first failure, as Pykka documents."""
        return self._start(actor_class, None, args, kwargs, is_supervised=False)

    def _start(
        self,
        actor_class: type[A],
        owner: ActorRef[Any] | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        is_supervised: bool,
    ) -> TrioRef[A]:
        seat = actor_class._create_actor_inbox()  # noqa: SLF001 - Pykka's hook
        seat.runtime = self
        seat.is_supervised = is_supervised
        if is_supervised:
            seat.args, seat.kwargs = args, kwargs
        if owner is not None:
            seat.owner = owner.actor_inbox  # type: ignore[assignment]
        actor = new_actor(actor_class, seat, args, kwargs)
        actor._start_actor_loop()  # noqa: SLF001 - Pykka's hook
        return actor._actor_ref  # noqa: SLF001

    def admit(self, seat: Seat) -> None:
        """Take a new actor in and queue its start; from any thread."""
        if threading.get_ident() != self.thread:
            self.post.send(seat, ADMIT)
            return
        self._seats[seat] = None
        owner = seat.owner
        if owner is not None:
            if owner.children is None:
                owner.children = {}
            owner.children[seat] = None
        if not isinstance(seat.actor, Worker):
            self.dispatcher.make_ready(seat)
            return
        self.dispatcher.worker_is_busy()
        if self._nursery is None:
            self._unspawned.append(seat)
        else:
            self._nursery.start_soon(work, self.supervision, self.dispatcher, self.release, seat)

    def release(self, seat: Seat) -> None:
        """Let go of an actor that stopped: answer the asks that it did not get to, and stop its children."""
        if seat not in self._seats:
            return
        del self._seats[seat]
        _count_dropped(self._dropped, seat)
        if len(seat):
            logger.debug("%s stopped before it handled %d messages", seat.ref, len(seat))
        seat.actor._actor_loop_teardown()  # noqa: SLF001 - Pykka's own answers to pending asks
        seat.actor.let_go()
        seat.items = None
        seat.args, seat.kwargs = (), {}
        del (
            seat.actor,
            seat.ref,
        )  # the circles of actor, reference and seat end here: a collection of garbage comes seldom
        owner, seat.owner = seat.owner, None
        if owner is not None and owner.children is not None:
            owner.children.pop(seat, None)
        children, seat.children = seat.children, None
        for child in reversed(children or ()):
            child.stop()
        waiter = self._on_stopped.pop(seat, None)
        if waiter is not None:
            waiter.set()

    async def stop_all(self) -> None:
        """Stop every actor behind what waits for it, the youngest first: so children stop before their owners."""
        while self._seats:
            seat = next(reversed(self._seats))
            stopped = self._on_stopped.setdefault(seat, trio.Event())
            seat.stop()
            self.drain()
            if not stopped.is_set():
                await stopped.wait()
        await trio.lowlevel.checkpoint()

    def _abandon(self) -> None:
        """End what is alive when `run` ends, so that nobody waits for an answer that cannot come."""
        self.post.deliver()
        for seat in reversed(tuple(self._seats)):
            seat.stopped.set()
            seat.children = None
            self.release(seat)
        self.dispatcher.busy_workers = 0
        self.dispatcher.clear()


def _count_dropped(dropped: "Counter[tuple[str, str]]", seat: Seat) -> None:
    for reason, count in (seat.dropped or {}).items():
        dropped[seat.ref.actor_class.__name__, reason] += count
