"""One conversation on three devices, whatever happens: ``python -m tests.properties.devices``, or ``make devices``.

Alice has three devices, and Bob two. Each story is a random sequence of steps: somebody writes, a connection breaks, a device
comes back (it resumes, or logs in and reads the archive behind what it knows), the server is killed and started anew, somebody
asks the archive, somebody reads a message. Steps overlap: nobody waits for what a step leads to. In the end everyone is there
and has had time; then each device must have the whole conversation: no gap, nothing twice, what was received in the order of
the archive; and unread is the same on all of them.

Devices differ: one resumes (XEP-0198), one reads the archive (XEP-0313) at each login, one resumes if it can and reads the
archive if it cannot. All ask for copies (XEP-0280). In memory, on a mock clock.
"""

import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from xml.etree.ElementTree import Element

import click
import trio
from trio._core import _run
from trio.testing import MockClock

from tests.stage.memory_stage import MemoryStage, memory_stage
from tests.stage.player import SM, C, Player

ALICE, BOB = "alice@example.com", "bob@example.com"
COPIES = tuple(
    f"{{urn:xmpp:carbons:2}}{kind}/{{urn:xmpp:forward:0}}forwarded/{C}message" for kind in ("sent", "received")
)
RESULT = f"{{urn:xmpp:mam:2}}result/{{urn:xmpp:forward:0}}forwarded/{C}message"
SID, ORIGIN = "{urn:xmpp:sid:0}stanza-id", "{urn:xmpp:sid:0}origin-id"
INBOX = "{urn:xmpp:inbox:1}"
STEPS = 14
SETTLE_SECONDS = 10.0
PAGE = "<set xmlns='http://jabber.org/protocol/rsm'><max>50</max>{}</set>"


