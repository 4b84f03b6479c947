"""Who has nothing to do with the trouble: they come online, look into histories, log in; and how long each of it took."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from tests.faults.server import Server
from tests.faults.talk import CAROL, DAN, ERIN, Talk, Talker, enter
from tests.stage.player import C

HISTORY = "<query xmlns='urn:xmpp:mam:2'/>"
PAUSE_SECONDS = 0.05
LOGIN_PAUSE_SECONDS = 0.25
BAR_MS = 250.0
SHORT_BAR_MS = 1_000.0
"""In short runs, which share the machine with other tests: they tell whether anybody had to wait for the trouble to end."""

EVERY = 50
"""So many rounds, and the one who listens says something, too."""

ENOUGH = 100
"""Measurements, for a 99th percentile."""


class Bystanders:
    """What they did, and how long it took.

    Args:
        server: whose they are.
        bar_ms: that they take at most.

    Attributes:
        took: what -> milliseconds of each.
        problems: what did not come at all.
    """

    def __init__(self, server: Server, bar_ms: float = BAR_MS) -> None:
        self._server = server
        self._bar_ms = bar_ms
        self.took: defaultdict[str, list[float]] = defaultdict(list)
        self.problems: list[str] = []
        self._number = 0

    async def _times(self, what: str, act: Callable[[], Awaitable[object]]) -> None:
        began = time.perf_counter()
        try:
            await act()
        except (AssertionError, OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.problems.append(f"bystanders: no {what}: {str(error)[:200]}")
            await trio.sleep(1.0)
        else:
            self.took[what].append((time.perf_counter() - began) * 1_000)

    async def _is_seen(self, carol: Talker, dan: Talker) -> None:
        self._number += 1
        said = f"status {self._number}"
        await carol.is_present("away", said)
        await dan.hears(lambda e: e.tag == f"{C}presence" and e.findtext(f"{C}status") == said, said)

    async def _reads(self, carol: Talker) -> None:
        answer = await carol.asks(HISTORY, "set")
        assert answer.get("type") == "result", answer.attrib

    async def _logs_in(self, nursery: trio.Nursery) -> None:
        erin = await enter(nursery, self._server, Talk(), ERIN)
        await erin.leaves()

    async def _be(self, carol: Talker, dan: Talker) -> None:
        while True:
            await self._times("presence", lambda: self._is_seen(carol, dan))
            await self._times("history", lambda: self._reads(carol))
            if self._number % EVERY == 0:  # who only listens is taken for gone
                await dan.asks("<ping xmlns='urn:xmpp:ping'/>")
            carol.forget()
            dan.forget()
            await trio.sleep(PAUSE_SECONDS)

    async def _come_and_go(self, nursery: trio.Nursery) -> None:
        while True:
            await self._times("login", lambda: self._logs_in(nursery))
            await trio.sleep(LOGIN_PAUSE_SECONDS)

    @asynccontextmanager
    async def around(self) -> AsyncIterator[None]:
        """They live their lives while this lasts."""
        async with trio.open_nursery() as nursery:
            carol = await enter(nursery, self._server, Talk(), CAROL)
            dan = await enter(nursery, self._server, Talk(), DAN)
            nursery.start_soon(self._be, carol, dan)
            nursery.start_soon(self._come_and_go, nursery)
            yield
            nursery.cancel_scope.cancel()

    def slowest(self) -> dict[str, float]:
        """Of each thing that they do, the time that one in a hundred is over; in a short run, of which one is the slowest of
        a few, one in ten."""
        return {
            what: sorted(took)[int((0.99 if len(took) >= ENOUGH else 0.9) * (len(took) - 1))]
            for what, took in sorted(self.took.items())
            if took
        }

    def verdict(self) -> list[str]:
        """What is over the bar."""
        slow = [
            f"{what}: {took:.0f} ms, bar {self._bar_ms:.0f} ms"
            for what, took in self.slowest().items()
            if took > self._bar_ms
        ]
        missing = [f"bystanders: nothing of {what}" for what in ("presence", "history", "login") if not self.took[what]]
        return self.problems[:5] + slow + missing

    def words(self) -> str:
        """For the table."""
        return ", ".join(f"{what} {took:.0f}" for what, took in self.slowest().items()) + " ms"
