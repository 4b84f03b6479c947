"""A process that may not have what it wants: 256 file descriptors; little memory. New ones are shed, those who are there stay.

*Descriptors*: Alice and Bob talk; four hundred clients connect, of whom some get in and some do not; Alice and Bob talk on,
their messages are written, and when the clients are gone somebody can log in again. *Memory*: what the server may have is
bounded a little above what it has; hundreds of clients send stanzas that never end; Alice and Bob talk on.
"""

import shutil
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from tests.faults.outcome import Outcome, Scale
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, PASSWORD, PEOPLE, Talk, Talker, enter, look, prepare, until

DESCRIPTORS = 256
CROWD = 400
MESSAGES = 20
NOTICE_SECONDS = 1.0
MEMORY_BYTES = 96 * 1024 * 1024
"""That the server may have beyond what it has when two people are logged in."""

HOSTILE, INSIDERS = 300, 30
PIECE = b"x" * 65_536
UNFINISHED = b"<?xml version='1.0'?><stream:stream to='example.com' version='1.0' xmlns='jabber:client' "
"""Never ends: what has no login may have little, and must go."""


class Scene:
    """Alice and Bob, in a server that is short of something."""

    def __init__(self, server: Server, what: str) -> None:
        self.server = server
        self.what = what
        self.talk = Talk()
        self.problems: list[str] = []

    def told(self, problem: str) -> None:
        """Something does not fit."""
        self.problems.append(f"{self.what}: {problem}")

    async def talks(self, alice: Talker, bob: Talker, when: str) -> None:
        """Messages go from one to the other, and are acknowledged."""
        await alice.talks(BOB, MESSAGES)
        if not await until(self.talk.is_settled) or self.talk.refused:
            self.told(f"{when}, messages were not shown ({len(self.talk.refused)} refused)")
        await alice.asks_to_acknowledge()
        if not await until(lambda: len(self.talk.acknowledged) == len(self.talk.sent)):
            self.told(f"{when}, messages were not acknowledged")
        if alice.is_cut or bob.is_cut:
            self.told(f"{when}, an established session was dropped")

    async def looks(self) -> None:
        """The end: archive, log."""
        self.problems += [f"{self.what}: {fault}" for fault in await look(self.server, [self.talk])]
        await self.server.stop()
        self.problems += [f"{self.what}: log: {line}" for line in self.server.errors]


async def connect(count: int, port: int, stack: ExitStack) -> list[socket.socket]:
    """So many connections that say nothing."""
    found = []
    for _ in range(count):
        sock = stack.enter_context(socket.socket())
        sock.setblocking(False)
        with suppress(BlockingIOError):
            sock.connect(("127.0.0.1", port))
        found.append(sock)
        await trio.lowlevel.checkpoint()
    return found


def is_closed(sock: socket.socket) -> bool:
    """The server has closed it."""
    try:
        while sock.recv(65_536):
            pass  # what it said before
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def descriptors(server: Server) -> int:
    """That it has open."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


async def short_of_descriptors(server: Server) -> tuple[Scene, str]:
    """Four hundred come."""
    scene = Scene(server, f"{DESCRIPTORS} descriptors")
    server.wrapping = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", "--")
    await server.start()
    async with trio.open_nursery() as nursery:
        bob = await enter(nursery, server, scene.talk, BOB)
        alice = await enter(nursery, server, scene.talk, ALICE, counts=True)
        await scene.talks(alice, bob, "before")
        with ExitStack() as stack:
            crowd = await connect(CROWD, server.ports["xmpps"], stack)
            await trio.sleep(NOTICE_SECONDS)
            taken = descriptors(server)
            shed = sum(map(is_closed, crowd))
            await scene.talks(alice, bob, "meanwhile")
        if taken < DESCRIPTORS - 16:
            scene.told(f"only {taken} descriptors were taken: the fault did not bite")
        if not shed:
            scene.told("nobody was shed")
        began = time.monotonic()
        is_in = await until(lambda: descriptors(server) < DESCRIPTORS // 2)
        newcomer = await enter(nursery, server, scene.talk, f"{PEOPLE[2]}")
        took = time.monotonic() - began
        if not is_in:
            scene.told("the descriptors did not come back")
        await scene.talks(alice, bob, "after")
        for client in (alice, bob, newcomer):
            await client.leaves()
        nursery.cancel_scope.cancel()
    await scene.looks()
    server.wrapping = ()
    return (
        scene,
        f"{taken} of {DESCRIPTORS} descriptors taken, {shed} of {CROWD} shed, a login {took:.1f} s after they left",
    )


def status(pid: int, field: str) -> int:
    """Bytes, from the kernel."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1_024
    raise LookupError(field)


