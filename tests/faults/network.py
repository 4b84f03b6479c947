"""A network that can be cut: two network namespaces with a cable (veth) between them, for a connection that dies unsaid.

A server runs at the *near* end (`Network.wrapping` before its command), `connect` opens connections from either one. After
`cut` each packet in either direction is lost without a word: nobody answers, nobody refuses. This process stays where it is;
only its sockets are elsewhere. All of it is gone when its processes are; nothing is left with the machine.
"""

import ctypes
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

import trio

from tests.faults.server import Server

A_NETWORK = 0x40000000  # CLONE_NEWNET
End = Literal["near", "far"]
ADDRESSES: dict[End, str] = {"near": "10.77.0.1", "far": "10.77.0.2"}
HERE = Path("/proc/thread-self/ns/net")
COMMAND_SECONDS = 10.0


def missing() -> str:
    """Why there can be no such network here; empty if there can."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "needs Linux and root"
    if not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return "ip (iproute2), unshare or nsenter (util-linux) is not installed"
    attempt = ["unshare", "-n", "ip", "link", "add", "one", "type", "veth", "peer", "name", "other"]
    done = subprocess.run(attempt, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    return "" if done.returncode == 0 else f"no cable between namespaces: {done.stderr.strip()[:200]}"


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


@contextmanager
def _being_in(namespace: Path) -> Iterator[None]:
    """This thread is in another namespace. Nothing may be awaited meanwhile."""
    before, there = os.open(HERE, os.O_RDONLY), os.open(namespace, os.O_RDONLY)
    try:
        _call("setns", there, A_NETWORK)
        yield
    finally:
        _call("setns", before, A_NETWORK)
        os.close(before)
        os.close(there)


class Network:
    """Both namespaces, from entering to leaving.

    Attributes:
        wrapping: what stands before a command that is to run at the near end.
    """

    def __enter__(self) -> Self:
        self._holders: dict[End, subprocess.Popen[bytes]] = {}
        try:
            for end in ("near", "far"):
                # It holds a namespace, until nobody has its standard input open any more.
                holder = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                self._holders[end] = holder
                assert holder.stdin is not None
                assert holder.stdout is not None
                holder.stdin.write(b"?")
                holder.stdin.flush()
                holder.stdout.read(1)  # `unshare` has done its work
            self._wire()
        except BaseException:
            self.__exit__()
            raise
        self.wrapping = ("nsenter", f"--net={self._namespace('near')}", "--")
        return self

    def __exit__(self, *_: object) -> None:
        for holder in self._holders.values():
            holder.kill()
            holder.communicate()

    def _namespace(self, end: End) -> Path:
        return Path(f"/proc/{self._holders[end].pid}/ns/net")

    def _wire(self) -> None:
        self._ip("near", "link", "set", "lo", "up")
        self._ip(
            "near", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self._holders["far"].pid)
        )
        for end, address in ADDRESSES.items():
            self._ip(end, "address", "add", f"{address}/24", "dev", end)
            self._ip(end, "link", "set", end, "up")
        # Who knows the other's address for ever does not notice that nobody answers to it.
        hardware = {end: self._hardware(end) for end in ADDRESSES}
        for end, other in (("near", "far"), ("far", "near")):
            words = (ADDRESSES[other], "lladdr", hardware[other], "dev", end, "nud", "permanent")
            self._ip(end, "neighbour", "add", *words)

    def _ip(self, end: End, *words: str) -> str:
        return self._run("nsenter", f"--net={self._namespace(end)}", "ip", *words)

    def _hardware(self, end: End) -> str:
        words = self._ip(end, "-o", "link", "show", end).split()
        return words[words.index("link/ether") + 1]

    @staticmethod
    def _run(*words: str) -> str:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
        if done.returncode:
            raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def socket(self, end: End) -> socket.socket:
        """A socket of this end; it stays there, wherever it is used."""
        with _being_in(self._namespace(end)):
            return socket.socket()

    async def connect(self, end: End, port: int) -> trio.SocketStream:
        """A connection from this end to a port of the near one."""
        sock = trio.socket.from_stdlib_socket(self.socket(end))
        await sock.connect((ADDRESSES["near"], port))
        return trio.SocketStream(sock)

    def cut(self) -> None:
        """From now on every packet is lost, in both directions: the far end has no address any more."""
        self._ip("far", "address", "flush", "dev", "far")


class Host:
    """A server at the near end, as clients of one end reach it; in the place of a `Server`."""

    def __init__(self, server: Server, network: Network, end: End) -> None:
        self._network, self._end = network, end
        self.name, self.ports, self.tls = server.name, server.ports, server.tls

    async def connect(self, listener: str) -> trio.SocketStream:
        """See `Server.connect`."""
        return await self._network.connect(self._end, self.ports[listener])
