"""Futures on the trio thread: never blocking, awaited by tasks."""

import pytest
import trio
import trio.testing

from actors.runtime import FutureNotReady, TrioFuture
from tests.actors.recorder import Recorder


async def test_get_on_the_trio_thread_never_blocks(runtime, log):
    ref = runtime.start(Recorder, log)
    future = ref.ask("a", block=False)
    with pytest.raises(FutureNotReady):
        future.get()
    with pytest.raises(FutureNotReady):
        ref.ask("b")
    with pytest.raises(FutureNotReady):
        ref.stop()
    assert await future.wait() is None
    assert future.get() is None
    assert log == [("", "started"), ("", "a")]  # what would have blocked was not even sent


async def test_a_handler_that_would_wait_for_another_fails_at_once(runtime, log):
    ref = runtime.start(Recorder, log)
    with pytest.raises(FutureNotReady):
        await ref.ask(lambda actor: actor.actor_ref.ask("myself", block=False).get(), block=False).wait()


async def test_wait_for_futures_made_of_others(runtime, log):
    one, two = TrioFuture(), TrioFuture()
    both = one.join(two).map(sum)
    results = []

    async def wait(future):
        results.append(await future)

    async with trio.open_nursery() as waiting:
        waiting.start_soon(wait, both)
        waiting.start_soon(wait, both)
        await trio.testing.wait_all_tasks_blocked()
        one.set(1)
        await trio.testing.wait_all_tasks_blocked()
        await trio.to_thread.run_sync(two.set, 2)
    assert results == [3, 3]


async def test_wait_raises_what_was_set():
    future = TrioFuture()
    future.set_exception((ValueError, ValueError("no"), None))
    with pytest.raises(ValueError, match="no"):
        await future.wait()


async def test_wait_can_be_cancelled():
    with trio.move_on_after(0) as scope:
        await TrioFuture().wait()
    assert scope.cancelled_caught
