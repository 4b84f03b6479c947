"""The stage over real sockets: the assembled server on free ports of loopback, SQLite and Tantivy, every client over TLS."""

import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from sqlite3 import connect
from urllib.parse import quote
from xml.etree.ElementTree import Element, XMLPullParser

import msgspec
import trio

from config.assemble import serve
from config.settings import load
from engine import administration as a
from engine.contacts import ContactKind
from engine.xmpp.scram import make_verifiers
from gateways.control import Caller
from tests.stage.player import PATIENCE_SECONDS, SM, Player
from tests.stage.socket_web import SocketWebLine, call, log_in
from tests.stage.stage import CAST, DOMAIN, PASSWORD
from tests.stage.web_player import Frame, WebPlayer

CONFIGURATION = """
data_dir = "data"
domains = ["example.com", "example.org"]
[xmpp]
listen = ["127.0.0.1:0"]
direct_tls_listen = ["127.0.0.1:0"]
[web]
listen = "127.0.0.1:0"
[limits]
logins_per_minute = 0
sessions_per_user = 0
bytes_per_second = 0
stanzas_per_second = 0
"""
OPENING = (
    "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
PLAIN = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{}</auth>"
BIND = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>"
HISTORY = """
    SELECT printf('%016x', message.id), sender.jid, body, peer.jid, owner.jid, role
    FROM (
        SELECT id, owner, peer, role FROM entry
        UNION ALL SELECT id, absence.owner, sender, 3 FROM absence JOIN message USING (id)
    ) AS side JOIN message USING (id)
    JOIN address AS sender ON sender.id = message.sender
    JOIN address AS peer ON peer.id = side.peer
    JOIN address AS owner ON owner.id = side.owner
    ORDER BY message.id
"""
ROLES = {1: "sent", 2: "received", 3: "absent"}


class SocketLine:
    """A player's line over TLS."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def close(self) -> None:
        await trio.aclose_forcefully(self.stream)

    async def say_until(self, text: str, end: str) -> None:
        """Before there is a player: send, then read until the server has sent this element."""
        await self.send(text.encode())
        parser = XMLPullParser(["end"])
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                parser.feed(await self.stream.receive_some())
                if any(element.tag.endswith(end) for _, element in parser.read_events()):
                    return

    async def listen(self, player: Player) -> None:
        """Let the player hear everything from now on, until one side ends it; then the line is closed."""
        try:
            while data := await self.stream.receive_some():
                text, end, _ = data.partition(b"</stream:stream>")
                player.hear(text)
                if end:
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await self.close()
        if player.line is self:
            player.hear_end()


class SocketStage:
    """`tests.stage.stage.Stage` over sockets."""

    def __init__(self, data_dir: Path, ports: dict[str, int], nursery: trio.Nursery) -> None:
        self._data_dir = data_dir
        self._ports = ports
        self._nursery = nursery
        self._entered = 0
        self._settled = 0
        self._lines: list[SocketLine] = []
        self._web_lines: list[SocketWebLine] = []
        self._tls = ssl.create_default_context(cafile=str(data_dir / "tls" / "self-signed.pem"))

    async def enter(
        self,
        name: str,
        resource: str = "",
        *,
        domain: str = DOMAIN,
        is_present: bool = True,
        show: str = "",
        priority: int = 0,
    ) -> Player:
        self._entered += 1
        resource = resource or f"r{self._entered}"
        line = await self._log_in(name, domain)
        player = Player(f"{name}@{domain}/{resource}", line)
        self._nursery.start_soon(line.listen, player)
        await player.sends(BIND.format(resource))
        await player.hears(lambda e: e.get("id") == "bind" and e.get("type") == "result", "its resource")
        if is_present:
            await player.is_present(show, priority=priority)
        return player

    async def resume(self, player: Player, handled: int | None = None) -> Element:
        name, _, domain = player.bare.partition("@")
        line = await self._log_in(name, domain)
        player.begin_anew(line)
        self._nursery.start_soon(line.listen, player)
        h = player.handled if handled is None else handled
        await player.sends(f"<resume xmlns='urn:xmpp:sm:3' previd='{player.token}' h='{h}'/>")
        return await player.hears(lambda e: e.tag in {f"{SM}resumed", f"{SM}failed"}, "whether it may go on")

    async def enter_web(self, name: str, status: str = "Available", *, domain: str = DOMAIN) -> WebPlayer:
        key = await log_in(self._ports["web"], f"{name}@{domain}", PASSWORD)
        return await self._open_page(WebPlayer(name, key), status)

    async def open_tab(self, player: WebPlayer) -> WebPlayer:
        return await self._open_page(WebPlayer(player.name, player.key), "Available")

    async def come_back(self, player: WebPlayer) -> Frame:
        self._web_lines.append(await SocketWebLine.open(self._ports["web"], player, self._nursery))
        return await player.greets(again=True)

    async def _open_page(self, player: WebPlayer, status: str) -> WebPlayer:
        self._web_lines.append(await SocketWebLine.open(self._ports["web"], player, self._nursery))
        await player.greets(status)
        await player.hears("conversations")
        return player

    async def _log_in(self, name: str, domain: str) -> SocketLine:
        opening = OPENING.format(domain)
        is_direct = self._entered % 2 == 0  # both kinds of listener get their share
        tcp = await trio.open_tcp_stream("127.0.0.1", self._ports["xmpps" if is_direct else "xmpp"])
        if not is_direct:
            line = SocketLine(tcp)
            await line.say_until(opening, "features")
            await tcp.send_all(STARTTLS.encode())
            assert b"proceed" in await tcp.receive_some()
        line = SocketLine(trio.SSLStream(tcp, self._tls, server_hostname=domain, https_compatible=True))
        self._lines.append(line)
        token = base64.b64encode(f"\0{name}\0{PASSWORD}".encode()).decode()
        await line.say_until(opening, "features")
        await line.say_until(PLAIN.format(token), "success")
        await line.say_until(opening, "features")
        return line

    async def upload(self, player: WebPlayer, name: str, content: bytes) -> str:
        fields = {"cookie": player.key, "content-type": "application/octet-stream"}
        status, _, body = await call(self._ports["web"], "POST", f"/files/?name={quote(name)}", content, fields)
        assert status == 201, body
        return json.loads(body)["file"]

    async def fetch(self, player: WebPlayer, path: str) -> bytes | None:
        status, _, body = await call(self._ports["web"], "GET", path, b"", {"cookie": player.key})
        assert status in {200, 404}
        return body if status == 200 else None

    async def settle(self, player: Player | WebPlayer) -> None:
        if isinstance(player, WebPlayer):
            await player.asks("history", peer=player.bare)
            await player.asks("find", text="nobody")
            await trio.sleep(0.1)
            return
        await self._go_round(player)
        await trio.sleep(0.1)  # a tick of presence, and a commit, may follow what is settled
        await self._go_round(player)  # on a busy machine they take their time

    async def _go_round(self, player: Player) -> None:
        """Wait for what a message to oneself does not overtake: the archive, and the own session's queue."""
        self._settled += 1
        mark = f"settle-{self._settled}"
        await player.asks("<ping xmlns='urn:xmpp:ping'/>", to=player.bare.partition("@")[2])
        await player.sends(f"<iq type='get' id='{mark}' to='{player.jid}'><settle xmlns='urn:example'/></iq>")
        await player.hears(lambda e: e.get("id") == mark)

    async def operate(self, command: a.AccountsCommand) -> None:
        if isinstance(command, a.AddUser):
            user = msgspec.structs.replace(command.user, verifiers=VERIFIERS)
            command = a.AddUser(user=user)

        def call() -> a.Result:
            with Caller(self._data_dir) as server:
                return server.call(command)

        result = await trio.to_thread.run_sync(call)
        assert isinstance(result, a.Done), result

    async def history(self, owner: str) -> list[tuple[str, str, str]]:
        return [row[:3] for row in self._rows() if row[4] == owner and ROLES[row[5]] != "absent"]

    async def conversations(self, owner: str) -> list[str]:
        return sorted({row[3] for row in self._rows() if row[4] == owner and ROLES[row[5]] != "absent"})

    async def ledger(self, body: str) -> dict[str, str]:
        return {row[4]: ROLES[row[5]] for row in self._rows() if row[2] == body}

    async def empty(self) -> None:
        """Everyone goes."""
        for line in (*self._lines, *self._web_lines):
            await line.close()

    def _rows(self) -> list[tuple[str, str, str, str, str, int]]:
        connection = connect(self._data_dir / "archive.sqlite")
        try:
            return connection.execute(HISTORY).fetchall()
        finally:
            connection.close()

    @contextmanager
    def broken_archive(self) -> Iterator[None]:
        connection = connect(self._data_dir / "archive.sqlite", isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()


VERIFIERS = make_verifiers(PASSWORD)


@asynccontextmanager
async def socket_stage(web: str = "", files: Mapping[str, str] | None = None) -> AsyncIterator[SocketStage]:
    """The assembled server in a temporary folder, with the cast as its members.

    Args:
        web: more lines of ``[web]``.
        files: beside the configuration, by name.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rookery.toml"
        file.write_text(CONFIGURATION.replace("[web]\n", f"[web]\n{web}\n"))
        for name, text in (files or {}).items():
            (Path(folder) / name).write_text(text)
        said: list[str] = []
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            is_ready = trio.Event()

            def ready(line: str) -> None:
                said.append(line)
                is_ready.set()

            async with trio.open_nursery() as server:

                async def run() -> None:
                    await serve(load(file), ready=ready, stop=stop)
                    nursery.cancel_scope.cancel()

                server.start_soon(run)
                await is_ready.wait()
                words = said[0].removeprefix("rookery ready: ").split(", ")
                ports = {name: int(address.rpartition(":")[2]) for name, address in map(str.split, words)}
                stage = SocketStage(Path(folder) / "data", ports, nursery)
                for contact in CAST:
                    await stage.operate(_addition(contact))
                try:
                    yield stage
                finally:
                    await stage.empty()
                    stop.set()


def _addition(contact) -> a.AccountsCommand:
    if contact.kind is ContactKind.ALIAS:
        return a.AddAlias(address=contact.address, members=contact.members, name=contact.name)
    details = {name: getattr(contact, name) for name in ("address", "name", "title", "department", "phone")}
    return a.AddUser(user=a.NewUser(**details))
