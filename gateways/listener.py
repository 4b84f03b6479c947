"""Listeners: addresses that clients connect to, and the gateway actor that owns each.

A `Gateway` is the actor of one listener, whatever is spoken on it. It owns the listening sockets, knows every connection that
came in through them and counts them with reasons. Who asks it `FetchStatus` gets a `GatewayStatus`; who tells it
`CloseGateway` ends it: it takes no more connections, and each one it has is told so and gets `DRAIN_SECONDS` to go.

Rules when there is too much:

- **Out of descriptors or memory.** The connections that are there stay. A descriptor is kept in reserve; with it the new one is
  accepted and closed at once, so that its client knows, and after a pause the listener tries again.
- **Too many that are not logged in** (`HALF_OPEN` over all listeners). The oldest of them gives way if it has been silent for
  `GIVE_WAY_SECONDS`; otherwise new ones wait in the kernel's queue until there is room. So a mass login goes on at its own
  speed, and nobody keeps others out by connecting and saying nothing.
"""

import contextlib
import errno
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Protocol

import msgspec
import trio

from actors.runtime import TrioActor
from actors.seat import describe
from engine.limits import DRAIN_SECONDS

log = logging.getLogger(__name__)

BACKLOG: Final = 1_024
"""Connections that wait in the kernel; it has a limit of its own, often 4,096."""

ACCEPT_BATCH: Final = 32
"""Accepted before others get their turn."""

PAUSE_SECONDS: Final = 0.5
"""Before the next try when the process is out of descriptors or memory."""

OUT_OF_RESOURCES: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

NOT_A_LISTENER: Final = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP))
"""Errors of our own making: no later try can succeed."""

Address = tuple[str, int]


class Guest(Protocol):
    """A connection, as its listener sees it."""

    def shut_down(self) -> None:
        """The server stops: say so and go."""

    def abort(self) -> None:
        """Go at once."""


class GatewayStatus(msgspec.Struct, frozen=True):
    """The counters of one gateway.

    Attributes:
        name: such as ``xmpp``.
        addresses: where it listens, as ``host:port``.
        open: connections now.
        accepted: connections since the start.
        refused: connections that were turned away, by reason.
        ended: connections that came to their end, by reason.
    """

    name: str
    addresses: tuple[str, ...]
    open: int
    accepted: int
    refused: dict[str, int]
    ended: dict[str, int]


class FetchStatus(msgspec.Struct, frozen=True):
    """anyone -> gateway, as an ask: answered with `GatewayStatus`."""


class CloseGateway(msgspec.Struct, frozen=True):
    """supervisor -> gateway: end in good order."""


