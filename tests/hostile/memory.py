"""What clients that do their worst cost: ``python -m tests.hostile.memory``, or ``make hostile-memory``.

So many sessions, each of one kind: see `tests.hostile.siege`. Two people talk all the time. The peak of the process must stay
below

    what it needed before anybody came + sessions x 64 KiB + `SHARED_BYTES` + `CACHES_BYTES`

and those who talk must go on talking as if nothing were. The hostile clients are a process of their own, and by default one
that gives way (``--nice``): they would be elsewhere, and what is measured is the server, not the machine that it shares with
them.
Prints the figures and the bars; exit status 1 if one of memory is missed. ``talkers_late_ms``: by how much those who talk woke
too late at most, and ``others_cpu_percent``: what other programs used of the same processors: both are the machine's, not the
server's.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import trio

from engine.administration import ShowStatus, StatusShown
from engine.limits import CLIENT_BYTES, SHARED_BYTES
from gateways.control import Caller
from tests.faults.server import ROOT, Server
from tests.hostile.siege import ACCOUNTS, HOME, KINDS, PASSWORD, Session
from tests.load.processes import ProcessTree

CACHES_BYTES = 256 * 1024 * 1024
"""Pages of two databases (three connections of 32 MiB each), the writers of the search indexes (up to 50 MiB each) and 1
MiB for each of 16 accounts whose words wait for the disk. They do not grow with sessions."""

MAX_P99_SECONDS = 0.25
SECONDS = 20.0
ENTER_SECONDS = 300.0
HEAR_SECONDS = 30.0
PAUSE_SECONDS = 0.02
NICE = 10


class Measurement:
    """One siege, and two people who talk beside it."""

    def __init__(self, server: Server, only: str, sessions: int, seconds: float, seed: int, nice: int) -> None:
        self.server, self.only, self.sessions, self.seconds = server, only, sessions, seconds
        self.seed, self.nice = seed, nice
        self.delays: list[float] = []
        self.late = 0.0
        self.figures: dict[str, float] = {}
        self.cut: dict[str, int] = {}

    async def run(self) -> None:
        """Measure."""
        server = self.server
        names = ["talker", "listener", "flooded", *(f"h{number}" for number in range(ACCOUNTS))]
        people = "address,name,password\n" + "".join(f"{name}@{HOME},,{PASSWORD}\n" for name in names)
        await server.does("user", "import", "/dev/stdin", stdin=people.encode())
        self.figures["base_mib"] = memory(server, "VmRSS")
        talker, listener = [await Session.enter(server, name, "t") for name in ("talker", "listener")]
        await listener.send("<presence/>")
        await self._talk(talker, listener, 3.0)  # until it is clear that nobody asks for the history
        await self._talk(talker, listener, 3.0)
        self.figures["p99_before_ms"] = self._percentile(0.99)
        hostile = await self._launch()
        assert hostile.stdin is not None
        try:
            with trio.move_on_after(ENTER_SECONDS):
                await self._hears(hostile, b"entered")
            self.figures["quiet_mib"] = memory(server, "VmRSS")
            await hostile.stdin.send_all(b"begin\n")
            ours = ProcessTree(os.getpid())
            used, others = server.cpu_seconds(), busy_seconds() - ours.cpu_seconds()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch)
                await self._talk(talker, listener, self.seconds)
                nursery.cancel_scope.cancel()
            others = busy_seconds() - ours.cpu_seconds() - others
            self.figures["cpu_percent"] = (server.cpu_seconds() - used) / self.seconds * 100
            self.figures["others_cpu_percent"] = others / self.seconds * 100
            self.figures |= {"p50_ms": self._percentile(0.5), "p99_ms": self._percentile(0.99)}
            self.figures["longest_ms"] = self._percentile(1.0)
            self.figures |= {"talked": len(self.delays), "talkers_late_ms": self.late * 1000}
            await hostile.stdin.aclose()
            said = json.loads((await self._hears(hostile, b"}}")).splitlines()[-1])
            self.figures["entered"], self.cut = said["entered"], said["cut"]
        finally:
            hostile.kill()
            with trio.CancelScope(shield=True):
                await hostile.wait()
        self.figures["peak_mib"] = memory(server, "VmHWM")

    async def _launch(self) -> trio.Process:
        server = self.server
        options = {
            "--ports": json.dumps(server.ports),
            "--authority": str(server.data / "tls" / "self-signed.pem"),
            "--sessions": str(self.sessions),
            "--seed": str(self.seed),
            "--only": self.only,
        }
        command = [sys.executable, "-m", "tests.hostile.siege", *(part for pair in options.items() for part in pair)]
        return await trio.lowlevel.open_process(
            ["nice", "-n", str(self.nice), *command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    async def _hears(self, hostile: trio.Process, part: bytes) -> bytes:
        assert hostile.stdout is not None
        said = b""
        while part not in said:
            more = await hostile.stdout.receive_some()
            assert more, f"the hostile clients are gone: {said!r}"
            said += more
        return said

    async def _watch(self) -> None:
        """The largest queues that were seen; not by the command line, whose start takes a second of a processor."""
        while True:
            status = await trio.to_thread.run_sync(status_of, self.server)
            for name in (
                "archive_queue",
                "mailboxes_waiting",
                "mailbox_deepest",
                "client_bytes",
                "search_behind_seconds",
            ):
                self.figures[name] = max(self.figures.get(name, 0), status[name])
            await trio.sleep(2)

    async def _talk(self, talker: Session, listener: Session, seconds: float) -> None:
        self.delays, self.late = [], 0.0
        until = trio.current_time() + seconds
        number = 0
        while trio.current_time() < until:
            number += 1
            began = time.perf_counter()
            await talker.send(f"<message to='listener@{HOME}/t' type='chat'><body>said {number}.</body></message>")
            with trio.fail_after(HEAR_SECONDS):
                await listener.hears(f"<body>said {number}.</body>".encode())
            self.delays.append(time.perf_counter() - began)
            until_next = trio.current_time() + PAUSE_SECONDS
            await trio.sleep_until(until_next)
            self.late = max(self.late, trio.current_time() - until_next)

    def _percentile(self, part: float) -> float:
        delays = sorted(self.delays)
        return round(delays[min(int(len(delays) * part), len(delays) - 1)] * 1000, 1)


def memory(server: Server, name: str) -> float:
    """MiB of the process: ``VmRSS`` now, ``VmHWM`` at most so far."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def busy_seconds() -> float:
    """What all programs of this machine used until now."""
    user, nice, system, _idle, _disk, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:8])
    return sum((user, nice, system, *interrupts)) / os.sysconf("SC_CLK_TCK")


