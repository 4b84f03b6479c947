"""Where the server's time goes: py-spy looks at its stacks many times a second while a step is measured.

A look counts for the innermost function that is ours: what a library or the kernel does is done for whoever called it. The stop
of a function is that of its file (see the road of a message in `engine`'s docstring), unless the function has one of its own.
"""

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.load.server import ServerError

RATE = 400
START_SECONDS = 1.0
END_SECONDS = 30.0
ATTEMPTS = 8
"""It does not stop the process while it looks, so that the first look at a busy one may fail."""

OURS = ("engine/", "actors/", "gateways/", "index/", "config/")
FRAME = re.compile(r"^(?P<function>.*) \((?P<file>.*?)(?::\d+)?\)$")

STOPS = (
    (r"gateways/.*:(read|_read|receive|_receive|recv)", "1 read from the socket, TLS"),
    (r"gateways/poller", "1 wait for sockets"),
    (r"gateways/(login|listener|reception|tls|deadlines|throttle)", "1 accept, log in"),
    (r"engine/xmpp/(sasl|scram)", "1 accept, log in"),
    (r"gateways/", "7 write to the socket, TLS"),
    (r"engine/xmpp/(parser|framing|tokens|stream)", "2 bytes to elements"),
    (r"engine/xmpp/(rendering|patterns|xml)", "7 render"),
    (r"engine/xmpp/|engine/jid", "2 elements to commands, and back"),
    (r"actors/(session|seat|tally|outlet|missed|post_office)|engine/(outbox|intake|catch_up|clients)", "3 session"),
    (r"actors/(user|alias|domain|registrar)|engine/(delivery|alias|presence|contacts|block)", "4 user, alias, domain"),
    (r"actors/(archiver|historian)|engine/histor", "5 archive: actors"),
    (
        r"actors/(scribe|indexer)|index/(histor|texts|tokens|tantivy|contact|chapters)",
        "5 archive: text index, searches",
    ),
    (r"index/asyncio_(island|loop)", "5 archive: to the other thread and back"),
    (r"index/database.*:_transact", "5 archive: commit, with the wait for the disk"),
    (r"index/", "5 archive: rows"),
    (r"actors/directory", "6 directory"),
    (r"actors/", "scheduling of actors"),
)
"""What a place (``file:function``) does; the first that fits."""

THREADS = (
    (r".*aiosqlite/", "of a database"),
    (r"config/cli", "main: trio, actors, connections"),
    (r".*_core/_thread_cache|.*trio/_threads", "of trio, for what waits (indexes)"),
)
"""What a stack with such a place runs in; the first that fits anywhere in it."""


class Profile(msgspec.Struct):
    """What was looked at.

    Attributes:
        looks: how many; those of idle threads are none.
        threads: looks for each kind of thread.
        stops: looks for each stop; functions: for each innermost function of ours.
        inclusive: for each function of ours, wherever it is in the stack.
        leaves: for each innermost function at all.
    """

    looks: int
    threads: list[tuple[str, int]]
    stops: list[tuple[str, int]]
    functions: list[tuple[str, int]]
    inclusive: list[tuple[str, int]]
    leaves: list[tuple[str, int]]


class Profiler:
    """Looks at one process between `begin` and `end`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._folder = tempfile.TemporaryDirectory(prefix="rookery-profile-")
        self._file = Path(self._folder.name) / "stacks.txt"
        self._process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """From now on.

        Raises:
            ServerError: py-spy does not work here.
        """
        program = Path(sys.executable).parent / "py-spy"
        if not program.exists():
            raise ServerError("py-spy is not installed")
        command = [
            str(program),
            "record",
            "--pid",
            str(self._pid),
            "--rate",
            str(RATE),
            "--format",
            "raw",
            "--function",
        ]
        command += ["--output", str(self._file), "--duration", "unlimited", "--nonblocking", "--threads"]
        for _ in range(ATTEMPTS):
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            time.sleep(START_SECONDS)
            if self._process.poll() is None:
                return
        said = self._process.stdout.read() if self._process and self._process.stdout else ""
        raise ServerError(f"py-spy: {said[:500]}")

    def end(self) -> Profile:
        """Until now; what was seen."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=END_SECONDS)
        return analyse(self._file.read_text().splitlines())


def analyse(stacks: Iterable[str]) -> Profile:
    """Stacks as py-spy writes them: frames from the outermost in, a blank, a count."""
    counters: dict[str, Counter[str]] = {
        name: Counter() for name in ("threads", "stops", "functions", "inclusive", "leaves")
    }
    looks = 0
    for line in stacks:
        text, _, count = line.rpartition(" ")
        places = [place for frame in text.split(";") if (place := _place(frame)) is not None]
        if not places or not count.isdecimal():
            continue
        number = int(count)
        looks += number
        counters["threads"][_thread(places)] += number
        ours = [place for place in places if place.startswith(OURS)]
        inner = ours[-1] if ours else "(none of ours)"
        counters["leaves"][places[-1]] += number
        counters["functions"][inner] += number
        counters["stops"][_stop(inner)] += number
        for place in set(ours):
            counters["inclusive"][place] += number
    return Profile(looks, **{name: counter.most_common() for name, counter in counters.items()})


def lines(profile: Profile, count: int, cost: float) -> Iterable[str]:
    """For a terminal; `cost`: microseconds of CPU for each unit, as they were while it was looked at."""
    total = profile.looks or 1
    for title, pairs in (
        ("thread", profile.threads),
        ("stop", profile.stops),
        ("function of ours, with what libraries do for it", profile.functions),
        ("function of ours, with everything that it calls", profile.inclusive),
        ("innermost function", profile.leaves),
    ):
        yield f"{'share':>7}{'us each':>10}  {title}"
        for name, number in pairs[:count]:
            yield f"{100 * number / total:6.1f}%{cost * number / total:10.1f}  {name}"
        yield ""


def _place(frame: str) -> str | None:
    match = FRAME.match(frame)
    if match is None:
        return None
    file = match["file"]
    for top in OURS:
        if file.startswith(top):
            return f"{file}:{match['function']}"
        _, found, rest = file.rpartition(f"/{top}")
        if found and "site-packages" not in file:
            return f"{top}{rest}:{match['function']}"
    return f"{'/'.join(Path(file).parts[-2:])}:{match['function']}"


def _thread(places: list[str]) -> str:
    return next((name for pattern, name in THREADS if any(re.match(pattern, place) for place in places)), "other")


def _stop(place: str) -> str:
    return next((name for pattern, name in STOPS if re.match(pattern, place)), "trio, interpreter, other")
