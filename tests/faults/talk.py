"""A talk between a few people: who said what, what was acknowledged, shown or refused, and when; and what does not fit.

For the rows of the fault table that need a script rather than a crowd (`tests.faults.kill` has the crowd). Every body and every
origin-id is its own, so that nothing can be taken for something else. *Acknowledged* is what XEP-0198 says is handled and what
was not refused: our server says so only when it is on disk.
"""

import secrets
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from xml.etree.ElementTree import Element

import trio

from tests.faults.client import Client
from tests.faults.oracle import RECEIVED, SENT, Row, Sent, bare, integrity, read_archive
from tests.faults.server import Server
from tests.stage.player import PATIENCE_SECONDS, SM, C

HOME = "example.com"
PASSWORD = "correct horse"
ALICE, BOB, CAROL, DAN, ERIN = (f"{name}@{HOME}" for name in ("alice", "bob", "carol", "dan", "erin"))
PEOPLE = (ALICE, BOB, CAROL, DAN, ERIN)
POLL_SECONDS = 0.002
FOREVER = float("inf")
BODY, ORIGIN = f"{C}body", "{urn:xmpp:sid:0}origin-id"


class Talk:
    """What happened.

    Attributes:
        sent: origin-id -> what was sent; acknowledged, refused: origin-id -> when the sender knew, seconds since 1970.
        shown: account -> origin-id -> when it was first shown.
        order: session -> the origin-ids that it was shown, in order.
        faults: what nobody should have seen.
    """

    def __init__(self, label: str = "") -> None:
        self.label = label or secrets.token_hex(4)
        self.sent: dict[str, Sent] = {}
        self.acknowledged: dict[str, float] = {}
        self.refused: dict[str, float] = {}
        self.shown: dict[str, dict[str, float]] = {}
        self.order: dict[str, list[str]] = {}
        self.faults: list[str] = []

    def thinks_of(self, sender: str, to: str, more: str = "") -> Sent:
        """The next message of this session; it counts as sent."""
        number = len(self.sent) + 1
        origin = f"{self.label}-{number}"
        sent = Sent(origin, sender, number, to, f"{origin}w {more}".strip())
        self.sent[origin] = sent
        return sent

    def shows(self, by: str, message: Element) -> None:
        """A session was shown this message."""
        found = message.find(ORIGIN)
        sent = self.sent.get(message.get("id", "") if found is None else found.get("id", ""))
        if sent is None:
            return
        if message.get("type") == "error":
            self.refused.setdefault(sent.origin, time.time())
            return
        self.shows_words(by, sent, message.get("from", ""), message.findtext(BODY) or "")

    def shows_words(self, by: str, sent: Sent, sender: str, body: str) -> None:
        """A session was shown these words of this sender for this message; `by` and `sender` may be bare."""
        if (bare(by), bare(sender), body) != (sent.to, bare(sent.sender), sent.body):
            self.faults.append(f"{by} was shown {body!r} from {sender} for {sent}")
        self.shown.setdefault(bare(by), {}).setdefault(sent.origin, time.time())
        self.order.setdefault(by, []).append(sent.origin)

    def has(self, sent: Sent) -> bool:
        """It was shown to whom it is for."""
        return sent.origin in self.shown.get(sent.to, {})

    def is_settled(self) -> bool:
        """Everything is shown or refused."""
        return all(self.has(sent) or sent.origin in self.refused for sent in self.sent.values())

    def promised(self, until: float = FOREVER) -> dict[str, str]:
        """Origin-id -> why it must be in both archives, of what was known before `until`."""
        found = {
            origin: "acknowledged"
            for origin, when in self.acknowledged.items()
            if when < until and self.refused.get(origin, FOREVER) >= until
        }
        for shown in self.shown.values():
            found |= {origin: "shown" for origin, when in shown.items() if when < until}
        return found

    def judge(self, rows: Iterable[Row], until: float = FOREVER) -> list[str]:
        """What does not fit between this and the archive, as it was at this time."""
        rows = [row for row in rows if row.origin in self.sent]
        by_origin = {row.origin: row for row in rows}
        found = list(self.faults)
        times = Counter(row.origin for row in rows)
        found += [f"doubled: {count} rows of {origin}" for origin, count in times.items() if count > 1]
        for origin, why in self.promised(until).items():
            sent = self.sent[origin]
            row = by_origin.get(origin)
            if row is None or dict(row.entries) != {bare(sent.sender): SENT, sent.to: RECEIVED}:
                found.append(f"lost: {why} and not in both archives: {sent}, {row}")
        for row in rows:
            sent = self.sent[row.origin]
            if (bare(row.sender), row.to, row.body) != (bare(sent.sender), sent.to, sent.body):
                found.append(f"wrong: {sent} is in the archive as {row}")
            if self.refused.get(row.origin, FOREVER) < until:
                found.append(f"refused and yet kept: {sent}")
        for origin in self.refused:
            if self.has(self.sent[origin]):
                found.append(f"refused and yet shown: {self.sent[origin]}")
        found += self._out_of_order([row.origin for row in rows], "the archive")
        for session, origins in self.order.items():
            found += self._out_of_order(list(dict.fromkeys(origins)), session)
        return found

    def _out_of_order(self, origins: list[str], where: str) -> list[str]:
        newest: dict[str, int] = {}
        found = []
        for origin in origins:
            sent = self.sent[origin]
            if sent.number < newest.get(sent.sender, 0):
                found.append(f"reordered: {where} has {origin} after number {newest[sent.sender]}")
            newest[sent.sender] = sent.number
        return found


