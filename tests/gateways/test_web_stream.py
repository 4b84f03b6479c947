"""A web socket's bytes: the poller reads, messages go past the library, and what is the library's waits for it."""

import contextlib
import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateways.poller import Poller
from gateways.socket_stream import READ_BYTES, SocketStream
from gateways.web_frames import Sieve
from gateways.web_stream import WebStream
from tests.gateways.test_web_frames import MORE, PING, TEXT, frame

LIMIT = 1_000_000
FRAGMENT = 0x01  # the first of several
HELLO, WORLD = frame(TEXT, b"hello"), frame(TEXT, b"world")


class Visit:
    """One connection, of which the test holds the other end."""

    def __init__(self, poller: Poller) -> None:
        near, self.far = socket.socketpair()
        self.taken: list[bytes] = []
        self.counted = 0
        self.stream = WebStream(SocketStream(near, "test"))
        self.stream.on_bytes = self._count
        self.on_take = lambda: None
        self.stream.sift(Sieve(self._take, LIMIT), poller)

    def _take(self, message: bytes) -> None:
        self.taken.append(message)
        self.on_take()

    def _count(self, size: int) -> None:
        self.counted += size

    async def says(self, data: bytes) -> None:
        """The client sends; until nothing more comes of it."""
        self.far.sendall(data)
        await settled()


async def settled() -> None:
    """The selector's readiness is not a task's: one look at the sockets, and all that follows from it."""
    for _ in range(3):
        await wait_all_tasks_blocked()


@pytest.fixture
async def visit():
    poller = Poller(contextlib.nullcontext)
    visit = Visit(poller)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        yield visit
        nursery.cancel_scope.cancel()
    visit.stream.close()
    visit.far.close()
    assert len(poller) == 0
    poller.close()


async def test_messages_come_though_nobody_receives(visit):
    await visit.says(HELLO + WORLD[:3])
    assert visit.taken == [b"hello"]
    await visit.says(WORLD[3:])
    assert visit.taken == [b"hello", b"world"]


async def test_what_passes_wakes_the_library_and_messages_go_on(visit):
    heard = []

    async def receive():
        heard.append(await visit.stream.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await visit.says(HELLO + frame(PING, b"1") + WORLD)
    assert heard == [frame(PING, b"1")]
    assert visit.taken == [b"hello", b"world"]


async def test_nothing_more_is_read_until_the_library_has_taken_what_passed(visit):
    visit.far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * READ_BYTES)
    fragments = frame(FRAGMENT, b"x" * 100) + frame(MORE, b"y" * 3 * READ_BYTES)
    await visit.says(fragments)
    assert visit.counted == READ_BYTES
    received = b""
    while len(received) < len(fragments):
        received += await visit.stream.receive_some()
        await settled()
    assert received == fragments
    assert visit.taken == []


async def test_a_pause_keeps_what_was_read_and_reads_no_more(visit):
    visit.on_take = visit.stream.pause
    await visit.says(HELLO + WORLD)
    await visit.says(HELLO)
    assert visit.taken == [b"hello"]
    visit.on_take = lambda: None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(visit.stream.receive_some)  # as the library always does
        visit.stream.resume()
        assert visit.taken == [b"hello"], "whoever resumes is not called in the midst of it"
        await settled()
        assert visit.taken == [b"hello", b"world", b"hello"]
        nursery.cancel_scope.cancel()


async def test_the_end_comes_behind_what_came_before_it(visit):
    visit.far.sendall(HELLO + frame(PING, b"last"))
    visit.far.close()
    await settled()
    assert visit.taken == [b"hello"]
    assert await visit.stream.receive_some() == frame(PING, b"last")
    await settled()
    assert await visit.stream.receive_some() == b""


async def test_a_broken_connection_is_told_to_the_library(visit):
    await visit.says(HELLO)
    visit.stream._stream.sock.send(b"unread, so that the end is a reset")
    visit.far.close()
    with pytest.raises(trio.BrokenResourceError):
        await visit.stream.receive_some()
    assert visit.taken == [b"hello"]


async def test_who_takes_a_message_may_close(visit):
    visit.on_take = visit.stream.close
    visit.far.sendall(HELLO + WORLD)
    with pytest.raises(trio.ClosedResourceError):
        await visit.stream.receive_some()
    assert visit.taken in ([b"hello"], [b"hello", b"world"])


async def test_a_fault_is_logged_and_ends_this_connection(visit, caplog):
    visit.on_take = lambda: 1 // 0
    await visit.says(HELLO)
    assert "connection from test failed: ZeroDivisionError" in caplog.text
    with pytest.raises(trio.BrokenResourceError):
        await visit.stream.receive_some()


async def test_who_ends_badly_leaves_no_circle(visit):
    """An error that is kept knows its frames, and they know the stream: it would stay until a collection that comes seldom."""
    visit.stream._stream.sock.send(b"unread, so that the end is a reset")
    visit.far.close()
    await settled()
    kept = [value for value in vars(visit.stream).values() if isinstance(value, BaseException)]
    assert kept == []
    with pytest.raises(trio.BrokenResourceError):
        await visit.stream.receive_some()
