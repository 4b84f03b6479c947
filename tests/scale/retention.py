"""What a purge costs those who chat meanwhile, and what an export costs: ``python -m tests.scale.retention``.

An archive is filled, its first half is purged while two people go on talking, one message in flight; then the history of one
person is exported, who has all of it. Latencies are from a message sent to the message heard, before and during the purge.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec
import trio

from index.archive import SqliteArchive
from index.asyncio_island import Island
from tests.faults.client import Client
from tests.faults.server import ROOT, Server
from tests.index.stories import NOON, Clock, says

DOMAIN = "scale.example"
PASSWORD = "correct horse"
ANN, BEN, CYD = (f"{name}@{DOMAIN}" for name in ("ann", "ben", "cyd"))
BATCH = 500
SECONDS_APART = 1.0
TALK_SECONDS = 5.0
PAUSE_SECONDS = 0.005
TELLING_MEMORY = """
import atexit, sys
from config.cli import main
def tell():
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(tell)
main()
"""


class Figures(msgspec.Struct):
    """Everything; latencies in milliseconds, in the order of the messages."""

    messages: int
    quiet: list[float]
    purging: list[float]
    purge_seconds: float
    said: str
    export_seconds: float
    export_mib: float
    export_peak_mib: float

    def lines(self) -> Iterable[str]:
        """To be printed."""
        yield f"messages in the archive     {self.messages}"
        yield f"purge of the first half     {self.purge_seconds:.1f} s, the search index made anew included"
        yield f"                            {self.said}"
        for what, latencies in (("latency before", self.quiet), ("latency during the purge", self.purging)):
            p50, p99 = statistics.median(latencies), statistics.quantiles(latencies, n=100)[98]
            yield f"{what:28}p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(latencies):.1f} ms, {len(latencies)} messages"
        rate = self.messages / 2 / self.export_seconds
        yield f"export of the other half    {self.export_seconds:.1f} s ({rate:.0f}/s), {self.export_mib:.1f} MiB"
        yield f"memory of the export        {self.export_peak_mib:.0f} MiB at most"


async def fill(server: Server, messages: int) -> int:
    """Ann and Ben have talked for long; the time of the message in the middle."""
    clock = Clock()
    async with Island() as island, SqliteArchive(island, server.data / "archive.sqlite", clock=clock) as archive:
        for start in range(0, messages, BATCH):
            clock.now = NOON + start * SECONDS_APART
            await archive.commit(
                [
                    says(*((ANN, BEN) if n % 2 else (BEN, ANN)), f"message {n} {'word ' * (n % 25)}")
                    for n in range(start, start + BATCH)
                ]
            )
    return int((NOON + messages // 2 * SECONDS_APART) * 1_000_000)


async def talk(sender: Client, hearer: Client, stop: trio.Event, latencies: list[float]) -> None:
    """One message after the other, to and fro."""
    number = 0
    while not stop.is_set():
        number += 1
        sender, hearer = hearer, sender
        body = f"talk {id(latencies)} {number}"
        began = time.perf_counter()
        await sender.says(hearer.bare, body)
        await hearer.hears_message(body)
        latencies.append((time.perf_counter() - began) * 1000)
        await trio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def _talking(sender: Client, hearer: Client, latencies: list[float]) -> AsyncIterator[None]:
    """They talk until the end of the block, and have ended their sentence when it is over."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk, sender, hearer, stop, latencies)
        yield
        stop.set()


async def export(server: Server) -> tuple[float, float, float]:
    """Seconds, size and peak memory of an export in a process of its own."""
    file = server.data.parent / "ann.jsonl"
    command = [
        "history",
        "export",
        ANN,
        "--with",
        BEN,
        "--to",
        "2024-01-01",
        "--format",
        "jsonl",
        "--output",
        str(file),
    ]

    began = time.perf_counter()
    arguments = [sys.executable, "-c", TELLING_MEMORY, "--config", str(server.config), *command]
    done = await trio.run_process(arguments, cwd=ROOT, capture_stderr=True)
    seconds = time.perf_counter() - began
    return seconds, file.stat().st_size / 2**20, int(done.stderr.split()[1]) / 1024


async def measure(messages: int, folder: Path) -> Figures:
    """Everything, in a new folder."""
    server = Server(folder, DOMAIN)
    for address in (ANN, BEN, CYD):
        await server.does("user", "add", address, "--password-stdin", stdin=PASSWORD.encode())
    middle = await fill(server, messages)
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(middle // 1_000_000))
    await server.does("reindex")
    quiet: list[float] = []
    purging: list[float] = []
    async with server, trio.open_nursery() as nursery:
        cyd, other = [await Client.enter(nursery, server, f"{CYD}/{name}", PASSWORD) for name in ("one", "two")]
        for client in (cyd, other):
            await client.is_present()
        await cyd.says(other.bare, "are you there?")
        await other.hears_message("are you there?")  # a new client is given what it missed after a moment
        async with _talking(cyd, other, quiet):
            await trio.sleep(TALK_SECONDS)
        async with _talking(cyd, other, purging):
            began = time.perf_counter()
            said = await server.does("history", "purge", "--before", before)
            purge_seconds = time.perf_counter() - began
        exported = await export(server)
        assert await server.does("verify") == "no faults found\n"
        for client in (cyd, other):
            await client.is_cut_off()
    return Figures(messages, quiet, purging, purge_seconds, said.strip(), *exported)


@click.command()
@click.option("--messages", default=200_000, show_default=True)
def main(messages: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        for line in trio.run(measure, messages, Path(folder)).lines():
            click.echo(line)


if __name__ == "__main__":
    sys.exit(main())
