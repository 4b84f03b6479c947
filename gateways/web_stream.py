"""The bytes of one web connection: our socket as a trio stream.

The web libraries want a `trio.abc.Stream`. This one drives `SocketStream` with `wait_readable` and `wait_writable`, in clear
text or TLS; gives back what was read too far (`unread`), so that whoever routes a request can hand the whole on; and can hold
back what is sent (`cork`), so that messages that are sent together leave together. It can be paused, and tells what came.
"""

import ssl
from collections.abc import Callable
from types import TracebackType

import trio

from gateways.poller import READ
from gateways.socket_stream import SocketClosed, SocketStream


class WebStream(trio.abc.Stream):
    """One accepted connection of the web port."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._unread = b""
        self._held: list[bytes] | None = None
        self._is_closed = False
        self._may_read = trio.Event()
        self._may_read.set()
        self.on_bytes: Callable[[int], None] | None = None  # called with how many came
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

    def unread(self, data: bytes) -> None:
        """The next read begins with this."""
        self._unread = data + self._unread

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has arrived; empty at the end. Of what was unread, at most `max_bytes`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._unread:
            end = len(self._unread) if max_bytes is None else max_bytes
            data, self._unread = self._unread[:end], self._unread[end:]
            await trio.lowlevel.cancel_shielded_checkpoint()
            return data
        while True:
            await self._may_read.wait()
            self._check()
            try:
                found = self._stream.read()
            except SocketClosed as error:
                raise trio.BrokenResourceError(str(error)) from error
            if found is not None:
                if self.on_bytes is not None:
                    self.on_bytes(len(found))
                return found
            await trio.lowlevel.wait_readable(self._stream.sock)

    def cork(self) -> None:
        """Hold back what is sent from here on."""
        self._held = []

    async def uncork(self) -> None:
        """Send what was held back, in one go."""
        held, self._held = self._held, None
        if held:
            await self.send_all(b"".join(held))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of it."""
        self._check()
        if self._held is not None:
            self._held.append(bytes(data))
            await trio.lowlevel.checkpoint()
            return
        await trio.lowlevel.checkpoint_if_cancelled()
        rest = bytes(data)
        while True:
            self._check()
            try:
                rest = self._stream.write(rest) if rest else b""
            except SocketClosed as error:
                raise trio.BrokenResourceError(str(error)) from error
            if not rest:
                break
            await trio.lowlevel.wait_writable(self._stream.sock)

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