def status_of(server: Server) -> dict[str, float]:
    """The figures of ``rookery status``."""
    with Caller(server.data) as caller:
        shown = caller.call(ShowStatus())
    assert isinstance(shown, StatusShown), shown
    return dict(shown.figures)


async def measure(
    only: str, sessions: int, seconds: float, seed: int, nice: int
) -> tuple[dict[str, float], dict[str, int], list[str]]:
    """Figures, who was cut how often, and what is wrong."""
    with tempfile.TemporaryDirectory(prefix="rookery-hostile-") as folder:
        server = Server(Path(folder), HOME)
        text = server.config.read_text().partition("[limits]")[0]
        server.config.write_text(f"{text}[limits]\nlogins_per_minute = 0\nsessions_per_user = 0\n")
        async with server:
            measurement = Measurement(server, only, sessions, seconds, seed, nice)
            await measurement.run()
            restarts = '"restarts": 0' in await server.does("status", "--json")
        figures = measurement.figures
        bound = figures["base_mib"] + (sessions * CLIENT_BYTES + SHARED_BYTES + CACHES_BYTES) / 1024**2
        figures |= {"sessions": sessions, "bound_mib": round(bound)}
        faults = [] if figures["peak_mib"] <= bound else ["memory"]
        faults += [] if figures["entered"] >= sessions else ["not all could enter"]
        faults += [] if restarts and not server.errors else [f"restarts or errors: {server.errors[:3]}"]
        return figures, measurement.cut, faults


@click.command()
@click.option("--sessions", default=1_000)
@click.option("--seconds", default=SECONDS)
@click.option("--seed", default=0, help="0: another one each time.")
@click.option("--only", type=click.Choice([kind.__name__ for kind in KINDS]), help="Sessions of this kind only.")
@click.option("--nice", default=NICE, help="How much the hostile clients give way to the server.")
def main(sessions: int, seconds: float, seed: int, only: str | None, nice: int) -> None:
    """Measure, print, and say what is missed."""
    seed = seed or random.randrange(1 << 32)
    figures, cut, faults = trio.run(measure, only or "", sessions, seconds, seed, nice)
    shown: list[Any] = [f"{name} {value:.1f}" for name, value in figures.items()]
    click.echo(f"seed {seed}, nice {nice}, {os.cpu_count()} cores: {', '.join(shown)}; cut: {cut}")
    if figures["p99_ms"] > MAX_P99_SECONDS * 1000:
        click.echo(f"missed: p99 above {MAX_P99_SECONDS * 1000:.0f} ms")
    for fault in faults:
        click.echo(f"MISSED: {fault}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
