"""What carries the bytes of one connection, and the one for TCP.

A `Transport` sends, pauses, encrypts and ends; a `Receiver` (the connection) is told what came. Neither waits for the other,
and no call raises because of what the other side of the network does.

`TcpTransport` works on the poller. It writes straight away, and only when the kernel takes no more does it wait for the socket
to be writable. Its end is orderly: it writes what is left, says that it will send no more, and throws away what still comes
until the other side is done, because a socket that is closed with unread bytes takes the last words it sent with it.

A TLS handshake costs a millisecond of CPU. `Handshakes` does one step at a time and lets everybody else in between, so that
a thousand clients that connect at once delay nobody's message by more than that.
"""

import ssl
from collections import deque
from typing import Final, Protocol

import trio

from gateways.poller import READ, WRITE, Poller
from gateways.socket_stream import READ_BYTES, SocketClosed, SocketStream

KEEP_BYTES: Final = 262_144
"""What waits to be written is joined up to this size, so that neither many small pieces nor a huge one is copied each time."""


class Transport(Protocol):
    """What carries the bytes of one connection."""

    peer: str
    """The other side's network address."""

    is_tls: bool
    """Bytes are encrypted."""

    waiting: int
    """Bytes that were sent and that the network has not taken yet."""

    def send(self, messages: list[bytes]) -> None:
        """Write these, in this order; each is one message where the transport has messages."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read again."""

    def start_tls(self) -> None:
        """Encrypt from here on; `Receiver.secured` follows."""

    def close(self) -> None:
        """Write what waits, then end. Whoever calls this also calls `abort` when that takes too long."""

    def abort(self) -> None:
        """End at once."""


class Receiver(Protocol):
    """Who is told what a transport carries."""

    def receive(self, data: bytes) -> None:
        """Bytes came; one whole message where the transport has messages."""

    def secured(self) -> None:
        """The TLS handshake is done."""

    def drained(self) -> None:
        """What waited has been written."""

    def lost(self, reason: str) -> None:
        """The connection is no more; called once, whoever ended it. The reason is for the log."""

    def failed(self, error: Exception) -> None:
        """`receive` raised this."""


class Handshakes:
    """All TLS handshakes that can go on, one step at a time."""

    def __init__(self) -> None:
        self._queue: deque[TcpTransport] = deque()
        self._arrived = trio.Event()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, transport: "TcpTransport") -> None:
        """This one can go on."""
        self._queue.append(transport)
        self._arrived.set()

    async def run(self) -> None:
        """Do the steps, for ever."""
        while True:
            if not self._queue:
                self._arrived = trio.Event()
                await self._arrived.wait()
            transport = self._queue.popleft()
            try:
                transport.step_handshake()
            except Exception as error:  # noqa: BLE001 -- the connection logs it and ends
                transport.on_failure(error)
            await trio.lowlevel.checkpoint()


