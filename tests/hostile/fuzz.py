"""Generated stanzas against the whole server in memory: ``python -m tests.hostile.fuzz``, or ``make fuzz``.

Alice's client and her browser send what `tests.hostile.grammar` grows, the client over a real connection on an in-memory
transport: parser, stream, features, session, user, alias, archive, all actors. When her stream ends (which is right, if she
was bad enough) she logs in again. Beside her Carol and Dan talk. Looked at all the time:

- they hear each other, are never cut, and what they are sent is well-formed and from somebody who may send it;
- of actors only sessions of Alice fail, and nothing is set aside, restarted or logged as an error;
- a stream that ends says why.

Prints the seed; the same seed gives the same stanzas.
"""

import collections
import logging
import random
import re
import sys
import time
from base64 import b64decode
from collections import Counter

import click
import trio

from engine.limits import Limits
from engine.ports import Login
from engine.xmpp.scram import make_verifiers
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_events import StreamOptions
from gateways.connection import Connection
from gateways.reception import Reception
from gateways.webmail_socket import WebmailTab
from tests.hostile.grammar import Grammar
from tests.hostile.words import DOMAIN
from tests.load.scram import Scram
from tests.stage.memory_stage import MemoryStage, memory_stage
from tests.stage.player import Player

PASSWORD = "pencil"
OPEN = (
    f"<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>hostile</resource></bind></iq>"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
LOOK_EACH = 100
"""Stanzas between two looks at those beside her."""

FORGET_EACH = 20_000
"""Stanzas after which the system begins anew: the archive in memory keeps everything."""

SENDERS = re.compile(
    rf"(alice@{DOMAIN}(/.*)?|bob@{DOMAIN}(/.*)?|carol@{DOMAIN}(/.*)?|dan@{DOMAIN}(/.*)?|salesteam@{DOMAIN}(/alias)?|{DOMAIN})",
    re.DOTALL,
)


class Accounts:
    """Everybody has the same password."""

    def __init__(self) -> None:
        self._verifiers = make_verifiers(PASSWORD, iterations=4_096)

    async def verifier(self, address: str, hash_name: str) -> object:
        await trio.lowlevel.checkpoint()
        return self._verifiers[hash_name]


class Memory:
    """A transport that keeps the end of what was sent."""

    def __init__(self) -> None:
        self.peer, self.is_tls, self.waiting = "192.0.2.66", True, 0
        self.said = b""
        self.is_over = False
        self.is_reading = False
        self.receiver: Connection

    def send(self, messages: list[bytes]) -> None:
        self.said = (self.said + b"".join(messages))[-8_192:]

    def pause(self) -> None:
        self.is_reading = False

    def resume(self) -> None:
        self.is_reading = True

    def start_tls(self) -> None:
        raise AssertionError("it is TLS already")

    def close(self) -> None:
        self._end()

    def abort(self) -> None:
        self._end()

    def _end(self) -> None:
        if not self.is_over:
            self.is_over = True
            self.receiver.lost("closed")


class Errors(logging.Handler):
    """Whatever is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


class Assault:
    """One system, and what Alice sends it."""

    def __init__(self, stage: MemoryStage, nursery: trio.Nursery, dice: random.Random) -> None:
        self.stage, self.nursery = stage, nursery
        self.grammar = Grammar(dice)
        self.dice = dice
        self.ends: Counter[str] = Counter()
        self.sent = 0
        self.recent: collections.deque[bytes] = collections.deque(maxlen=LOOK_EACH)
        self._said = 0
        self._heard: dict[Player, int] = {}

    async def begin(self) -> None:
        runtime = self.stage._runtime
        limits = Limits(bytes_per_second=0, stanzas_per_second=0, logins_per_minute=0)
        self.reception = Reception(runtime, Accounts(), self.stage._sessions, self.stage._mux, limits)  # type: ignore[arg-type]
        self.options = StreamOptions(domains={DOMAIN, "example.org"}, secret=b"s" * 32, limits=limits)
        await self.nursery.start(self.reception.run)
        self.carol = await self.stage.enter("carol", "bystander")
        self.dan = await self.stage.enter("dan", "bystander")
        self.zoe = await self.stage.enter("zoe", "home", domain="example.org")
        for player in (self.carol, self.dan, self.zoe):
            await player.asks("<query xmlns='jabber:iq:roster'/>")
        self.browser = Memory()
        self.browser.is_over = True
        await self._log_in()

    async def attack(self, count: int) -> None:
        """Send so many, and look."""
        for number in range(count):
            if self.transport.is_over:
                await self._log_in()
            if number % 8 == 7:
                await self._say_in_browser()
                continue
            stanza = self.grammar.stanza()
            self.recent.append(stanza)
            self._feed(stanza)
            self.sent += 1
            if number % 20 == 0:
                await self.stage._runtime.quiescent()
            if number % LOOK_EACH == LOOK_EACH - 1:
                await self.look()
        await self.look()

    async def look(self) -> None:
        """Is everybody else as before?"""
        await self.stage._runtime.quiescent()
        self._said += 1
        text = f"still here {self._said}"
        await self.carol.says(self.dan.jid, text)
        await self.dan.hears_message(text, self.carol.jid)
        for player in (self.carol, self.dan, self.zoe):
            assert not player.is_cut, player.jid
            assert player is not self.zoe or not player.messages(), "a stanza crossed domains"
            for element in player.heard:
                sender = element.get("from", "")
                assert not sender or SENDERS.fullmatch(sender) or player is self.zoe, (
                    f"{player.jid} heard from {sender!r}"
                )
                if element.tag.endswith("}iq") and element.get("type") == "set":
                    assert sender in {"", player.bare} or sender.startswith(f"alice@{DOMAIN}/"), sender
            player.forget()
        status = self.stage._runtime.status
        assert (status.restarts, status.set_aside) == (0, 0), (status, list(self.stage._runtime.supervision.set_aside))

    def _feed(self, data: bytes) -> None:
        size = self.dice.choice((len(data), len(data), 1, 7, 64)) or 1
        with self.stage._runtime.batch():
            for start in range(0, len(data), max(size, len(data) // 64)):
                if self.transport.is_over:
                    break
                try:
                    self.connection.receive(data[start : start + max(size, len(data) // 64)])
                except Exception as error:  # noqa: BLE001 -- as the poller does
                    self.connection.failed(error)
        if self.transport.is_over:
            said = self.transport.said
            reason = re.search(rb"<stream:error><([\w-]+)", said)
            assert reason or b"</stream:stream>" in said, said[-300:]
            self.ends[reason[1].decode() if reason else "goodbye"] += 1

    async def _say_in_browser(self) -> None:
        """A frame of her browser; a tab that was closed, or began badly, is opened again."""
        if self.browser.is_over:
            self.browser = Memory()
            self.tab = WebmailTab(self.reception, self.browser)  # type: ignore[arg-type]
            self.browser.receiver = self.tab  # type: ignore[assignment]
            login = Login(b"h" * 32, f"alice@{DOMAIN}", 0)
            with self.stage._runtime.batch():
                self.tab.open(self.stage._desk.open(login))
                self.tab.receive(b'{"t":"hello","v":1}')
        frame = self.grammar.frame()
        self.recent.append(frame)
        with self.stage._runtime.batch():
            try:
                self.tab.receive(frame)
            except Exception as error:  # noqa: BLE001 -- as the socket does
                self.tab.failed(error)
        self.sent += 1
        if self.browser.is_over:
            self.ends["browser"] += 1

    async def _log_in(self) -> None:
        self.transport = Memory()
        stream = ClientStream(self.options, is_encrypted=True, has_starttls=False)
        self.connection = Connection(self.reception, self.transport, stream, lambda *_: None)
        self.transport.receiver = self.connection
        self.connection.open()
        scram = Scram("SCRAM-SHA-256", "alice", PASSWORD)
        self._say(f"{OPEN}<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>{scram.first().decode()}</auth>")
        challenge = await self._hears(rb"<challenge[^>]*>([^<]*)<")
        self._say(f"<response xmlns='{SASL}'>{scram.final(challenge).decode()}</response>")
        await self._hears(rb"<success[^>]*>([^<]*)<")
        self._say(OPEN + BIND)
        await self._hears(rb"<jid>([^<]*)<")
        self._say(self.dice.choice(("<presence/>", "", "<enable xmlns='urn:xmpp:sm:3' resume='true'/><presence/>")))

    def _say(self, text: str) -> None:
        with self.stage._runtime.batch():
            self.connection.receive(text.encode())

    async def _hears(self, pattern: bytes) -> bytes:
        for _ in range(1_000):
            found = re.search(pattern, self.transport.said)
            if found:
                self.transport.said = b""
                return found[1] if pattern.startswith(b"<jid") else b64decode(found[1]) and found[1]
            await trio.lowlevel.checkpoint()
            await self.stage._runtime.quiescent()
        raise AssertionError(f"no {pattern!r} in {self.transport.said!r}")


async def assail(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Send so many stanzas; how streams ended, and what is wrong. The first fault ends it, with what was sent last."""
    dice, ends = random.Random(seed), Counter[str]()
    errors = Errors()
    root = logging.getLogger()
    root.addHandler(errors)
    faults: list[str] = []
    try:
        for start in range(0, count, FORGET_EACH):
            async with memory_stage() as stage, trio.open_nursery() as nursery:
                assault = Assault(stage, nursery, dice)
                try:
                    await assault.begin()
                    await assault.attack(min(FORGET_EACH, count - start))
                except (AssertionError, trio.TooSlowError) as error:
                    faults.append(f"after {start + assault.sent}: {error}")
                ends += assault.ends
                faults += errors.lines
                if faults:
                    faults += [f"sent: {stanza[:300]!r}" for stanza in assault.recent]
                nursery.cancel_scope.cancel()
            if faults:
                break
    finally:
        root.removeHandler(errors)
    return ends, faults


@click.command()
@click.option("--stanzas", default=1_000_000)
@click.option("--seed", default=0, help="0: another one each time.")
def main(stanzas: int, seed: int) -> None:
    """Send, print, and fail if anybody was harmed."""
    seed = seed or random.randrange(1, 1 << 32)
    click.echo(f"seed {seed}")
    began = time.perf_counter()
    ends, faults = trio.run(assail, stanzas, seed)
    shown = ", ".join(f"{reason} {count}" for reason, count in ends.most_common())
    click.echo(
        f"{stanzas} stanzas in {time.perf_counter() - began:.0f} s; streams that ended: {ends.total()} ({shown})"
    )
    for fault in faults[:40]:
        click.echo(f"FAULT: {fault}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
