"""Pykka's actor, its reference and its inbox, made for one trio thread.

Owns what an actor *is*; when it runs is the runtime's, what a failure does is `actors.supervision`'s.

- `Seat` is the inbox and all else that stays when the instance behind a reference is replaced by a restart.
- `TrioRef` is Pykka's `ActorRef` with a shorter way in: a tell on the runtime's thread needs no lock and no envelope.
- `TrioActor` is what every actor derives from. Handlers are plain functions that never await.

Differences to a `pykka.ThreadingActor`, all for the sake of thousands of actors: none is in `ActorRegistry` (a list, O(n));
URNs are counted, not random; `actor_stopped` is a flag, not a `threading.Event` (1.2 KB); logs name the types of message and
error and where it was raised, never a text that may hold what someone wrote (those are logged at DEBUG).
"""

import itertools
import logging
import queue
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, Self, TypeVar, cast, overload

import trio
from pykka import Actor, ActorDeadError, ActorRef, Future
from pykka._envelope import Envelope
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr, _ActorStop

from actors.future import FutureNotReady, TrioFuture
from actors.mailbox import MAILBOX_LIMIT, Mailbox, MailboxFull, Policy, answer_full

if TYPE_CHECKING:
    from actors.runtime import Runtime
    from actors.supervision import Decision, RestartBudget

logger = logging.getLogger(__name__)

A = TypeVar("A", bound=Actor)

PYKKA_MESSAGES: Final = frozenset((_ActorStop, ProxyCall, ProxyGetAttr, ProxySetAttr))
"""What Pykka's own `_handle_receive` must see; everything else goes to `on_receive` straight away, 0.2 us sooner."""

NOT_PLAIN: Final = PYKKA_MESSAGES | {Envelope}
"""What `Seat.receive` must see; everything else may go to the actor's `on_receive`."""

_numbers = itertools.count(1)
_current: "trio.lowlevel.RunVar[Runtime]" = trio.lowlevel.RunVar("rookery_runtime")


def describe(error: BaseException) -> str:
    """Type and place of an error, without its text, which may hold what someone wrote."""
    traceback = error.__traceback__
    if traceback is None:
        return type(error).__name__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{type(error).__name__} at {code.co_filename}:{traceback.tb_lineno} in {code.co_qualname}"


class StopFlag:
    """As much of `threading.Event` as Pykka uses of `actor_stopped`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = False

    def is_set(self) -> bool:
        """The actor takes no more messages."""
        return self.value

    def set(self) -> None:
        """From now on the actor takes no more messages."""
        self.value = True


class Seat(Mailbox):
    """The place of one actor: inbox, reference, owner, and the arguments to make it anew.

    Attributes:
        wake: of a worker, wakes its task; None: the dispatcher handles the messages.
        posted: items from other threads that are under way to this inbox.
    """

    __slots__ = (
        "actor",
        "args",
        "budget",
        "children",
        "is_new",
        "is_supervised",
        "kwargs",
        "owner",
        "posted",
        "ref",
        "runtime",
        "stopped",
        "wake",
    )

    def __init__(self, limit: int, policy: Policy) -> None:
        super().__init__(limit, policy)
        self.is_scheduled = True  # until it is started: what comes earlier waits
        self.is_new = True
        self.stopped = StopFlag()
        self.posted = 0
        self.runtime: Runtime
        self.actor: TrioActor
        self.ref: TrioRef[Any]  # set by the first instance
        self.owner: Seat | None = None
        self.children: dict[Seat, None] | None = None
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.is_supervised = False
        self.budget: RestartBudget | None = None
        self.wake: Callable[[], None] | None = None

    def put(self, item: Any, /) -> None:
        """Take an item from any thread: the way in of Pykka's own code.

        Raises:
            ActorDeadError: the actor is gone.
            MailboxFull: the mailbox is full and its policy is to refuse.
        """
        if self.stopped.value:
            self.reject(item)
        elif threading.get_ident() == self.runtime.thread:
            Mailbox.put(self, item)
        else:
            self.runtime.post.send(self, item)

    @property
    def title(self) -> str:
        """For errors, also when the actor is gone; who told it by its reference has been told its name by that."""
        return str(getattr(self, "ref", "an actor that stopped"))

    def stop(self) -> None:
        """Ask the actor to stop behind what waits; of no effect if it did."""
        if not self.stopped.value:
            self.put(_ActorStop())

    def reject(self, item: Any) -> None:
        """Answer an ask, or raise to a tell, that comes after the end."""
        error = ActorDeadError(f"{self.title} not found")
        if type(item) is not Envelope or item.reply_to is None:
            raise error
        item.reply_to.set_exception((ActorDeadError, error, None))

    def take_posted(self, item: Any) -> None:
        """Take, on the runtime's thread, what another thread sent a moment ago."""
        self.posted -= 1
        try:
            if self.stopped.value:
                self.reject(item)
            else:
                Mailbox.put(self, item)
        except ActorDeadError:
            return  # told to one that stopped meanwhile: as if told a moment earlier, and left in the inbox
        except MailboxFull:
            answer_full(item)

    def receive(self, item: Any) -> None:
        """Let the actor handle one item; an ask is answered, with its error if it fails.

        Raises:
            Exception: whatever the handler of a told message raises.
        """
        if type(item) is not Envelope:
            if type(item) in PYKKA_MESSAGES:
                self.actor._handle_receive(item)  # noqa: SLF001
            else:
                self.actor.on_receive(item)
            return
        reply_to = item.reply_to
        if reply_to is None:
            self.actor._handle_receive(item.message)  # noqa: SLF001
            return
        try:
            response = self.actor._handle_receive(item.message)  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 - whoever asked gets it, as Pykka documents
            logger.info("Exception returned from %s to caller: %s", self.ref, describe(error))
            reply_to.set_exception()
            return
        try:
            reply_to.set(response)
        except queue.Full:  # who asked has set it himself
            logger.warning("%s: the answer to a %s was there already", self.ref, type(item.message).__name__)

    def _announce(self) -> None:
        wake = self.wake
        if wake is None:
            self.runtime.dispatcher.make_ready(self)
        else:
            wake()


