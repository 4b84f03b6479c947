"""Kill -9 in the middle of traffic, and every session goes on: ``python -m tests.faults.resume``, or ``make resume``.

The same sessions live through all rounds (XEP-0198): people with two devices each, and copies of what the other device sends
(XEP-0280). All of them talk; at a random moment the server is killed, or some connections just break. The server starts again,
each client resumes, sends again what was not acknowledged, talks on for a moment and falls silent. Then every device must have
each message of its account exactly once, in the order of its sender, sent ones of the other device included; the archive must
have each exactly once; and nobody may have been refused to resume.
"""

import random
import secrets
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import click
import trio

from tests.faults.client import Client
from tests.faults.kill import until
from tests.faults.oracle import integrity, read_archive
from tests.faults.server import Server
from tests.stage.player import SM, C

HOME = "example.com"
PASSWORD = "correct horse"
PEOPLE = [f"p{number}@{HOME}" for number in range(5)]
DEVICES = ("desk", "phone")
BODY, ORIGIN = f"{C}body", "{urn:xmpp:sid:0}origin-id"
FORWARDED = f"{{urn:xmpp:forward:0}}forwarded/{C}message"
COPIES = tuple(f"{{urn:xmpp:carbons:2}}{kind}/{FORWARDED}" for kind in ("sent", "received"))
ENABLE_COPIES = "<enable xmlns='urn:xmpp:carbons:2'/>"
SECONDS_UNTIL_KILL = 0.8
SECONDS_AFTER = 0.15
BREAKS = 0.3
"""So many rounds break some connections in place of killing the server."""

NOISE = 0.4
"""So many stanzas are typing or presence: they are counted, and are no history."""

FAULTS_SHOWN = 10


