"""What a failure does: restart in place, set a message aside, or give up.

The owner of an actor decides (`TrioActor.on_child_failure`); by default the actor is **restarted in place**: a new instance,
made with the same arguments, takes the seat. Reference and inbox stay, state is clean. `on_start` and then `on_restart` run,
and the failed message is handled once more. If it fails again the message was to blame, not the state: it is **set aside**
(logged by type, kept in a bounded record, told to `Runtime.on_set_aside`), and the actor is restarted once more and goes on.

Each restart costs one of a **budget**; what a set-aside message cost is given back, or a stranger with a few bad messages could
stop an actor that others need. When the budget is used up (state that fails again and again, a start that fails) the actor
stops: `on_failure` runs and its owner is told `ActorStopped`. An actor without owner ends the process: `Runtime.run` raises
`Escalation`. An actor whose owner is gone just ends.

Unsupervised actors follow Pykka: a failure stops them. Only `Exception` is a failure; `trio.Cancelled`, `KeyboardInterrupt`
and their like pass through.
"""

import logging
import sys
import weakref
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, TypeVar

import msgspec
import trio
from pykka import ActorRef
from pykka._envelope import Envelope

from actors.mailbox import ActorStopped
from actors.seat import Seat, TrioActor, describe

logger = logging.getLogger(__name__)

A = TypeVar("A", bound=TrioActor)

RESTARTS: Final = 5
"""Restarts within `RESTART_SECONDS`. A passing fault (a disk that is back, a bug that one state triggers) is over after one or
two; whoever fails six times in a row is broken and would only burn the processor and fill the log."""

RESTART_SECONDS: Final = 10.0
"""The window of `RESTARTS`: long enough that a start that takes a second and fails is still seen as a loop."""

SET_ASIDE_KEPT: Final = 100
"""Set-aside messages that are remembered for an operator; older ones are only counted."""


class Decision(Enum):
    """What an owner wants for an actor that failed."""

    RESTART = "restart"
    STOP = "stop"


class Escalation(Exception):  # noqa: N818 - an exception by its base, an escalation by its name
    """An actor without owner used up its restart budget; the process must not go on without it."""


class SetAside(msgspec.Struct, frozen=True):
    """The record of one message that failed twice; never its content.

    Attributes:
        actor: class and URN of the actor.
        message_type: name of the message's class.
        reason: type of the error and where it was raised.
        time: trio's clock, seconds.
    """

    actor: str
    message_type: str
    reason: str
    time: float


class RestartBudget:
    """The newest restarts of one actor."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Spend one restart; False if there is none left within the window."""
        while self._times and self._times[0] <= now - RESTART_SECONDS:
            self._times.popleft()
        if len(self._times) >= RESTARTS:
            return False
        self._times.append(now)
        return True

    def give_back(self) -> None:
        """Take back the newest one."""
        if self._times:
            self._times.pop()


