"""An actor crashes in the middle of a handler: whom that costs what, and how long it takes until it works again.

The server runs with a hook (`tests.faults.poisoned`): each kind of actor that a chat or a presence goes through fails at what
Alice sends, once (its state was to blame) or every time (the message is). Only Alice may notice: at most her own session ends.
Carol writes to Dan, through the same actors, right behind it.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from tests.faults.outcome import Outcome, Scale
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, CAROL, DAN, HOME, Talk, Talker, enter, look, prepare, until

TEAM = f"team@{HOME}"
ROUNDS = 5
BAR_MS, SHORT_BAR_MS = 100.0, 1_000.0
POISONS = tuple(
    (actor, how) for actor in ("Session", "User", "Alias", "Domain", "Archiver") for how in ("once", "always")
)


class Scene:
    """Four people, and a server whose actors can be made to fail."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.talk = Talk()
        self.alices = Talk()
        self.problems: list[str] = []
        self.took: list[float] = []

    async def poison(self, nursery: trio.Nursery, mark: str) -> None:
        """Alice sends it; Carol writes to Dan right behind it."""
        alice = await enter(nursery, self.server, self.alices, ALICE, counts=True)
        to = TEAM if "Alias" in mark else BOB
        before = len(self.alices.refused)
        began = time.perf_counter()
        if "Domain" in mark:
            await alice.is_present("away", mark)
        else:
            await self.says(alice, to, mark)
        await self.carol.talks(DAN)
        if not await until(self.talk.is_settled) or self.talk.refused:
            self.problems.append(f"{mark}: what Carol wrote was not shown to Dan")
        self.took.append((time.perf_counter() - began) * 1_000)
        for who in (self.bob, self.carol, self.dan):
            if who.is_cut:
                self.problems.append(f"{mark}: the session of {who.jid} ended")
        if "Domain" not in mark:
            await until(lambda: alice.is_cut or len(self.alices.refused) > before or self.bob_has(mark))
            if not alice.is_cut and len(self.alices.refused) == before and not self.bob_has(mark):
                self.problems.append(f"{mark}: Alice was told nothing, and Bob was not shown it")
        with suppress(trio.ClosedResourceError, trio.BrokenResourceError):  # it may just have ended
            await alice.leaves()

    async def says(self, alice: Talker, to: str, mark: str) -> None:
        """What it fails at, as a message of a talk of its own."""
        sent = self.alices.thinks_of(alice.jid, to, mark)
        await alice.tells(sent)

    def bob_has(self, mark: str) -> bool:
        """He was shown it in spite of the failure."""
        wanted = {origin for origin, sent in self.alices.sent.items() if sent.body.endswith(mark)}
        return bool(wanted & self.alices.shown.get(BOB, {}).keys())

    async def play(self, rounds: int) -> None:
        """Everything, again and again."""
        async with trio.open_nursery() as nursery:
            self.bob = await enter(nursery, self.server, self.alices, BOB)
            self.carol = await enter(nursery, self.server, self.talk, CAROL, counts=True)
            self.dan = await enter(nursery, self.server, self.talk, DAN)
            await self.carol.talks(DAN)  # a client that was never here is given what it missed after a while
            await until(self.talk.is_settled)
            for number in range(rounds):
                for actor, how in POISONS:
                    await self.poison(nursery, f"{number} poison-{actor}-{how}")
            for client in (self.bob, self.carol, self.dan):
                await client.leaves()
            nursery.cancel_scope.cancel()


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Each actor, in both ways."""
    rounds, bar = (ROUNDS, BAR_MS) if scale == "long" else (1, SHORT_BAR_MS)
    outcome = Outcome(
        name="actors",
        fault="an actor crashes in a handler (session, user, alias, domain, archiver), once or whenever it sees the message",
        bar=f"only the sender's session may end; what others write right behind it arrives within {BAR_MS:.0f} ms",
    )
    with TemporaryDirectory(prefix="rookery-actors-") as name:
        server = await prepare(Path(name))
        await server.does("alias", "add", TEAM, ALICE, BOB, CAROL)
        server.program = (sys.executable, "-m", "tests.faults.poisoned")
        scene = Scene(server)
        async with server:
            await scene.play(rounds)
            figures = json.loads(await server.does("status", "--json"))
            scene.problems += await look(server, [scene.talk])
    rows_of_alice = [fault for fault in scene.alices.faults if TEAM not in fault]
    scene.problems += rows_of_alice
    slowest = max(scene.took)
    if slowest > bar:
        scene.problems.append(f"others waited {slowest:.0f} ms")
    if figures["restarts"] < rounds * 4:
        scene.problems.append(f"only {figures['restarts']} restarts: the fault did not bite")
    outcome.counts = {
        "crashes": rounds * len(POISONS),
        "restarts": figures["restarts"],
        "set aside": figures["set_aside"],
    }
    outcome.figure = f"others waited {slowest:.0f} ms at most; {len(scene.problems)} faults"
    outcome.problems = scene.problems
    return outcome