class Device:
    """A program on a device: what it knows of the conversation, and how it comes back.

    Attributes:
        known: what it knows, as origin-ids, in the order in which it came to know it.
        newest: archive id of the newest message that it was given; it reads the archive behind it.
        faults: in words.
    """

    def __init__(self, stage: MemoryStage, account: str, name: str, *, resumes: bool, reads: bool) -> None:
        self.stage = stage
        self.account, self.name = account, name
        self.resumes, self.reads = resumes, reads
        self.known: list[str] = []
        self.received: list[str] = []
        self.told: set[str] = set()
        self.newest = ""
        self.faults: list[str] = []
        self.player: Player | None = None
        self.unacknowledged: list[tuple[int, str]] = []
        self.said = 0
        self._is_away = True
        self._questions = 0

    @property
    def is_here(self) -> bool:
        """It has a connection."""
        return self.player is not None and not self._is_away and not self.player.is_cut

    # -- coming and going ----------------------------------------------------------------------------------------------

    async def comes(self) -> None:
        """Resume, or log in."""
        if self.player is not None and self.resumes and await self._resumes():
            return
        name = self.account.partition("@")[0]
        self.player = await self.stage.enter(name, self.name, is_present=False)
        self._is_away = False
        await self.player.asks("<enable xmlns='urn:xmpp:carbons:2'/>", "set")
        unacknowledged, self.unacknowledged, self.said = self.unacknowledged, [], 0
        if self.resumes:
            await self.player.counts()
        if self.reads:
            await self._reads_archive()
        await self._tells("<presence/>")
        for _, stanza in unacknowledged:  # the same origin-ids: what arrived is not sent twice
            if stanza.startswith("<message"):
                await self._tells(stanza)

    async def _resumes(self) -> bool:
        assert self.player is not None
        self._takes()
        answer = await self.stage.resume(self.player)
        if answer.tag != f"{SM}resumed":
            return False
        self._is_away = False
        self._is_heard(int(answer.get("h", "")))
        for _, stanza in tuple(self.unacknowledged):
            await self.player.sends(stanza)
        return True

    async def is_cut_off(self) -> None:
        """The connection breaks."""
        if self.player is not None and not self._is_away:
            self._is_away = True
            await self.player.is_cut_off()
            self._takes()

    # -- saying --------------------------------------------------------------------------------------------------------

    async def says(self, to: str, origin: str) -> None:
        """A message; kept until it is known to be on disk."""
        self.known.append(origin)
        await self._tells(
            f"<message to='{to}' type='chat' id='{origin}'><body>{origin}</body>"
            f"<origin-id xmlns='urn:xmpp:sid:0' id='{origin}'/></message>"
        )

    async def has_read(self, to: str) -> None:
        """The newest message that was received (XEP-0333)."""
        if self.received:
            await self._tells(
                f"<message to='{to}' type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='{self.received[-1]}'/>"
                "</message>"
            )

    async def _tells(self, stanza: str) -> None:
        assert self.player is not None
        self.said += 1
        self.unacknowledged.append((self.said, stanza))
        await self.player.sends(stanza)

    async def nods(self) -> None:
        """Acknowledge what came, and ask how far the server is."""
        if self.is_here and self.resumes and self.player is not None:
            self._takes()
            await self.player.acknowledges()
            await self.player.sends("<r xmlns='urn:xmpp:sm:3'/>")

    # -- hearing -------------------------------------------------------------------------------------------------------

    def _takes(self) -> None:
        """Look through what came."""
        assert self.player is not None
        for element in tuple(self.player.heard):
            if element.tag == f"{SM}a":
                self._is_heard(int(element.get("h", "")))
            elif element.tag == f"{C}message":
                self._takes_message(element)
            else:
                continue
            self.player.heard.remove(element)

    def _is_heard(self, number: int) -> None:
        self.unacknowledged = [entry for entry in self.unacknowledged if entry[0] > number]

    def _takes_message(self, message: Element) -> None:
        read = message.find(RESULT)
        inner = read if read is not None else message
        for path in COPIES:
            inner = found if (found := message.find(path)) is not None else inner
        origin_id, stanza_id = inner.find(ORIGIN), inner.find(SID)
        if inner.get("type") == "error":
            self.faults.append(f"{self.name}: an error for {inner.get('id')}")
        if origin_id is None or stanza_id is None or not inner.findtext(f"{C}body"):
            return
        origin = origin_id.get("id", "")
        self.newest = max(self.newest, stanza_id.get("id", ""))
        if origin not in self.known:
            self.known.append(origin)
            if inner.get("from", "").partition("/")[0] != self.account:
                self.received.append(origin)
        if read is None and origin in self.told:
            self.faults.append(f"{self.name}: {origin} came twice")
        elif read is None:  # what it has just read may follow, if it read while it was on its way
            self.told.add(origin)

    async def _reads_archive(self) -> None:
        """Everything behind what it knows."""
        assert self.player is not None
        while True:
            self._questions += 1
            after = f"<after>{self.newest}</after>" if self.newest else ""
            answer = await self.player.asks(
                f"<query xmlns='urn:xmpp:mam:2' queryid='q{self._questions}'>{PAGE.format(after)}</query>", "set"
            )
            self.said += self.resumes
            self._takes()
            if answer.get("type") == "error" or answer[0].get("complete") == "true":
                return

    async def unread(self) -> str:
        """How many messages the server counts as unread."""
        assert self.player is not None
        await self.player.asks(f"<inbox xmlns='urn:xmpp:inbox:1'>{PAGE.format('')}</inbox>")
        entries = [e for message in self.player.heard if (e := message.find(f"{INBOX}entry")) is not None]
        return ", ".join(f"{entry.get('jid')}: {entry.get('unread')}" for entry in entries)


