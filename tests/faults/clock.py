"""The clock of the machine jumps: an hour and ten years, forth and back, while people talk (libfaketime).

Only the time of day jumps; what measures how long something takes does not, as in a kernel whose clock is set. Order and ids
must go on upwards, nobody may be cut off, and whoever logs in at that time gets in.

libfaketime (0.9.10) has to be told so twice. Told once, it leaves `clock_gettime` of the monotonic clock alone, but counts the
deadline of `pthread_cond_timedwait` from a monotonic clock that it still fakes, and whose figure is the time of day: every
deadline is long over, and the wait returns at once. Python waits in that way, 5 ms at a time, for its turn (the GIL). A thread
that wants one then computes until it has it, reads the offset from its file each time, and has the turn taken from the others
after microseconds: a server that needs 3 s of processor for this row took 36, and some messages more than ten seconds. With
``FAKETIME_FORCE_MONOTONIC_FIX=0`` such a deadline comes through as it was given (`tests.faults.test_clock` looks; x86 only: on
ARM libfaketime has no such choice). `time.sleep` fails with EINVAL all the same; a server calls it in a backup only.
"""

import platform
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from tests.faults.oracle import read_archive
from tests.faults.outcome import Outcome, Scale
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, CAROL, Talk, enter, look, prepare, until
from tests.load.peers.debian import need
from tests.load.server import ServerError
from tests.programs import CLOCKS

LIBRARIES = (
    f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
)
HOUR, YEARS = 3_600, 10 * 365 * 86_400
JUMPS = (HOUR, -HOUR, YEARS, -YEARS, HOUR, 0, 0)
"""Seconds away from the true time, in any order."""


def library() -> str:
    """libfaketime, installed where that is possible; empty if it cannot be had."""
    with suppress(ServerError):
        need(CLOCKS)
    return next((name for name in LIBRARIES if Path(name).exists()), "")


def moved_by(file: Path, faketime: str) -> dict[str, str]:
    """The environment of a process whose time of day is as many seconds off as the file says at that moment."""
    return {
        "LD_PRELOAD": faketime,
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


class Scene:
    """Alice and Bob, and the clock of their server."""

    def __init__(self, server: Server, offset: Path, each: int, pause: float) -> None:
        self.server = server
        self.talks: list[Talk] = []
        self.problems: list[str] = []
        self.cpu_seconds = 0.0
        self._offset = offset
        self._each, self._pause = each, pause

    async def talks_through(self, jumps: Iterable[int], show: Callable[[str], None]) -> None:
        """Talk while the clock jumps, from its start on."""
        talk = Talk()
        self.talks.append(talk)
        async with self.server, trio.open_nursery() as nursery:
            bob = await enter(nursery, self.server, talk, BOB)
            alice = await enter(nursery, self.server, talk, ALICE, counts=True)
            for jump in jumps:
                await alice.talks(BOB, self._each)
                self._offset.write_text(f"{jump:+d}")
                await alice.talks(BOB, self._each)
                await self._carol_comes_and_goes(nursery, jump)
                await bob.asks("<ping xmlns='urn:xmpp:ping'/>")  # who only listens is taken for gone
                if not await until(talk.is_settled):
                    self.problems.append(f"{jump:+,d} s: messages were not shown")
                await trio.sleep(self._pause)
                if alice.is_cut or bob.is_cut:
                    self.problems.append(f"{jump:+,d} s: a session was dropped")
                    break
                show(f"{jump:+,d} s: {len(talk.sent)} messages")
            await alice.asks_to_acknowledge()
            await until(lambda: len(talk.acknowledged) == len(talk.sent))
            self.cpu_seconds += self.server.cpu_seconds()
            self.problems += await look(self.server, self.talks)
            for client in (alice, bob):
                await client.leaves()
            nursery.cancel_scope.cancel()
        self.problems += self.server.errors

    async def _carol_comes_and_goes(self, nursery: trio.Nursery, jump: int) -> None:
        carol = await enter(nursery, self.server, Talk(), CAROL)
        answer = await carol.asks("<query xmlns='urn:xmpp:mam:2'/>", "set")
        if answer.get("type") != "result":
            self.problems.append(f"{jump:+,d} s: no history: {answer.attrib}")
        await carol.leaves()

    def ids(self) -> dict[str, int]:
        """Origin-id -> id in the archive."""
        return {row.origin: row.id for row in read_archive(self.server.data / "archive.sqlite", 0)}


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Jump, and talk on; then start again at the true time, behind ids that are ten years ahead."""
    outcome = Outcome(
        name="clock",
        fault="the clock jumps an hour and ten years, forth and back, while people talk (libfaketime); then a restart",
        bar="order and ids go on upwards; no session dropped; logins go on; 0 lost",
        note="after a jump back, times in the history stand still until the true time has come",
    )
    faketime = library()
    if not faketime:
        outcome.skipped = "libfaketime cannot be had"
        return outcome
    each, pause = (50, 2.0) if scale == "long" else (10, 0.2)
    jumps = [*JUMPS]
    random.Random(seed).shuffle(jumps)
    jumps.append(0)
    with TemporaryDirectory(prefix="rookery-clock-") as name:
        server = await prepare(Path(name), (ALICE, BOB, CAROL))
        offset = Path(name) / "offset"
        offset.write_text("+0")
        server.environment = moved_by(offset, faketime)
        scene = Scene(server, offset, each, pause)
        await scene.talks_through(jumps, show)
        ids = scene.ids()
        server.environment = {}
        await scene.talks_through([0], show)
        after = scene.ids()
    if max(ids.values()) - min(ids.values()) < YEARS * 1_000_000 // 2:
        scene.problems.append("the server did not notice the clock: the fault did not bite")
    if min(after[origin] for origin in after.keys() - ids.keys()) < max(ids.values()):
        scene.problems.append("after a restart ids went back")
    sent, shown = (sum(map(len, each)) for each in zip(*((t.sent, t.shown[BOB]) for t in scene.talks), strict=True))
    outcome.counts = {"messages": sent, "jumps": len(jumps)}
    outcome.figure = (
        f"{shown} of {sent} shown, {len(scene.problems)} faults; the server computed for {scene.cpu_seconds:.1f} s"
    )
    outcome.problems = scene.problems
    return outcome
