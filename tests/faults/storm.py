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

import trio

from tests.faults.outcome import Outcome, Scale
from tests.load.bench import Bench, Population
from tests.load.progress import Progress
from tests.load.rookery import Rookery
from tests.load.session import Session, return_to

COMPANY = 200
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
        self._asked: dict[int, float] = {}
        self._number = 0
        for session in sessions:
            session.on_chunk = self._hear
        bench.loop.every(PING_SECONDS, self._ask)

    def _ask(self) -> bool:
        self._number += 1
        self._asked[self._number] = time.perf_counter()
        session = self.sessions[self._number % len(self.sessions)]
        if not session.failure:
            session.say(PING % self._number)
        return True

    def _hear(self, _session: Session, chunk: bytes) -> None:
        if b"storm" not in chunk:
            return
        for number in [number for number in self._asked if b"storm%d'" % number in chunk.replace(b'"', b"'")]:
            self.took.append((time.perf_counter() - self._asked.pop(number)) * 1_000)

    def p99(self) -> float:
        """Milliseconds."""
        return sorted(self.took)[int(0.99 * (len(self.took) - 1))] if self.took else 0.0


def blow(seed: int, count: int, outcome: Outcome, show: Callable[[str], None]) -> None:
    """The storm."""
    domains = tuple(f"company{number}.example" for number in range(max(1, count // COMPANY)))
    population = Population(users=count + STAYING, domains=domains)
    server = Rookery(domains)
    try:
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
            dropped = [session.failure for session in steady.sessions if session.failure]
    finally:
        server.remove()
    resumed = sum(session.is_resumed for session in storm.back)
    shed = sum(storm.shed.values())
    outcome.counts = {"sessions": count, "resumed": resumed, "turned away": shed, "connections": count + shed}
    outcome.figure = (
        f"{len(storm.back):,} of {count:,} back after {took:.1f} s, {resumed:,} of them resumed; "
        f"{shed} turned away for a while; {len(dropped)} of {STAYING} established sessions dropped, "
        f"their questions p99 {steady.p99():.0f} ms"
    )
    if not is_over or took > BAR_SECONDS:
        outcome.problems.append(f"{len(storm.back):,} of {count:,} back after {took:.1f} s")
    outcome.problems += [f"an established session was dropped: {failure}" for failure in dropped]
    outcome.problems += [f"{number} turned away with {why}" for why, number in storm.shed.items() if why != SHED]
    if not steady.took:
        outcome.problems.append("no question of an established session was answered")


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Everyone at once."""
    count = 5_000 if scale == "long" else 100
    outcome = Outcome(
        name="storm",
        fault=f"{count:,} sessions, in companies of {COMPANY}, are cut and come back at once",
        bar=f"all back within {BAR_SECONDS:.0f} s on two cores, which the clients use as well; no established session dropped; "
        f"who is turned away hears {SHED}",
    )
    await trio.to_thread.run_sync(blow, seed, count, outcome, show)
    return outcome
