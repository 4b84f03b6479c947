"""The bytes of one web connection: our socket as a trio stream.

The web libraries want a `trio.abc.Stream`. This one drives `SocketStream` with `wait_readable` and `wait_writable`, in clear
text or TLS; and gives back what was read too far (`unread`), so that whoever routes a request can hand the whole on. It can be
paused, and tells what came.

A web socket goes past its library with whole messages: a sieve takes them out of what is read, and `push` writes at once.
Whatever is written has one order, `push` and `send_all` alike; what the kernel does not take waits, and `drain` writes it.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

import trio

from gateways.poller import READ
from gateways.socket_stream import SocketClosed, SocketStream
from gateways.web_frames import Sieve


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
        self.sieve: Sieve | None = None
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

    def resume(self) -> None:
        """Read again."""
        self._may_read.set()

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
            if self.sieve is not None:
                passed = self.sieve.sift(self._may_read.is_set)
                if passed:
                    return passed
                if not self._may_read.is_set():
                    continue
                self._check()  # who took a message may have closed
                await trio.lowlevel.wait_readable(self._stream.sock)
            found = self._read()
            if found is None:
                await trio.lowlevel.wait_readable(self._stream.sock)
            elif self.sieve is None or not found:
                self.has_passed = True
                return found
            else:
                self.sieve.feed(found)

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
            self._is_closed = True
            self._may_read.set()
            trio.lowlevel.notify_closing(self._stream.sock)
            self._stream.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _check(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this connection was closed")