class Supervision:
    """The failures of one runtime.

    Args:
        escalate: called with an actor without owner that was lost, and its error.
        on_set_aside: called with (ref, message, error) when a message is given up.

    Attributes:
        restarts: instances that were replaced since the start.
        set_aside: the newest messages that failed twice.
        set_aside_count: how many there were since the start.
    """

    def __init__(
        self,
        escalate: Callable[[ActorRef[Any], BaseException], None],
        on_set_aside: Callable[[ActorRef[Any], Any, BaseException], None] | None,
    ) -> None:
        self._escalate = escalate
        self.on_set_aside = on_set_aside
        self.restarts = 0
        self.set_aside_count = 0
        self.set_aside: deque[SetAside] = deque(maxlen=SET_ASIDE_KEPT)

    def begin(self, seat: Seat) -> None:
        """Run `on_start` of a new actor."""
        seat.is_new = False
        try:
            seat.actor.on_start()
        except Exception as error:  # noqa: BLE001 - this is where failures are decided
            if seat.is_supervised:
                self.restart(seat, None, error)
            else:  # Pykka calls no hook for a start that fails
                seat.actor._handle_failure(*sys.exc_info())  # noqa: SLF001
                self._tell_owner(seat, error)

    def recover(self, seat: Seat, item: Any, error: Exception) -> None:
        """Go on after the handler of a told message failed: restart, try the message once more, or stop."""
        message = message_of(item)
        if not seat.is_supervised:
            self._fail(seat, error)
            return
        if not self.restart(seat, message, error):
            return
        try:
            seat.receive(item)
        except Exception as again:  # noqa: BLE001 - this is where failures are decided
            self.put_aside(seat, message, again)

    def give_up(self, seat: Seat, message: Any, error: Exception) -> None:
        """Record a message that an actor could not handle and goes on without, by its own decision."""
        self._record(seat, message, error)

    def put_aside(self, seat: Seat, message: Any, error: Exception) -> None:
        """Give up on a message that failed again, and go on without it."""
        self._record(seat, message, error)
        if seat.stopped.value:
            return
        if seat.budget is not None:
            seat.budget.give_back()
        self.restart(seat, message, error, is_free=True)

    def recover_worker(self, seat: Seat, messages: tuple[Any, ...], error: Exception) -> bool:
        """Go on after a batch failed; whether its messages are to be handled again, one by one."""
        if seat.is_supervised:
            return self.restart(seat, messages, error)
        self._fail(seat, error)
        return False

    def restart(self, seat: Seat, message: Any, error: Exception, *, is_free: bool = False) -> bool:
        """Put a new instance in the seat; False if the actor was stopped instead.

        Args:
            seat: of the actor that failed.
            message: what it failed at, None for a start.
            error: how.
            is_free: costs no budget (unless the new instance fails as well).
        """
        failed = message
        is_recorded = is_free
        while True:
            if seat.stopped.value or not self._may_restart(seat, error, is_free=is_free):
                if message is not None and not is_recorded:
                    for lost in message if isinstance(message, tuple) and seat.wake is not None else (message,):
                        self._record(seat, lost, error)
                self._fail(seat, error)
                return False
            is_free = False
            self.restarts += 1
            logger.warning(
                "%s restarted: %s while handling %s",
                seat.ref,
                describe(error),
                "its start" if failed is None else "a batch" if seat.wake is not None else type(failed).__name__,
            )
            logger.debug("%s failed", seat.ref, exc_info=error)
            try:
                self._replace(seat)
                seat.actor.on_start()
                seat.actor.on_restart(message, error)
            except Exception as broken:  # noqa: BLE001 - this is where failures are decided
                error, failed = broken, None
            else:
                return True

    def _replace(self, seat: Seat) -> None:
        ref = seat.ref
        actor = new_actor(ref.actor_class, seat, seat.args, seat.kwargs)
        # The reference must find the new instance for proxies; this is the one place where Pykka keeps it.
        ref._actor_weakref = weakref.ref(actor)  # noqa: SLF001

    def _may_restart(self, seat: Seat, error: Exception, *, is_free: bool) -> bool:
        owner = seat.owner
        if owner is not None and not owner.stopped.value:
            try:
                decision = owner.actor.on_child_failure(seat.ref, error)
            except Exception as broken:  # noqa: BLE001 - an owner that cannot decide gets the default
                logger.error("%s cannot decide for %s: %s", owner.title, seat.ref, describe(broken))  # noqa: TRY400
            else:
                if decision is Decision.STOP:
                    return False
        if is_free:
            return True
        if seat.budget is None:
            seat.budget = RestartBudget()
        return seat.budget.take(trio.current_time())

    def _fail(self, seat: Seat, error: Exception) -> None:
        actor = seat.actor
        actor._handle_failure(type(error), error, error.__traceback__)  # noqa: SLF001
        try:
            actor.on_failure(type(error), error, error.__traceback__)
        except Exception:  # noqa: BLE001 - as Pykka documents: logged, and it stops
            actor._handle_failure(*sys.exc_info())  # noqa: SLF001
        self._tell_owner(seat, error)

    def _tell_owner(self, seat: Seat, error: Exception) -> None:
        owner = seat.owner
        if owner is not None:
            if not owner.stopped.value:
                owner.put(ActorStopped(seat.ref, error))
        elif seat.is_supervised:
            self._escalate(seat.ref, error)

    def _record(self, seat: Seat, message: Any, error: Exception) -> None:
        self.set_aside_count += 1
        record = SetAside(str(seat.ref), type(message).__name__, describe(error), trio.current_time())
        self.set_aside.append(record)
        logger.error("%s: %s set aside: %s", record.actor, record.message_type, record.reason)
        if self.on_set_aside is None:
            return
        try:
            self.on_set_aside(seat.ref, message, error)
        except Exception as broken:  # noqa: BLE001 - the hook must not harm the actor
            logger.error("on_set_aside failed: %s", describe(broken))  # noqa: TRY400


def message_of(item: Any) -> Any:
    """The message of an item of an inbox."""
    return item.message if type(item) is Envelope else item


def new_actor(actor_class: type[A], seat: Seat, args: tuple[Any, ...], kwargs: dict[str, Any]) -> A:
    """Make an instance for a seat.

    Raises:
        TypeError: its ``__init__`` did not call the one of `TrioActor`.
        Exception: whatever its ``__init__`` raises.
    """
    actor = actor_class.__new__(actor_class)
    actor.actor_inbox = seat
    actor.__init__(*args, **kwargs)  # type: ignore[misc]
    if getattr(seat, "ref", None) is None:
        raise TypeError(f"{actor_class.__name__}.__init__ must call super().__init__()")
    seat.actor = actor
    return actor
