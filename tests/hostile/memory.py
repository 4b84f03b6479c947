"""What the process needs while clients do their worst: ``python -m tests.hostile.memory``, or ``make hostile-memory``.

So many sessions, each of one kind: it reads nothing and asks for much; it sends half a stanza, in one piece of text or in
many small elements, over TCP or in a web socket's message; it sends a stanza of 100 MiB, again and again; it says as much
as it may; or it counts (XEP-0198) and acknowledges nothing. Two people talk all the time. The peak of the process must stay
below

    what it needed before anybody came + sessions x 64 KiB + `SHARED_BYTES` + `CACHES_BYTES`

and those who talk must go on talking. Prints the figures and the bars; exit status 1 if one is missed.
"""

import base64
import json
import random
import ssl
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import trio

from engine.limits import CLIENT_BYTES, SHARED_BYTES
from tests.faults.server import Server

HOME = "example.com"
PASSWORD = "correct horse"
CACHES_BYTES = 256 * 1024 * 1024
"""Pages of two databases (three connections of 32 MiB each), the writers of the search indexes (up to 50 MiB each) and 1
MiB for each of 16 accounts whose words wait for the disk. They do not grow with sessions."""

MAX_P99_SECONDS = 0.25
SECONDS = 20.0
ENTER_SECONDS = 300.0
OPEN = (
    f"<stream:stream to='{HOME}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>"
GONE = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError)


class Session:
    """One client, as bytes."""

    def __init__(self, stream: trio.abc.Stream, name: str) -> None:
        self.stream = stream
        self.name = name
        self.heard = b""

    @classmethod
    async def enter(cls, server: Server, name: str, resource: str) -> "Session":
        """Over direct TLS, with PLAIN."""
        tcp = await trio.open_tcp_stream("127.0.0.1", server.ports["xmpps"])
        session = cls(trio.SSLStream(tcp, server.tls, server_hostname=HOME), name)
        plain = base64.b64encode(f"\0{name}\0{PASSWORD}".encode()).decode()
        await session.send(f"{OPEN}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")
        await session.hears(b"<success")
        await session.send(OPEN + BIND.format(resource))
        await session.hears(b"</jid>")
        return session

    async def send(self, text: str | bytes) -> None:
        await self.stream.send_all(text if isinstance(text, bytes) else text.encode())

    async def hears(self, part: bytes) -> None:
        """Wait until this was said, and forget all that was."""
        while part not in self.heard:
            data = await self.stream.receive_some(65_536)
            if not data:
                raise trio.BrokenResourceError(f"{self.name} was cut: {self.heard[-200:]!r}")
            self.heard = self.heard[-64:] + data
        self.heard = b""


# -- the kinds ----------------------------------------------------------------------------------------------------------


async def is_quiet(session: Session, dice: random.Random) -> None:
    """Does no harm: what a session costs anyway."""
    await trio.sleep_forever()


async def reads_nothing(session: Session, dice: random.Random) -> None:
    """Says much to itself, and leaves it where it is."""
    body = "x" * 60_000
    for number in range(1_000):
        await session.send(
            f"<message to='{session.name}@{HOME}' type='chat' id='{number}'><body>{body}</body></message>"
        )


async def sends_half(session: Session, dice: random.Random) -> None:
    """A long text that does not end."""
    await session.send(f"<message to='talker@{HOME}'><body>{'x' * 250_000}")
    await trio.sleep_forever()


async def sends_elements(session: Session, dice: random.Random) -> None:
    """Many small elements in a stanza that does not end."""
    await session.send("<message>" + "<a><b/></a>" * 1_020)
    await trio.sleep_forever()


async def sends_giants(session: Session, dice: random.Random) -> None:
    """100 MiB in one stanza."""
    await session.send("<message><body>")
    for _ in range(1_600):
        await session.send(b"x" * 65_536)


async def floods(session: Session, dice: random.Random) -> None:
    """As much as it may, to whoever is there."""
    body = "x" * 8_000
    while True:
        await session.send(f"<message to='flooded@{HOME}' type='chat'><body>{body}</body></message>" * 8)


async def never_acknowledges(session: Session, dice: random.Random) -> None:
    """Reads all, and says nothing about it."""
    await session.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/><presence/>")
    body = "x" * 30_000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_swallow, session)
        for _ in range(100):
            await session.send(f"<message to='{session.name}@{HOME}' type='chat'><body>{body}</body></message>")
            await trio.sleep(0.1)
        await trio.sleep_forever()


async def _swallow(session: Session) -> None:
    while await session.stream.receive_some(65_536):
        pass


async def sends_half_frames(server: Server) -> None:
    """A web socket's message in parts, without the last one."""
    stream = await trio.open_tcp_stream("127.0.0.1", server.ports["web"])
    async with stream:
        await stream.send_all(
            f"GET /xmpp-websocket HTTP/1.1\r\nHost: {HOME}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n\r\n".encode()
        )
        await stream.receive_some()
        for number in range(240):
            await stream.send_all(struct.pack("!BBHI", 0 if number else 1, 0x80 | 126, 1_024, 0) + b"x" * 1_024)
        await trio.sleep_forever()


Kind = Callable[[Session, random.Random], Awaitable[None]]
KINDS: tuple[Kind, ...] = (
    is_quiet,
    reads_nothing,
    sends_half,
    sends_elements,
    sends_giants,
    floods,
    never_acknowledges,
)


