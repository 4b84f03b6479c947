"""XMPP over TCP: one listener, with STARTTLS (RFC 6120) or with TLS from the first byte (XEP-0368).

Owns the way from an accepted socket to a `Connection`. A `Gateway` actor owns each listener: see `gateways.listener`.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import trio

from actors.runtime import ActorRef
from engine.limits import PRE_LOGIN_STANZA_BYTES
from engine.xmpp.framing import TcpFraming
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_events import StreamOptions
from gateways.connection import Connection
from gateways.listener import Address, Door, Gateway, open_sockets
from gateways.reception import Reception
from gateways.socket_stream import SocketStream
from gateways.transport import TcpTransport


class Encryption(msgspec.Struct, frozen=True):
    """TLS of a listener.

    Attributes:
        context: for direct TLS with ALPN ``xmpp-client``.
        end_point: the channel binding ``tls-server-end-point`` of its certificate; None: there is none.
    """

    context: ssl.SSLContext
    end_point: bytes | None = None


class Listening(msgspec.Struct, frozen=True):
    """What `serve` says when it is open.

    Attributes:
        gateway: the actor; understands `gateways.listener.FetchStatus` and `CloseGateway`.
        addresses: as ``host:port``, with the ports that were really taken.
        ports: of these, in the same order.
    """

    gateway: ActorRef[Gateway]
    addresses: tuple[str, ...]
    ports: tuple[int, ...]


async def serve(
    reception: Reception,
    addresses: Sequence[Address],
    options: StreamOptions,
    encryption: Encryption | None,
    *,
    direct_tls: bool = False,
    name: str = "xmpp",
    owner: ActorRef[Any] | None = None,
    task_status: trio.TaskStatus[Listening] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen until the gateway is told `CloseGateway` (then everyone is sent away in good order) or this is cancelled.

    Args:
        reception: runs already.
        addresses: host and port of each; port 0 takes a free one.
        options: of the streams.
        encryption: None: neither STARTTLS nor direct TLS.
        direct_tls: TLS comes first.
        name: of the gateway, for status and log.
        owner: of the gateway actor.
        task_status: gets what was opened.

    Raises:
        OSError: an address cannot be listened on; the text names it.
    """
    if direct_tls and encryption is None:
        raise ValueError("direct TLS needs a certificate")
    door = Door(name, await open_sockets(addresses))
    entrance = _Entrance(reception, door, options, encryption, direct_tls=direct_tls)
    await keep(door, reception, entrance.admit, owner, task_status)


async def keep(
    door: Door,
    reception: Reception,
    admit: Callable[[socket.socket, str], None],
    owner: ActorRef[Any] | None,
    task_status: trio.TaskStatus[Listening],
) -> None:
    """Let in whoever comes, until the door is to be closed."""
    gateway = reception.runtime.start(Gateway, door, owner=owner)
    try:
        async with trio.open_nursery() as nursery:
            for sock in door.sockets:
                nursery.start_soon(door.listen, sock, admit, reception)
            task_status.started(Listening(gateway, door.addresses, door.ports))
            await door.closing.wait()
            nursery.cancel_scope.cancel()
        await door.close()
    finally:
        door.abort()
        with contextlib.suppress(Exception):
            gateway.stop(block=False)


class _Entrance:
    """Makes a connection of each accepted socket."""

    def __init__(
        self,
        reception: Reception,
        door: Door,
        options: StreamOptions,
        encryption: Encryption | None,
        *,
        direct_tls: bool,
    ) -> None:
        self._reception = reception
        self._door = door
        self._options = options
        self._context = encryption.context if encryption else None
        self._end_point = encryption.end_point if encryption else None
        self._is_direct_tls = direct_tls

    def admit(self, sock: socket.socket, peer: str) -> None:
        """A client connected."""
        reception, is_direct_tls = self._reception, self._is_direct_tls
        stream = ClientStream(
            self._options,
            TcpFraming(PRE_LOGIN_STANZA_BYTES),
            is_encrypted=is_direct_tls,
            channel_binding=self._end_point if is_direct_tls else None,
            has_starttls=self._context is not None and not is_direct_tls,
        )
        transport = TcpTransport(SocketStream(sock, peer), reception.poller, reception.handshakes, self._context)
        connection = Connection(reception, transport, stream, self._door.leave, channel_binding=self._end_point)
        transport.receiver = connection
        self._door.enter(connection)
        connection.open(direct_tls=is_direct_tls)
