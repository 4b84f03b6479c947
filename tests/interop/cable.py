"""A cable between a client and the server that a test can cut: a relay on this machine, in a thread of its own.

`Cable.cut` ends every connection on both sides at once, as when a phone leaves its network: neither side can say goodbye.
An end is a port on loopback, or a socket in the file system, which reaches into other network namespaces.
"""

import contextlib
import selectors
import socket
import struct
import threading
from pathlib import Path
from typing import Self

RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)
"""SO_LINGER for no seconds: closing is a reset."""

PIECE = 65_536

End = int | Path
"""A port, or the path of a socket."""


class Cable:
    """Relays every connection; use it in a ``with``.

    Args:
        to: the server's end; it may change.
        at: the clients' end; 0: any port.

    Attributes:
        port: where clients connect.
        connections: how many there have been.
    """

    def __init__(self, to: End, at: End = 0) -> None:
        self.to = to
        self._listener = _listen(at)
        self.port: int = 0 if isinstance(at, Path) else self._listener.getsockname()[1]
        self.connections = 0
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._wakes, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._relay, name=f"cable to {to}", daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wakes.close()
        self._thread.join()
        self.cut()
        for one in (self._listener, self._woken):
            one.close()
        self._selector.close()

    def cut(self) -> None:
        """End every connection; new ones are relayed as before."""
        with self._lock:
            for end in list(self._peers):
                self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        if self._peers.pop(end, None) is not None:
            self._selector.unregister(end)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_WHEN_CLOSED)
            end.close()

    def _relay(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._peers:  # it may have been cut meanwhile
                        self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = _connect(self.to)
        except OSError:  # nobody there, for now
            client.close()
            return
        self.connections += 1
        self._peers |= {client: server, server: client}
        for end in (client, server):
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        peer = self._peers[end]
        with contextlib.suppress(OSError):
            if data := end.recv(PIECE):
                peer.sendall(data)
                return
        self._drop(end)
        self._drop(peer)


def _listen(at: End) -> socket.socket:
    if not isinstance(at, Path):
        return socket.create_server(("127.0.0.1", at))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(at))
    listener.listen()
    return listener


def _connect(to: End) -> socket.socket:
    if not isinstance(to, Path):
        return socket.create_connection(("127.0.0.1", to))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(to))
    return connection
