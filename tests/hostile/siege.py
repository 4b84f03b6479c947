"""A thousand clients that do their worst, as a process of their own: `tests.hostile.memory` starts it.

Each session is of one kind: it reads nothing and asks for much; it sends half a stanza, in one piece of text or in many small
elements, over TCP or in a web socket's message; it sends a stanza of 100 MiB, again and again; it says as much as it may; or
it counts (XEP-0198) and acknowledges nothing. Who is cut off comes back.

Spoken on standard input and output: ``entered`` when all are in; a line begins it; the end of the input ends it, with how
often sessions entered and were cut, as JSON. `Session` is for other clients, too.
"""

import base64
import json
import random
import ssl
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import click
import trio

HOME = "example.com"
PASSWORD = "correct horse"
ACCOUNTS = 16
"""That the sessions belong to."""

OPEN = (
    f"<stream:stream to='{HOME}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>"
GONE = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError)


class Target(Protocol):
    """A server, as its clients see it."""

    @property
    def ports(self) -> dict[str, int]:
        """Of ``xmpps`` and ``web``."""

    @property
    def tls(self) -> ssl.SSLContext:
        """That trusts it."""


class Place:
    """A server that is elsewhere."""

    def __init__(self, ports: dict[str, int], authority: str) -> None:
        self.ports = ports
        self.tls = ssl.create_default_context(cafile=authority)


class Session:
    """One client, as bytes."""

    def __init__(self, stream: trio.abc.Stream, name: str) -> None:
        self.stream = stream
        self.name = name
        self.heard = b""

    @classmethod
    async def enter(cls, server: Target, name: str, resource: str) -> "Session":
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
    with suppress(*GONE):  # whoever sends notices, too
        while await session.stream.receive_some(65_536):
            pass


async def sends_half_frames(server: Target) -> None:
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
    """All of them.

    Args:
        place: the server.
        kinds: that sessions are of, in turn.
        sessions: how many.
        seed: of chance.
    """

    def __init__(self, place: Target, kinds: tuple[Kind, ...], sessions: int, seed: int) -> None:
        self._place, self._kinds, self._sessions = place, kinds, sessions
        self._dice = random.Random(seed)
        self._begin = trio.Event()
        self.entered = 0
        self.ended: Counter[str] = Counter()

    async def run(self) -> None:
        """Enter, wait for the word, and go on until the end of it."""
        words = trio.lowlevel.FdStream(sys.stdin.fileno())
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._enter, nursery)
                await words.receive_some()
                self._begin.set()
                await words.receive_some()
                nursery.cancel_scope.cancel()
        except* GONE:
            pass  # who was cut off in this moment
        click.echo(json.dumps({"entered": self.entered, "cut": self.ended}))

    async def _enter(self, nursery: trio.Nursery) -> None:
        for number in range(self._sessions):
            nursery.start_soon(self._be_hostile, number)
            await trio.sleep(0.002)

    async def _be_hostile(self, number: int) -> None:
        kind = self._kinds[number % len(self._kinds)]
        while True:
            try:
                if kind is sends_elements and number % 14 == 3 and self._begin.is_set():
                    await sends_half_frames(self._place)
                session = await Session.enter(self._place, f"h{number % ACCOUNTS}", f"r{number}")
                self.entered += 1
                if self.entered == self._sessions:
                    click.echo("entered")
                await self._begin.wait()
                await kind(session, self._dice)
            except Exception as error:
                if not isinstance(error, (ExceptionGroup, *GONE)):
                    raise
                self.ended[kind.__name__] += 1
            await trio.sleep(0.5)


@click.command()
@click.option("--ports", required=True, help="As JSON.")
@click.option("--authority", required=True, help="Whoever signed its certificate; a file.")
@click.option("--sessions", default=1_000)
@click.option("--seed", default=1)
@click.option("--only", default="")
def main(ports: str, authority: str, sessions: int, seed: int, only: str) -> None:
    """See the module."""
    kinds = tuple(kind for kind in KINDS if only in {"", kind.__name__})
    trio.run(Siege(Place(json.loads(ports), authority), kinds, sessions, seed).run)


if __name__ == "__main__":
    main()
