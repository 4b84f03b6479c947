"""Kill -9 while twenty clients send: ``python -m tests.faults.kill --rounds 100 --seed 1``, or ``make kill``.

One round: everyone logs in but a few, who are away. Each session sends as fast as it is heard: messages with origin-ids to
people and to the alias, typing in between, now and then one to the other domain, which is no business of its. At a random
moment the server is killed; sometimes it is killed once more while it starts. It starts again on the same data, everyone logs
in, is shown what waited, and sends again what was not seen, with the same origin-ids. `tests.faults.oracle` says what is
wrong.

The table: *rounds*, and *idle* ones, in which hardly anything was in flight, so that they do not count; *sent* messages;
*flying*: seen by nobody when the server was killed; *seen* before the kill (each by each account that it is for); *archived*
rows in the end; *resent* after the restart; *late*: shown after it, having waited; then faults (`tests.faults.oracle.FAULTS`)
and *errors*: what `rookery verify`, SQLite or the server's log say.
"""

import itertools
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click
import trio

from tests.faults.client import Client
from tests.faults.oracle import FAULTS, Oracle, Row, Sent, World, bare, integrity, is_one_domain, read_archive, waiting
from tests.faults.outcome import has_time
from tests.faults.server import Server
from tests.stage.player import PATIENCE_SECONDS, C

HOME, ABROAD = "example.com", "example.org"
PEOPLE = [f"p{number:02}@{HOME}" for number in range(16)]
STRANGERS = [f"z{number}@{ABROAD}" for number in range(2)]
TEAM = f"team@{HOME}"
MEMBERS = PEOPLE[:6]
SESSIONS = [f"{person}/desk" for person in PEOPLE + STRANGERS] + [f"{person}/phone" for person in PEOPLE[4:8]]
AWAY = 2
"""So many accounts, each with one session, are away until the kill: twenty sessions send."""

PASSWORD = "correct horse"
IN_FLIGHT = 30
"""Messages of one session that wait to be seen."""

TYPING, STRAYING = 0.2, 0.03
"""So many stanzas are only typing; so many go anywhere, also to the other domain."""

AGAIN = 5
"""Of the newest messages of each session, so many are sent again even if they were seen: the sender does not know it."""

PAUSE_SECONDS = 0.01
SECONDS_UNTIL_KILL = 1.2
START_SECONDS = 0.3
ANNOYED_TWICE = 0.2
"""So many restarts are killed, too, within `START_SECONDS`."""

ROUNDS_PER_FOLDER = 20
CREWS = 3
"""So many folders, each with its server and its twenty sessions, are harmed side by side: while one starts, others talk."""

IN_FLIGHT_AT_LEAST = 2
"""Messages that nobody has seen when the server is killed. A round with fewer did no harm: it is judged, and not counted."""

POLL_SECONDS = 0.005
LOOK_SECONDS = 0.03
FAULTS_SHOWN = 20  # of one round
TEXT_SHOWN = 600

COLUMNS = ("rounds", "idle", "sent", "flying", "seen", "archived", "resent", "late", *FAULTS, "errors", "seed")


class Sender(Client):
    """A client that tells the oracle what it does."""

    oracle: Oracle
    label: str
    number = 0

    def hear(self, data: bytes) -> None:
        """Pass messages on, keep the rest."""
        super().hear(data)
        messages = [element for element in self.heard if element.tag == f"{C}message"]
        for message in messages:
            self.heard.remove(message)
            self.oracle.hears(self.jid, message)

    async def tells(self, sent: Sent) -> None:
        """Send a message or typing."""
        inner = (
            f"<body>{sent.body}</body><origin-id xmlns='urn:xmpp:sid:0' id='{sent.origin}'/>"
            if sent.body
            else "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
        )
        await self.sends(f"<message to='{sent.to}' type='chat' id='{sent.origin}'>{inner}</message>")

    async def chatters(self, dice: random.Random, friends: list[str], online: set[str]) -> None:
        """Send until the connection breaks, not too far ahead of those who are `online`."""
        ahead: list[Sent] = []
        try:
            while not self.is_mute:
                for _ in range(dice.randint(1, 10)):
                    sent = self._thinks_of(dice, friends)
                    self.oracle.sends(sent)
                    await self.tells(sent)
                    if sent.body and sent.to in online:
                        ahead.append(sent)
                while len(ahead) > IN_FLIGHT and not self.is_mute:
                    await trio.sleep(POLL_SECONDS)
                    ahead = [sent for sent in ahead if (sent.to, sent.origin) not in self.oracle.seen]
                await trio.sleep(dice.random() * PAUSE_SECONDS)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # everything was read

    def _thinks_of(self, dice: random.Random, friends: list[str]) -> Sent:
        self.number += 1
        to = dice.choice(PEOPLE + STRANGERS if dice.random() < STRAYING else friends)
        body = "" if dice.random() < TYPING else f"{self.number} {'x' * dice.randint(0, 300)}"
        return Sent(f"{self.label}-{self.jid}-{self.number}", self.jid, self.number, to, body)