class Device(Client):
    """A client that counts, acknowledges, and comes back."""

    def __init__(self, jid: str, line: object) -> None:
        super().__init__(jid, line)  # type: ignore[arg-type]
        self.seen: list[str] = []
        self.unacknowledged: deque[tuple[int, str]] = deque()
        self.said = 0
        self.is_asked = False
        self.answer: Element | None = None

    def hear(self, data: bytes) -> None:
        """Keep the messages, note what stream management says, and forget the rest."""
        super().hear(data)
        for element in tuple(self.heard):
            if element.tag == f"{SM}a":
                self.has_been_heard(int(element.get("h", "")))
            elif element.tag == f"{SM}r":
                self.is_asked = True
            elif element.tag in {f"{SM}resumed", f"{SM}failed"}:
                self.answer = element
                if element.tag == f"{SM}resumed":
                    self.has_been_heard(int(element.get("h", "")))
            elif element.tag == f"{C}message":
                self._see(element)
            elif not (self.token and element.tag == f"{C}presence"):
                continue
            self.heard.remove(element)

    def _see(self, message: Element) -> None:
        inner = next((found for path in COPIES if (found := message.find(path)) is not None), message)
        origin = inner.find(ORIGIN)
        if inner.get("type") == "error":
            self.seen.append(f"error {inner.get('id')}")
        elif inner.findtext(BODY) and origin is not None:
            self.seen.append(origin.get("id", ""))

    def has_been_heard(self, number: int) -> None:
        """The server has done so many."""
        while self.unacknowledged and self.unacknowledged[0][0] <= number:
            self.unacknowledged.popleft()

    async def sends(self, stanza: str) -> None:
        """Send, if anybody is there."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await super().sends(stanza)

    async def tells(self, stanza: str) -> None:
        """Send a stanza that is kept until it is acknowledged."""
        self.said += 1
        self.unacknowledged.append((self.said, stanza))
        await self.sends(stanza)

    async def comes_back(self, server: Server, nursery: trio.Nursery) -> None:
        """Resume over another connection, and send again what may be lost."""
        self.answer = None
        await self.connects_again(server)
        await self.opens()
        nursery.start_soon(self.line.listen, self)  # type: ignore[attr-defined]
        await self.logs_in(PASSWORD)
        await self.sends(f"<resume xmlns='urn:xmpp:sm:3' previd='{self.token}' h='{self.handled}'/>")
        await until(lambda: self.answer is not None or self.is_cut)
        for _, stanza in tuple(self.unacknowledged):
            await self.sends(stanza)


class Company:
    """Everyone, over all rounds."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.dice = random.Random(seed)
        self.devices: list[Device] = []
        self.sent: dict[str, tuple[str, str]] = {}
        """origin-id -> device that sent it, account that it is for; in order."""
        self.figures: Counter[str] = Counter()
        self.faults: list[str] = []
        self._number = 0
        self._is_talking = False

    async def enters(self, nursery: trio.Nursery) -> None:
        """All log in and count."""
        for person in PEOPLE:
            for name in DEVICES:
                device = await Device.enter(nursery, self.server, f"{person}/{name}", PASSWORD)
                self.devices.append(device)
                await device.asks(ENABLE_COPIES, "set")
                await device.counts()
                await device.tells("<presence/>")
        await trio.sleep(0.5)

    async def round(self, nursery: trio.Nursery) -> None:
        """Talk, lose the connections, come back, talk, fall silent, look."""
        is_kill = self.dice.random() >= BREAKS
        self.figures["kills" if is_kill else "breaks"] += 1
        lost = self.devices if is_kill else self.dice.sample(self.devices, len(self.devices) // 2)
        async with trio.open_nursery() as talking:
            self._begin_to_talk(talking)
            await trio.sleep(self.dice.uniform(0.05, SECONDS_UNTIL_KILL))
            if is_kill:
                await self.server.kill()
            self._is_talking = False
        for device in lost:
            if is_kill:
                await device.hears_cut()  # what had reached it before is read
            await device.line.close()
        if is_kill:
            await self.server.start()
        async with trio.open_nursery() as door:
            for device in lost:
                door.start_soon(device.comes_back, self.server, nursery)
        for device in lost:
            if device.answer is None or device.answer.tag != f"{SM}resumed":
                self._tell(f"{device.jid} could not resume")
        self.figures["resumed"] += len(lost)
        async with trio.open_nursery() as talking:
            self._begin_to_talk(talking)
            await trio.sleep(SECONDS_AFTER)
            self._is_talking = False
        await self._falls_silent()
        self._look()

    def _begin_to_talk(self, nursery: trio.Nursery) -> None:
        self._is_talking = True
        for device in self.devices:
            nursery.start_soon(self._talks, device, random.Random(self.dice.random()))

    async def _talks(self, device: Device, dice: random.Random) -> None:
        others = [person for person in PEOPLE if person != device.bare]
        while self._is_talking and not device.is_mute:
            if dice.random() < NOISE:
                await device.tells(self._noise(dice, others))
            else:
                self._number += 1
                origin = f"m{self._number}"
                to = dice.choice(others)
                address = f"{to}/{dice.choice(DEVICES)}" if dice.random() < 0.3 else to
                self.sent[origin] = device.jid, to
                await device.tells(
                    f"<message to='{address}' type='chat' id='{origin}'><body>{origin}</body>"
                    f"<origin-id xmlns='urn:xmpp:sid:0' id='{origin}'/></message>"
                )
            if dice.random() < 0.2:
                await self._nods(device, dice)
            await trio.sleep(dice.random() * 0.01)

    def _noise(self, dice: random.Random, others: list[str]) -> str:
        if dice.random() < 0.3:
            return f"<presence><show>{dice.choice(('away', 'dnd', 'xa'))}</show></presence>"
        state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
        return f"<message to='{dice.choice(others)}' type='chat'>{state}</message>"

    async def _nods(self, device: Device, dice: random.Random) -> None:
        if dice.random() < 0.5:
            await device.sends("<r xmlns='urn:xmpp:sm:3'/>")
        elif device.is_asked:
            device.is_asked = False
            await device.acknowledges()

    async def _falls_silent(self) -> None:
        """Until everything is acknowledged and everyone has what is for him."""
        for device in self.devices:
            if device.is_mute:
                self._tell(f"{device.jid} was cut: {[tostring(e, 'unicode') for e in device.heard]}")
            else:
                await device.sends("<r xmlns='urn:xmpp:sm:3'/>")
        due = {device.jid: self._due(device) for device in self.devices}
        await until(
            lambda: all(
                not device.unacknowledged and len(device.seen) >= len(due[device.jid]) for device in self.devices
            )
        )
        await trio.sleep(0.05)

    def _due(self, device: Device) -> list[str]:
        return [
            o for o, (by, to) in self.sent.items() if by != device.jid and device.bare in (to, by.partition("/")[0])
        ]

    def _look(self) -> None:
        rows = Counter(row.origin for row in read_archive(self.server.data / "archive.sqlite", 0))
        self._compare("the archive", rows, Counter(self.sent.keys()))
        for device in self.devices:
            if device.unacknowledged:
                self._tell(f"{device.jid}: {len(device.unacknowledged)} of its stanzas were never acknowledged")
            self._compare(device.jid, Counter(device.seen), Counter(self._due(device)))
            self._look_for_order(device)
        self.figures["messages"] = len(self.sent)

    def _compare(self, who: str, found: Counter[str], due: Counter[str]) -> None:
        if lost := due - found:
            self._tell(f"{who}: lost {sorted(lost)[:5]} ({len(lost)})")
        if more := found - due:
            self._tell(f"{who}: doubled or not its own {sorted(more)[:5]} ({len(more)})")

    def _look_for_order(self, device: Device) -> None:
        newest: dict[str, int] = {}
        for origin in device.seen:
            if origin in self.sent:
                by, number = self.sent[origin][0], int(origin[1:])
                if newest.get(by, 0) > number:
                    self._tell(f"{device.jid}: {origin} of {by} after m{newest[by]}")
                newest[by] = number

    def _tell(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


async def play(rounds: int, seed: int, show: Callable[[str], None]) -> tuple[Counter[str], list[str]]:
    """All rounds; the figures, and every fault in words."""
    with tempfile.TemporaryDirectory(prefix="rookery-resume-") as folder:
        server = Server(Path(folder), HOME)
        server.is_forked = True
        file = Path(folder) / "people.csv"
        file.write_text("address,name,password\n" + "".join(f"{person},{person[:2]},{PASSWORD}\n" for person in PEOPLE))
        await server.does("user", "import", str(file))
        await server.start()
        company = Company(server, seed)
        try:
            async with trio.open_nursery() as nursery:
                await company.enters(nursery)
                for number in range(rounds):
                    await company.round(nursery)
                    if number % 10 == 9 or company.faults:
                        show(f"{number + 1} rounds: {dict(company.figures)}, {len(company.faults)} faults")
                    if company.faults:
                        show(server.log.read_text()[-4000:])
                        break
                for device in company.devices:
                    await device.line.close()
                nursery.cancel_scope.cancel()
            company.faults += [f"log: {line}" for line in server.errors]
            if (opinion := integrity(server.data / "archive.sqlite")) != "ok":
                company.faults.append(f"SQLite: {opinion}")
        finally:
            await server.stop()
    return company.figures, company.faults


@click.command()
@click.option("--rounds", default=100, show_default=True)
@click.option("--seed", default=lambda: secrets.randbelow(1_000_000), type=int, help="A random one if not given.")
def main(rounds: int, seed: int) -> None:
    """Kill the server again and again; every session goes on."""
    began = time.monotonic()
    figures, faults = trio.run(play, rounds, seed, click.echo)
    for fault in faults[:FAULTS_SHOWN]:
        click.echo(fault)
    click.echo(f"{dict(figures)} in {time.monotonic() - began:.0f} s, {len(faults)} faults, seed {seed}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
