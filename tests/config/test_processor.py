"""The threads that take turns are on one processor, if one has room for them, the others anywhere, and after it all of them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from config.processor import Places, choose, share_one_processor

needs_two = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one processor only"
)


@pytest.mark.parametrize(
    ("chosen", "spare", "used", "then"),
    [
        (None, {0: 0.6, 1: 0.9}, 0.1, 1),
        (None, {0: 0.1, 1: 0.2}, 0.1, None),  # crowded everywhere
        (1, {0: 0.9, 1: 0.0}, 1.0, 1),  # it is we who use it up
        (1, {0: 0.9, 1: 0.1}, 0.8, 1),  # others a little, too
        (1, {0: 0.9, 1: 0.1}, 0.3, 0),  # others more than a little
        (1, {0: 0.3, 1: 0.1}, 0.3, None),
    ],
)
def test_where_there_is_room(chosen, spare, used, then):
    assert choose(chosen, spare, used) == then


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


@needs_two
def test_who_takes_turns_is_together():
    allowed = os.sched_getaffinity(0)
    one = {max(allowed)}
    places = Places(allowed)
    with _thread(daemon=False) as database, _thread(daemon=True) as free:
        try:
            places.put(max(allowed))
            assert os.sched_getaffinity(0) == os.sched_getaffinity(database) == one
            assert os.sched_getaffinity(free) == allowed
            with _thread(daemon=True) as late:
                assert os.sched_getaffinity(late) == one  # as who started it
                places.put(max(allowed))
                assert os.sched_getaffinity(late) == allowed
        finally:
            places.put(None)
        assert os.sched_getaffinity(0) == os.sched_getaffinity(database) == os.sched_getaffinity(free) == allowed


@needs_two
async def test_in_the_end_everything_may_run_everywhere():
    allowed = os.sched_getaffinity(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(share_one_processor)
        await trio.testing.wait_all_tasks_blocked()
        Places(allowed).put(min(allowed))
        nursery.cancel_scope.cancel()
    assert os.sched_getaffinity(0) == allowed
