"""A house for gateway tests: a runtime, a reception, accounts in memory, and sessions that echo.

Clients here are a few lines over a plain socket: what they send is written out in the tests.
"""

import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

import trio

from actors.runtime import Runtime, TrioActor
from engine import messages as m
from engine.jid import Jid
from engine.limits import Limits
from engine.ports import StorageUnavailable
from engine.xmpp.features import build_mux
from engine.xmpp.mux import Software
from engine.xmpp.scram import make_verifiers
from engine.xmpp.stream_events import StreamOptions
from gateways import tls, web, xmpp_tcp, xmpp_websocket
from gateways.reception import Reception
from gateways.xmpp_tcp import Encryption, Listening

DOMAIN = "example.com"
PASSWORD = "secret"
OPEN = (
    f"<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
PLAIN = base64.b64encode(f"\0alice\0{PASSWORD}".encode()).decode()
PATIENCE = 10.0


@cache
def certificate() -> tls.Certificate:
    """Made once for all tests."""
    return tls.ensure_self_signed(Path(mkdtemp(prefix="rookery-gateway-test-")), [DOMAIN, "localhost"])


@cache
def encryption() -> Encryption:
    return Encryption(tls.server_context(certificate(), protocols=[tls.XMPP_CLIENT]), certificate().end_point)


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@cache
def verifiers() -> dict[str, Any]:
    return make_verifiers(PASSWORD, iterations=4096)


class FewAccounts:
    """Alice, Bob and Carol, all with the same password; counts the look-ups."""

    def __init__(self) -> None:
        self.looked_up: list[str] = []
        self.is_broken = False

    async def verifier(self, address: str, hash_name: str) -> Any:
        await trio.lowlevel.checkpoint()
        self.looked_up.append(address)
        if self.is_broken:
            raise StorageUnavailable("the disk is full")
        return verifiers()[hash_name] if address.partition("@")[0] in {"alice", "bob", "carol"} else None


class EchoSession(TrioActor):
    """Sends every chat back, and keeps what it is told."""

    supervised = False

    def __init__(self, jid: Jid, wire: Any, house: "House") -> None:
        super().__init__()
        self.jid, self.wire, self.house = jid, wire, house
        self.heard: list[Any] = []
        house.sessions.append(self)

    def on_start(self) -> None:
        if self.house.refuses is not None:
            self.wire.deliver(m.SessionRefused(self.jid, self.house.refuses))
            self.stop()
        else:
            self.wire.deliver(m.SessionOpened(self.jid))

    def on_receive(self, message: Any) -> None:
        self.heard.append(message)
        if isinstance(message, m.SendChat):
            if message.chat.body == "explode":
                raise ValueError("as asked")
            for _ in range(self.house.copies):
                self.wire.deliver(m.DeliverChat(message.chat))
        elif isinstance(message, m.CloseSession):
            self.wire.close(message.condition, message.text)
            self.stop()
        elif isinstance(message, m.Disconnect):
            self.house.disconnects.append(self.jid.full)
            self.house.on_disconnect.set()
            self.house.on_disconnect = trio.Event()
            self.stop()

    def on_failure(self, *_: Any) -> None:
        self.wire.close(None, "")


class House:
    """Everything that listeners need."""

    def __init__(
        self, runtime: Runtime, nursery: trio.Nursery, limits: Limits, domains: tuple[str, ...], **more: Any
    ) -> None:
        self.runtime, self.nursery = runtime, nursery
        self.accounts = FewAccounts()
        self.sessions: list[EchoSession] = []
        self.disconnects: list[str] = []
        self.on_disconnect = trio.Event()
        self.refuses: Any = None
        self.copies = 1
        self.limits = limits
        self.options = StreamOptions(domains=domains, secret=b"s" * 32, limits=limits)
        self.reception = Reception(
            runtime,
            self.accounts,  # type: ignore[arg-type]
            self,
            build_mux(Software()),
            limits,
            **more,
        )

    def start(self, jid: Jid, wire: Any, *, is_generated: bool = False) -> Any:
        """A session, as `gateways.reception.Sessions` has it."""
        return self.runtime.start_unsupervised(EchoSession, jid, wire, self)

    def resume(self, account: Jid, token: str, handled: int, wire: Any) -> Any:
        raise NotImplementedError

    def keep(self) -> None:
        """These note nothing."""

    async def listen(
        self, *, direct_tls: bool = False, has_tls: bool = True, options: StreamOptions | None = None
    ) -> Listening:
        listening: Listening = await self.nursery.start(
            lambda task_status: xmpp_tcp.serve(
                self.reception,
                [("127.0.0.1", 0)],
                options or self.options,
                encryption() if has_tls else None,
                direct_tls=direct_tls,
                task_status=task_status,
            )
        )
        return listening

    async def listen_web(self, *, has_tls: bool = False, origins: tuple[str, ...] = ()) -> Listening:
        secured = encryption() if has_tls else None
        routes = {
            xmpp_websocket.PATH: xmpp_websocket.route(self.reception, self.options, secured, allowed_origins=origins)
        }
        listening: Listening = await self.nursery.start(
            lambda task_status: web.serve(self.reception, [("127.0.0.1", 0)], routes, secured, task_status=task_status)
        )
        return listening

    async def gone(self, count: int = 1) -> None:
        """Wait until so many sessions were told that their client is gone."""
        with trio.fail_after(PATIENCE):
            while len(self.disconnects) < count:
                await self.on_disconnect.wait()


@asynccontextmanager
async def open_house(
    limits: Limits | None = None, domains: tuple[str, ...] = (DOMAIN,), **more: Any
) -> AsyncIterator[House]:
    runtime = Runtime()
    async with trio.open_nursery() as nursery:
        await nursery.start(runtime.run)
        house = House(runtime, nursery, limits or Limits(bytes_per_second=0, logins_per_minute=0), domains, **more)
        await nursery.start(house.reception.run)
        try:
            yield house
            nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                for client in Client.all:
                    await trio.aclose_forcefully(client.stream)
            Client.all.clear()


class Client:
    """A few lines over a trio stream: sends text, waits for text."""

    all: ClassVar[list["Client"]] = []

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.heard = ""
        self.is_cut = False
        self.all.append(self)

    @classmethod
    async def connect(cls, port: int, *, tls: bool = False) -> "Client":
        stream: Any = await trio.open_tcp_stream("127.0.0.1", port)
        client = cls(stream)
        if tls:
            await client.start_tls()
        return client

    async def start_tls(self) -> None:
        self.stream = trio.SSLStream(self.stream, client_context(), server_hostname=DOMAIN)
        await self.stream.do_handshake()

    async def send(self, text: str) -> None:
        await self.stream.send_all(text.encode())

    async def hears(self, pattern: str) -> str:
        """Wait for this pattern (a regular expression); what came before it is forgotten."""
        with trio.move_on_after(PATIENCE) as scope:
            while not (found := re.search(pattern, self.heard, re.DOTALL)):
                if self.is_cut:
                    raise AssertionError(f"cut before {pattern!r}; heard {self.heard!r}")
                await self._hear()
        if scope.cancelled_caught or not found:
            raise AssertionError(f"did not hear {pattern!r}; heard {self.heard!r}")
        self.heard = self.heard[found.end() :]
        return found[0]

    async def hears_end(self) -> str:
        """Wait until the server closes; what was heard till then."""
        with trio.fail_after(PATIENCE):
            while not self.is_cut:
                await self._hear()
        return self.heard

    async def _hear(self) -> None:
        try:
            data = await self.stream.receive_some()
        except trio.BrokenResourceError:
            data = b""
        self.heard += data.decode()
        self.is_cut = not data

    async def login(self, resource: str = "r", name: str = "alice", password: str = PASSWORD) -> "Client":
        """From an encrypted connection to a session."""
        plain = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        await self.send(f"{OPEN}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")
        await self.hears("<success[^>]*>")
        await self.send(
            f"{OPEN}<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            f"<resource>{resource}</resource></bind></iq>"
        )
        await self.hears("<jid>[^<]*</jid></bind></iq>")
        return self

    async def echoes(self, body: str) -> None:
        """Say something and hear it."""
        await self.send(f"<message to='bob@{DOMAIN}' type='chat' id='1'><body>{body}</body></message>")
        await self.hears(f"<body>{re.escape(body)}</body>")


async def enter(port: int, resource: str = "r", name: str = "alice") -> Client:
    """A client with a session, over direct TLS."""
    return await (await Client.connect(port, tls=True)).login(resource, name)
