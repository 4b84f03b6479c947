"""The network of an office of thousands breaks, and all are back at once: who gets in when, and who was there all the time.

The clients are the load harness's (`tests.load`), on the same two cores as the server. Companies of two hundred: everyone sees
two hundred come. A client whom the server turns away tries again after a second or two, as clients do; only the condition for
too many connections counts as turned away, anything else is a fault.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing

import msgspec
import trio

from tests.faults import besieged
from tests.faults.outcome import Outcome, Scale
from tests.faults.peers import beside_peers
from tests.load.bench import Bench, Population
from tests.load.peers.peer import Peer
from tests.load.progress import Progress
from tests.load.rookery import Rookery
from tests.load.server import Server as AnyServer
from tests.load.session import Session, return_to

COMPANY = 200
PEERS_COUNT = 100
"""A login costs a peer ten times as much and more; five thousand would take them more than half an hour."""

STAYING = 20
"""Of the first companies' members, so many are not cut."""

BAR_SECONDS = 60.0
PATIENCE_SECONDS = 240.0
NOTICE_SECONDS = 1.0
RETRY_SECONDS = (1.0, 3.0)
PING_SECONDS = 0.1
SHED = "resource-constraint"
PING = b"<iq type='get' id='storm%d'><ping xmlns='urn:xmpp:ping'/></iq>"


class Storm:
    """Those who are cut, on their way back."""

    def __init__(self, bench: Bench, gone: list[Session], dice: random.Random) -> None:
        self._bench = bench
        self._dice = dice
        self._gone = gone
        self._under_way: dict[Session, Session] = {}
        self._waiting = 0
        self.back: list[Session] = []
        self.shed: Counter[str] = Counter()

    def begin(self) -> None:
        """All connect."""
        for gone in self._gone:
            self._connect(gone)

    def is_over(self) -> bool:
        """Everyone is back."""
        for session, gone in list(self._under_way.items()):
            if session.is_ready:
                del self._under_way[session]
                self.back.append(session)
            elif session.failure:
                del self._under_way[session]
                self._turned_away(session, gone)
        return not self._under_way and not self._waiting

    def _turned_away(self, session: Session, gone: Session) -> None:
        self.shed[SHED if SHED in session.failure else session.failure[:120]] += 1
        self._waiting += 1

        def again() -> None:
            self._waiting -= 1
            self._connect(gone)

        self._bench.loop.after(self._dice.uniform(*RETRY_SECONDS), again)

    def _connect(self, gone: Session) -> None:
        session = Session(self._bench.loop, self._bench.target, gone.account, gone.resource)
        session.play(return_to(session, gone))
        self._under_way[session] = gone


class Steady:
    """Those who were there all the time, and how long a question of theirs takes."""

    def __init__(self, bench: Bench, sessions: list[Session]) -> None:
        self._bench = bench
        self.sessions = sessions
        self.took: list[float] = []
        self.lateness: list[float] = []
        """Milliseconds by which the harness itself came too late to ask: what it has to read from the others."""
        self._due = time.perf_counter() + PING_SECONDS
        self._asked: dict[int, float] = {}
        self._number = self.asked = 0
        for session in sessions:
            session.on_chunk = self._hear
        bench.loop.every(PING_SECONDS, self._ask)

    def _ask(self) -> bool:
        self._number += 1
        now = self._asked[self._number] = time.perf_counter()
        self.lateness.append(max(0.0, now - self._due) * 1_000)
        self._due = now + PING_SECONDS
        session = self.sessions[self._number % len(self.sessions)]
        if not session.failure:
            session.say(PING % self._number)
            self.asked += 1
        return True

    def _hear(self, _session: Session, chunk: bytes) -> None:
        if b"storm" not in chunk:
            return
        for number in [number for number in self._asked if b"storm%d'" % number in chunk.replace(b'"', b"'")]:
            self.took.append((time.perf_counter() - self._asked.pop(number)) * 1_000)


def p99(values: list[float]) -> float:
    """The one that one in a hundred is over."""
    return sorted(values)[int(0.99 * (len(values) - 1))] if values else 0.0


