"""A snapshot and the events after it come to the same as a fresh snapshot, whatever happened and whenever the line broke."""

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from engine import administration as a
from tests.stage.memory_stage import MemoryStage, memory_stage
from tests.stage.web_player import WebPlayer

PEOPLE = ("bob", "carol", "dan")
STATUSES = ("Available", "Away", "Busy", "Offline")
STEPS = st.one_of(
    st.tuples(st.just("says"), st.sampled_from(PEOPLE), st.sampled_from(("alice", "salesteam", *PEOPLE))),
    st.tuples(st.just("shares"), st.sampled_from(PEOPLE), st.sampled_from(("alice", "salesteam"))),
    st.tuples(st.just("status"), st.sampled_from(("alice", *PEOPLE)), st.sampled_from(STATUSES)),
    st.tuples(st.just("answers"), st.sampled_from(("bob", "salesteam")), st.none()),
    st.tuples(st.just("phone"), st.sampled_from(PEOPLE), st.booleans()),
    st.tuples(st.just("renames"), st.sampled_from(PEOPLE), st.sampled_from(("Al", "Bo", "Cy"))),
    st.tuples(st.just("breaks"), st.none(), st.none()),
    st.tuples(st.just("waits"), st.none(), st.sampled_from((0.01, 0.1, 50.0))),
)


class Run:
    """One history."""

    def __init__(self, stage: MemoryStage) -> None:
        self.stage = stage
        self.web: dict[str, WebPlayer] = {}
        self.phones = {}
        self.number = 0

    async def says(self, who: str, to: str) -> None:
        self.number += 1
        await self.web[who].says(f"{to}@example.com", f"message {self.number}")

    async def shares(self, who: str, to: str) -> None:
        self.number += 1
        ticket = await self.stage.upload(self.web[who], f"{self.number}.png", b"PNG")
        await self.web[who].sends("say", id=f"{who}-file-{self.number}", to=f"{to}@example.com", file=ticket)

    async def answers(self, to: str, _: None) -> None:
        await self.says("alice", to)

    async def status(self, who: str, status: str) -> None:
        await self.web[who].sends("status", status=status, text=f"{who} is {status}")

    async def phone(self, who: str, is_on: bool) -> None:
        if who in self.phones:
            await self.phones.pop(who).leaves()
        if is_on:
            self.phones[who] = await self.stage.enter(who, "phone")

    async def renames(self, who: str, name: str) -> None:
        await self.stage.operate(a.ChangeUser(address=f"{who}@example.com", name=name))

    async def breaks(self, _: None, __: None) -> None:
        alice = self.web["alice"]
        await alice.is_cut_off()
        await self.stage.come_back(alice)

    async def waits(self, _: None, seconds: float) -> None:
        await trio.sleep(seconds)


async def play(steps) -> None:
    async with memory_stage() as stage:
        run = Run(stage)
        for name in ("alice", *PEOPLE):
            run.web[name] = await stage.enter_web(name)
        alice = run.web["alice"]
        for step, first, second in steps:
            await getattr(run, step)(first, second)
        await stage.settle(alice)
        if (
            alice.knows.status[0] == "Offline"
        ):  # no chats arrive then, though they are in the archive; they do when it is back
            await alice.sets_status("Available")
            await stage.settle(alice)
        fresh = await stage.open_tab(alice)
        await stage.settle(fresh)
        assert alice.knows == fresh.knows


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_snapshot_and_events_equal_a_fresh_snapshot(steps):
    trio.run(play, steps, clock=MockClock(autojump_threshold=0))