class Story:
    """One random sequence of steps, and its end."""

    def __init__(self, stage: MemoryStage, seed: str) -> None:
        self.stage = stage
        self.dice = random.Random(seed)
        self.alices = [
            Device(stage, ALICE, "desk", resumes=True, reads=False),
            Device(stage, ALICE, "phone", resumes=False, reads=True),
            Device(stage, ALICE, "tablet", resumes=True, reads=True),
        ]
        self.bobs = [
            Device(stage, BOB, "desk", resumes=True, reads=True),
            Device(stage, BOB, "phone", resumes=True, reads=False),
        ]
        self.devices = [*self.alices, *self.bobs]
        self.figures: Counter[str] = Counter()
        self._number = 0

    async def happens(self) -> list[str]:
        """All of it; the faults."""
        for device in self.devices:
            await device.comes()
        await trio.sleep(SETTLE_SECONDS)
        for _ in range(STEPS):
            step = self.dice.choice(_STEPS)
            self.figures[step.__name__.strip("_")] += 1
            await step(self)
            if self.dice.random() < 0.5:
                await trio.sleep(self.dice.choice((0.0, 0.001, 0.3, 3.0)))
        return await self._ends()

    async def _writes(self) -> None:
        device = self.dice.choice(self.devices)
        for _ in range(self.dice.randint(1, 3)):
            if device.is_here:
                self._number += 1
                await device.says(BOB if device.account == ALICE else ALICE, f"m{self._number}")

    async def _breaks(self) -> None:
        await self.dice.choice(self.devices).is_cut_off()

    async def _returns(self) -> None:
        for device in self.devices:
            if not device.is_here:
                await device.comes()
                return

    async def _restarts(self) -> None:
        for device in self.devices:
            if device.player is not None:
                device._takes()
        await self.stage.restart()
        for device in self.devices:
            device._is_away = True
            device._takes()

    async def _reads(self) -> None:
        device = self.dice.choice(self.devices)
        if device.is_here:
            await device.has_read(BOB if device.account == ALICE else ALICE)

    async def _asks(self) -> None:
        device = self.dice.choice(self.devices)
        if device.is_here and device.reads:
            await device._reads_archive()

    async def _nods(self) -> None:
        await self.dice.choice(self.devices).nods()

    async def _ends(self) -> list[str]:
        for device in self.devices:
            if not device.is_here:
                await device.comes()
        await trio.sleep(SETTLE_SECONDS)
        for device in self.devices:
            await device.nods()
        await trio.sleep(SETTLE_SECONDS)
        faults: list[str] = []
        for devices in (self.alices, self.bobs):
            faults += await self._look(devices)
        return faults

    async def _look(self, devices: list[Device]) -> list[str]:
        history = [body for _, _, body in await self.stage.history(devices[0].account) if body]
        senders = {body: sender for _, sender, body in await self.stage.history(devices[0].account)}
        faults = []
        if len(set(history)) < len(history):
            faults.append(f"the archive has something twice: {history}")
        for device in devices:
            device._takes()
            faults += device.faults
            who = f"{device.account}/{device.name}"
            if sorted(device.known) != sorted(history):
                gap, more = set(history) - set(device.known), set(device.known) - set(history)
                faults.append(f"{who}: gaps {sorted(gap)}, not in the archive {sorted(more)}")
            due = [body for body in history if senders[body] != device.account]
            if device.received != due:
                faults.append(f"{who}: received {device.received}, archived {due}")
        if len({await device.unread() for device in devices}) > 1:
            faults.append(f"unread differs on the devices of {devices[0].account}")
        return faults


_STEPS: tuple[Callable[[Story], object], ...] = (
    *[Story._writes] * 5,
    *[Story._breaks] * 3,
    *[Story._returns] * 3,
    Story._restarts,
    Story._reads,
    Story._asks,
    *[Story._nods] * 2,
)


def tell(seed: str) -> tuple[Counter[str], list[str]]:
    """One story: how often each step came, and what was wrong in the end."""

    _run._r.seed(seed)  # trio's own dice, so that the same story takes the same course
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True

    async def main() -> tuple[Counter[str], list[str]]:
        async with memory_stage() as stage:
            story = Story(stage, seed)
            return story.figures, await story.happens()

    return trio.run(main, clock=MockClock(autojump_threshold=0))


@click.command()
@click.option("--stories", default=10_000, show_default=True)
@click.option("--seed", default=lambda: secrets.randbelow(1_000_000), type=int, help="A random one if not given.")
def main(stories: int, seed: int) -> None:
    """Tell many stories."""
    began = time.monotonic()
    total: Counter[str] = Counter()
    wrong = 0
    for number in range(stories):
        figures, faults = tell(f"{seed}.{number}")
        total += figures
        if faults:
            wrong += 1
            click.echo(f"{seed}.{number}: {faults}")
        if number % 500 == 499:
            click.echo(f"{number + 1} stories, {sum(total.values())} steps, {wrong} wrong")
    click.echo(f"{stories} stories, {dict(total)} in {time.monotonic() - began:.0f} s, {wrong} wrong, seed {seed}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
