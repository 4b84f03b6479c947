"""The island: where asyncio is spoken.

aiosqlite speaks asyncio only, everything else of Rookery is trio. A trio task calls `Island.run` with a coroutine function; it
runs on the island's loop, which is of `index.asyncio_loop` and so on trio's own thread, and its result or error comes back to
the trio task. The threads are aiosqlite's: one for each connection.

**Cancellation.** The caller is never rescheduled before the coroutine has ended, so nothing goes on unseen.

- `run` is for reading: when the trio task is cancelled, the coroutine is cancelled too, and its end is waited for.
- `run_to_end` is for writing: a cancellation waits until the coroutine is through, and the result is told (a commit is
  either on disk and said to be, or neither). Only work that ends in bounded time may go this way.

**Limits.** The island has no queue limit of its own; its callers are the workers, each with one call under way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

import trio

from index.asyncio_loop import TrioLoop

P = ParamSpec("P")
T = TypeVar("T")


class Island:
    """The asyncio loop of the process. Opened, used and closed in one trio run.

    ``async with Island() as island: await island.run(coroutine_function, *args)``
    """

    def __init__(self) -> None:
        self._loop: TrioLoop | None = None
        self._calls: set[_Call] = set()
        self._is_idle = trio.Event()

    async def open(self) -> None:
        """Make the loop."""
        if self._loop is not None:
            raise RuntimeError("the island is open already")
        self._loop = TrioLoop()
        await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        """Cancel what `run` has under way, wait for what `run_to_end` has, then end the loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        with trio.CancelScope(shield=True):
            for call in self._calls:
                if call.is_cancellable:
                    call.cancel()
            loop.step()
            while self._calls:
                self._is_idle = trio.Event()
                await self._is_idle.wait()
        loop.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a coroutine on the island; a cancellation of the caller cancels it and waits for its end.

        Raises:
            RuntimeError: the island is closed, or was closed before the coroutine had ended.
        """
        result: T = await self._call(_Call(lambda: function(*args, **kwargs), is_cancellable=True))
        return result

    async def run_to_end(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a coroutine on the island; a cancellation of the caller waits until it has ended by itself.

        When this raises `trio.Cancelled`, the coroutine was never begun.

        Raises:
            RuntimeError: the island is closed.
        """
        result: T = await self._call(_Call(lambda: function(*args, **kwargs), is_cancellable=False))
        return result

    async def _call(self, call: "_Call") -> Any:
        await trio.lowlevel.checkpoint_if_cancelled()
        loop = self._loop
        if loop is None:
            raise RuntimeError("the island is closed")
        raise_cancel: Callable[[], None] | None = None

        def abort(raise_it: Callable[[], None]) -> trio.lowlevel.Abort:
            nonlocal raise_cancel
            if call.is_cancellable:
                raise_cancel = raise_it
                call.cancel()
                loop.step()
            return trio.lowlevel.Abort.FAILED

        self._calls.add(call)
        try:
            call.begin(loop)
            loop.step()
            if not call.is_over:
                call.caller = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(abort)
        finally:
            self._calls.discard(call)
            if not self._calls:
                self._is_idle.set()
        if call.is_cut_off:
            if raise_cancel is not None:
                raise_cancel()
            raise RuntimeError("the island was closed before the call had ended")
        if call.error is not None:
            try:
                raise call.error
            finally:
                call.error = None  # else the error's traceback holds the frame that holds the error
        return call.result


class _Call:
    """One coroutine and who waits for it."""

    __slots__ = ("_function", "_task", "caller", "error", "is_cancellable", "is_cut_off", "is_over", "result")

    def __init__(self, function: Callable[[], Awaitable[Any]], *, is_cancellable: bool) -> None:
        self._function = function
        self._task: asyncio.Task[Any] | None = None
        self.is_cancellable = is_cancellable
        self.is_over = self.is_cut_off = False
        self.caller: trio.lowlevel.Task | None = None
        self.error: BaseException | None = None
        self.result: Any = None

    def begin(self, loop: TrioLoop) -> None:
        self._task = loop.create_task(self._run())
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> Any:
        return await self._function()

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._task, self.is_over = None, True
        if task.cancelled():
            self.is_cut_off = True
        else:
            self.error = task.exception()
            if self.error is None:
                self.result = task.result()
        caller, self.caller = self.caller, None
        if caller is not None:
            trio.lowlevel.reschedule(caller)