class TcpTransport:
    """A TCP connection on the poller.

    Args:
        stream: the accepted socket.
        poller: waits for it.
        handshakes: does its TLS handshake.
        context: of TLS; None: there is none here.
    """

    __slots__ = (
        "_context",
        "_handshakes",
        "_is_closed",
        "_is_ending",
        "_is_handshaking",
        "_is_paused",
        "_poller",
        "_queue",
        "_stream",
        "is_tls",
        "peer",
        "receiver",
        "waiting",
    )

    def __init__(
        self, stream: SocketStream, poller: Poller, handshakes: Handshakes, context: ssl.SSLContext | None
    ) -> None:
        self._stream = stream
        self._poller = poller
        self._handshakes = handshakes
        self._context = context
        self._queue: deque[bytes] = deque()
        self._is_paused = True
        self._is_handshaking = False
        self._is_ending = False
        self._is_closed = False
        self.peer = stream.peer
        self.is_tls = False
        self.waiting = 0
        self.receiver: Receiver

    # -- for the connection --------------------------------------------------------------------------------------------

    def send(self, messages: list[bytes]) -> None:
        """Write in one go, now; what the kernel does not take waits."""
        if self._is_closed or self._is_ending:
            return
        data = messages[0] if len(messages) == 1 else b"".join(messages)
        if self._queue:
            self._keep(data)
            return
        try:
            rest = self._stream.write(data)
        except SocketClosed as error:
            self._lose(str(error))
            return
        if rest:
            self._keep(rest)
            self._watch()

    def pause(self) -> None:
        """Read no more for now."""
        self._is_paused = True
        self._watch()

    def resume(self) -> None:
        """Read again."""
        self._is_paused = False
        self._watch()

    def start_tls(self) -> None:
        """Handshake as soon as what was sent is out."""
        self._is_handshaking = True
        if not self._queue:
            self._begin_tls()

    def close(self) -> None:
        """Write what waits, then end."""
        if self._is_closed or self._is_ending:
            return
        if self._is_handshaking:
            self._lose("closed")
            return
        self._is_ending = True
        if not self._queue:
            self._say_goodbye()
        self._watch()

    def abort(self) -> None:
        """End at once."""
        if not self._is_closed:
            self._lose("aborted")

    # -- for the poller and the handshakes -----------------------------------------------------------------------------

    def on_ready(self, events: int) -> int:
        """Read what came, or write what waits."""
        if self._is_handshaking and self.is_tls:
            self._poller.watch(self._stream.sock, self, 0)  # until its step was done
            self._handshakes.put(self)
            return 0
        try:
            if events & WRITE:
                self._write_waiting()
            if events & READ and not self._is_closed:
                return self._read()
        except SocketClosed as error:
            self._lose(str(error))
        return 0

    def pending(self) -> int:
        """What can be read, about."""
        return self._stream.pending()

    def on_failure(self, error: Exception) -> None:
        """The connection did not bear what was read."""
        self.receiver.failed(error)

    def step_handshake(self) -> None:
        """One step; to be called when the socket is ready."""
        if self._is_closed:
            return
        try:
            is_done = self._stream.handshake()
        except SocketClosed as error:
            self._lose(str(error))
            return
        self._is_handshaking = not is_done
        self._watch()
        if is_done:
            self.receiver.secured()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _begin_tls(self) -> None:
        if self._context is None:
            raise RuntimeError("TLS was asked for where there is none")
        try:
            self._stream.start_tls(self._context)
        except SocketClosed as error:
            self._lose(str(error))
            return
        self.is_tls = True
        self._watch()

    def _watch(self) -> None:
        """Wait for what can go on now."""
        if self._is_closed:
            return
        if self._is_handshaking and self.is_tls:
            events = self._stream.wants
        else:
            is_reading = not self._queue if self._is_ending else not (self._is_paused or self._is_handshaking)
            events = (READ if is_reading else 0) | (WRITE if self._queue else 0)
        self._poller.watch(self._stream.sock, self, events)

    def _read(self) -> int:
        if self._is_ending:
            if not self._queue and not self._stream.discard():
                self._lose("closed")
            return 0
        data = self._stream.read()
        if not data:
            if data is not None:
                self._lose("closed by the other side")
            return 0
        if len(data) == READ_BYTES:
            self._poller.hear_much()
        self.receiver.receive(data)
        return len(data)

    def _keep(self, data: bytes) -> None:
        self.waiting += len(data)
        # The first piece may have been given to OpenSSL, which wants to see it again: it stays as it is.
        if len(self._queue) > 1 and len(self._queue[-1]) + len(data) <= KEEP_BYTES:
            data = self._queue.pop() + data
        self._queue.append(data)

    def _write_waiting(self) -> None:
        while self._queue:
            data = self._queue[0]
            rest = self._stream.write(data)
            self.waiting -= len(data) - len(rest)
            if rest:
                self._queue[0] = rest
                return
            self._queue.popleft()
        self._watch()
        if self._is_handshaking:
            self._begin_tls()
        elif self._is_ending:
            self._say_goodbye()
        else:
            self.receiver.drained()

    def _say_goodbye(self) -> None:
        try:
            self._stream.end()
        except SocketClosed as error:
            self._lose(str(error))

    def _lose(self, reason: str) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._poller.watch(self._stream.sock, self, 0)
        self._poller.forget(self)
        if self._is_ending and not self._queue:
            self._stream.close()
        else:
            self._stream.abort()
        self._queue.clear()
        self.waiting = 0
        # Nobody is told anything more; and the two of them are freed now, not at the next garbage collection.
        receiver, self.receiver = self.receiver, _NOBODY
        receiver.lost(reason)


class _Nobody:
    """The receiver of a transport that is over."""

    def receive(self, data: bytes) -> None:
        """Nothing is read any more."""

    def secured(self) -> None:
        """Nor encrypted."""

    def drained(self) -> None:
        """Nor written."""

    def lost(self, reason: str) -> None:
        """It was told."""

    def failed(self, error: Exception) -> None:
        """Nothing is left to fail."""


_NOBODY: Final = _Nobody()
