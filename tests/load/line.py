"""One TCP connection, with or without TLS, without waiting: what comes is handed on at once, what cannot be sent yet is kept.

Limit: `UNSENT_BYTES` of one line; a server that reads so slowly has lost the line.
"""

import errno
import os
import socket
import ssl
from collections.abc import Callable
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT

from tests.load.loop import Loop

READ_BYTES = 256 * 1024
UNSENT_BYTES = 8 * 1024 * 1024

OPENING = (
    "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)

_WAITING = {errno.EINPROGRESS, errno.EAGAIN}


class Line:
    """A connection.

    Args:
        loop: that watches it.
        address: host and port.
        hear: gets what comes.
        lost: called once with the reason when the other side or the network ends it.
    """

    __slots__ = (
        "_hear",
        "_is_connected",
        "_is_handshaking",
        "_loop",
        "_lost",
        "_socket",
        "_tls",
        "_unsent",
        "is_open",
    )

    def __init__(
        self, loop: Loop, address: tuple[str, int], hear: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> None:
        self._loop = loop
        self._hear = hear
        self._lost = lost
        self._unsent = bytearray()
        self._is_connected = False
        self._is_handshaking = False
        self._tls: tuple[ssl.SSLContext, str] | None = None  # wanted as soon as there is a connection
        self._socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.is_open = True
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._socket.connect_ex(address)
        loop.add(self, EPOLLIN | EPOLLOUT)
        if code and code not in _WAITING:
            self._loop.after(0.0, lambda: self._lose(os.strerror(code)))

    def fileno(self) -> int:
        """For the loop."""
        return self._socket.fileno()

    @property
    def encryption(self) -> str:
        """Version and cipher of TLS; empty without."""
        if isinstance(self._socket, ssl.SSLSocket):
            cipher = self._socket.cipher()
            return f"{self._socket.version()} {cipher[0] if cipher else ''}"
        return ""

    # -- doing ---------------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send, now or as soon as the other side takes it."""
        if not self.is_open:
            return
        if self._unsent or not self._is_connected or self._is_handshaking:
            self._unsent += data
            if len(self._unsent) > UNSENT_BYTES:
                self._lose("the server does not read")
            return
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            sent = 0
        except OSError as error:
            self._lose(str(error))
            return
        if sent < len(data):
            self._unsent += data[sent:]
            self._loop.change(self, EPOLLIN | EPOLLOUT)

    def say(self, *stanzas: bytes) -> None:
        """Send stanzas, together."""
        self.send(stanzas[0] if len(stanzas) == 1 else b"".join(stanzas))

    def open_stream(self, domain: str) -> None:
        """RFC 6120, 4.2."""
        self.send(OPENING.format(domain).encode())

    def end_stream(self) -> None:
        """RFC 6120, 4.4."""
        self.send(b"</stream:stream>")

    def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """TLS from here on; what is sent before the handshake is done waits for it."""
        self._is_handshaking, self._tls = True, (context, name)
        if self._is_connected:
            self._wrap()

    def _wrap(self) -> None:
        if self._tls is not None:
            context, name = self._tls
            self._tls = None
            self._loop.remove(self)
            self._socket = context.wrap_socket(self._socket, server_hostname=name, do_handshake_on_connect=False)
            self._loop.add(self, EPOLLIN | EPOLLOUT)
            self._shake_hands()

    def close(self, *, is_abrupt: bool = False) -> None:
        """End it. Abruptly: by a reset, as if the network had gone."""
        if self.is_open:
            self.is_open = False
            self._loop.remove(self)
            if is_abrupt:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self._socket.close()

    # -- being told ----------------------------------------------------------------------------------------------------

    def on_events(self, events: int) -> None:
        """The loop says that something can be done."""
        if not self._is_connected and not self._finish_connecting():
            return
        if self._is_handshaking:
            self._shake_hands()
            return
        if events & EPOLLOUT:
            self._flush()
        if events & (EPOLLIN | EPOLLHUP | EPOLLERR) and self.is_open:
            self._read()

    def _finish_connecting(self) -> bool:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._lose(os.strerror(code))
            return False
        self._is_connected = True
        self._wrap()
        return True

    def _shake_hands(self) -> None:
        if not isinstance(self._socket, ssl.SSLSocket) or not self.is_open:
            return
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.change(self, EPOLLIN)
        except ssl.SSLWantWriteError:
            self._loop.change(self, EPOLLIN | EPOLLOUT)
        except OSError as error:
            self._lose(f"TLS: {error}")
        else:
            self._is_handshaking = False
            self._loop.change(self, EPOLLIN | EPOLLOUT)

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as error:
            self._lose(str(error))
            return
        self._loop.change(self, EPOLLIN)

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
            # A TLS record holds 16 KiB; what is decrypted already is not announced by the loop.
            while isinstance(self._socket, ssl.SSLSocket) and data and self._socket.pending():
                self._hear(data)
                if not self.is_open:
                    return
                data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._lose(str(error))
            return
        if data:
            self._hear(data)
        else:
            self._lose("the server closed the connection")

    def _lose(self, reason: str) -> None:
        if self.is_open:
            self.close()
            self._lost(reason)
