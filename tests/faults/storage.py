"""The disk is full, fails, or somebody else holds the database: refused, never acknowledged, never shown; and it passes.

While the trouble lasts Alice goes on talking to Bob, twenty messages a second; each must be refused or be in both archives.
Carol, Dan and Erin come online, read histories and log in as if nothing were (`tests.faults.bystanders`). When it is
over, the next message must be written within a second.
"""

import ctypes
import errno
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from tests.faults import tracing
from tests.faults.bystanders import BAR_MS, SHORT_BAR_MS, Bystanders
from tests.faults.outcome import Outcome, Scale
from tests.faults.peers import accounts, beside_peers, enter_peer, kept_texts
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, PEOPLE, Talk, Talker, enter, look, prepare, until
from tests.load.peers.peer import Peer

DISK_MIB, PEERS_DISK_MIB = 24, 64
BALLAST_PIECE = 65_536
PAUSE_SECONDS = 0.05
RESUME_SECONDS = 1.0
EXPECTED = "sessions.journal: cannot be written"
"""In the log, when the disk is full: what is in the journal can be lost, and the operator is told."""

REFUSED_SECONDS = 10.0
"""How long is waited for a refusal; a lock is waited for by the server, a second for each commit."""

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""

Trouble = Callable[[Server], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def disk_is_full(folder: Path) -> AsyncIterator[None]:
    """Not a byte is left on the file system of this folder."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        piece = BALLAST_PIECE
        while piece:
            try:
                file.write(b"\0" * piece)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                piece //= 2
    try:
        yield
    finally:
        ballast.unlink()


def calls_fail(calls: str, error: str) -> Trouble:
    """These calls on the archive's files fail with this error."""

    @asynccontextmanager
    async def trouble(server: Server) -> AsyncIterator[None]:
        files = [str(server.data / f"archive.sqlite{ending}") for ending in ("", "-wal")]
        paths = [word for file in files for word in ("-P", file)]
        inject = f"inject={calls}:error={error}"
        async with tracing.attached(server.process.pid, *paths, "-e", f"trace={calls}", "-e", inject):
            yield

    return trouble


@asynccontextmanager
async def archive_is_locked(server: Server) -> AsyncIterator[None]:
    """Another process has begun an exclusive transaction."""
    command = [sys.executable, "-c", HOLD, str(server.data / "archive.sqlite")]
    holder = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert await holder.stdout.receive_some(), "the database could not be locked"
        yield
    finally:
        with trio.CancelScope(shield=True):
            holder.kill()
            await holder.wait()
            await holder.stdin.aclose()
            await holder.stdout.aclose()


TROUBLES: dict[str, tuple[Trouble, float]] = {
    "disk full": (lambda server: disk_is_full(server.data), 10.0),
    "EIO at a write": (calls_fail("pwrite64", "EIO"), 10.0),
    "EIO at a sync": (calls_fail("fdatasync", "EIO"), 10.0),
    "ENOSPC at a write": (calls_fail("pwrite64", "ENOSPC"), 10.0),
    "locked": (archive_is_locked, 30.0),
}
"""What happens, and for how many seconds in the long form."""

SHORT_SECONDS = 1.2


@asynccontextmanager
async def small_disk(folder: Path, mib: int = DISK_MIB) -> AsyncIterator[None]:
    """A file system of its own for this folder."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 -- nothing else runs
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, f"size={mib}m,mode=700".encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        yield
    finally:
        libc.umount2(str(folder).encode(), 2)


class Scene:
    """Alice and Bob, before, in and after the trouble."""

    def __init__(self, server: Server, seed: int, bar_ms: float) -> None:
        self.bar_ms = bar_ms
        self.server = server
        self.dice = random.Random(seed)
        self.talks: list[Talk] = []
        self.problems: list[str] = []

    async def live_through(self, what: str, trouble: Trouble, seconds: float) -> str:
        """One trouble; what was seen, in words."""
        talk = Talk()
        self.talks.append(talk)
        bystanders = Bystanders(self.server, self.bar_ms)
        async with trio.open_nursery() as nursery:
            bob = await enter(nursery, self.server, talk, BOB)
            alice = await enter(nursery, self.server, talk, ALICE, counts=True)
            await self._say(alice, 5)
            async with bystanders.around():
                async with trouble(self.server):
                    deadline = trio.current_time() + seconds
                    while trio.current_time() < deadline:
                        await self._say(alice, 1)
                        await trio.sleep(PAUSE_SECONDS)
                    is_told = await until(talk.is_settled, REFUSED_SECONDS)
                refused = len(talk.refused)
                took = await self._resumes(alice)
                await self._say(alice, 5)
            await until(talk.is_settled)
            await alice.asks_to_acknowledge()
            await until(lambda: len(talk.acknowledged) == len(talk.sent))
            for client in (alice, bob):
                await client.leaves()
            nursery.cancel_scope.cancel()
        if not is_told:
            self.problems.append(f"{what}: some messages were neither shown nor refused")
        if not refused:
            self.problems.append(f"{what}: nothing was refused, the fault did not bite")
        if took > RESUME_SECONDS:
            self.problems.append(f"{what}: writing resumed after {took:.2f} s")
        self.problems += [f"{what}: {problem}" for problem in bystanders.verdict()]
        return f"{what}: {refused} refused, writing again after {took * 1_000:.0f} ms, others' p99 {bystanders.words()}"

    async def _say(self, alice: Talker, count: int) -> None:
        await alice.talks(BOB, count, "x" * self.dice.choice((10, 500, 4_000)))

    async def _resumes(self, alice: Talker) -> float:
        """Seconds until a message is written again; it is sent anew when it is refused."""
        began = time.perf_counter()
        talk = alice.talk
        while time.perf_counter() - began < REFUSED_SECONDS:
            (sent,) = await alice.talks(BOB)
            await until(lambda sent=sent: talk.has(sent) or sent.origin in talk.refused)
            if talk.has(sent):
                break
        return time.perf_counter() - began


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Every trouble, one after the other, on one data folder."""
    outcome = Outcome(
        name="storage",
        fault="disk full (a tmpfs of 24 MiB), EIO and ENOSPC at writes and syncs (strace), database locked 30 s",
        bar="refused, never acknowledged, never shown; presence, login and reads go on, "
        f"others' p99 under {BAR_MS:.0f} ms; writing again within {RESUME_SECONDS:.0f} s; 0 lost",
    )
    outcome.skipped = tracing.missing() or ("" if os.geteuid() == 0 else "needs root, for a small file system")
    if outcome.skipped:
        return outcome
    with TemporaryDirectory(prefix="rookery-storage-") as name:
        folder = Path(name)
        found = []
        async with small_disk(folder / "data"):
            server = await prepare(folder, PEOPLE)
            scene = Scene(server, seed, BAR_MS if scale == "long" else SHORT_BAR_MS)
            async with server:
                for what, (trouble, seconds) in TROUBLES.items():
                    found.append(await scene.live_through(what, trouble, seconds if scale == "long" else SHORT_SECONDS))
                    show(found[-1])
                await trio.sleep(3.0)  # the index takes what it missed
                scene.problems += await look(server, scene.talks)
                with suppress(sqlite3.Error):
                    outcome.counts["messages"] = sum(len(talk.sent) for talk in scene.talks)
                outcome.counts["refused"] = sum(len(talk.refused) for talk in scene.talks)
                outcome.counts["acknowledged"] = sum(len(talk.promised()) for talk in scene.talks)
            scene.problems += [line for line in server.errors if EXPECTED not in line]
    outcome.figure = "; ".join(found)
    outcome.problems = scene.problems
    if scale == "long":
        await beside_peers(outcome, ask_peer, show, is_running=False)
    return outcome


async def ask_peer(peer: Peer) -> str:
    """The disk is full for ten seconds; then there is room again, and the server ends in good order."""
    inside = {file: file.read_bytes() for file in peer.folder.rglob("*") if file.is_file()}
    async with small_disk(peer.folder, PEERS_DISK_MIB):
        for file, content in inside.items():  # the certificate
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        peer.provide(accounts((ALICE, BOB)))
        await trio.to_thread.run_sync(peer.start)
        talk = Talk()
        async with trio.open_nursery() as nursery:
            await enter_peer(nursery, peer, talk, BOB)
            alice = await enter_peer(nursery, peer, talk, ALICE, counts=True)
            await alice.talks(BOB, 5)
            await until(talk.is_settled)
            before = set(talk.sent)
            async with disk_is_full(peer.folder):
                deadline = trio.current_time() + TROUBLES["disk full"][1]
                while trio.current_time() < deadline and not alice.is_cut:
                    await alice.talks(BOB, 1, "x" * 4_000)
                    await trio.sleep(PAUSE_SECONDS)
                await trio.sleep(RESUME_SECONDS)
            known = talk.promised().keys() - before
            refused, shown = len(talk.refused), sum(origin in talk.shown.get(BOB, {}) for origin in known)
            is_cut = alice.is_cut
            await trio.sleep(3.0)  # what it keeps until there is room
            nursery.cancel_scope.cancel()
        await trio.to_thread.run_sync(peer.stop)
        text = kept_texts(peer.folder)
        lost = sum(f"{origin}w" not in text for origin in known)
        kept_before = sum(f"{origin}w" in text for origin in before)
    cut = "; the sender was cut off" if is_cut else ""
    return (
        f"disk full: {refused} refused, {len(known)} acknowledged or shown ({shown} shown), {lost} of them in no file "
        f"after there was room and the server had ended (of {len(before)} from before, {kept_before} are in one){cut}"
    )