class Round:
    """One round on a server that runs."""

    def __init__(self, server: Server, seed: str) -> None:
        self.server = server
        self.label = seed
        self.dice = random.Random(seed)
        self.archive = server.data / "archive.sqlite"
        doubles = {bare(session) for session in SESSIONS if session.endswith("/phone")}
        self.away = frozenset(self.dice.sample([person for person in PEOPLE if person not in doubles], AWAY))
        self.oracle = Oracle(World({TEAM: frozenset(MEMBERS)}, (self.away, frozenset())))
        self.figures: Counter[str] = Counter()

    async def play(self) -> None:
        """Chat, be killed, start anew, look, send again, look again."""
        before = max((row.id for row in read_archive(self.archive, 0)), default=0)
        await self._chat_until_killed()
        flying = len(self.oracle.due() - {origin for _, origin in self.oracle.seen})
        has_harmed = flying >= IN_FLIGHT_AT_LEAST
        self.figures = Counter(rounds=has_harmed, idle=not has_harmed, flying=flying)
        if self.dice.random() < ANNOYED_TWICE:
            await self.server.launch()
            await trio.sleep(self.dice.random() * START_SECONDS)
            await self.server.kill()
        await self.server.start()
        survivors = read_archive(self.archive, before)
        self.oracle.survey(survivors)
        seen = frozenset(self.oracle.seen)
        await self._return(survivors, before)
        rows = read_archive(self.archive, before)
        self.oracle.conclude(rows)
        self.figures += Counter(
            sent=len(self.oracle.due()),
            seen=len(seen),
            archived=len(rows),
            late=len(waiting(survivors) - seen),
        )
        await self._look_for_errors()
        self.figures += self.oracle.counts()

    async def _chat_until_killed(self) -> None:
        async with trio.open_nursery() as nursery:
            cast = await self._enter([session for session in SESSIONS if bare(session) not in self.away], nursery)
            online = {sender.bare for sender in cast}
            async with trio.open_nursery() as speakers:
                for sender in cast:
                    friends = [*STRANGERS] if sender.bare in STRANGERS else [*PEOPLE, TEAM, TEAM]
                    friends = [friend for friend in friends if friend != sender.bare]
                    speakers.start_soon(sender.chatters, random.Random(self.dice.random()), friends, online)
                await trio.sleep(self.dice.uniform(0.0, SECONDS_UNTIL_KILL))
                await self.server.kill()
        for sender in cast:
            await sender.hears_cut()  # what had reached it before is read
            await sender.line.close()

    async def _return(self, survivors: list[Row], before: int) -> None:
        """Log in again, hear what waited, send again what was not seen, and some of what was."""
        async with trio.open_nursery() as nursery:
            cast = await self._enter(SESSIONS, nursery)
            await until(lambda: not self.oracle.unseen(survivors), LOOK_SECONDS)
            told = {origin for _, origin in self.oracle.seen}
            due = self.oracle.due()
            for sender in cast:
                mine = [sent for sent in self.oracle.sent.values() if sent.sender == sender.jid and sent.origin in due]
                for place, sent in enumerate(mine):
                    if sent.origin not in told or place >= len(mine) - AGAIN:
                        await sender.tells(sent)
                        self.figures["resent"] += 1

            def is_settled() -> bool:
                rows = read_archive(self.archive, before)
                return due <= {row.origin for row in rows} and not self.oracle.unseen(rows)

            await until(is_settled, LOOK_SECONDS)
            for sender in cast:
                await sender.leaves()

    async def _enter(self, sessions: list[str], nursery: trio.Nursery) -> list["Sender"]:
        """All log in; when this returns, everyone has seen everyone of the own domain."""
        cast: list[Sender] = []

        async def enter(session: str) -> None:
            sender = await Sender.enter(nursery, self.server, session, PASSWORD)
            sender.oracle, sender.label = self.oracle, self.label
            cast.append(sender)
            await sender.is_present()

        async with trio.open_nursery() as door:
            for session in sessions:
                door.start_soon(enter, session)
        for sender in cast:
            for other in cast:
                if is_one_domain(sender.bare, other.bare):
                    await sender.hears_presence(other.jid)
        return cast

    async def _look_for_errors(self) -> None:
        """What the server itself finds wrong, SQLite, and the log."""
        verified = await self.server.command("verify")
        problems = [f"verify: {verified.stdout!r} {verified.stderr!r}"] if verified.returncode else []
        problems += [f"log: {line}" for line in self.server.errors]
        if (opinion := integrity(self.archive)) != "ok":
            problems.append(f"SQLite: {opinion}")
        self.server.log.unlink()
        for problem in problems:
            self.oracle.told[problem] = "errors"