class Siege:
    """One measurement."""

    def __init__(self, server: Server, kinds: tuple[Kind, ...], sessions: int, seconds: float, seed: int) -> None:
        self.server, self.kinds, self.sessions, self.seconds = server, kinds, sessions, seconds
        self.dice = random.Random(seed)
        self.ended: Counter[str] = Counter()
        self.delays: list[float] = []
        self.figures: dict[str, float] = {}
        self.entered = 0
        self._are_all_in, self._begin = trio.Event(), trio.Event()

    async def run(self) -> None:
        server = self.server
        names = ["talker", "listener", "flooded", *(f"h{number}" for number in range(16))]
        people = "address,name,password\n" + "".join(f"{name}@{HOME},,{PASSWORD}\n" for name in names)
        await server.does("user", "import", "/dev/stdin", stdin=people.encode())
        self.figures["base_mib"] = memory(server, "VmRSS")
        async with trio.open_nursery() as nursery:
            talker, listener = [await Session.enter(server, name, "t") for name in ("talker", "listener")]
            await listener.send("<presence/>")
            await self._talk(
                talker, listener, 3.0
            )  # the first one waits until it is clear that nobody asks for the history
            await self._talk(talker, listener, 3.0)
            self.figures["p99_before_ms"] = self._p99()
            for number in range(self.sessions):
                nursery.start_soon(self._be_hostile, number)
                await trio.sleep(0.002)
            with trio.move_on_after(ENTER_SECONDS):
                await self._are_all_in.wait()
            self.figures["entered"] = self.entered
            self.figures["quiet_mib"] = memory(server, "VmRSS")
            self._begin.set()
            nursery.start_soon(self._watch)
            await self._talk(talker, listener, self.seconds)
            self.figures["p99_ms"] = self._p99()
            self.figures["talked"] = len(self.delays)
            nursery.cancel_scope.cancel()
        self.figures["peak_mib"] = memory(server, "VmHWM")

    async def _watch(self) -> None:
        """The largest queues that were seen."""
        while True:
            status = json.loads(await self.server.does("status", "--json"))
            for name in (
                "archive_queue",
                "mailboxes_waiting",
                "mailbox_deepest",
                "client_bytes",
                "search_behind_seconds",
            ):
                self.figures[name] = max(self.figures.get(name, 0), status[name])
            await trio.sleep(2)

    async def _be_hostile(self, number: int) -> None:
        kind = self.kinds[number % len(self.kinds)]
        while True:
            try:
                if kind is sends_elements and number % 14 == 3 and self._begin.is_set():
                    await sends_half_frames(self.server)
                session = await Session.enter(self.server, f"h{number % 16}", f"r{number}")
                self.entered += 1
                if self.entered >= self.sessions:
                    self._are_all_in.set()
                await self._begin.wait()
                await kind(session, self.dice)
            except Exception as error:
                if not isinstance(error, (ExceptionGroup, *GONE)):
                    raise
                self.ended[kind.__name__] += 1
            await trio.sleep(0.5)

    async def _talk(self, talker: Session, listener: Session, seconds: float) -> None:
        self.delays = []
        until = trio.current_time() + seconds
        number = 0
        while trio.current_time() < until:
            number += 1
            began = time.perf_counter()
            await talker.send(f"<message to='listener@{HOME}/t' type='chat'><body>said {number}.</body></message>")
            with trio.fail_after(30):
                await listener.hears(f"<body>said {number}.</body>".encode())
            self.delays.append(time.perf_counter() - began)
            await trio.sleep(0.02)

    def _p99(self) -> float:
        return round(sorted(self.delays)[int(len(self.delays) * 0.99)] * 1000, 1)


def memory(server: Server, name: str) -> float:
    """MiB of the process: ``VmRSS`` now, ``VmHWM`` at most so far."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


async def measure(
    kinds: tuple[Kind, ...], sessions: int, seconds: float, seed: int
) -> tuple[dict[str, float], list[str]]:
    """Figures, and what is wrong."""
    with tempfile.TemporaryDirectory(prefix="rookery-hostile-") as folder:
        server = Server(Path(folder), HOME)
        text = server.config.read_text().partition("[limits]")[0]
        server.config.write_text(f"{text}[limits]\nlogins_per_minute = 0\nsessions_per_user = 0\n")
        async with server:
            siege = Siege(server, kinds, sessions, seconds, seed)
            await siege.run()
            restarts = '"restarts": 0' in await server.does("status", "--json")
        figures = siege.figures
        bound = figures["base_mib"] + (sessions * CLIENT_BYTES + SHARED_BYTES + CACHES_BYTES) / 1024**2
        figures |= {"sessions": sessions, "bound_mib": round(bound), "cut": siege.ended.total()}
        faults = [] if figures["peak_mib"] <= bound else ["memory"]
        faults += [] if figures["entered"] >= sessions else ["not all could enter"]
        faults += [] if restarts and not server.errors else [f"restarts or errors: {server.errors[:3]}"]
        return figures, faults


@click.command()
@click.option("--sessions", default=1_000)
@click.option("--seconds", default=SECONDS)
@click.option("--seed", default=0, help="0: another one each time.")
@click.option("--only", type=click.Choice([kind.__name__ for kind in KINDS]), help="Sessions of this kind only.")
def main(sessions: int, seconds: float, seed: int, only: str | None) -> None:
    """Measure, print, and say what is missed."""
    seed = seed or random.randrange(1 << 32)
    kinds = tuple(kind for kind in KINDS if only in {None, kind.__name__})
    figures, faults = trio.run(measure, kinds, sessions, seconds, seed)
    shown: list[Any] = [f"{name} {value:.1f}" for name, value in figures.items()]
    click.echo(f"seed {seed}: {', '.join(shown)}")
    if figures["p99_ms"] > MAX_P99_SECONDS * 1000:
        click.echo(f"missed: p99 above {MAX_P99_SECONDS * 1000:.0f} ms")
    for fault in faults:
        click.echo(f"MISSED: {fault}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
