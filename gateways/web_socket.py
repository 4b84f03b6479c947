"""Web sockets, whatever is spoken on them: the transport, and who may open one.

What is not a whole message yet counts into `gateways.budget`, with what waits to be written; and it ends `CLOSE_SECONDS`
after it was to be closed, whatever the other side does.

One message of the socket is one message of the transport; a binary one ends the connection with 1003. Whole messages go past
the library, see `gateways.web_frames`.

**Origin.** A browser says which page opened the socket, and any page of the world may try. Its origin must be the host that
was asked for, or be in the allow-list. Without an Origin it is no browser, and nobody's cookies are at risk.
"""

from urllib.parse import urlsplit

import trio
import trio_websocket
from wsproto.frame_protocol import CloseReason

from engine.limits import CLOSE_SECONDS
from gateways.deadlines import Deadline
from gateways.reception import Reception
from gateways.transport import Receiver
from gateways.web import Request
from gateways.web_frames import Sieve, text_frame
from gateways.web_stream import WebStream


class WebSocketTransport:
    """A web socket: one task reads what the library has, one writes what did not go at once.

    Args:
        reception: what all connections share.
        socket: accepted while the stream was paused, so that nothing passed yet.
        stream: that it lies on.
        peer: the other side's network address.
        limit: bytes of a message.
    """

    def __init__(
        self,
        reception: Reception,
        socket: trio_websocket.WebSocketConnection,
        stream: WebStream,
        peer: str,
        limit: int,
    ) -> None:
        self._reception = reception
        self._socket = socket
        self._stream = stream
        self._unfinished = 0  # bytes that came since the last whole message
        self._is_large = False
        self._goodbye: Deadline | None = None
        self._sieve = None if stream.has_passed else Sieve(self._take, limit)
        self._scope = trio.CancelScope()
        self._to_write = trio.Event()
        self._to_read = trio.Event()
        self._is_ending = False
        self._is_over = False
        self._reason = ""
        self.peer = peer
        self.is_tls = stream.is_tls
        self.waiting = 0
        self.receiver: Receiver

    async def run(self) -> None:
        """Carry messages until the end."""
        reception = self._reception
        self._stream.on_bytes = self._count_bytes
        if self._sieve is not None:
            self._stream.sift(self._sieve, reception.poller)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read()
                    nursery.cancel_scope.cancel()
        finally:
            self._stream.stop_sifting()
            self._stream.on_bytes = None
            self._is_over = True
            reception.budget.hold(self, 0)
            if self._goodbye is not None:
                self._goodbye.cancel()
            with reception.runtime.batch():
                self.receiver.lost(self._reason or "closed by the other side")

    # -- for the connection --------------------------------------------------------------------------------------------

    def send(self, messages: list[bytes]) -> None:
        """Have these written, each as one message, in one go, now; what the kernel does not take waits."""
        if self._is_ending or self._is_over or self._socket.closed is not None:
            return
        data = b"".join(map(text_frame, messages))
        if not self._stream.push(data):
            self.waiting += len(data)
            self._to_write.set()
            self._count_memory()

    def pause(self) -> None:
        """Read no further message."""
        self._to_read = trio.Event()
        self._stream.pause()

    def resume(self) -> None:
        """Read again."""
        self._to_read.set()
        self._stream.resume()

    def start_tls(self) -> None:
        """There is no STARTTLS here."""
        raise RuntimeError("a web socket has its TLS from the start")

    def close(self) -> None:
        """Write what waits, then say goodbye."""
        self._is_ending = True
        self._to_write.set()
        self._stream.resume()  # the other side's goodbye is waited for, but not for long
        self._bound_goodbye()

    def abort(self) -> None:
        """End at once."""
        self._reason = self._reason or "aborted"
        self._end()

    # -- for the budget ------------------------------------------------------------------------------------------------

    def give_up(self) -> None:
        """All clients together have too much in memory, and this one has most of it."""
        self._reason = "too much in memory"
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._scope.cancel()

    def _bound_goodbye(self) -> None:
        """The library waits for the other side's goodbye for ever."""
        if self._goodbye is None:
            self._goodbye = self._reception.deadlines.add(CLOSE_SECONDS, self.abort)

    def _count_bytes(self, count: int) -> None:
        self._unfinished += count
        self._count_memory()

    def _count_memory(self) -> None:
        held = self.waiting + self._unfinished
        is_large = held > self._reception.budget.free
        if is_large or self._is_large:
            self._is_large = is_large
            self._reception.budget.hold(self, held)

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self._to_read.wait()
            try:
                message = await self._socket.get_message()
            except trio_websocket.ConnectionClosed:
                return
            if isinstance(message, bytes):
                self._reason = "binary message"
                self._bound_goodbye()
                await self._socket.aclose(CloseReason.UNSUPPORTED_DATA, "this socket speaks text")
                return
            self._take(message.encode())

    def _take(self, message: bytes) -> None:
        """A message came."""
        if self._is_over:
            return
        self._unfinished = 0
        if self._is_large:
            self._count_memory()
        with self._reception.runtime.batch():
            try:
                self.receiver.receive(message)
            except Exception as error:  # noqa: BLE001 -- the connection logs it and ends
                self.receiver.failed(error)

    async def _write(self) -> None:
        try:
            while True:
                await self._to_write.wait()
                self._to_write = trio.Event()
                if self.waiting:
                    await self._stream.drain()
                    self.waiting = 0
                    self._count_memory()
                    self.receiver.drained()
                if self._is_ending:
                    await self._socket.aclose()
                    self._scope.cancel()
        except (trio_websocket.ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            self._scope.cancel()


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