async def until(is_so: Callable[[], bool], poll: float = POLL_SECONDS) -> bool:
    """Wait for it, but not for ever; whether it came."""
    with trio.move_on_after(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 -- what is waited for happens in another process
            await trio.sleep(poll)
        return True
    return False


async def prepare(folder: Path) -> Server:
    """A server that runs, with the people and the alias."""
    server = Server(folder, HOME, ABROAD)
    server.is_forked = True
    file = folder / "people.csv"
    rows = "".join(f"{address},{address.partition('@')[0]},{PASSWORD}\n" for address in PEOPLE + STRANGERS)
    file.write_text(f"address,name,password\n{rows}")
    await server.does("user", "import", str(file))
    await server.does("alias", "add", TEAM, *MEMBERS)
    await server.start()
    return server


class Crews:
    """All rounds, by crews that go on side by side."""

    def __init__(self, rounds: int, seed: int, show: Callable[[str], None]) -> None:
        self._rounds, self._seed, self._show = rounds, seed, show
        self._begun = itertools.count()
        self._under_way = 0
        self.total: Counter[str] = Counter()
        self.told: list[str] = []

    def _is_enough(self) -> bool:
        return self.total["rounds"] + self._under_way >= self._rounds or not has_time()

    async def work(self) -> None:
        """Folder after folder, until all rounds are done."""
        while not self._is_enough():
            with tempfile.TemporaryDirectory(prefix="rookery-kill-") as folder:
                server = await prepare(Path(folder))
                try:
                    for _ in range(ROUNDS_PER_FOLDER):
                        if self._is_enough():
                            break
                        await self._play(server)
                finally:
                    await server.stop()

    async def _play(self, server: Server) -> None:
        number = next(self._begun)
        each = Round(server, f"{self._seed}.{number}")
        self._under_way += 1
        try:
            await each.play()
        finally:
            self._under_way -= 1
        self.total += each.figures
        mine = [f"round {number}: {fault}: {text}" for text, fault in each.oracle.told.items()]
        for text in (line(self.total, self._seed), *mine[:FAULTS_SHOWN]):
            self._show(text[:TEXT_SHOWN])
        self.told += mine


async def play(rounds: int, seed: int, show: Callable[[str], None]) -> tuple[Counter[str], list[str]]:
    """All rounds; the figures, and every fault in words."""
    crews = Crews(rounds, seed, show)
    async with trio.open_nursery() as nursery:
        for _ in range(CREWS):
            nursery.start_soon(crews.work)
    return crews.total, crews.told


def line(figures: Counter[str], seed: int) -> str:
    """A line of the table."""
    return "".join(f"{figures[name] if name != 'seed' else seed:>11}" for name in COLUMNS)


@click.command()
@click.option("--rounds", default=100, show_default=True)
@click.option("--seed", default=lambda: secrets.randbelow(1_000_000), type=int, help="A random one if not given.")
def main(rounds: int, seed: int) -> None:
    """Kill the server again and again, and see whether anything is lost."""
    began = time.monotonic()
    click.echo("".join(f"{name:>11}" for name in COLUMNS))
    total, told = trio.run(play, rounds, seed, click.echo)
    click.echo(f"{total['rounds']} rounds in {time.monotonic() - began:.0f} s, {len(told)} faults, seed {seed}")
    sys.exit(1 if told else 0)


if __name__ == "__main__":
    main()
