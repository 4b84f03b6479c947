"""What somebody who searches all the time costs others: ``python -m tests.search.neighbours``, or ``make search``.

One member has a history of a million messages and searches it without a pause (`tests.search.searcher`). Timed is the way of
somebody else's messages from one client to another, in turn while nobody searches, while he does, and while the index is made
again (``rookery reindex``).
"""

import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec
import trio

from tests.faults.client import Client
from tests.faults.server import Server
from tests.scale.histories import BAR_ADDED_MS, MEMBERS, OWNER, Times, enter, reading, time_messages
from tests.scale.long_history import fill
from tests.scale.members import DOMAIN, address, write_csv

ROUNDS = 4
"""Stretches without and with the searcher, in turn."""

START_SECONDS = 0.5
"""Until the command has begun."""


class Figures(msgspec.Struct):
    """The ways of messages, while nobody searches, while one does, and while the index is made again."""

    messages: int
    quiet: Times
    busy: Times
    again: Times

    def added_ms(self, share: float) -> float:
        """What the worse of the two adds, at this percentile."""
        return max(self.busy.at(share), self.again.at(share)) - self.quiet.at(share)

    def lines(self) -> Iterable[str]:
        """To be printed."""
        yield f"milliseconds, a history of {self.messages} messages"
        yield from map(str, (self.quiet, self.busy, self.again))
        verdict = "ok" if self.is_good else "MISSED"
        yield f"added at most, p99 ms {self.added_ms(0.99):.2f} < {BAR_ADDED_MS:.0f}: {verdict}"

    @property
    def is_good(self) -> bool:
        """The bar is kept."""
        return self.added_ms(0.99) < BAR_ADDED_MS


async def measure(messages: int, times: int) -> Figures:
    """With so many messages in the history; so many on their way in each stretch."""
    with tempfile.TemporaryDirectory(prefix="rookery-search-") as folder:
        server = Server(Path(folder), DOMAIN)
        await server.does("user", "import", str(write_csv(Path(folder) / "members.csv", MEMBERS, 3)))
        peers = [address(peer) for peer in range(1, MEMBERS)]
        await trio.to_thread.run_sync(fill, server.data / "archive.sqlite", OWNER, peers, messages)
        await server.does("reindex")
        async with server, trio.open_nursery() as nursery:
            bob, carol = [await enter(nursery, server, number) for number in (1, 2)]
            figures = await _time(server, bob, carol, messages, times)
            for client in (bob, carol):
                await client.leaves()
        assert server.errors == []
        return figures


async def _time(server: Server, bob: Client, carol: Client, messages: int, times: int) -> Figures:
    quiet, busy = Times("a message, nobody searches", []), Times("a message, one searches all the time", [])
    again = Times("a message, the index is made again", [])
    await time_messages(bob, carol, 20, "warm up")
    carol.heard.clear()  # what waited for her; it would be looked through for each message
    for number in range(ROUNDS):
        quiet.times += await time_messages(bob, carol, times, f"quiet {number}")
        async with reading(server, "tests.search.searcher"):
            busy.times += await time_messages(bob, carol, times, f"busy {number}")
        async with _reindexing(server):
            again.times += await time_messages(bob, carol, times, f"again {number}")
    return Figures(messages, quiet, busy, again)


@asynccontextmanager
async def _reindexing(server: Server) -> AsyncIterator[None]:
    """Again and again, meanwhile."""
    async with trio.open_nursery() as nursery:

        async def reindex() -> None:
            while True:
                await server.does("reindex")

        nursery.start_soon(reindex)
        await trio.sleep(START_SECONDS)
        yield
        nursery.cancel_scope.cancel()


@click.command()
@click.option("--messages", default=1_000_000, show_default=True)
@click.option("--times", default=500, show_default=True, help="Messages in each stretch.")
def main(messages: int, times: int) -> None:
    """Measure, print, and say by the exit status whether the bar is kept."""
    figures = trio.run(measure, messages, times)
    for line in figures.lines():
        click.echo(line)
    sys.exit(0 if figures.is_good else 1)


if __name__ == "__main__":
    main()