async def short_of_memory(server: Server) -> tuple[Scene, str]:
    """Hundreds send what never ends; some of them have logged in."""
    scene = Scene(server, "little memory")
    await server.start()
    async with trio.open_nursery() as nursery:
        bob = await enter(nursery, server, scene.talk, BOB)
        alice = await enter(nursery, server, scene.talk, ALICE, counts=True)
        await scene.talks(alice, bob, "before")
        insiders = [await Talker.enter(nursery, server, f"{PEOPLE[3]}/{n}", PASSWORD) for n in range(INSIDERS)]
        allowed = status(server.process.pid, "VmData") + MEMORY_BYTES
        await trio.run_process(["prlimit", f"--data={allowed}:", f"--pid={server.process.pid}"])
        before = status(server.process.pid, "VmRSS")
        with ExitStack() as stack:
            crowd = await connect(HOSTILE, server.ports["xmpp"], stack)
            nursery.start_soon(pour, crowd)
            for insider in insiders:
                nursery.start_soon(pour_into, insider)
            await trio.sleep(NOTICE_SECONDS * 2)
            most = status(server.process.pid, "VmHWM")
            await scene.talks(alice, bob, "meanwhile")
            shed = sum(map(is_closed, crowd))
        await scene.talks(alice, bob, "after")
        newcomer = await enter(nursery, server, scene.talk, f"{PEOPLE[2]}")
        await newcomer.leaves()
        await trio.run_process(
            ["prlimit", "--data=unlimited:", f"--pid={server.process.pid}"]
        )  # `verify` wants some, too
        for client in (alice, bob):
            await client.leaves()
        nursery.cancel_scope.cancel()
    await scene.looks()
    if not shed:
        scene.told("nobody was shed")
    taken = f"{(most - before) / 2**20:.0f} of {MEMORY_BYTES / 2**20:.0f} MiB"
    return scene, f"{HOSTILE:,} hostile connections took {taken}, {shed:,} of them were shed"


async def pour(crowd: list[socket.socket]) -> None:
    """Each sends the beginning of a stanza, and more of it, for ever."""
    for sock in crowd:
        with suppress(OSError):
            sock.send(UNFINISHED)
    while True:
        for sock in crowd:
            with suppress(OSError):
                sock.send(PIECE)
        await trio.sleep(0.05)


async def pour_into(insider: Talker) -> None:
    """The same from one who has logged in: a message whose body does not end."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await insider.sends(f"<message to='{BOB}' type='chat'><body>")
        while True:
            await insider.sends(PIECE.decode()[:16_384])
            await trio.sleep(0.02)


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Both."""
    outcome = Outcome(
        name="limits",
        fault=f"{DESCRIPTORS} file descriptors and {CROWD} connections; {MEMORY_BYTES >> 20} MiB more memory than idle and "
        f"{HOSTILE} clients that send what does not end",
        bar="new connections are shed, established ones stay and talk on; afterwards logins work again",
    )
    if shutil.which("prlimit") is None:
        outcome.skipped = "prlimit (util-linux) is not installed"
        return outcome
    figures = []
    for number, row in enumerate((short_of_descriptors, short_of_memory)):
        with TemporaryDirectory(prefix="rookery-limits-") as name:
            server = await prepare(Path(name))
            try:
                scene, figure = await row(server)
            finally:
                await server.stop()
        figures.append(figure)
        outcome.problems += scene.problems
        outcome.counts["messages"] = outcome.counts.get("messages", 0) + len(scene.talk.sent)
        show(f"{number}: {figure}")
    outcome.figure = "; ".join(figures)
    return outcome
