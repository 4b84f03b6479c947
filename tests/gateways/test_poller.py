"""The one task that waits for all sockets, and the one heap of deadlines."""

import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateways.deadlines import COMPACT_FROM, Deadlines
from gateways.poller import BATCH, READ, Poller


class Reader:
    """A source that keeps what it reads."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.heard = b""
        self.failures: list[Exception] = []
        self.on_read = lambda: None
        poller.watch(self.near, self, READ)

    def on_ready(self, _events: int) -> int:
        found = self.near.recv(100)
        self.heard += found
        self.on_read()
        return len(found)

    def pending(self) -> int:
        return 0

    def on_failure(self, error: Exception) -> None:
        self.failures.append(error)

    def close(self) -> None:
        self.poller.watch(self.near, self, 0)
        self.near.close()
        self.far.close()


@contextlib.asynccontextmanager
async def polling(count: int) -> AsyncIterator[list[Reader]]:
    poller = Poller(contextlib.nullcontext)
    readers = [Reader(poller) for _ in range(count)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        yield readers
        nursery.cancel_scope.cancel()
    for reader in readers:
        reader.close()
    poller.close()


async def test_all_that_are_ready_are_called():
    async with polling(2 * BATCH + 1) as readers:
        for number, reader in enumerate(readers):
            reader.far.send(str(number).encode())
        with trio.fail_after(5):
            while not all(reader.heard for reader in readers):
                await trio.lowlevel.checkpoint()
        assert [reader.heard for reader in readers] == [str(number).encode() for number in range(len(readers))]


async def test_one_that_raises_troubles_no_other():
    async with polling(3) as readers:
        readers[1].on_read = lambda: 1 // 0
        for reader in readers:
            reader.far.send(b"x")
        with trio.fail_after(5):
            while not all(reader.heard for reader in readers):
                await trio.lowlevel.checkpoint()
        assert [len(reader.failures) for reader in readers] == [0, 1, 0]


async def test_one_that_another_closed_is_not_called():
    async with polling(3) as readers:
        readers[0].on_read = readers[1].on_read = readers[2].on_read = lambda: [
            reader.close() for reader in readers if not reader.heard
        ]
        for reader in readers:
            reader.far.send(b"x")
        with trio.fail_after(5):
            while not any(reader.heard for reader in readers):
                await trio.lowlevel.checkpoint()
        assert sum(bool(reader.heard) for reader in readers) == 1
        assert not any(reader.failures for reader in readers)


async def test_one_that_is_not_watched_is_not_called():
    async with polling(2) as readers:
        readers[0].poller.watch(readers[0].near, readers[0], 0)
        for reader in readers:
            reader.far.send(b"x")
        with trio.fail_after(5):
            while not readers[1].heard:
                await trio.lowlevel.checkpoint()
        assert readers[0].heard == b""
        readers[0].poller.watch(readers[0].near, readers[0], READ)
        with trio.fail_after(5):
            while not readers[0].heard:
                await trio.lowlevel.checkpoint()


async def test_deadlines_come_in_order(mock_clock: MockClock, nursery: trio.Nursery):
    deadlines = Deadlines(contextlib.nullcontext)
    nursery.start_soon(deadlines.run)
    called: list[str] = []
    deadlines.add(3.0, lambda: called.append("c"))
    await wait_all_tasks_blocked()
    deadlines.add(1.0, lambda: called.append("a"))
    deadlines.add(2.0, lambda: called.append("b"))
    deadlines.add(2.0, lambda: called.append("never")).cancel()
    for expected in ("a", "ab", "abc"):
        mock_clock.jump(1.0)
        await wait_all_tasks_blocked()
        assert "".join(called) == expected
    nursery.cancel_scope.cancel()


async def test_a_deadline_that_fails_harms_no_other(
    mock_clock: MockClock, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
):
    deadlines = Deadlines(contextlib.nullcontext)
    nursery.start_soon(deadlines.run)
    called: list[str] = []
    deadlines.add(1.0, lambda: 1 // 0)
    deadlines.add(1.0, lambda: called.append("b"))
    mock_clock.jump(1.0)
    await wait_all_tasks_blocked()
    assert called == ["b"]
    assert "ZeroDivisionError" in caplog.text
    nursery.cancel_scope.cancel()


async def test_cancelled_deadlines_take_no_place_for_ever():
    deadlines = Deadlines(contextlib.nullcontext)
    kept = deadlines.add(1e6, lambda: None)
    for _ in range(10 * COMPACT_FROM):
        deadlines.add(1e5, lambda: None).cancel()
    assert len(deadlines) == 1
    assert len(deadlines._heap) <= COMPACT_FROM + 1
    kept.cancel()
    kept.cancel()
    assert len(deadlines) == 0
