"""What reading a long history costs its reader, and what it costs others: ``python -m tests.scale.histories``.

One member has a history of a million messages. Timed are pages of 50 in the process, at places chosen at random; the last page
over TLS, from the question to the last byte; how long a page as large as can be asked for keeps the loop (processor time of
its rendering); and the way of somebody else's messages from one client to another, in turn while nobody reads and while the
one with the million reads all of it as fast as he can (`tests.scale.reader`).

What the reader adds is looked at in each of several rounds, and the middle one counts: on a machine that does other things,
too, the slowest messages of a round are theirs as often as ours.
"""

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec
import trio

from engine.jid import Jid
from engine.limits import HISTORY_PAGE
from engine.messages import HistoryFetched, HistoryQuery, Request
from engine.xmpp.client import XmppClient
from engine.xmpp.features import build_mux
from engine.xmpp.mux import Software
from index.archive import SqliteArchive
from index.asyncio_island import Island
from tests.faults.client import Client
from tests.faults.server import ROOT, Server
from tests.scale.long_history import fill
from tests.scale.members import DOMAIN, PASSWORD, address, write_csv
from tests.scale.reader import QUERY, Reader

PEERS = 49
PAGE = 50
BAR_PAGE_MS = 5.0
BAR_LOOP_MS = 5.0
BAR_LAST_PAGE_MS = 15.0
BAR_ADDED_MS = 10.0
PACE_SECONDS = 0.005
"""Between two messages."""

MEMBERS = PEERS + 1
OWNER = address(0)


class Times(msgspec.Struct):
    """Milliseconds."""

    what: str
    times: list[float]

    def at(self, part: float) -> float:
        """So much of them was no more than this."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]

    def __str__(self) -> str:
        return f"{self.what:44} p50 {self.at(0.5):7.2f}   p99 {self.at(0.99):7.2f}   ({len(self.times)} times)"


def together(what: str, parts: Iterable[Times]) -> Times:
    """All times in one."""
    return Times(what, [one for times in parts for one in times.times])


class Figures(msgspec.Struct):
    """Everything.

    Attributes:
        messages: in the history.
        pages: of 50, in the process, by kind.
        rendering: of the largest page.
        last_page: over TLS.
        quiet: ways of messages while nobody reads, by round.
        busy: while one reads all the time.
    """

    messages: int
    pages: list[Times]
    rendering: Times
    last_page: Times
    quiet: list[Times]
    busy: list[Times]

    @property
    def any_page(self) -> Times:
        """All pages together."""
        return together(f"any page of {PAGE}, in the process", self.pages)

    def added_ms(self, part: float) -> float:
        """What the reader adds to the way of somebody else's message, in the middle one of the rounds."""
        added = (busy.at(part) - quiet.at(part) for quiet, busy in zip(self.quiet, self.busy, strict=True))
        return statistics.median(added)

    @property
    def verdicts(self) -> list[tuple[str, float, float]]:
        """What is to be kept: name, figure, bar."""
        return [
            ("any page, p99 ms", self.any_page.at(0.99), BAR_PAGE_MS),
            ("the loop kept by a page, p99 ms", self.rendering.at(0.99), BAR_LOOP_MS),
            ("last page over TLS, p99 ms", self.last_page.at(0.99), BAR_LAST_PAGE_MS),
            ("added by a reader, p99 ms", self.added_ms(0.99), BAR_ADDED_MS),
        ]

    def lines(self) -> Iterable[str]:
        """To be printed."""
        yield f"milliseconds, a history of {self.messages} messages"
        for times in (*self.pages, self.any_page, self.rendering, self.last_page):
            yield str(times)
        yield str(together("a message, nobody reads", self.quiet))
        yield str(together("a message, one reads everything", self.busy))
        for name, figure, bar in self.verdicts:
            yield f"{name:44} {figure:7.2f}   < {bar:.0f}: {'ok' if figure < bar else 'MISSED'}"


async def time_pages(file: Path, messages: int, times: int) -> list[Times]:
    """Pages at random places, each kind so many times."""
    choose = random.Random(messages)
    async with Island() as island, SqliteArchive(island, file, clock=time.time) as archive:
        page = archive.histories.page
        bounds = await archive.histories.bounds(OWNER)
        assert bounds is not None
        oldest, newest = (kept.chat.id for kept in bounds)

        async def known() -> int:
            near = HistoryQuery(owner=OWNER, limit=1, start=choose.randint(oldest, newest))
            return (await page(near)).kept[0].chat.id

        async def measure(what: str, **query: object) -> Times:
            found = []
            for _ in range(times):
                given = {**query, **({"peer": address(choose.randint(1, PEERS))} if "peer" in query else {})}
                for place in {"after", "before"} & given.keys():
                    given[place] = await known()
                began = time.perf_counter()
                await page(HistoryQuery(owner=OWNER, limit=PAGE, **given))
                found.append((time.perf_counter() - began) * 1000)
            return Times(what, found)

        return [
            await measure("first page"),
            await measure("last page", is_backwards=True),
            await measure("after a message at random", after=0),
            await measure("before a message at random", before=0, is_backwards=True),
            await measure("one conversation, its last page", peer="", is_backwards=True),
            await measure("one conversation, after a message at random", peer="", after=0),
            await measure("one conversation, before one at random", peer="", before=0, is_backwards=True),
        ]


