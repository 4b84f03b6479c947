"""Kill -9 while XMPP clients and pages of webmail talk with each other.

Alice and Bob have XMPP clients, Carol and Dan a page of webmail each; everyone says something to everyone as fast as it goes.
At a random moment the server is killed and started again. XMPP clients log in anew; pages come back with the cookie that they
have, and read in the history what they missed, as a page does. What was not acknowledged is said again, under the same name.
Then everything must be in both archives once, shown to whom it is for, and in order.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio
from trio_websocket import ConnectionClosed

from tests.faults.oracle import integrity, read_archive
from tests.faults.outcome import Outcome, Scale, part_of
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, CAROL, DAN, PASSWORD, Talk, Talker, enter, prepare, until
from tests.stage.socket_web import SocketWebLine, log_in
from tests.stage.web_player import Frame, WebPlayer

PEOPLE = (ALICE, BOB, CAROL, DAN)
PAGES = (CAROL, DAN)
ROUNDS, SHORT_ROUNDS = 100, 2
SECONDS_UNTIL_KILL = 0.8
AHEAD = 20
PAUSE_SECONDS = 0.01
EVERY = 10
"""So many rounds, and `rookery verify` looks at everything."""

GONE = (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionClosed)


class PageTalker(WebPlayer):
    """A tab of webmail that notes what it is told."""

    talk: Talk

    def __init__(self, address: str, key: Any, talk: Talk) -> None:
        super().__init__(address.partition("@")[0], key)
        self.address = address
        self.talk = talk
        self.newest = ""
        """Archive id of the newest message that it knows of, from events or from the history."""

    def hear(self, text: str) -> None:
        """Note chats, and what was refused."""
        super().hear(text)
        frame = json.loads(text)
        for chat in (frame, *frame.get("items", ())):
            if chat["t"] == "chat":
                self._note(chat)
        if frame["t"] == "failed":
            self.talk.refused.setdefault(frame["origin"], 0.0)
        self.heard = [frame for frame in self.heard if frame["t"] != "chat"]

    def _note(self, chat: Frame) -> None:
        self.newest = max(self.newest, chat["id"])
        sent = self.talk.sent.get(chat.get("origin", ""))
        if sent is None:
            return
        if chat["from"] == self.address:
            self.talk.acknowledged.setdefault(sent.origin, 0.0)
        else:
            self.talk.shows_words(self.address, sent, chat["from"], chat.get("body", ""))

    async def tells(self, sent: Any) -> None:
        """Say it, perhaps again."""
        with suppress(*GONE):
            await self.says(sent.to, sent.body, id=sent.origin)

    async def comes(self, nursery: trio.Nursery, server: Server, *, again: bool) -> None:
        """Open a socket; read in the history what was missed."""
        before = self.newest
        await SocketWebLine.open(server.ports["web"], self, nursery)
        welcome = await self.greets(again=again)
        if welcome.get("fresh"):
            await self.hears("conversations")
        items: list[Frame] = [{}]
        while again and before and items:
            page = await self.asks("history", after=before, limit=100)
            items = page.get("items", [])
            before = max((item["id"] for item in items), default=before)


class Company:
    """The four, over all rounds."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.dice = random.Random(seed)
        self.talk = Talk()
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.keys: dict[str, Any] = {}
        self.pages: dict[str, PageTalker] = {}

    async def play(self, rounds: int, show: Callable[[str], None]) -> None:
        """Round after round."""
        await self.server.start()
        for number in range(rounds):
            await self._round(number)
            if number % EVERY == EVERY - 1 or number == rounds - 1:
                verified = await self.server.command("verify")
                if verified.returncode:
                    self._tell(f"round {number}: verify: {verified.stdout!r}")
                show(f"{number + 1} rounds: {dict(self.counts)}, {len(self.problems)} problems")
            if self.problems:
                break
        await self.server.stop()
        self.problems += self.server.errors

    async def _round(self, number: int) -> None:
        self.talk = Talk()
        async with trio.open_nursery() as nursery:
            cast = await self._enter(nursery, again=number > 0)
            async with trio.open_nursery() as speakers:
                for address, client in cast.items():
                    speakers.start_soon(self._chatters, address, client)
                await trio.sleep(self.dice.uniform(0.05, SECONDS_UNTIL_KILL))
                await self.server.kill()
            for client in cast.values():
                await until(lambda client=client: client.is_cut)
                await client.line.close()
            nursery.cancel_scope.cancel()
        await self.server.start()
        known = len(self.talk.promised())
        async with trio.open_nursery() as nursery:
            cast = await self._enter(nursery, again=True)
            again = [sent for sent in self.talk.sent.values() if sent.origin not in self.talk.acknowledged]
            for sent in again:
                await cast[sent.sender.partition("/")[0]].tells(sent)
            for address in (ALICE, BOB):
                await cast[address].asks_to_acknowledge()
            await until(lambda: self.talk.acknowledged.keys() >= self.talk.sent.keys() and self.talk.is_settled())
            await self._leave(cast)
            nursery.cancel_scope.cancel()
        self.counts += Counter(rounds=1, sent=len(self.talk.sent), known=known, again=len(again))
        self._judge(number)

    async def _enter(self, nursery: trio.Nursery, *, again: bool) -> dict[str, Any]:
        cast: dict[str, Any] = {}
        for address in PEOPLE:
            if address not in PAGES:
                cast[address] = await enter(nursery, self.server, self.talk, address, counts=True)
                continue
            if address not in self.keys:
                self.keys[address] = await log_in(self.server.ports["web"], address, PASSWORD)
                self.pages[address] = PageTalker(address, self.keys[address], self.talk)
            page = cast[address] = self.pages[address]
            page.talk = self.talk
            await page.comes(nursery, self.server, again=again)
        return cast

    async def _leave(self, cast: dict[str, Any]) -> None:
        for client in cast.values():
            if isinstance(client, Talker):
                await client.acknowledges()
                await client.leaves()
            else:
                await client.line.close()
                await until(lambda client=client: client.is_cut)

    async def _chatters(self, address: str, client: Any) -> None:
        dice = random.Random(self.dice.random())
        others = [person for person in PEOPLE if person != address]
        jid = client.jid
        with suppress(*GONE):
            while not client.is_cut and not getattr(client, "is_mute", False):
                mine = [sent for sent in self.talk.sent.values() if sent.sender == jid]
                if len(mine) - len(self.talk.acknowledged.keys() & {sent.origin for sent in mine}) < AHEAD:
                    await client.tells(self.talk.thinks_of(jid, dice.choice(others), "x" * dice.randint(0, 300)))
                await trio.sleep(dice.random() * PAUSE_SECONDS)

    def _judge(self, number: int) -> None:
        archive = self.server.data / "archive.sqlite"
        for fault in self.talk.judge(read_archive(archive, 0)):
            self._tell(f"round {number}: {fault}")
        for origin, sent in self.talk.sent.items():
            if origin not in self.talk.acknowledged or not self.talk.has(sent):
                self._tell(f"round {number}: never acknowledged or shown: {sent}")
        if (opinion := integrity(archive)) != "ok":
            self._tell(f"round {number}: SQLite: {opinion}")

    def _tell(self, problem: str) -> None:
        self.problems.append(problem)


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """All rounds."""
    rounds = part_of(ROUNDS) if scale == "long" else SHORT_ROUNDS
    with TemporaryDirectory(prefix="rookery-kinds-") as name:
        server = await prepare(Path(name), PEOPLE)
        server.is_forked = True
        company = Company(server, seed)
        try:
            await company.play(rounds, show)
        finally:
            await server.stop()
    return Outcome(
        name="kill-web",
        fault=f"kill -9 while two XMPP clients and two pages of webmail talk with each other, {rounds} rounds",
        bar="0 acknowledged or shown messages lost, doubled or reordered; all shown in the end, in both kinds of client",
        figure=f"{company.counts['known']:,} known at a kill, {len(company.problems)} faults",
        problems=company.problems,
        counts=dict(company.counts),
    )