class TrioRef(ActorRef[A], Generic[A]):
    """A reference to a `TrioActor`; stays valid when the actor is restarted. Usable from every thread."""

    actor_inbox: Seat
    actor_stopped: StopFlag  # type: ignore[assignment]  # as much of an Event as a reader needs

    def tell(self, message: Any) -> None:
        """Send a message without waiting for an answer; never blocks.

        Raises:
            ActorDeadError: the actor is gone.
            MailboxFull: the mailbox is full and its policy is to refuse.
        """
        if self.actor_stopped.value:
            raise ActorDeadError(f"{self} not found")
        seat = self.actor_inbox
        if threading.get_ident() == seat.runtime.thread:
            Mailbox.put(seat, message)
        else:
            seat.runtime.post.send(seat, message)

    @overload
    def ask(self, message: Any, *, block: Literal[False], timeout: float | None = None) -> Future[Any]: ...
    @overload
    def ask(self, message: Any, *, block: Literal[True], timeout: float | None = None) -> Any: ...
    @overload
    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any | Future[Any]: ...

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any | Future[Any]:
        """Send a message and get its answer, or with ``block=False`` the future of it.

        On the trio thread only ``block=False`` is possible: ``await ref.ask(message, block=False).wait()``.

        Raises:
            FutureNotReady: `block` on the trio thread; nothing was sent.
            Timeout: no answer in time, when blocking.
            Exception: what the actor's handler raised, when blocking.
        """
        if block and trio.lowlevel.in_trio_run():
            raise FutureNotReady(TrioFuture())
        return super().ask(message, block=block, timeout=timeout)

    @overload
    def stop(self, *, block: Literal[True], timeout: float | None = None) -> bool: ...
    @overload
    def stop(self, *, block: Literal[False], timeout: float | None = None) -> Future[bool]: ...
    @overload
    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | Future[bool]: ...

    def stop(self, *, block: bool = True, timeout: float | None = None) -> bool | Future[bool]:
        """Ask the actor to stop behind what it was sent before; True unless it was dead already.

        Raises:
            FutureNotReady: `block` on the trio thread; nothing was sent.
            Timeout: it did not stop in time, when blocking.
        """
        if block and trio.lowlevel.in_trio_run():
            raise FutureNotReady(TrioFuture())
        return super().stop(block=block, timeout=timeout)


