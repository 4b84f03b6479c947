"""Bits flip, files are cut or gone, old locks lie about: what the server serves then.

One folder is made by talk: some of it by a server that ended in good order, some by one that was killed, so that there is a log
beside the database. Each trial copies it, damages one file, and starts a server. It may refuse to start, in a line that names
the file; or it starts. Then everyone reads his history, page by page, and searches in it. A text that was never said so, or
to somebody else, is a fault. What is missing must have been told: by the start, by the answer to the reader, or by
`rookery verify`.
"""

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree.ElementTree import Element

import msgspec
import trio

from index.chat_rows import DAMAGED
from tests.faults.client import Client
from tests.faults.outcome import Outcome, Scale, part_of
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, CAROL, PASSWORD, Talk, enter, prepare, until
from tests.stage.player import C
from tests.stage.reading import read_page

PEOPLE = (ALICE, BOB, CAROL)
MESSAGES, SHORT_MESSAGES = 120, 60
TRIALS, SHORT_TRIALS = 120, 3
WORDS = (
    "harbour",
    "lantern",
    "meadow",
    "orchard",
    "pebble",
    "quartz",
    "ribbon",
    "saddle",
    "thimble",
    "umbrella",
    "velvet",
)
ARCHIVE, ACCOUNTS = "archive.sqlite", "accounts.sqlite"
ORIGIN = "{urn:xmpp:sid:0}origin-id"
START_SECONDS = 20.0
REINDEXED = 5
SOCKETS = shutil.ignore_patterns("*.sock")


class Damage(msgspec.Struct, frozen=True):
    """What is done to one file, found by a pattern; `is_killed`: in the folder of the server that was killed."""

    pattern: str
    how: str
    is_killed: bool = False
    weight: int = 1


DAMAGES = (
    Damage(ARCHIVE, "flip", weight=6),
    Damage(ARCHIVE, "cut", weight=2),
    Damage(ARCHIVE, "zero", weight=2),
    Damage(f"{ARCHIVE}-wal", "flip", is_killed=True, weight=3),
    Damage(f"{ARCHIVE}-wal", "cut", is_killed=True),
    Damage(f"{ARCHIVE}-wal", "remove", is_killed=True),
    Damage(f"{ARCHIVE}-shm", "flip", is_killed=True),
    Damage(ACCOUNTS, "flip", weight=2),
    Damage(ACCOUNTS, "cut"),
    Damage("history.tantivy/*", "flip", weight=3),
    Damage("history.tantivy/*", "cut", weight=2),
    Damage("history.tantivy/*", "remove", weight=2),
    Damage("history.tantivy/meta.json", "flip"),
    Damage("contacts.tantivy/*", "flip"),
    Damage("contacts.tantivy/*", "remove"),
    Damage("control.sock", "litter"),
    Damage("history.tantivy/.tantivy-writer.lock", "litter"),
    Damage("archive.sqlite-journal", "litter"),
)


def harm(data: Path, damage: Damage, dice: random.Random) -> str:
    """Do it; which file, and how, in words. Empty: there is no such file."""
    if damage.how == "litter":
        file = data / damage.pattern
        file.parent.mkdir(exist_ok=True)
        with suppress(OSError):
            file.write_bytes(dice.randbytes(dice.choice((0, 12, 5_000))))
        return f"{damage.pattern} left behind"
    files = [file for file in sorted(data.glob(damage.pattern)) if file.is_file() and file.stat().st_size]
    if not files:
        return ""
    file = dice.choice(files)
    name, content = file.relative_to(data), bytearray(file.read_bytes())
    if damage.how == "remove":
        file.unlink()
        return f"{name} removed"
    if damage.how == "cut":
        length = dice.randrange(len(content))
        file.write_bytes(content[:length])
        return f"{name} cut to {length} of {len(content)} bytes"
    if damage.how == "zero":
        start = dice.randrange(0, len(content), 4_096)
        content[start : start + 4_096] = bytes(len(content[start : start + 4_096]))
        file.write_bytes(content)
        return f"{name}: page at {start} zeroed"
    bits = dice.choice((1, 1, 8, 64))
    for _ in range(bits):
        place = dice.randrange(len(content))
        content[place] ^= 1 << dice.randrange(8)
    file.write_bytes(content)
    return f"{name}: {bits} bits flipped"


