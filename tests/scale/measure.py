"""What ten thousand members cost those who are online: ``python -m tests.scale.measure``, or ``make scale``.

Two servers run side by side, one with `FEW` members and one with `MANY`, and are asked the same things in turn, so that what
else the machine does falls on both. Compared is the processor time of the server, the least of several batches.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import click
import msgspec
import trio

from engine import administration as a
from gateways.control import Caller
from tests.faults.client import Client
from tests.faults.server import Server
from tests.scale.members import DOMAIN, PASSWORD, address, write_csv

FEW, MANY = 10, 10_000
ONLINE = 20
"""Sessions that hear of changes: two of each of the `FEW`."""

AT_ONCE = 5
"""Logins: each waits for the broadcast of its presence, which is due every 50 ms."""

REQUESTS = 50
"""For the roster, with a version that is known."""

PATIENCE = 3
"""A cost that grows with the members stays above its bar however often it is measured; one that something else disturbed falls
below it. So many times the batches are measured at most, before a bar counts as missed."""

IDLE_SECONDS = 60.0
LOOK_SECONDS = 0.1
BAR_RATIO = 1.5
BAR_ROSTER_MS = 50.0


class Measured(msgspec.Struct):
    """What one thing costs on both servers: milliseconds of processor time for each, the least of the batches."""

    what: str
    few: float
    many: float

    @property
    def ratio(self) -> float:
        """How much more it is with many."""
        return self.many / self.few

    @property
    def is_good(self) -> bool:
        """The bar is kept."""
        return self.ratio <= BAR_RATIO

    def __str__(self) -> str:
        verdict = "ok" if self.is_good else "MISSED"
        return f"{self.what:34}{self.few:10.2f}{self.many:10.2f}{self.ratio:10.2f}   <= {BAR_RATIO}: {verdict}"


class Figures(msgspec.Struct):
    """Everything.

    Attributes:
        import_seconds: `MANY` members by `rookery user import`, few of them with a password.
        start_seconds: of the server that has them.
        full_roster_ms: until a client has all of it.
        known_roster_ms: answers to requests with the newest version.
        costs: what is compared.
    """

    import_seconds: float
    start_seconds: float
    full_roster_ms: float
    known_roster_ms: list[float]
    costs: list[Measured]

    def lines(self) -> Iterable[str]:
        """To be printed."""
        known = sorted(self.known_roster_ms)
        verdict = "ok" if known[-1] < BAR_ROSTER_MS else "MISSED"
        yield f"import of {MANY} members (CLI)          {self.import_seconds:.1f} s"
        yield f"start with {MANY} members               {self.start_seconds:.1f} s"
        yield f"whole roster of {MANY}, first time      {self.full_roster_ms:.1f} ms"
        yield (
            f"roster with a known version, {len(known)} times  median {statistics.median(known):.2f} ms,"
            f" max {known[-1]:.2f} ms   < {BAR_ROSTER_MS:.0f} ms: {verdict}"
        )
        yield ""
        yield f"{'server CPU, ms each':34}{f'{FEW}':>10}{f'{MANY}':>10}{'ratio':>10}"
        yield from map(str, self.costs)

    @property
    def is_good(self) -> bool:
        """Every bar is kept."""
        return max(self.known_roster_ms) < BAR_ROSTER_MS and all(cost.is_good for cost in self.costs)


class Crowd:
    """One server with so many members, and who is online there."""

    def __init__(self, server: Server, nursery: trio.Nursery) -> None:
        self.server = server
        self.online: list[Client] = []
        self._nursery = nursery
        self._newcomers = 0

    async def enter(self, jid: str) -> Client:
        """One more session."""
        return await Client.enter(self._nursery, self.server, jid, PASSWORD)

    async def gather(self) -> None:
        """`ONLINE` sessions, each with the roster."""
        for number in range(ONLINE):
            client = await self.enter(f"{address(number % FEW)}/r{number}")
            await client.fetches_roster()
            await client.is_present()
            await client.hears_presence(client.jid)
            self.online.append(client)

    async def leave(self) -> None:
        """They go."""
        for client in self.online:
            await client.leaves()

    async def log_in(self, times: int, version: str) -> None:
        """A login with a known version of the roster, up to the own presence, and out again; so many times."""

        async def log_in(place: int) -> None:
            for _ in range(times // AT_ONCE):
                client = await self.enter(f"{address(place)}/new")
                assert await client.fetches_roster(version) == ("", 0)
                await client.is_present()
                await client.hears_presence(client.jid)
                await client.leaves()

        async with trio.open_nursery() as doors:
            for place in range(AT_ONCE):
                doors.start_soon(log_in, place)

    async def add(self, times: int) -> None:
        """New members, one by one; everyone online hears of each."""
        for number in range(times):
            new = address(50_000 + self._newcomers + number)
            await self._operate(a.AddUser(user=a.NewUser(address=new, name="New")), new)

    async def rename(self, times: int) -> None:
        """Those who were added get another name."""
        for number in range(times):
            new = address(50_000 + self._newcomers + number)
            await self._operate(a.ChangeUser(address=new, name="Renamed"), new)

    async def remove(self, times: int) -> None:
        """And go."""
        for number in range(times):
            new = address(50_000 + self._newcomers + number)
            await self._operate(a.RemoveUser(address=new), new)
        self._newcomers += times

    async def _operate(self, command: a.Command, who: str) -> None:
        def call() -> a.Result:
            with Caller(self.server.data) as caller:
                return caller.call(command)

        result = await trio.to_thread.run_sync(call)
        assert isinstance(result, a.Done), result
        for client in self.online:
            await client.hears_push(who)

    async def rest(self) -> None:
        """Wait until the server does nothing more."""
        with trio.fail_after(IDLE_SECONDS):
            before, now = -1.0, self.server.cpu_seconds()
            while now - before > 0.01:
                await trio.sleep(LOOK_SECONDS)  # a stretch of time to look at, not a wait for something
                before, now = now, self.server.cpu_seconds()


async def compare(
    what: str, crowds: tuple[Crowd, Crowd], act: Callable[[Crowd, int], Awaitable[None]], times: int, batches: int
) -> Measured:
    """What an act costs on both, in turn."""
    costs: tuple[list[float], list[float]] = ([], [])
    for _ in range(batches):
        for crowd, mine in zip(crowds, costs, strict=True):
            before = crowd.server.cpu_seconds()
            await act(crowd, times)
            await crowd.rest()
            mine.append((crowd.server.cpu_seconds() - before) * 1000 / times)
    return Measured(what, min(costs[0]), min(costs[1]))


async def measure(logins: int, changes: int, batches: int) -> Figures:
    """Everything; so many logins and changes in each batch."""
    with tempfile.TemporaryDirectory(prefix="rookery-scale-") as folder:
        few, many = Server(Path(folder) / "few", DOMAIN), Server(Path(folder) / "many", DOMAIN)
        await few.does("user", "import", str(write_csv(Path(folder) / "few.csv", FEW, FEW)))
        began = time.perf_counter()
        await many.does("user", "import", str(write_csv(Path(folder) / "many.csv", MANY, FEW)))
        import_seconds = time.perf_counter() - began
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(few)
            began = time.perf_counter()
            await stack.enter_async_context(many)
            start_seconds = time.perf_counter() - began
            nursery = await stack.enter_async_context(trio.open_nursery())
            crowds = (Crowd(few, nursery), Crowd(many, nursery))
            for crowd in crowds:
                await crowd.rest()
            full, known = await _time_rosters(crowds[1])
            costs = await _compare_logins(crowds, logins, batches)
            costs += await _compare_changes(crowds, changes, batches)
        return Figures(import_seconds, start_seconds, full, known, costs)


async def _time_rosters(crowd: Crowd) -> tuple[float, list[float]]:
    client = await crowd.enter(f"{address(0)}/one")
    began = time.perf_counter()
    version, entries = await client.fetches_roster()
    full = (time.perf_counter() - began) * 1000
    assert entries == MANY - 1
    known = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        assert await client.fetches_roster(version) == ("", 0)
        known.append((time.perf_counter() - began) * 1000)
    await client.leaves()
    return full, known


async def _compare_logins(crowds: tuple[Crowd, Crowd], logins: int, batches: int) -> list[Measured]:
    versions = {}
    for crowd in crowds:
        client = await crowd.enter(f"{address(0)}/one")
        versions[crowd], _ = await client.fetches_roster()
        await client.leaves()
        await crowd.log_in(AT_ONCE, versions[crowd])  # what is made once for each account is made

    async def log_in(crowd: Crowd, times: int) -> None:
        await crowd.log_in(times, versions[crowd])

    return [await compare("login, known roster version", crowds, log_in, logins, batches)]


async def _compare_changes(crowds: tuple[Crowd, Crowd], changes: int, batches: int) -> list[Measured]:
    for crowd in crowds:
        await crowd.gather()
    acts = {"added": Crowd.add, "renamed": Crowd.rename, "removed": Crowd.remove}
    found: dict[str, Measured] = {}
    for batch in range(batches * PATIENCE):
        if batch >= batches and all(cost.is_good for cost in found.values()):
            break
        for name, act in acts.items():  # in this order always: who is removed was added
            cost = await compare(f"member {name}, {ONLINE} online", crowds, act, changes, 1)
            best = found.setdefault(name, cost)
            best.few, best.many = min(best.few, cost.few), min(best.many, cost.many)
    for crowd in crowds:
        await crowd.leave()
    return list(found.values())


@click.command()
@click.option("--logins", default=200, show_default=True, help="In each batch.")
@click.option("--changes", default=100, show_default=True, help="Of members, in each batch.")
@click.option("--batches", default=5, show_default=True)
def main(logins: int, changes: int, batches: int) -> None:
    """Measure, print, and say by the exit status whether every bar is kept."""
    figures = trio.run(measure, logins, changes, batches)
    for line in figures.lines():
        click.echo(line)
    sys.exit(0 if figures.is_good else 1)


if __name__ == "__main__":
    main()
