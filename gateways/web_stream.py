"""The bytes of one web connection: our socket as a trio stream.

The web libraries want a `trio.abc.Stream`. This one drives `SocketStream` with `wait_readable` and `wait_writable`, in clear
text or TLS; and gives back what was read too far (`unread`), so that whoever routes a request can hand the whole on. It can be
paused, and tells what came.

A web socket goes past its library with whole messages. From `sift` on the poller reads, as it does for every other client and
in its order of turns: a sieve takes the messages out, and what it lets through waits for the library, which is woken for it;
until it has taken that, nothing more is read. And `push` writes at once. Whatever is written has one order, `push` and
`send_all` alike; what the kernel does not take waits, and `drain` writes it.
"""

import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

import trio

from actors.seat import describe
from gateways.poller import READ, Poller
from gateways.socket_stream import READ_BYTES, SocketClosed, SocketStream
from gateways.web_frames import Sieve

log = logging.getLogger(__name__)


class WebStream(trio.abc.Stream):
    """One accepted connection of the web port."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._unread = b""
        self._unsent: list[bytes] = []
        self._draining = trio.Lock()
        self._is_closed = False
        self._may_read = trio.Event()
        self._may_read.set()
        self.on_bytes: Callable[[int], None] | None = None  # called with how many came
        self._sieve: Sieve | None = None
        self._poller: Poller | None = None  # reads, for as long as there is a sieve
        self._passed = b""  # the sieve: for the library
        self._is_at_end = False
        self._failure = ""  # a text, not the error: that knows every frame that it went through, and they know this
        self._news = trio.Event()  # for the library
        self.has_passed = False  # bytes that came behind the head of the request went to whoever reads
        self.peer = stream.peer

    @property
    def is_tls(self) -> bool:
        """Bytes are encrypted."""
        return self._stream.is_tls

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the TLS handshake.

        Raises:
            trio.BrokenResourceError: it failed.
        """
        try:
            self._stream.start_tls(context)
            while not self._stream.handshake():
                if self._stream.wants == READ:
                    await trio.lowlevel.wait_readable(self._stream.sock)
                else:
                    await trio.lowlevel.wait_writable(self._stream.sock)
        except SocketClosed as error:
            raise trio.BrokenResourceError(str(error)) from error
        await trio.lowlevel.checkpoint()  # the next handshake waits until others had their turn

    def pause(self) -> None:
        """Read no further, whoever wants to."""
        if self._may_read.is_set():
            self._may_read = trio.Event()
            self._watch()

    def resume(self) -> None:
        """Read again."""
        self._may_read.set()
        self._news.set()  # what the sieve has kept meanwhile is taken then, not in the midst of whatever calls this
        self._watch()

    def unread(self, data: bytes, *, is_more: bool = False) -> None:
        """The next read begins with this; `is_more`: than the head of a request."""
        self._unread = data + self._unread
        self.has_passed = is_more

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has arrived; empty at the end. Of what was unread, at most `max_bytes`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._unread:
            end = len(self._unread) if max_bytes is None else max_bytes
            data, self._unread = self._unread[:end], self._unread[end:]
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data
        while True:
            if not self._may_read.is_set():
                await self._may_read.wait()
            self._check()
            if self._sieve is not None:
                return await self._receive_passed()
            found = self._read()
            if found is not None:
                self.has_passed = True
                return found
            await trio.lowlevel.wait_readable(self._stream.sock)

    # -- past the library ----------------------------------------------------------------------------------------------

    def sift(self, sieve: Sieve, poller: Poller) -> None:
        """From here on the poller reads, and this sieve takes what it can."""
        self._sieve, self._poller = sieve, poller
        self._watch()

    def stop_sifting(self) -> None:
        """The poller reads no more; to be called before the socket is let go."""
        if self._poller is not None:
            self._poller.watch(self._stream.sock, self, 0)
            self._poller.forget(self)
            self._poller = None

    def on_ready(self, events: int) -> int:  # noqa: ARG002 -- reading is all that is waited for
        """Read what came; how much."""
        try:
            found = self._read()
        except trio.BrokenResourceError as error:
            self._break(str(error) or "broken")
            return 0
        if found and self._sieve is not None and self._poller is not None:
            if len(found) == READ_BYTES:
                self._poller.hear_much()
            self._sieve.feed(found)
            self._take_messages()
        elif found is not None:
            self._is_at_end = True
            self._wake_library()
        return len(found or b"")

    def pending(self) -> int:
        """What can be read, about."""
        return self._stream.pending()

    def on_failure(self, error: Exception) -> None:
        """Something here could not bear what came: it is logged, and ends this connection."""
        log.error("connection from %s failed: %s", self.peer, describe(error))
        log.debug("connection from %s failed", self.peer, exc_info=error)
        self._break(describe(error))

    def _break(self, reason: str) -> None:
        """The library hears of it when it has had what came before."""
        self._failure = reason
        self._wake_library()

    def _take_messages(self) -> None:
        if self._sieve is not None:
            self._passed += self._sieve.sift(self._may_go_on)
            if self._passed:
                self._wake_library()

    def _may_go_on(self) -> bool:
        """Nobody paused it; who takes a message may do so."""
        return self._may_read.is_set()

    def _wake_library(self) -> None:
        self._news.set()
        self._watch()

    def _watch(self) -> None:
        if self._poller is not None and not self._is_closed:
            is_read = self._may_read.is_set() and not (self._passed or self._is_at_end or self._failure)
            self._poller.watch(self._stream.sock, self, READ if is_read else 0)

    async def _receive_passed(self) -> bytes:
        while True:
            if self._may_read.is_set():
                self._take_messages()
            self._check()  # who took a message may have closed
            if self._passed:
                passed, self._passed = self._passed, b""
                self._watch()
                return passed
            if self._failure:
                raise trio.BrokenResourceError(self._failure)
            if self._is_at_end:
                return b""
            self._news = trio.Event()
            await self._news.wait()

    # -- reading and writing -------------------------------------------------------------------------------------------

    def _read(self) -> bytes | None:
        try:
            found = self._stream.read()
        except SocketClosed as error:
            raise trio.BrokenResourceError(str(error)) from error
        if found is not None and self.on_bytes is not None:
            self.on_bytes(len(found))
        return found

    def push(self, data: bytes) -> bool:
        """Write this now; False: some of it waits until somebody drains it, or forever if the other side is gone."""
        self._unsent.append(data)
        if not (self._is_closed or self._draining.locked()):
            with suppress(SocketClosed):  # whoever reads will notice
                self._write_some()
        return not self._unsent

    async def drain(self) -> None:
        """Write what waits.

        Raises:
            trio.BrokenResourceError: the other side is gone.
            trio.ClosedResourceError: this side is.
        """
        async with self._draining:
            while True:
                self._check()
                try:
                    self._write_some()
                except SocketClosed as error:
                    raise trio.BrokenResourceError(str(error)) from error
                if not self._unsent:
                    break
                await trio.lowlevel.wait_writable(self._stream.sock)

    def _write_some(self) -> None:
        if self._unsent:
            data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
            self._unsent = [data]  # in TLS, what was tried must be tried again as it is
            rest = self._stream.write(data)
            self._unsent = [rest] if rest else []

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of it."""
        self._check()
        self._unsent.append(bytes(data))
        await self.drain()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room."""
        self._check()
        await trio.lowlevel.wait_writable(self._stream.sock)

    async def finish(self, seconds: float) -> None:
        """End in good order: say that nothing more will be sent, and give the other side `seconds` to have read it all."""
        with trio.move_on_after(seconds):
            try:
                self._stream.end()
                while self._stream.discard():
                    await trio.lowlevel.wait_readable(self._stream.sock)
            except (SocketClosed, trio.ClosedResourceError):
                pass
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the socket."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Let go of the socket, without a turn for others."""
        if not self._is_closed:
            self.stop_sifting()
            self._is_closed = True
            self._may_read.set()
            self._news.set()
            trio.lowlevel.notify_closing(self._stream.sock)
            self._stream.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _check(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this connection was closed")
