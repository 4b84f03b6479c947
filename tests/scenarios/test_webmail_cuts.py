"""Two browsers chat while their sockets break at random: nothing is lost, nothing comes twice, and the order stays."""

import random

import pytest
import trio
from trio.testing import MockClock

from tests.stage.memory_stage import MemoryStage, memory_stage
from tests.stage.web_player import WebPlayer

CUTS = 250
SECONDS = (0.0, 0.001, 0.1, 50.0)
"""Until a browser comes back: at once, within a turn, a moment later, and when its session has ended."""


class Writer:
    """What a page does for what is written in it (gateways/webmail_ui/src/model/model.ts): a draft until it is kept."""

    def __init__(self, player: WebPlayer, peer: str) -> None:
        self.player = player
        self.peer = peer
        self.drafts: dict[str, str] = {}
        self.written: list[str] = []

    async def writes(self, body: str, *, is_lost: bool) -> None:
        self.drafts[f"id of {body}"] = body
        self.written.append(body)
        if not is_lost and not self.player.is_cut:
            await self.player.says(self.peer, body, id=f"id of {body}")

    async def says_again(self) -> None:
        for frame in self.player.heard:
            self.drafts.pop(frame.get("origin", ""), None)
        for origin, body in self.drafts.items():
            await self.player.says(self.peer, body, id=origin)


async def comes_back(stage: MemoryStage, writer: Writer, chance: random.Random) -> None:
    await writer.player.is_cut_off()
    await trio.sleep(chance.choice(SECONDS))
    welcome = await stage.come_back(writer.player)
    if welcome.get("fresh"):  # a page that begins anew reads the conversation again
        page = await writer.player.asks("history", peer=writer.peer, limit=100)
        writer.player.heard += page.get("items", [])
    await writer.says_again()


def received(player: WebPlayer, sender: str) -> list[str]:
    """What the person sees of the other's messages: each archive id once, in the order of the ids."""
    seen = {frame["id"]: frame["body"] for frame in player.heard if frame["t"] == "chat" and frame["from"] == sender}
    return [seen[number] for number in sorted(seen)]


async def play(seed: int) -> None:
    chance = random.Random(seed)
    async with memory_stage() as stage:
        players = await stage.enter_web("alice"), await stage.enter_web("bob")
        first, second = players
        writers = Writer(first, second.bare), Writer(second, first.bare)
        number = cuts = 0
        while cuts < CUTS:
            writer = chance.choice(writers)
            number += 1
            is_cut = chance.random() < 0.5
            await writer.writes(f"message {number}", is_lost=is_cut and chance.random() < 0.5)
            if is_cut:
                cuts += 1
                await comes_back(stage, chance.choice(writers) if not writer.drafts else writer, chance)
        for writer in writers:
            await comes_back(stage, writer, chance)
            await stage.settle(writer.player)
        for writer, other in (writers, writers[::-1]):
            me, you = writer.player.bare, other.player.bare
            assert [body for _, sender, body in await stage.history(you) if sender == me] == writer.written
            ids = [frame["id"] for frame in other.player.heard if frame["t"] == "chat" and frame["from"] == me]
            assert len(set(ids)) == len(writer.written)
            assert received(other.player, me) == writer.written


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_written_arrives_once_and_in_order(seed):
    trio.run(play, seed, clock=MockClock(autojump_threshold=0))
