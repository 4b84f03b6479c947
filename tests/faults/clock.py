"""The clock of the machine jumps: an hour and ten years, forth and back, while people talk (libfaketime).

Only the time of day jumps; what measures how long something takes does not, as in a kernel whose clock is set. Order and ids must
go on upwards, nobody may be cut off, and whoever logs in at that time gets in.
"""

import os
import platform
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from tests.faults.oracle import read_archive
from tests.faults.outcome import Outcome, Scale
from tests.faults.talk import ALICE, BOB, CAROL, Talk, enter, look, prepare, until

LIBRARIES = (
    f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
)
HOUR, YEARS = 3_600, 10 * 365 * 86_400
JUMPS = (HOUR, 0, -HOUR, 0, YEARS, 0, -YEARS, HOUR, 0)
"""Seconds away from the true time, one after the other."""


def library() -> str:
    """libfaketime, installed where that is possible; empty if it cannot be had."""
    found = [name for name in LIBRARIES if Path(name).exists()]
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", "faketime")):
            subprocess.run(["apt-get", *words], capture_output=True, timeout=300, check=False)
        found = [name for name in LIBRARIES if Path(name).exists()]
    return found[0] if found else ""


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Jump, and talk on."""
    dice = random.Random(seed)
    each, pause = (50, 2.0) if scale == "long" else (10, 0.2)
    outcome = Outcome(
        name="clock",
        fault="the clock jumps an hour and ten years, forth and back, while people talk (libfaketime)",
        bar="order and ids go on upwards; no session dropped; logins go on; 0 lost",
    )
    faketime = library()
    if not faketime:
        outcome.skipped = "libfaketime cannot be had"
        return outcome
    with TemporaryDirectory(prefix="rookery-clock-") as name:
        server = await prepare(Path(name), (ALICE, BOB, CAROL))
        offset = Path(name) / "offset"
        offset.write_text("+0")
        server.environment = {
            "LD_PRELOAD": faketime,
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        talk = Talk()
        async with server, trio.open_nursery() as nursery:
            bob = await enter(nursery, server, talk, BOB)
            alice = await enter(nursery, server, talk, ALICE, counts=True)
            for jump in JUMPS:
                await alice.talks(BOB, each)
                offset.write_text(f"{jump:+d}")
                await alice.talks(BOB, each)
                carol = await enter(nursery, server, Talk(), CAROL, device=f"d{dice.random()}")
                answer = await carol.asks("<query xmlns='urn:xmpp:mam:2'/>", "set")
                if answer.get("type") != "result":
                    outcome.problems.append(f"{jump:+,d} s: no history: {answer.attrib}")
                await carol.leaves()
                if not await until(talk.is_settled):
                    outcome.problems.append(f"{jump:+,d} s: messages were not shown")
                await trio.sleep(pause)
                if alice.is_cut or bob.is_cut:
                    outcome.problems.append(f"{jump:+,d} s: a session was dropped")
                    break
                show(f"{jump:+,d} s: {len(talk.sent)} messages")
            await alice.asks_to_acknowledge()
            await until(lambda: len(talk.acknowledged) == len(talk.sent))
            ids = [row.id for row in read_archive(server.data / "archive.sqlite", 0)]
            if ids[-1] - ids[0] < YEARS * 1_000_000 // 2:
                outcome.problems.append("the server did not notice the clock: the fault did not bite")
            outcome.problems += await look(server, [talk])
            for client in (alice, bob):
                await client.leaves()
            nursery.cancel_scope.cancel()
        outcome.problems += server.errors
        # After ten years ahead and back, a start must go on behind what is there.
        server.environment = {}
        again = Talk()
        async with server, trio.open_nursery() as nursery:
            bob = await enter(nursery, server, again, BOB)
            alice = await enter(nursery, server, again, ALICE, counts=True)
            await alice.talks(BOB, each)
            if not await until(again.is_settled):
                outcome.problems.append("after a restart messages were not shown")
            outcome.problems += await look(server, [talk, again])
            rows = {row.origin: row.id for row in read_archive(server.data / "archive.sqlite", 0)}
            if min(rows[origin] for origin in again.sent) < max(rows[origin] for origin in talk.sent):
                outcome.problems.append("after a restart ids went back")
            for client in (alice, bob):
                await client.leaves()
            nursery.cancel_scope.cancel()
        outcome.problems += server.errors
    outcome.counts = {"messages": len(talk.sent) + len(again.sent), "jumps": len(JUMPS)}
    outcome.figure = f"{len(talk.shown.get(BOB, {}))} of {len(talk.sent)} shown in order, 0 sessions dropped"
    if outcome.problems:
        outcome.figure = f"{len(outcome.problems)} faults"
    outcome.note = "after a jump back, times in the history stand still until the true time has come"
    return outcome