class Truth:
    """What was said: origin-id -> sender (bare), recipient, text."""

    def __init__(self, talks: list[Talk]) -> None:
        self.said = {
            origin: (sent.sender.partition("/")[0], sent.to, sent.body)
            for talk in talks
            for origin, sent in talk.sent.items()
        }

    def of(self, owner: str) -> set[str]:
        """The origin-ids that are in this history."""
        return {origin for origin, (sender, to, _) in self.said.items() if owner in (sender, to)}

    def judges(self, owner: str, message: Element) -> tuple[str, str]:
        """One message as it was read: its origin-id, and what is wrong with it."""
        body = message.findtext(f"{C}body") or ""
        if not body or body == DAMAGED:
            return "", ""
        found = message.find(ORIGIN)
        origin = "" if found is None else found.get("id", "")
        said = self.said.get(origin)
        served = (message.get("from", "").partition("/")[0], message.get("to", "").partition("/")[0], body)
        if said is None:
            return origin, f"wrong: {owner} was served {served} as {origin!r}, which nobody said"
        if served != said:
            return origin, f"wrong: {owner} was served {served}, said was {said}"
        if owner not in said[:2]:
            return origin, f"wrong: {owner} was served what {said[0]} said to {said[1]}"
        return origin, ""


class Trial:
    """One damaged folder."""

    def __init__(self, server: Server, truth: Truth, what: str) -> None:
        self.server, self.truth, self.what = server, truth, what
        self.problems: list[str] = []
        self.outcome = ""
        self.is_told = False

    def told(self, problem: str) -> None:
        """Something that must not be."""
        self.problems.append(f"{self.what}: {problem}")

    async def play(self) -> None:
        """Start, read, search, verify."""
        try:
            with trio.fail_after(START_SECONDS):
                await self.server.start()
        except AssertionError:
            await self.server.ended()
            self._judge_refusal()
            return
        try:
            async with trio.open_nursery() as nursery:
                missing = 0
                for person in PEOPLE:
                    missing += await self._read(nursery, person)
                nursery.cancel_scope.cancel()
            verified = await self.server.command("verify")
            self.is_told |= verified.returncode != 0
            log = self.server.log.read_text()
            if re.search("damaged|has lost its end|passed over|may be missing|corrupt|malformed|not a database", log):
                self.is_told = True
            if missing and not self.is_told:
                self.told(f"{missing} messages are missing, and nobody said so")
            if "Traceback" in log:
                self.told(f"a traceback: {log[log.index('Traceback') :][-800:]}")
            self.outcome = f"served, {'told' if self.is_told else 'whole'}"
        finally:
            await self.server.stop()

    def _judge_refusal(self) -> None:
        self.outcome = "refused"
        log = self.server.log.read_text().strip()
        if "Traceback" in log:
            self.told(f"refused with a traceback: {log[-600:]}")
        if self.what.partition(":")[0].split()[0].split("-")[0] not in log and "data" not in log:
            self.told(f"refused, and the file is not named: {log[-300:]}")

    async def _read(self, nursery: trio.Nursery, person: str) -> int:
        """How many messages of this person are missing."""
        try:
            client = await Client.enter(nursery, self.server, f"{person}/reader", PASSWORD)
        except (AssertionError, OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.is_told = True  # a login that fails is a refusal
            return 0
        seen: set[str] = set()
        place = ""
        with trio.move_on_after(START_SECONDS):
            while True:
                page = await read_page(client, f"<max>50</max>{place}")
                seen |= self._judge(person, page.messages)
                if page.error or page.is_complete or not page.last:
                    self.is_told |= bool(page.error)
                    break
                place = f"<after>{page.last}</after>"
            for word in WORDS[:4]:
                found = await read_page(client, "<max>50</max>", **{"{urn:xmpp:fulltext:0}fulltext": word})
                self._judge(person, found.messages)
        await client.leaves()
        return len(self.truth.of(person) - seen)

    def _judge(self, person: str, messages: list[Element]) -> set[str]:
        origins = set()
        for message in messages:
            origin, wrong = self.truth.judges(person, message)
            origins.add(origin)
            if wrong:
                self.told(wrong)
        return origins


async def talk_among(server: Server, dice: random.Random, count: int, *, is_killed: bool) -> Talk:
    """Everyone says something to everyone."""
    talk = Talk()
    await server.start()
    async with trio.open_nursery() as nursery:
        clients = [await enter(nursery, server, talk, person, counts=person == ALICE) for person in PEOPLE]
        for number in range(count):
            speaker = clients[number % len(clients)]
            to = dice.choice([person for person in PEOPLE if person != speaker.bare])
            await speaker.talks(to, 1, " ".join(dice.choices(WORDS, k=dice.randint(3, 60))))
        await until(talk.is_settled)
        await trio.sleep(1.5)  # the index has it
        if is_killed:
            await server.kill()
        else:
            for client in clients:
                await client.leaves()
        nursery.cancel_scope.cancel()
    if not is_killed:
        await server.stop()
    return talk


async def rebuilt_while_chatting(server: Server, dice: random.Random) -> list[str]:
    """Both indexes are made anew beside people who talk."""
    talk = Talk()
    problems = []
    async with server, trio.open_nursery() as nursery:
        bob = await enter(nursery, server, talk, BOB)
        alice = await enter(nursery, server, talk, ALICE, counts=True)
        is_over = False

        async def chat() -> None:
            while not is_over:
                await alice.talks(BOB, 1, dice.choice(WORDS))
                await trio.sleep(0.005)

        nursery.start_soon(chat)
        for _ in range(REINDEXED):
            done = await server.command("reindex")
            await bob.asks("<ping xmlns='urn:xmpp:ping'/>")  # who only listens is taken for gone after 85 s
            if done.returncode:
                problems.append(f"reindex: {done.stderr!r}")
        is_over = True
        if not await until(talk.is_settled) or talk.refused:
            problems.append("reindex: messages were not shown while the index was made")
        verified = await server.command("verify")
        if verified.returncode:
            problems.append(f"after reindex: {verified.stdout!r}")
        for client in (alice, bob):
            await client.leaves()
        nursery.cancel_scope.cancel()
    return problems + server.errors


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Trial after trial."""
    trials = part_of(TRIALS) if scale == "long" else SHORT_TRIALS
    outcome = Outcome(
        name="damage",
        fault="bits flipped, pages zeroed, files cut or removed, old locks, in databases, their logs and both indexes; "
        "the indexes made anew while people talk",
        bar="start refuses or repairs, and says what; never a text that was not said so; what is missing was told",
    )
    messages = MESSAGES if scale == "long" else SHORT_MESSAGES
    dice = random.Random(seed)
    ended: Counter[str] = Counter()
    with TemporaryDirectory(prefix="rookery-damage-") as name:
        folder = Path(name)
        server = await prepare(folder / "server", PEOPLE)
        server.is_forked = True
        talks = [await talk_among(server, dice, messages, is_killed=False)]
        shutil.copytree(server.data, folder / "ended", ignore=SOCKETS)
        talks.append(await talk_among(server, dice, messages // 4, is_killed=True))
        shutil.copytree(server.data, folder / "killed", ignore=SOCKETS)
        truths = {"ended": Truth(talks[:1]), "killed": Truth(talks)}
        for number in range(trials):
            (damage,) = dice.choices(DAMAGES, [each.weight for each in DAMAGES])
            state = "killed" if damage.is_killed else "ended"
            shutil.rmtree(server.data)
            shutil.copytree(folder / state, server.data)
            server.log.unlink(missing_ok=True)
            what = harm(server.data, damage, dice)
            if not what:
                continue
            trial = Trial(server, truths[state], what)
            await trial.play()
            ended[trial.outcome] += 1
            outcome.problems += trial.problems
            show(f"{number}: {what}: {trial.outcome}, {len(trial.problems)} problems")
        if scale == "long":  # `tests.search.test_life` has it in short
            shutil.rmtree(server.data)
            shutil.copytree(folder / "ended", server.data)
            server.log.unlink(missing_ok=True)
            outcome.problems += await rebuilt_while_chatting(server, dice)
    outcome.counts = {"trials": ended.total(), "messages": len(talks[0].sent) + len(talks[1].sent)}
    outcome.figure = ", ".join(f"{count} {what}" for what, count in ended.most_common())
    return outcome
