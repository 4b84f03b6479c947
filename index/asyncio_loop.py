"""An asyncio loop without I/O, which trio runs: for libraries that want asyncio only to be told when their thread is done.

aiosqlite makes futures and has its thread call `call_soon_threadsafe`; nothing of it waits for a socket. So its loop needs no
selector and no thread: what is ready runs on trio's thread, at once, and what another thread brings comes in by trio's own
door. Beside a loop in a thread of its own that saves two changes of threads for each call, which cost more than a commit of
one message does on a machine that is otherwise idle.

asyncio's tasks, futures, locks and timers work as always; sockets, processes and signals it does not have. Time is trio's, so a
mock clock moves it.

**Rule**: whoever makes something ready from outside (`create_task`, `Task.cancel`) calls `step` then.
"""

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar, cast

import trio

log = logging.getLogger(__name__)

T = TypeVar("T")


class TrioLoop:
    """The loop, with the methods of `asyncio.AbstractEventLoop` that do not wait for the world.

    Made within a trio run, and used on its thread; `call_soon_threadsafe` on any.
    """

    def __init__(self) -> None:
        self._loop = cast("asyncio.AbstractEventLoop", self)  # as far as anybody here needs one
        self._token = trio.lowlevel.current_trio_token()
        self._ready: deque[asyncio.Handle] = deque()
        self._is_stepping = self._is_closed = False

    @trio.lowlevel.enable_ki_protection
    def step(self) -> None:
        """Run what is ready, and what that makes ready, until there is nothing more. Within itself it does nothing."""
        if self._is_stepping:
            return
        self._is_stepping = True
        asyncio._set_running_loop(self._loop)  # noqa: SLF001 -- asyncio's name for what loops are to call
        try:
            while self._ready:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 -- as above
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
            self._is_stepping = False

    # -- what tasks, futures and locks call ----------------------------------------------------------------------------

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """See `asyncio.loop.call_soon`."""
        handle = asyncio.Handle(callback, args, self._loop, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """See `asyncio.loop.call_soon_threadsafe`.

        Raises:
            trio.RunFinishedError: nobody is left to hear it.
        """
        handle = asyncio.Handle(callback, args, self._loop, context)
        self._token.run_sync_soon(self._arrive, handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """See `asyncio.loop.call_at`."""
        handle = asyncio.TimerHandle(when, callback, args, self._loop, context)
        trio.lowlevel.spawn_system_task(self._wait_for, handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """See `asyncio.loop.call_later`."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def time(self) -> float:
        """Seconds of trio's clock."""
        return trio.current_time()

    def create_future(self) -> asyncio.Future[Any]:
        """See `asyncio.loop.create_future`."""
        return asyncio.Future(loop=self._loop)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        """See `asyncio.loop.create_task`."""
        return asyncio.Task(coro, loop=self._loop, name=name, context=context)

    # -- what it is ----------------------------------------------------------------------------------------------------

    def get_debug(self) -> bool:
        """It has no debug mode."""
        return False

    def is_running(self) -> bool:
        """Something of it is being run."""
        return self._is_stepping

    def is_closed(self) -> bool:
        """`close` was called."""
        return self._is_closed

    def close(self) -> None:
        """Nothing is run any more."""
        self._is_closed = True
        self._ready.clear()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What no caller hears of is logged."""
        log.error("asyncio: %s", context.get("message"), exc_info=context.get("exception"))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is seen when its time comes."""

    def _arrive(self, handle: asyncio.Handle) -> None:
        if not self._is_closed:
            self._ready.append(handle)
            self.step()

    async def _wait_for(self, handle: asyncio.TimerHandle) -> None:
        await trio.sleep_until(handle.when())
        self._arrive(handle)
