"""A socket that never blocks, in clear text or with TLS on the socket itself.

Owns one TCP socket from accept to close. `ssl.SSLSocket` does its own reads and writes on the descriptor, which saves the two
memory buffers of trio's `SSLStream` and half of its time. OpenSSL's read and write buffers (34 KiB) are released while a
session is idle: Python sets SSL_MODE_RELEASE_BUFFERS on every context.

OpenSSL takes exactly one record from the kernel at a time (no read-ahead), and a read is as long as the longest record: so
nothing that came is ever hidden from the poller.

STARTTLS: clear text that came before the handshake is thrown away by whoever received it (the stream); what is still in the
kernel is the client's first TLS record or an error.
"""

import contextlib
import fcntl
import socket
import ssl
import struct
import termios
from typing import Final

from gateways.poller import READ, WRITE

READ_BYTES: Final = 16_384
"""Of one read: the largest TLS record. Who has more is read again in the next pass."""

WRITE_BYTES: Final = 65_536
"""Of one write to a TLS socket: a write that has to be repeated must begin with the same bytes, so they are kept."""


_INT: Final = struct.Struct("i")


class SocketClosed(Exception):  # noqa: N818 -- a state of the other side, not a fault
    """The other side is gone, or spoke no TLS. The text is for the log."""


class SocketStream:
    """One connected socket.

    Attributes:
        peer: the other side's network address, without the port.
        is_tls: bytes are encrypted.
        wants: events of `gateways.poller` that the TLS handshake waits for.
    """

    __slots__ = ("_retry", "is_tls", "peer", "sock", "wants")

    def __init__(self, sock: socket.socket, peer: str) -> None:
        sock.setblocking(False)
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            # A stanza goes out whole in one write; Nagle would only hold it back.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: socket.socket | ssl.SSLSocket = sock
        self.peer = peer
        self.is_tls = False
        self.wants = READ
        self._retry = b""

    def start_tls(self, context: ssl.SSLContext) -> None:
        """The next bytes are a TLS handshake: call `handshake` until it says True.

        Raises:
            SocketClosed: the other side is gone already.
        """
        try:
            self.sock = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            raise SocketClosed(_reason(error)) from error
        self.is_tls = True

    def handshake(self) -> bool:
        """One step of the handshake; True when it is finished, else `wants` says what to wait for.

        Raises:
            SocketClosed: it failed.
        """
        sock = self.sock
        assert isinstance(sock, ssl.SSLSocket)  # noqa: S101 -- for mypy
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self.wants = READ
            return False
        except ssl.SSLWantWriteError:
            self.wants = WRITE
            return False
        except (OSError, ValueError) as error:
            raise SocketClosed(f"TLS handshake: {_reason(error)}") from error
        return True

    def read(self) -> bytes | None:
        """What has arrived: at most `READ_BYTES`; None if nothing has; empty at the end.

        Raises:
            SocketClosed: the connection is broken.
        """
        sock = self.sock
        try:
            # `SSLSocket.read` is `recv` without a layer of checks.
            return sock.read(READ_BYTES) if self.is_tls else sock.recv(READ_BYTES)  # type: ignore[union-attr]
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (OSError, ValueError) as error:
            raise SocketClosed(_reason(error)) from error

    def pending(self) -> int:
        """Bytes that the kernel has for us, with TLS as they came; 0 of a socket that is broken."""
        try:
            found = fcntl.ioctl(self.sock, termios.FIONREAD, bytes(_INT.size))
        except (OSError, ValueError):
            return 0
        return int(_INT.unpack(found)[0])

    def write(self, data: bytes) -> bytes:
        """Write what can be written now.

        A rest must be the beginning of the next write.

        Returns:
            the rest; empty when all was written.

        Raises:
            SocketClosed: the connection is broken.
        """
        try:
            if not self.is_tls:
                sent = self.sock.send(data)
                return b"" if sent == len(data) else data[sent:]
            return self._write_tls(data)
        except (BlockingIOError, InterruptedError):
            return data
        except (OSError, ValueError) as error:
            raise SocketClosed(_reason(error)) from error

    def _write_tls(self, data: bytes) -> bytes:
        sock = self.sock
        position = 0
        try:
            while position < len(data):
                # The same bytes again, exactly as many: OpenSSL has encrypted some of them already.
                piece = self._retry or (data[position : position + WRITE_BYTES] if len(data) > WRITE_BYTES else data)
                self._retry = piece
                position += sock.write(piece)  # type: ignore[union-attr]
                self._retry = b""
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        return data[position:]

    def end(self) -> None:
        """Say that nothing more will be sent (with TLS by its close_notify); what the other side sends can still be read.

        Raises:
            SocketClosed: the connection is broken.
        """
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                # OpenSSL reads on for the other side's goodbye, which is not here yet, and dislikes anything else.
                with contextlib.suppress(ssl.SSLError):
                    self.sock.unwrap()
            self.sock.shutdown(socket.SHUT_WR)
        except (OSError, ValueError) as error:
            raise SocketClosed(_reason(error)) from error

    def discard(self) -> bool:
        """After `end`: throw away what comes, still encrypted; False when the other side is done, too.

        Raises:
            SocketClosed: the connection is broken.
        """
        try:
            return bool(socket.socket.recv(self.sock, READ_BYTES))
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as error:
            raise SocketClosed(_reason(error)) from error

    def close(self) -> None:
        """Let go of the socket; the kernel delivers what is left."""
        self.sock.close()

    def abort(self) -> None:
        """Let go of the socket at once; what was not delivered is thrown away."""
        with contextlib.suppress(OSError):
            # SO_LINGER with 0 seconds: the kernel keeps nothing for a client that does not read.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or type(error).__name__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
