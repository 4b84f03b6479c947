"""XMPP over WebSocket (RFC 7395), at `PATH` of the web port.

The stream and the connection are those of TCP; only the framing differs, and the transport: one message is one stanza. Owns
the handshake.

- The subprotocol ``xmpp`` is asked for by the client, or there is nothing to talk about: 400.
- A page of another origin may not connect (`gateways.web_socket`): 403.
- A message is text (a binary one ends the connection with 1003) and no longer than a stanza (1009).
- Clear text is for loopback or behind a proxy: then PLAIN is not offered.
- Liveness is that of every connection (XEP-0199); pings of WebSocket are answered by the library.
"""

from collections.abc import Collection
from functools import partial
from http import HTTPStatus
from typing import Final

import trio
import trio_websocket

from engine.limits import PRE_LOGIN_STANZA_BYTES
from engine.xmpp.framing import WebSocketFraming
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_events import StreamOptions
from gateways.connection import Connection
from gateways.reception import Reception
from gateways.web import HEAD_SECONDS, Request, Route, Visit
from gateways.web_socket import WebSocketTransport, is_origin_allowed, normalise_origin
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
    origins = frozenset(normalise_origin(origin) for origin in allowed_origins)
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
        limit = options.limits.stanza_bytes or UNLIMITED_BYTES
        with trio.fail_after(HEAD_SECONDS):
            asked = await trio_websocket.wrap_server_stream(nursery, visit.stream, max_message_size=limit)
            visit.stream.pause()
            socket = await asked.accept(subprotocol=SUBPROTOCOL)
        transport = WebSocketTransport(reception, socket, visit.stream, visit.request.peer, limit)
        connection = Connection(reception, transport, stream, _nothing, has_frames=True)
        visit.on_shutdown = connection.shut_down
        transport.receiver = connection
        connection.open()
        await transport.run()
        nursery.cancel_scope.cancel()


def _nothing(_connection: Connection, _reason: str) -> None:
    """The web port knows when its connections end."""


def _tokens(request: Request, header: str) -> set[str]:
    return {token.strip() for value in request.headers.get(header, ()) for token in value.split(",")}
