"""XMPP over WebSocket (RFC 7395), at `PATH` of the web port.

The stream and the connection are those of TCP; only the framing differs, and the transport: one message is one stanza. Owns
the handshake and the transport.

- The subprotocol ``xmpp`` is asked for by the client, or there is nothing to talk about: 400.
- **Origin.** A browser says which page opened the socket, and any page of the world may try. Its origin must be the host that
  was asked for, or be in the allow-list: otherwise 403. Without an Origin it is no browser, and nobody's cookies are at risk.
- A message is text (a binary one ends the connection with 1003) and no longer than a stanza (1009).
- Clear text is for loopback or behind a proxy: then PLAIN is not offered.
- Liveness is that of every connection (XEP-0199); pings of WebSocket are answered by the library.
"""

from collections.abc import Collection
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import trio
import trio_websocket
from wsproto.frame_protocol import CloseReason

from engine.limits import PRE_LOGIN_STANZA_BYTES
from engine.xmpp.framing import WebSocketFraming
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_events import StreamOptions
from gateways.connection import Connection
from gateways.reception import Reception
from gateways.transport import Receiver
from gateways.web import HEAD_SECONDS, Request, Route, Visit
from gateways.web_stream import WebStream
from gateways.xmpp_tcp import Encryption

PATH: Final = "/xmpp-websocket"
SUBPROTOCOL: Final = "xmpp"

UNLIMITED_BYTES: Final = 1 << 62


def route(
    reception: Reception,
    options: StreamOptions,
    encryption: Encryption | None,
    *,
    allowed_origins: Collection[str] = (),
) -> Route:
    """The handler for `PATH`.

    Args:
        reception: what all connections share.
        options: of the streams.
        encryption: that of the web port.
        allowed_origins: of pages on other hosts that may connect, such as ``https://mail.example.com``.
    """
    origins = frozenset(_normalise(origin) for origin in allowed_origins)
    return partial(_serve, reception, options, encryption, origins)


async def _serve(
    reception: Reception,
    options: StreamOptions,
    encryption: Encryption | None,
    origins: frozenset[str],
    visit: Visit,
) -> None:
    request = visit.request
    if request.method != "GET" or request.header("upgrade").lower() != "websocket":
        await visit.answer(HTTPStatus.UPGRADE_REQUIRED, "this is a web socket", {"upgrade": "websocket"})
    elif not is_origin_allowed(request, origins):
        await visit.answer(HTTPStatus.FORBIDDEN, "this page may not connect here")
    elif SUBPROTOCOL not in _tokens(request, "sec-websocket-protocol"):
        await visit.answer(HTTPStatus.BAD_REQUEST, f"the subprotocol must be {SUBPROTOCOL!r} (RFC 7395)")
    else:
        await _upgrade(reception, options, encryption, visit)


async def _upgrade(reception: Reception, options: StreamOptions, encryption: Encryption | None, visit: Visit) -> None:
    stream = ClientStream(
        options,
        WebSocketFraming(PRE_LOGIN_STANZA_BYTES),
        is_encrypted=visit.stream.is_tls,
        channel_binding=encryption.end_point if encryption else None,
        has_starttls=False,
    )
    async with trio.open_nursery() as nursery:
        with trio.fail_after(HEAD_SECONDS):
            asked = await trio_websocket.wrap_server_stream(
                nursery, visit.stream, max_message_size=options.limits.stanza_bytes or UNLIMITED_BYTES
            )
            socket = await asked.accept(subprotocol=SUBPROTOCOL)
        transport = WebSocketTransport(socket, visit.stream, visit.request.peer)
        connection = Connection(reception, transport, stream, _nothing, has_frames=True)
        visit.on_shutdown = connection.shut_down
        transport.receiver = connection
        connection.open()
        await transport.run(reception)
        nursery.cancel_scope.cancel()


def _nothing(_connection: Connection, _reason: str) -> None:
    """The web port knows when its connections end."""


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
                await self._socket.aclose(CloseReason.UNSUPPORTED_DATA, "XMPP is text")
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
    normal = _normalise(origin)
    host = request.header("host").lower()
    return normal in origins or (bool(host) and normal.partition("://")[2] == _without_default_port(host))


def _normalise(origin: str) -> str:
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


def _tokens(request: Request, header: str) -> set[str]:
    return {token.strip() for value in request.headers.get(header, ()) for token in value.split(",")}