class Door:
    """What a gateway owns. Survives a restart of its actor.

    Attributes:
        name: of the gateway.
        sockets: listening.
        guests: connections now.
        closing: set when the gateway is to end.
    """

    def __init__(self, name: str, sockets: Sequence[socket.socket]) -> None:
        self.name = name
        self.sockets = list(sockets)
        self.addresses = tuple(_text_of(sock.getsockname()) for sock in sockets)
        self.ports = tuple(int(sock.getsockname()[1]) for sock in sockets)
        self.guests: set[Guest] = set()
        self.closing = trio.Event()
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self._is_empty = trio.Event()
        self._reserve: int | None = None
        self._refill()

    @property
    def status(self) -> GatewayStatus:
        """The counters as of now."""
        return GatewayStatus(
            self.name, self.addresses, len(self.guests), self.accepted, dict(self.refused), dict(self.ended)
        )

    def enter(self, guest: Guest) -> None:
        """A connection was accepted."""
        self.accepted += 1
        self.guests.add(guest)

    def leave(self, guest: Guest, reason: str) -> None:
        """A connection is no more."""
        if guest in self.guests:
            self.guests.discard(guest)
            self.ended[reason] += 1
            if not self.guests:
                self._is_empty.set()

    async def listen(self, sock: socket.socket, admit: Callable[[socket.socket, str], object], room: "Room") -> None:
        """Accept on one socket, for ever."""
        while True:
            await trio.lowlevel.wait_readable(sock)
            for _ in range(ACCEPT_BATCH):
                await room.wait()
                try:
                    found = accept(sock)
                except OSError as error:
                    if error.errno in NOT_A_LISTENER:
                        raise
                    self._shed(sock, error)
                    await trio.sleep(PAUSE_SECONDS)
                    break
                if found is None:
                    break
                self._admit(admit, *found)

    def _admit(self, admit: Callable[[socket.socket, str], object], sock: socket.socket, peer: str) -> None:
        try:
            admit(sock, peer)
        except Exception as error:  # noqa: BLE001 -- the next one may be all right
            # Such as a client that was gone before its socket could be set up.
            sock.close()
            self.refused["could not be set up"] += 1
            level = logging.INFO if isinstance(error, OSError) else logging.ERROR
            log.log(level, "%s: a connection could not be set up: %s", self.name, describe(error))

    def _shed(self, sock: socket.socket, error: OSError) -> None:
        """Out of something: turn one away with the descriptor that is kept for this."""
        log.warning("%s: no further connections for now: %s", self.name, os.strerror(error.errno or 0))
        if error.errno not in OUT_OF_RESOURCES:  # the network is down, or a firewall objects: that passes, too
            self.refused["not accepted"] += 1
            return
        self.refused["out of descriptors or memory"] += 1
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None
        with contextlib.suppress(OSError):
            found = accept(sock)
            if found is not None:
                found[0].close()
        self._refill()

    def _refill(self) -> None:
        if self._reserve is None:
            with contextlib.suppress(OSError):
                self._reserve = os.open(os.devnull, os.O_RDONLY)

    async def close(self) -> None:
        """Take no more connections, send those that are here away, and see to it that they go."""
        self.stop_listening()
        for guest in tuple(self.guests):
            guest.shut_down()
        with trio.move_on_after(DRAIN_SECONDS):
            while self.guests:
                self._is_empty = trio.Event()
                await self._is_empty.wait()
        self.abort()

    def stop_listening(self) -> None:
        """Take no more connections."""
        for sock in self.sockets:
            trio.lowlevel.notify_closing(sock)
            sock.close()
        self.sockets.clear()
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None

    def abort(self) -> None:
        """Let go of everything at once."""
        self.stop_listening()
        for guest in tuple(self.guests):
            guest.abort()


class Gateway(TrioActor):
    """The actor of one listener."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    def on_receive(self, message: Any) -> Any:
        """Handle one message."""
        return self._handlers[type(message)](self, message)

    def on_stop(self) -> None:
        """The listener ends with its actor."""
        self._door.closing.set()

    def _status(self, _: FetchStatus) -> GatewayStatus:
        return self._door.status

    def _close(self, _: CloseGateway) -> None:
        self._door.closing.set()

    _handlers: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {FetchStatus: _status, CloseGateway: _close}


class Room(Protocol):
    """Bounds the connections that are not logged in."""

    async def wait(self) -> None:
        """Until there is room for one more."""


async def open_sockets(addresses: Sequence[Address]) -> list[socket.socket]:
    """Listening, non-blocking sockets, one for each address.

    Args:
        addresses: host and port. An IPv6 host is without brackets; port 0 takes a free one; ``*`` listens on every address.

    Raises:
        OSError: one cannot be opened; the text names it. None stays open then.
    """
    sockets: list[socket.socket] = []
    try:
        for host, port in addresses:
            found = await _resolve(host, port)
            for family, kind, protocol, _, address in found:
                sock = socket.socket(family, kind, protocol)
                sockets.append(sock)
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    sock.bind(address)
                    sock.listen(BACKLOG)
                except OSError as error:
                    raise OSError(error.errno, f"{_text_of((host, port))}: {error.strerror}") from error
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


async def _resolve(host: str, port: int) -> list[Any]:
    try:
        return await trio.socket.getaddrinfo(
            None if host in {"", "*"} else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OSError(error.errno, f"{_text_of((host, port))}: {error.strerror}") from error


def accept(listener: socket.socket) -> tuple[socket.socket, str] | None:
    """One connection that waits, and from where; None if none does.

    Raises:
        OSError: out of descriptors or memory.
    """
    while True:
        try:
            sock, address = listener.accept()
        except (BlockingIOError, InterruptedError):
            return None
        except ConnectionError:  # it broke before it was accepted
            continue
        return sock, str(address[0]) if address else ""


def _text_of(address: Any) -> str:
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