class TrioActor(Actor):
    """An actor that shares one trio thread with thousands of others.

    Override `on_receive` and the hooks; call ``super().__init__()`` in your own ``__init__``. Handlers neither block nor await.

    Attributes:
        mailbox_limit: messages that may wait.
        mailbox_policy: what happens beyond that.
        supervised: a failing handler restarts the actor in place (see `actors.supervision`) when it was started with
            `Runtime.start`. False, and with `TrioActor.start`: a failure stops it, as Pykka documents.
    """

    mailbox_limit: ClassVar[int] = MAILBOX_LIMIT
    mailbox_policy: ClassVar[Policy] = Policy.DROP_NEWEST
    supervised: ClassVar[bool] = True

    actor_inbox: Seat
    actor_stopped: StopFlag  # type: ignore[assignment]
    _actor_ref: TrioRef[Any]

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        try:
            seat = self.actor_inbox  # given by the runtime that starts, or restarts, this actor
        except AttributeError:
            seat = self.actor_inbox = self._create_actor_inbox()
            seat.runtime = current_runtime()
        self.actor_stopped = seat.stopped
        ref = getattr(seat, "ref", None)
        if ref is None:
            self.actor_urn = f"urn:rookery:actor:{next(_numbers)}"
            ref = seat.ref = TrioRef(self)
        else:
            self.actor_urn = ref.actor_urn
        self._actor_ref = ref

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ActorRef[Self]:
        """Start an unsupervised actor without an owner in the runtime of this trio run; see `Runtime.start`.

        Also from a thread that `trio.to_thread` started.

        Raises:
            RuntimeError: no runtime runs here.
        """
        return current_runtime().start_unsupervised(cls, *args, **kwargs)

    def stop(self) -> None:
        """Stop behind what waits already; of no effect on an actor that is gone."""
        if not self.actor_stopped.value:
            self.actor_ref.tell(_ActorStop())

    def on_restart(self, failed_message: Any, error: BaseException) -> None:
        """Take up work again: runs on the new instance after `on_start`.

        Args:
            failed_message: what the old instance failed at, None if it was its start; of a worker, the tuple of the batch. It
                comes again after this hook, once.
            error: how it failed.
        """

    def on_child_failure(self, child: ActorRef[Any], error: BaseException) -> "Decision":  # noqa: ARG002
        """Decide, as its owner, what becomes of an actor that failed; by default it is restarted within its budget."""
        from actors.supervision import Decision  # noqa: PLC0415 - supervision builds on this module

        return Decision.RESTART

    @classmethod
    def _create_actor_inbox(cls) -> Seat:
        return Seat(cls.mailbox_limit, cls.mailbox_policy)

    @staticmethod
    def _create_future() -> Future[Any]:
        return TrioFuture()

    def _start_actor_loop(self) -> None:
        seat = self.actor_inbox
        seat.actor = self
        seat.runtime.admit(seat)

    def let_go(self) -> None:
        """It has stopped, and nothing of it runs any more: break the circles that it is in."""

    def _stop(self) -> None:
        self.actor_stopped.set()
        try:
            self.on_stop()
        except Exception:  # noqa: BLE001 - as Pykka documents: logged, and it stops
            self._handle_failure(*sys.exc_info())

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        error = exception_value or cast("type[BaseException]", exception_type)()
        logger.error("Unhandled exception in %s, it stops: %s", self, describe(error))
        logger.debug("Unhandled exception in %s", self, exc_info=(type(error), error, traceback))
        self.actor_stopped.set()


def current_runtime() -> "Runtime":
    """The runtime of this trio run, also for a thread that `trio.to_thread` started.

    Raises:
        RuntimeError: there is none.
    """
    try:
        if trio.lowlevel.in_trio_run():
            return _current.get()
        return trio.from_thread.run_sync(_current.get)
    except (LookupError, RuntimeError) as error:
        raise RuntimeError("no Runtime runs here: start one, or use Runtime.start") from error


def set_current_runtime(runtime: "Runtime") -> "trio.lowlevel.RunVarToken[Runtime]":
    """Make this the runtime of the trio run that we are in."""
    return _current.set(runtime)


def reset_current_runtime(token: "trio.lowlevel.RunVarToken[Runtime]") -> None:
    """Take back `set_current_runtime`."""
    _current.reset(token)