async def time_last_page(reader: Reader, times: int) -> Times:
    """From the question to the end of the answer."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        await reader.reads(QUERY.format(f"<max>{PAGE}</max><before/>"))
        found.append((time.perf_counter() - began) * 1000)
    return Times("last page, over TLS", found)


async def time_rendering(file: Path, times: int) -> Times:
    """Processor time of rendering the largest page for its session, on the loop's thread."""
    session = Jid(OWNER, "r")
    client = XmppClient(session, build_mux(Software()))
    async with Island() as island, SqliteArchive(island, file, clock=time.time) as archive:
        page = await archive.histories.page(HistoryQuery(owner=OWNER, limit=HISTORY_PAGE))
    event = HistoryFetched(Request(session, "r", name="{urn:xmpp:mam:2}query"), page, "q")
    found = []
    for _ in range(times):
        began = time.thread_time()
        burst = client.render(event)
        found.append((time.thread_time() - began) * 1000)
        assert burst is not None
        assert burst.count == HISTORY_PAGE + 1
    return Times(f"a page of {HISTORY_PAGE}, rendered (processor time)", found)


async def time_messages(sender: Client, recipient: Client, times: int, name: str) -> list[float]:
    """From the sending of one message to its arrival, with a pause before the next."""
    found = []
    await recipient.asks("<ping xmlns='urn:xmpp:ping'/>")  # who only listens is taken for dead some time
    for number in range(times):
        body = f"{name} {number}"
        began = time.perf_counter()
        await sender.says(recipient.bare, body)
        await recipient.hears_message(body)
        found.append((time.perf_counter() - began) * 1000)
        await trio.sleep(PACE_SECONDS)
    return found


@asynccontextmanager
async def reading(server: Server, reader: str = "tests.scale.reader"):
    """The one with the million reads all of it, meanwhile; or whatever the program does that is named."""
    command = [sys.executable, "-m", reader, str(server.ports["xmpps"]), str(server.config.parent), OWNER]
    process = await trio.lowlevel.open_process(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = b""
        while b"\n" not in said:
            more = await process.stdout.receive_some()
            assert more, "the reader did not begin"
            said += more
        yield
        assert process.poll() is None, "the reader ended"
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()


async def measure(messages: int, times: int, rounds: int) -> Figures:
    """Everything, with so many messages; each thing so many times.

    Args:
        messages: in the history.
        times: of each thing.
        rounds: each is a stretch without the reader and one with him.
    """
    with tempfile.TemporaryDirectory(prefix="rookery-histories-") as folder:
        server = Server(Path(folder), DOMAIN)
        await server.does("user", "import", str(write_csv(Path(folder) / "members.csv", MEMBERS, 3)))
        file = server.data / "archive.sqlite"
        await trio.to_thread.run_sync(fill, file, OWNER, [address(peer) for peer in range(1, MEMBERS)], messages)
        pages = await time_pages(file, messages, times)
        rendering = await time_rendering(file, times)
        await server.does("reindex")  # else the search would catch up meanwhile
        async with server, trio.open_nursery() as nursery:
            reader = await Reader.enter(nursery, server, f"{OWNER}/measure", PASSWORD)
            reader.begins()
            await time_last_page(reader, 10)
            last_page = await time_last_page(reader, times)
            await reader.leaves()  # silent from here on, it would be taken for dead
            bob, carol = [await enter(nursery, server, number) for number in (1, 2)]
            quiet, busy = await _time_others(server, bob, carol, times, rounds)
            for client in (bob, carol):
                await client.leaves()
        assert server.errors == []
        return Figures(messages, pages, rendering, last_page, quiet, busy)


async def enter(nursery: trio.Nursery, server: Server, number: int) -> Client:
    """A session of one member."""
    client = await Client.enter(nursery, server, f"{address(number)}/measure", PASSWORD)
    await client.is_present()
    await client.hears_presence(client.jid)
    return client


async def _time_others(
    server: Server, bob: Client, carol: Client, times: int, rounds: int
) -> tuple[list[Times], list[Times]]:
    quiet, busy = [], []
    await time_messages(bob, carol, 20, "warm up")
    for number in range(rounds):
        quiet.append(Times("quiet", await time_messages(bob, carol, times, f"quiet {number}")))
        async with reading(server):
            busy.append(Times("busy", await time_messages(bob, carol, times, f"busy {number}")))
    return quiet, busy


@click.command()
@click.option("--messages", default=1_000_000, show_default=True)
@click.option("--times", default=500, show_default=True, help="Of each thing.")
@click.option("--rounds", default=7, show_default=True, help="Without and with a reader.")
def main(messages: int, times: int, rounds: int) -> None:
    """Measure, print, and say by the exit status whether every bar is kept."""
    figures = trio.run(measure, messages, times, rounds)
    for line in figures.lines():
        click.echo(line)
    sys.exit(0 if all(figure < bar for _, figure, bar in figures.verdicts) else 1)


if __name__ == "__main__":
    main()
