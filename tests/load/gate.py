"""The regression gate: instructions for each unit of work, counted by callgrind, against those that were accepted before.

Instructions do not depend on who else uses the machine, so a few units are enough and the gate may be narrow. A server under
callgrind is fifty times slower; counting is on only while a step is measured. To compare what was counted with other versions
of Python or of the C library, each figure is divided by the instructions of a fixed piece of Python (`REFERENCE`), counted in
the same run: the gate holds the ratio.

``python -m tests.load gate --accept`` writes the figures of today to `BASELINE`; a commit that makes something dearer says why.
"""

import itertools
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec

from tests.load.bench import Bench, Population, Round
from tests.load.peers.debian import need
from tests.load.progress import Progress
from tests.load.rookery import ALIAS, Rookery
from tests.load.server import ServerError
from tests.load.suite import DOMAIN
from tests.load.target import Security
from tests.load.workloads import chat, fanout, login, presence

BASELINE = Path(__file__).parent / "baseline.json"
TOLERANCE = 0.08
"""Turns, and with them the work that is done once for several units, fall a little differently each time."""

ROUNDS = 3
"""Of each figure; the least counts, which is the one with the least waiting in it."""

SESSIONS = 10
START_SECONDS = 300.0
COMMAND_SECONDS = 120.0
SUMMARY = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)
REFERENCE = """
import json, re
words = [str(n * 7919 % 1000) for n in range(2000)]
for _ in range(20):
    text = json.dumps({word: [word, len(word)] for word in words})
    sum(len(found) for found in re.findall("[0-9]+", text))
    sorted(json.loads(text).items(), key=lambda pair: pair[1])
"""


class Gauge(msgspec.Struct, frozen=True):
    """What is counted: its name, the unit, a round that warms up or measures so many units, and on which connections."""

    key: str
    unit: str
    play: Callable[[Bench], Round]
    security: Security = "none"


GAUGES = (
    Gauge("message", "message", partial(chat.run, window=1, seconds=60.0, sessions=2, count=300)),
    Gauge("conversation", "message", partial(chat.run, window=8, seconds=60.0, sessions=SESSIONS, count=600)),
    Gauge("presence", "presence told", partial(presence.run, changes=5, seconds=3.0, sessions=SESSIONS)),
    Gauge("alias", "delivery", partial(fanout.run, window=1, seconds=3.0, sessions=SESSIONS)),
    Gauge("login", "login", partial(login.alone, logins=9, sessions=SESSIONS)),
    Gauge("web-message", "message", partial(chat.run, window=1, seconds=60.0, sessions=2, count=300), "page"),
    Gauge(
        "web-conversation", "message", partial(chat.run, window=8, seconds=60.0, sessions=SESSIONS, count=600), "page"
    ),
)


class Baseline(msgspec.Struct):
    """What was accepted: instructions for each unit, and those of the reference."""

    python: str
    reference: int
    instructions: dict[str, int]


def measure(progress: Progress, keys: frozenset[str] = frozenset()) -> Baseline:
    """Count.

    Raises:
        ServerError: valgrind is missing, or the server does not run under it.
    """
    need({"valgrind": "valgrind"})
    progress.begin("instructions")
    progress.say("reference")
    found = Baseline(platform.python_version(), _count_reference(), {})
    population = Population(users=SESSIONS, domains=(DOMAIN,))
    with tempfile.TemporaryDirectory(prefix="rookery-gate-") as folder:
        out = Path(folder) / "callgrind.out"
        server = Rookery(population.domains, _callgrind(out, "--instr-atstart=no"))
        try:
            server.provide(population.accounts(), {ALIAS: [account.bare for account in population.accounts()]})
            progress.say("the server starts, slowly")
            server.start(START_SECONDS)
            wanted = [gauge for gauge in GAUGES if not keys or gauge.key in keys]
            for security, gauges in itertools.groupby(wanted, key=lambda gauge: gauge.security):
                bench = Bench(server, population, security, progress)
                bench.gather(SESSIONS)
                for gauge in gauges:
                    progress.begin(f"instructions: {gauge.key}")
                    gauge.play(bench)  # once without being counted: caches fill
                    counts = [_count(gauge, bench, server.tree.pid, out) for _ in range(ROUNDS)]
                    found.instructions[gauge.key] = min(counts)
                bench.close()
        finally:
            server.remove()
    return found


def judge(now: Baseline, before: Baseline) -> Iterable[tuple[str, bool]]:
    """A line for each figure, and whether it passes."""
    scale = before.reference / now.reference
    yield f"{'instructions each':18}{'accepted':>14}{'now':>14}{'ratio':>8}   at most {1 + TOLERANCE:.2f}", True
    for key, count in now.instructions.items():
        accepted = before.instructions.get(key)
        if accepted is None:
            yield f"{key:18}{'':>14}{count:>14,}{'':>8}   new", True
            continue
        ratio = count * scale / accepted
        verdict = "MISSED" if ratio > 1 + TOLERANCE else "better: accept it" if ratio < 1 - TOLERANCE else "ok"
        yield f"{key:18}{accepted:>14,}{count:>14,}{ratio:8.3f}   {verdict}", ratio <= 1 + TOLERANCE
    if now.python != before.python:
        yield f"accepted with Python {before.python}, counted with {now.python}", True


def _count(gauge: Gauge, bench: Bench, pid: int, out: Path) -> int:
    _control("--instr=on", pid)
    _control("--zero", pid)
    one = gauge.play(bench)
    _control(f"--dump={gauge.key}", pid)
    _control("--instr=off", pid)
    if one.faults:
        raise ServerError(one.faults[0])
    newest = max(out.parent.glob(f"{out.name}*"), key=lambda file: file.stat().st_mtime_ns)
    return _total(newest) // one.units


def _control(command: str, pid: int) -> None:
    done = subprocess.run(
        ["callgrind_control", command, str(pid)], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    if done.returncode or "Error" in done.stdout:
        raise ServerError(f"callgrind_control {command}: {done.stdout} {done.stderr}")


def _callgrind(out: Path, *options: str) -> tuple[str, ...]:
    return ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "-q", *options, sys.executable)


def _count_reference() -> int:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        subprocess.run([*_callgrind(out), "-c", REFERENCE], capture_output=True, timeout=START_SECONDS, check=True)
        return _total(out)


def _total(file: Path) -> int:
    found = SUMMARY.findall(file.read_text(errors="replace"))
    if not found:
        raise ServerError(f"{file}: no total")
    return max(map(int, found))
