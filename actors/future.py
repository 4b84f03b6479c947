"""The future of an ask, for threads and for trio tasks.

Owns one result that may come later. A thread blocks in `get`; a trio task awaits `wait` (or the future itself). On the trio
thread `get` never blocks: who would wait there stops the actor that is to answer, so it raises `FutureNotReady` instead.

Futures made by `map`, `filter`, `join`, `reduce` and `ActorRef.stop` compute their result when they are first asked for it;
`wait` awaits whatever that computation finds missing.
"""

import queue
import sys
import threading
import time
from collections.abc import Generator
from types import TracebackType
from typing import Any, TypeVar

import trio
from pykka import Future, Timeout

T = TypeVar("T")
ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class FutureNotReady(Exception):  # noqa: N818 - a state, like queue.Empty
    """`get` on the trio thread, of a result that is not there yet: waiting would stop the actor that is to answer.

    Attributes:
        future: the one whose result is missing.
    """

    def __init__(self, future: "TrioFuture[Any]") -> None:
        super().__init__("the result is not there yet and get() would stop the loop; use `await future.wait()`")
        self.future = future


class TrioFuture(Future[T]):
    """Pykka's future on trio. Set once; read by any number of threads and tasks, any number of times."""

    def __init__(self) -> None:
        super().__init__()
        self._condition = threading.Condition(threading.Lock())
        self._hook_lock = threading.Lock()
        self._has_result = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._waiters: list[tuple[trio.lowlevel.TrioToken, trio.Event]] = []

    def get(self, *, timeout: float | None = None) -> T:
        """The result.

        Args:
            timeout: seconds to wait; None waits for as long as it takes. Of no effect on the trio thread.

        Raises:
            Timeout: it did not come in time.
            FutureNotReady: on the trio thread, when it is not there.
            Exception: the result, if it is one.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        is_on_trio = trio.lowlevel.in_trio_run()
        if self._get_hook is not None:
            # Not under the condition: `set` on the trio thread must never wait for a thread that waits for a result.
            if not self._hook_lock.acquire(
                blocking=not is_on_trio, timeout=-1 if timeout is None or is_on_trio else timeout
            ):
                if is_on_trio:
                    raise FutureNotReady(self)
                raise Timeout(f"{timeout} seconds")
            try:
                return super().get(timeout=timeout)
            finally:
                self._hook_lock.release()
        with self._condition:
            while not self._has_result:
                if is_on_trio:
                    raise FutureNotReady(self)
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    raise Timeout(f"{timeout} seconds")
                self._condition.wait(remaining)
        if self._error is not None:
            raise self._error
        result: T = self._value
        return result

    def set(self, value: T | None = None) -> None:
        """Set the result.

        Raises:
            queue.Full: there is one already.
        """
        self._settle(value, None)

    def set_exception(self, exc_info: ExcInfo | None = None) -> None:
        """Set an exception as the result; by default the one that is being handled.

        Raises:
            queue.Full: there is a result already.
        """
        kind, error, traceback = exc_info or sys.exc_info()
        if error is None:
            if kind is None:
                raise ValueError("no exception was given and none is being handled")
            error = kind()
        if error.__traceback__ is not traceback:
            error = error.with_traceback(traceback)
        self._settle(None, error)

    def set_get_hook(self, func: Any) -> None:
        """Compute the result by ``func(timeout)`` when it is first asked for.

        Raises:
            queue.Full: there is a result already.
        """
        with self._condition:
            if self._has_result:
                raise queue.Full
            super().set_get_hook(func)

    async def wait(self) -> T:
        """Await the result in a trio task.

        Raises:
            Exception: the result, if it is one.
        """
        await trio.lowlevel.checkpoint()
        seen: FutureNotReady | None = None
        while True:
            try:
                return self.get()
            except FutureNotReady as missing:
                if missing is seen:  # not that something is missing: it is the answer of an actor that fell for it
                    raise
                seen = missing
            await seen.future._arrival()  # noqa: SLF001 - one of our own kind

    def __await__(self) -> Generator[Any, Any, T]:
        """``await future`` is ``await future.wait()``: Pykka's own does not work on trio."""
        return self.wait().__await__()

    async def _arrival(self) -> None:
        if self._get_hook is not None:  # a thread computes it at this moment
            await trio.to_thread.run_sync(self._wait_for_hook)
            return
        event = trio.Event()
        with self._condition:
            if self._has_result:
                return
            self._waiters.append((trio.lowlevel.current_trio_token(), event))
        await event.wait()

    def _wait_for_hook(self) -> None:
        with self._hook_lock:
            return

    def _settle(self, value: Any, error: BaseException | None) -> None:
        with self._condition:
            if self._has_result or self._get_hook is not None:
                raise queue.Full
            self._value, self._error = value, error
            self._has_result = True
            self._condition.notify_all()
            waiters, self._waiters = self._waiters, []
        for token, event in waiters:
            try:
                token.run_sync_soon(event.set)
            except trio.RunFinishedError:
                continue  # the task that waited is gone with its loop
