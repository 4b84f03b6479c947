"""The island: results, errors, cancellation, the end."""

import asyncio
import gc
import threading
import weakref

import pytest
import trio
import trio.testing

from index.asyncio_island import Island


async def test_results_and_errors_come_back(island):
    async def divide(a, b, *, digits):
        await asyncio.sleep(0)
        return round(a / b, digits)

    for run in (island.run, island.run_to_end):
        assert await run(divide, 1, 3, digits=2) == 0.33
        with pytest.raises(ZeroDivisionError):
            await run(divide, 1, 0, digits=2)


async def test_it_runs_on_the_thread_of_its_caller(island):
    async def where():
        await asyncio.sleep(0)
        return threading.get_ident()

    assert {await island.run(where) for _ in range(10)} == {threading.get_ident()}


async def test_what_another_thread_brings_arrives_on_ours(island):
    """As aiosqlite does it."""

    async def work():
        loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(future.set_result, threading.get_ident())).start()
        return await future, threading.get_ident()

    theirs, ours = await island.run(work)
    assert theirs != ours == threading.get_ident()


async def test_asyncio_sleeps_by_the_clock_of_trio(island, autojump_clock):
    async def sleep():
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await asyncio.sleep(3600)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 60)
        return loop.time() - begin

    assert await island.run(sleep) == pytest.approx(3660)


async def test_nobody_sees_an_asyncio_loop_outside(island):
    async def nothing():
        await asyncio.sleep(0)

    await island.run(nothing)
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


async def test_calls_are_side_by_side(island):
    """Two coroutines that can only end together."""

    async def meet(barrier):
        await barrier.wait()

    barrier = asyncio.Barrier(20)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(island.run, meet, barrier)


class Patient:
    """A coroutine that says when it has begun and how it ended, and ends by itself when it is let."""

    def __init__(self):
        self.begun = trio.Event()
        self.token = trio.lowlevel.current_trio_token()
        self.end = None
        self.ended = None

    async def wait(self):
        self.end = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.token.run_sync_soon(self.begun.set)
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "by itself"
        return "result"

    def let(self):
        self.loop.call_soon_threadsafe(self.end.set)


async def test_run_is_cancelled_with_its_caller(island):
    patient = Patient()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(island.run, patient.wait)
        await patient.begun.wait()
        nursery.cancel_scope.cancel()
    assert nursery.cancel_scope.cancelled_caught
    assert patient.ended == "cancelled"


async def test_run_to_end_is_not(island):
    patient = Patient()
    results = []

    async def call():
        results.append(await island.run_to_end(patient.wait))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await patient.begun.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
        assert patient.ended is None
        patient.let()
    assert (patient.ended, results) == ("by itself", ["result"])


async def test_a_caller_who_is_cancelled_already_begins_nothing(island):
    begun = []

    async def begin():
        begun.append(True)

    for run in (island.run, island.run_to_end):
        with trio.CancelScope() as scope:
            scope.cancel()
            await run(begin)
        assert scope.cancelled_caught
    assert begun == []


async def test_closing_cancels_reads_and_waits_for_writes():
    read, write, fates = Patient(), Patient(), {}
    island = Island()
    await island.open()

    async def reader():
        with pytest.raises(RuntimeError, match="closed before"):
            await island.run(read.wait)
        fates["read"] = read.ended
        write.let()

    async def writer():
        fates["write"] = await island.run_to_end(write.wait)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        nursery.start_soon(writer)
        await read.begun.wait()
        await write.begun.wait()
        await island.close()
        assert fates == {"read": "cancelled", "write": "result"}


async def test_no_thread_and_no_loop_is_left():
    before = set(threading.enumerate())
    for _ in range(3):
        async with Island() as island:

            async def loop():
                return weakref.ref(asyncio.get_running_loop())

            left = await island.run(loop)
        del island
        gc.collect()
        assert left() is None
    assert set(threading.enumerate()) <= before  # idle ones of other tests may have ended meanwhile


async def test_a_closed_island_says_so():
    island = Island()

    async def anything():
        raise AssertionError("never begun")

    with pytest.raises(RuntimeError, match="closed"):
        await island.run(anything)
    await island.open()
    with pytest.raises(RuntimeError, match="open already"):
        await island.open()
    await island.close()
    await island.close()
    with pytest.raises(RuntimeError, match="closed"):
        await island.run_to_end(anything)
    await island.open()  # and again
    await island.close()


async def test_an_error_does_not_keep_its_frames_alive(island):
    class Big:
        pass

    async def fail(big):
        raise ValueError

    big = Big()
    left = weakref.ref(big)
    with pytest.raises(ValueError):  # noqa: PT011
        await island.run(fail, big)
    del big
    gc.collect()
    assert left() is None