class Talker(Client):
    """A client that says things and notes what becomes of them. One that counts knows what was acknowledged."""

    talk: Talk
    heard_bytes = 0

    def join(self, talk: Talk) -> None:
        """Note in this talk what is said from now on, and what is heard."""
        self.talk = talk
        self._unacknowledged: deque[tuple[int, str]] = deque()

    def hear(self, data: bytes) -> None:
        """Note messages and acknowledgements, keep the rest."""
        super().hear(data)
        self.heard_bytes += len(data)
        for element in [e for e in self.heard if e.tag in (f"{C}message", f"{SM}a")]:
            self.heard.remove(element)
            if element.tag == f"{C}message":
                self.talk.shows(self.jid, element)
            else:
                self._has_been_heard(int(element.get("h", "")))

    def _has_been_heard(self, number: int) -> None:
        while self._unacknowledged and self._unacknowledged[0][0] <= number:
            self.talk.acknowledged.setdefault(self._unacknowledged.popleft()[1], time.time())

    async def tells(self, sent: Sent) -> None:
        """Send it, perhaps again; ask how far the server is."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.sends(
                f"<message to='{sent.to}' type='chat' id='{sent.origin}'><body>{sent.body}</body>"
                f"<origin-id xmlns='urn:xmpp:sid:0' id='{sent.origin}'/></message>"
            )
            if self.token:
                self._unacknowledged.append((self.sent, sent.origin))
                await self.sends("<r xmlns='urn:xmpp:sm:3'/>")

    async def talks(self, to: str, count: int = 1, more: str = "") -> list[Sent]:
        """Say so many things."""
        said = [self.talk.thinks_of(self.jid, to, more) for _ in range(count)]
        for sent in said:
            await self.tells(sent)
        return said

    async def asks_to_acknowledge(self) -> None:
        """Ask once more how far the server is."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.sends("<r xmlns='urn:xmpp:sm:3'/>")


async def enter(
    nursery: trio.Nursery, server: Server, talk: Talk, address: str, *, counts: bool = False, device: str = "desk"
) -> Talker:
    """Log in, be there, and take part."""
    Talker.talk = talk  # what waited comes before there is a client to join it
    talker = await Talker.enter(nursery, server, f"{address}/{device}", PASSWORD)
    talker.join(talk)
    if counts:
        await talker.counts()
    await talker.is_present()
    return talker


async def prepare(folder: Path, people: Iterable[str] = PEOPLE, configuration: str = "") -> Server:
    """A server with these people; it does not run."""
    server = Server(folder, HOME)
    if configuration:
        server.config.write_text(server.config.read_text() + configuration)
    file = folder / "people.csv"
    rows = "".join(f"{address},{address.partition('@')[0].title()},{PASSWORD}\n" for address in people)
    file.write_text(f"address,name,password\n{rows}")
    await server.does("user", "import", str(file))
    return server


async def until(is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait for it, but not for ever; whether it came."""
    with trio.move_on_after(seconds):
        while not is_so():  # noqa: ASYNC110 -- what is waited for happens in another process
            await trio.sleep(POLL_SECONDS)
        return True
    return is_so()


def judge_all(talks: Iterable[Talk], rows: Iterable[Row]) -> list[str]:
    """What does not fit between these and the archive, which is to have nothing else."""
    by_label: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_label[row.origin.rpartition("-")[0]].append(row)
    found = [fault for talk in talks for fault in talk.judge(by_label.pop(talk.label, []))]
    return found + [f"wrong: nobody said {row}" for others in by_label.values() for row in others]


async def look(server: Server, talks: Iterable[Talk], until: Mapping[str, float] | None = None) -> list[str]:
    """What does not fit: archive and talks, SQLite's opinion, `rookery verify`, the log."""
    archive = server.data / "archive.sqlite"
    rows = read_archive(archive, 0)
    found = [fault for talk in talks for fault in talk.judge(rows)]
    if (opinion := integrity(archive)) != "ok":
        found.append(f"SQLite: {opinion}")
    verified = await server.command("verify")
    if verified.returncode:
        found.append(f"verify: {verified.stdout!r} {verified.stderr!r}")
    return found
