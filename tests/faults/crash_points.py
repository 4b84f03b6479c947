"""Killed at every system call: strace sends SIGKILL instead of the k-th write, sync, truncation, rename or answer, for every k.

One point: the server runs, Alice and Bob log in, strace is attached, Alice says fifty things to Bob, one after the other, and
at its k-th call of one kind the server is dead before the call is done. Then the archive is read. The next point begins with
the restart: Bob must be shown everything that his history has, Alice sends again what was not acknowledged, and every message
must be there once. A kind of call is done when the script and the quiet after it (in which cursors and the search index are
written) end unharmed. strace counts for each thread; the first thread that comes to its k-th call ends the process.

After a point the archive is read from where its script began, so that a point does not cost more the more there were before it;
when all points are done, every script is held against all of the archive. SQLite's check is of the whole file each time.
"""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from tests.faults import tracing
from tests.faults.oracle import RECEIVED, integrity, read_archive
from tests.faults.outcome import Outcome, Scale, has_time, stride
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, Talk, enter, judge_all, prepare, until

MESSAGES = 50
QUIET_SECONDS = 1.6
"""After the script: the second after which cursors are written, and the index's own."""

CALLS = (
    "pwrite64", "fdatasync", "fsync", "ftruncate", "write", "writev", "sendto", "sendmsg", "rename", "renameat", "renameat2",
    "unlink", "unlinkat", "mkdir",
)  # fmt: skip
"""Whatever changes a file, and what tells a client."""

SHORT = (("pwrite64", 300), ("fdatasync", 50), ("write", 30), ("renameat", 6))
"""A kind of call, and how many of it there are at least: in the short form one point of each is drawn."""

WORKERS = 3


