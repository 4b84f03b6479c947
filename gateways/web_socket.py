"""Web sockets, whatever is spoken on them: the transport, and who may open one.

One message of the socket is one message of the transport; a binary one ends the connection with 1003.

**Origin.** A browser says which page opened the socket, and any page of the world may try. Its origin must be the host that
was asked for, or be in the allow-list. Without an Origin it is no browser, and nobody's cookies are at risk.
"""

from urllib.parse import urlsplit

import trio
import trio_websocket
from wsproto.frame_protocol import CloseReason

from gateways.reception import Reception
from gateways.transport import Receiver
from gateways.web import Request
from gateways.web_stream import WebStream


class WebSocketTransport:
    """A web socket: one task reads, one writes."""

    def __init__(self, socket: trio_websocket.WebSocketConnection, stream: WebStream, peer: str) -> None:
        self._socket = socket
        self._stream = stream
        self._queue: list[bytes] = []
        self._scope = trio.CancelScope()
        self._to_write = trio.Event()
        self._to_read = trio.Event()
        self._is_ending = False
        self._reason = ""
        self.peer = peer
        self.is_tls = stream.is_tls
        self.waiting = 0
        self.receiver: Receiver

    async def run(self, reception: Reception) -> None:
        """Carry messages until the end."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read(reception)
                    nursery.cancel_scope.cancel()
        finally:
            with reception.runtime.batch():
                self.receiver.lost(self._reason or "closed by the other side")

    # -- for the connection --------------------------------------------------------------------------------------------

    def send(self, messages: list[bytes]) -> None:
        """Have these written, each as one message."""
        if not self._is_ending:
            self._queue += messages
            self.waiting += sum(map(len, messages))
            self._to_write.set()

    def pause(self) -> None:
        """Read no further message."""
        self._to_read = trio.Event()

    def resume(self) -> None:
        """Read again."""
        self._to_read.set()

    def start_tls(self) -> None:
        """There is no STARTTLS here."""
        raise RuntimeError("a web socket has its TLS from the start")

    def close(self) -> None:
        """Write what waits, then say goodbye."""
        self._is_ending = True
        self._to_write.set()

    def abort(self) -> None:
        """End at once."""
        self._reason = "aborted"
        self._scope.cancel()

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _read(self, reception: Reception) -> None:
        while True:
            await self._to_read.wait()
            try:
                message = await self._socket.get_message()
            except trio_websocket.ConnectionClosed:
                return
            if isinstance(message, bytes):
                self._reason = "binary message"
                await self._socket.aclose(CloseReason.UNSUPPORTED_DATA, "this socket speaks text")
                return
            with reception.runtime.batch():
                try:
                    self.receiver.receive(message.encode())
                except Exception as error:  # noqa: BLE001 -- the connection logs it and ends
                    self.receiver.failed(error)

    async def _write(self) -> None:
        try:
            while True:
                await self._to_write.wait()
                self._to_write = trio.Event()
                if self._queue:
                    await self._write_waiting()
                    self.receiver.drained()
                if self._is_ending and not self._queue:
                    await self._socket.aclose()
                    self._scope.cancel()
        except (trio_websocket.ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            self._scope.cancel()

    async def _write_waiting(self) -> None:
        messages, self._queue = self._queue, []
        self._stream.cork()
        try:
            for message in messages:
                await self._socket.send_message(message.decode())
        except trio_websocket.ConnectionClosed:
            await self._stream.uncork()  # the goodbye of the library is among it
            raise
        await self._stream.uncork()
        self.waiting -= sum(map(len, messages))


def is_origin_allowed(request: Request, origins: frozenset[str]) -> bool:
    """Whether the page that opens this socket may do so."""
    origin = request.header("origin")
    if not origin:
        return True
    if len(request.headers["origin"]) > 1:
        return False
    normal = normalise_origin(origin)
    host = request.header("host").lower()
    return normal in origins or (bool(host) and normal.partition("://")[2] == _without_default_port(host))


def normalise_origin(origin: str) -> str:
    """Scheme and host in lower case, without the port that the scheme implies; ``null`` and its like stay what they are."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return origin
    if parts.scheme not in {"http", "https"} or parts.path not in {"", "/"} or parts.query or parts.fragment:
        return origin
    return f"{parts.scheme}://{_without_default_port(parts.netloc)}"


def _without_default_port(host: str) -> str:
    return host.removesuffix(":443").removesuffix(":80")