class Blown(msgspec.Struct):
    """What came of a storm.

    Attributes:
        count: who were cut; back: of them, resumed: of those; shed: condition -> times that somebody was turned away.
        seconds: until all were back; is_over: they are.
        dropped: why established sessions ended; asked, answered: their questions; p99: milliseconds that those took.
        lateness: milliseconds by which the harness was late, p99 as well.
    """

    count: int
    back: int
    resumed: int
    shed: Counter[str]
    seconds: float
    is_over: bool
    dropped: list[str]
    asked: int
    answered: int
    p99: float
    lateness: float

    def words(self) -> str:
        """For the table."""
        return (
            f"{self.back:,} of {self.count:,} back after {self.seconds:.1f} s, {self.resumed:,} of them resumed; "
            f"{self.shed.total()} turned away for a while; {len(self.dropped)} of {STAYING} established sessions dropped, "
            f"{self.answered} of {self.asked} of their questions answered"
            + (
                f", p99 {self.p99:.0f} ms (the clients' own loop was {self.lateness:.0f} ms late)"
                if self.answered
                else ""
            )
        )


def blow(server: AnyServer, seed: int, count: int, show: Callable[[str], None]) -> Blown:
    """The storm, on a server that runs with nobody in it."""
    population = Population(users=count + STAYING, domains=server.domains)
    server.provide(population.accounts())
    server.start()
    with closing(Bench(server, population, "direct", Progress(is_silent=True))) as bench:
        began = time.perf_counter()
        crowd = list(bench.gather(count + STAYING))
        show(f"{len(crowd)} logged in after {time.perf_counter() - began:.0f} s")
        steady = Steady(bench, crowd[:STAYING])
        for session in crowd[STAYING:]:
            session.cut()
        bench.loop.run_for(NOTICE_SECONDS)
        storm = Storm(bench, crowd[STAYING:], random.Random(seed))
        began = time.perf_counter()
        storm.begin()
        is_over = bench.loop.run_until(storm.is_over, PATIENCE_SECONDS)
        took = time.perf_counter() - began
        bench.sessions[:] = steady.sessions + storm.back
        bench.loop.run_for(NOTICE_SECONDS)
        return Blown(
            count=count,
            back=len(storm.back),
            resumed=sum(session.is_resumed for session in storm.back),
            shed=storm.shed,
            seconds=took,
            is_over=is_over,
            dropped=[session.failure for session in steady.sessions if session.failure],
            asked=steady.asked,
            answered=len(steady.took),
            p99=p99(steady.took),
            lateness=p99(steady.lateness),
        )


def companies(count: int) -> tuple[str, ...]:
    """Their domains."""
    return tuple(f"company{number}.example" for number in range(max(1, count // COMPANY)))


def blow_on_ours(seed: int, count: int, outcome: Outcome, show: Callable[[str], None]) -> None:
    """With the bars."""
    server = Rookery(companies(count))
    try:
        blown = blow(server, seed, count, show)
    finally:
        server.remove()
    shed = blown.shed.total()
    outcome.counts = {"sessions": count, "resumed": blown.resumed, "turned away": shed, "connections": count + shed}
    outcome.figure = blown.words()
    if not blown.is_over or blown.seconds > BAR_SECONDS:
        outcome.problems.append(f"{blown.back:,} of {count:,} back after {blown.seconds:.1f} s")
    outcome.problems += [f"an established session was dropped: {failure}" for failure in blown.dropped]
    outcome.problems += [f"{number} turned away with {why}" for why, number in blown.shed.items() if why != SHED]
    if not blown.answered:
        outcome.problems.append("no question of an established session was answered")


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Everyone at once; then more than there is room for."""
    count = 5_000 if scale == "long" else 100
    outcome = Outcome(
        name="storm",
        fault=f"{count:,} sessions, in companies of {COMPANY}, are cut and come back at once"
        + ("; more connections without a login than are kept" if scale == "long" else ""),
        bar=f"all back within {BAR_SECONDS:.0f} s on two cores, which the clients use as well; no established session dropped; "
        f"who is turned away hears {SHED}",
    )
    await trio.to_thread.run_sync(blow_on_ours, seed, count, outcome, show)
    if scale == "long":
        await besieged.play(outcome, show)

        async def ask(peer: Peer) -> str:
            blown = await trio.to_thread.run_sync(blow, peer, seed, PEERS_COUNT, show, abandon_on_cancel=True)
            odd = [f"{number} turned away: {why[:80]}" for why, number in blown.shed.most_common(2)]
            return "; ".join([blown.words(), *odd])

        await beside_peers(outcome, ask, show, domains=companies(PEERS_COUNT), is_running=False)
    return outcome