class Place:
    """One data folder, on which one point follows another."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.archive = server.data / "archive.sqlite"
        self.earlier = Talk()
        self._talks: list[Talk] = []
        self._newest = self._since = 0
        """Ids in the archive: of the last message that was read, and of the last one before the script began."""
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()

    async def point(self, call: str, k: int) -> bool:
        """One crash point; False: the script was over before it came."""
        talk = Talk()
        await self.server.start()
        async with trio.open_nursery() as nursery:
            await self._make_good(nursery, f"{call} {k}")
            self._since = self._newest
            self._talks.append(talk)
            bob = await enter(nursery, self.server, talk, BOB)
            alice = await enter(nursery, self.server, talk, ALICE, counts=True)
            inject = f"inject={call}:signal=KILL:when={k}"
            async with tracing.attached(self.server.process.pid, "-e", f"trace={call}", "-e", inject):
                for _ in range(MESSAGES):
                    (sent,) = await alice.talks(BOB)
                    await until(lambda sent=sent: talk.has(sent) or alice.is_mute or alice.is_cut)
                    if alice.is_mute or alice.is_cut:
                        break
                else:
                    await until(lambda: alice.is_mute or alice.is_cut, QUIET_SECONDS)
            is_reached = self.server.process.poll() is not None or alice.is_cut
            if not is_reached:
                await self.server.kill()
            await alice.hears_cut()
            await bob.hears_cut()  # what had reached them is read
            nursery.cancel_scope.cancel()
        if is_reached:
            await self.server.ended()
        await self._judge(talk, f"killed at {call} {k}")
        self.counts += Counter(messages=len(talk.sent), acknowledged=len(talk.acknowledged))
        self.earlier = talk
        return is_reached

    async def finish(self) -> None:
        """What the last point left."""
        await self.server.start()
        async with trio.open_nursery() as nursery:
            await self._make_good(nursery, "the end")
            nursery.cancel_scope.cancel()
        rows = read_archive(self.archive, 0)  # what was there after its own kill must be there after all the others
        self.problems += [f"in the end: {fault}" for fault in judge_all(self._talks, rows)]
        verified = await self.server.command("verify")
        if verified.returncode:
            self.problems.append(f"verify: {verified.stdout!r} {verified.stderr!r}")
        await self.server.stop()
        self.problems += self.server.errors

    async def _make_good(self, nursery: trio.Nursery, where: str) -> None:
        """Everyone comes back and gets what waited; what was not acknowledged is sent again."""
        talk = self.earlier
        kept = {row.origin for row in read_archive(self.archive, self._since) if (BOB, RECEIVED) in row.entries}
        bob = await enter(nursery, self.server, talk, BOB)
        waited = await until(lambda: kept & talk.sent.keys() <= talk.shown.get(BOB, {}).keys())
        if not waited:
            self.problems.append(
                f"{where}: Bob was not shown {sorted(kept & talk.sent.keys() - talk.shown[BOB].keys())}"
            )
        alice = await enter(nursery, self.server, talk, ALICE, counts=True)
        for origin, sent in talk.sent.items():
            if origin not in talk.acknowledged:
                await alice.tells(sent)
        if not await until(lambda: talk.acknowledged.keys() == talk.sent.keys() and talk.is_settled()):
            self.problems.append(f"{where}: what was sent again was not acknowledged or shown")
        await self._judge(talk, f"before {where}")
        for client in (alice, bob):
            await client.leaves()

    async def _judge(self, talk: Talk, where: str) -> None:
        rows = read_archive(self.archive, self._since)
        self._newest = max([self._since, *(row.id for row in rows)])
        self.problems += [f"{where}: {fault}" for fault in talk.judge(rows)]
        if (opinion := await trio.to_thread.run_sync(integrity, self.archive)) != "ok":
            self.problems.append(f"{where}: SQLite: {opinion}")


class Plan:
    """Which point comes next, for workers who go on side by side."""

    def __init__(self, dice: random.Random, scale: Scale) -> None:
        self._drawn = [(call, dice.randint(1, most)) for call, most in SHORT]
        self._calls = [] if scale == "short" else list(CALLS)
        self._call, self._k = "", 0
        self._dice = dice
        self.reached: Counter[str] = Counter()

    def next(self) -> tuple[str, int] | None:
        """A kind of call and a number; None: that is all."""
        if self._call:
            self._k += stride()
            return self._call, self._k
        if self._calls:
            self._call, self._k = self._calls.pop(0), self._dice.randint(1, stride())
            return self._call, self._k
        return self._drawn.pop() if self._drawn else None

    def note(self, call: str, *, is_reached: bool) -> None:
        """Whether the script came that far; if not, this kind of call is done."""
        if is_reached:
            self.reached[call] += 1
        elif self._call == call:
            self._call = ""


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Every point, and in the short form one of each kind."""
    outcome = Outcome(
        name="crash-points",
        fault=f"SIGKILL in place of the k-th system call of each kind, in a script of {MESSAGES} messages, "
        + ("for every k" if stride() == 1 else f"for every {stride()}th k"),
        bar="0 acknowledged or shown messages lost, doubled or reordered at any k",
    )
    outcome.skipped = tracing.missing()
    if outcome.skipped:
        return outcome
    plan = Plan(random.Random(seed), scale)

    async def work(place: Place) -> None:
        try:
            while has_time() and (point := plan.next()) is not None:
                plan.note(point[0], is_reached=await place.point(*point))
                if point[1] % 25 == 0:
                    show(f"{point[0]} {point[1]}: {len(place.problems)} problems")
            await place.finish()
        finally:
            await place.server.stop()

    with TemporaryDirectory(prefix="rookery-points-") as folder:
        places = [Place(await prepare(Path(folder) / str(number), (ALICE, BOB))) for number in range(WORKERS)]
        async with trio.open_nursery() as workers:
            for place in places:
                place.server.is_forked = True
                workers.start_soon(work, place)
    points = plan.reached
    outcome.problems = [problem for place in places for problem in place.problems]
    outcome.counts = {"crash points": points.total()}
    for place in places:
        for what, number in place.counts.items():
            outcome.counts[what] = outcome.counts.get(what, 0) + number
    reached = ", ".join(f"{call} {number}" for call, number in points.items())
    outcome.figure = f"{len(outcome.problems)} faults at {points.total():,} points ({reached})"
    if not has_time():
        outcome.problems.append("the time was over before every point was tried")
    if not points:
        outcome.problems.append("no point was reached")
    return outcome
