"""A network that can be cut: two network namespaces with a cable (veth) between them, for a connection that dies unsaid.

`Network` puts this thread, and so every process and socket that it makes from now on, into a namespace of its own; *far* is
another one at the end of the cable, in which `connect` opens connections. After `cut` each packet in either direction is lost
without a word: nobody answers, nobody refuses. All of it is gone when its processes are; nothing is left with the machine.
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
from typing import Self

import trio

from tests.faults.server import Server

NEW_NETWORK = 0x40000000  # CLONE_NEWNET
NEAR, FAR = "10.77.0.1", "10.77.0.2"
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
        _call("setns", there, NEW_NETWORK)
        yield
    finally:
        _call("setns", before, NEW_NETWORK)
        os.close(before)
        os.close(there)


class Network:
    """Both namespaces, from entering to leaving."""

    def __enter__(self) -> Self:
        self._before = os.open(HERE, os.O_RDONLY)
        _call("unshare", NEW_NETWORK)
        # It holds the other namespace, until nobody has its standard input open any more.
        self._holder = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self._wire()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _call("setns", self._before, NEW_NETWORK)
        os.close(self._before)
        self._holder.kill()
        self._holder.communicate()

    def _wire(self) -> None:
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.write(b"?")
        self._holder.stdin.flush()
        self._holder.stdout.read(1)  # `unshare` has done its work
        self._near("link", "set", "lo", "up")
        self._near("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self._holder.pid))
        for run, name, address in ((self._near, "near", NEAR), (self._far, "far", FAR)):
            run("address", "add", f"{address}/24", "dev", name)
            run("link", "set", name, "up")
        # Who knows the other's address for ever does not notice that nobody answers to it.
        hardware = {name: self._hardware(name) for name in ("near", "far")}
        self._near("neighbour", "add", FAR, "lladdr", hardware["far"], "dev", "near", "nud", "permanent")
        self._far("neighbour", "add", NEAR, "lladdr", hardware["near"], "dev", "far", "nud", "permanent")

    def _near(self, *words: str) -> str:
        return self._run("ip", *words)

    def _far(self, *words: str) -> str:
        return self._run("nsenter", "-t", str(self._holder.pid), "-n", "ip", *words)

    def _hardware(self, name: str) -> str:
        run = self._near if name == "near" else self._far
        words = run("-o", "link", "show", name).split()
        return words[words.index("link/ether") + 1]

    @staticmethod
    def _run(*words: str) -> str:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
        if done.returncode:
            raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    async def connect(self, port: int) -> trio.SocketStream:
        """A connection from the far end to a port of the near one."""
        with _being_in(Path(f"/proc/{self._holder.pid}/ns/net")):
            sock = socket.socket()  # it stays there, wherever it is used
        far = trio.socket.from_stdlib_socket(sock)
        await far.connect((NEAR, port))
        return trio.SocketStream(far)

    def cut(self) -> None:
        """From now on every packet is lost, in both directions: the far end has no address any more."""
        self._far("address", "flush", "dev", "far")


class FarHost:
    """A server, as clients at the far end reach it; in the place of a `Server`."""

    def __init__(self, server: Server, network: Network) -> None:
        self._network = network
        self.name, self.ports, self.tls = server.name, server.ports, server.tls

    async def connect(self, listener: str) -> trio.SocketStream:
        """See `Server.connect`."""
        return await self._network.connect(self.ports[listener])
