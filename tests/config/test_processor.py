"""The threads that take turns are on one processor, the others anywhere, and after it all of them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from config.processor import share_one_processor

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one processor only"
)


@contextmanager
def _thread(*, daemon: bool) -> Iterator[int]:
    """A thread that waits; its number."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait, daemon=daemon)
    thread.start()
    try:
        assert thread.native_id is not None
        yield thread.native_id
    finally:
        end.set()
        thread.join()


async def test_who_takes_turns_is_together(autojump_clock: trio.testing.MockClock) -> None:
    allowed = os.sched_getaffinity(0)
    with _thread(daemon=False) as database, _thread(daemon=True) as free:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(share_one_processor)
            await trio.sleep(5)
            chosen = os.sched_getaffinity(0)
            assert len(chosen) == 1
            assert os.sched_getaffinity(database) == chosen
            assert os.sched_getaffinity(free) == allowed
            nursery.cancel_scope.cancel()
        assert os.sched_getaffinity(0) == os.sched_getaffinity(database) == os.sched_getaffinity(free) == allowed


async def test_a_thread_that_came_later_finds_its_place(autojump_clock: trio.testing.MockClock) -> None:
    allowed = os.sched_getaffinity(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(share_one_processor)
        await trio.sleep(1)
        with _thread(daemon=True) as free:
            assert len(os.sched_getaffinity(free)) == 1  # as who started it
            await trio.sleep(2)
            assert os.sched_getaffinity(free) == allowed
        nursery.cancel_scope.cancel()
