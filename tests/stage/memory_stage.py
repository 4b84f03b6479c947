"""The stage in memory: the actors, the archive's twin, a mock clock; no sockets and no TLS, but every stanza is translated."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import msgspec
import trio

from actors.directory import REGISTRAR, Directory
from actors.registrar import administer
from actors.runtime import Runtime, TrioRef
from actors.session import Session
from actors.sessions import Sessions
from actors.supervisor import Ports, Supervisor, tell_sender
from engine import administration as a
from engine import messages as m
from engine.blocking import BlockLists
from engine.contacts import Contact, ContactList, RemovedContact
from engine.errors import StreamCondition
from engine.files import SHARED, FileOffer, SharedFile, id_of, ticket_of
from engine.jid import Jid
from engine.limits import Limits
from engine.ports import Burst, Login, StorageUnavailable
from engine.xmpp.client import XmppClient
from engine.xmpp.features import build_mux, stream_management
from engine.xmpp.mux import Mux, Reply, Software
from engine.xmpp.parser import Closing, Opening, Parser
from engine.xmpp.xml import CLIENT, Element
from gateways.deadlines import Deadlines
from gateways.webmail_session import WebmailBell, WebmailDesk
from index.history_tail import MemoryHistorySearch
from index.ledger import Role
from index.memory_accounts import MemoryAccounts
from index.memory_archive import MemoryArchive
from index.memory_search import MemoryContacts
from index.searched_histories import SearchedHistories
from index.session_journal import MemoryJournal
from tests.stage.memory_web import MemoryWebLine
from tests.stage.player import SM, Player
from tests.stage.stage import CAST, DOMAIN
from tests.stage.web_player import Frame, WebPlayer

OPENING = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
ERROR = "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"


def now() -> float:
    """Seconds since 1970 on this stage."""
    return 1_700_000_000 + trio.current_time()


class MemoryLine:
    """Both ends of a connection without a network: the player's line, and the session's wire."""

    def __init__(self, jid: Jid, mux: Mux, runtime: Runtime, player: Player | None = None) -> None:
        self.player = player or Player(jid.full, self)
        self.opened = trio.Event()
        self.session: TrioRef[Session] | None = None
        self._mux = mux
        self._client = XmppClient(jid, mux)
        self._runtime = runtime
        self._parser = Parser(262_144)
        self._parser.receive(OPENING)
        assert isinstance(self._parser.next_item(), Opening)
        self._is_closed = False
        self._received: int | None = None  # stanzas, since they are counted

    # -- the player's line ---------------------------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        with self._runtime.batch():
            self._parser.receive(data)
            while (item := self._parser.next_item()) is not None:
                if isinstance(item, Closing):
                    self._disconnect(is_goodbye=True)
                elif isinstance(item, Element):
                    self._handle(item)
            if self._received is not None:
                self._tell(m.StanzasReceived(self._received))

    def _handle(self, item: Element) -> None:
        if (item.namespace, item.name) == stream_management.ENABLE and self._received is None:
            self._received = 0
        elif self._received is not None:
            self._received += item.namespace == CLIENT
            self._tell(m.StanzasReceived(self._received))
        for outcome in self._client.receive(item, trio.current_time()):
            if isinstance(outcome, Reply) and item.namespace == CLIENT and self._received is not None:
                self._tell(m.Answer(outcome.data))
            elif isinstance(outcome, Reply):
                self.player.hear(outcome.data)
            elif isinstance(outcome, m.SendChat):
                self._tell(m.SendChat(outcome.chat, self._received or 0))
            else:
                self._tell(outcome)

    async def close(self) -> None:
        self._disconnect()
        self.player.hear_end()
        await trio.lowlevel.checkpoint()

    def _disconnect(self, *, is_goodbye: bool = False) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._tell(m.Disconnect(is_goodbye))

    def _tell(self, message: object) -> None:
        if self.session is not None and self.session.is_alive():
            self.session.tell(message)

    # -- the session's wire --------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return not self._is_closed

    def deliver(self, event: msgspec.Struct) -> None:
        if isinstance(event, m.SessionOpened):
            self.opened.set()
        elif isinstance(event, m.SessionResumed):
            self._client = XmppClient(event.session, self._mux)
            self._received = event.handled
            self._hear(stream_management.resumed(event))
        elif isinstance(event, m.ResumeRefused):
            self.session = None
            self._hear(stream_management.failed(event.condition))
        elif isinstance(event, m.AckedTooMuch):
            self.close_stream(StreamCondition.UNDEFINED_CONDITION)
            self._tell(m.Disconnect(is_goodbye=True))
        else:
            burst = self.render(event)
            if burst is not None:
                self.write(burst)

    def render(self, event: msgspec.Struct) -> Burst | None:
        return None if self._is_closed else self._client.render(event)  # as a connection that has lost its client

    def write(self, burst: Burst) -> None:
        self._hear(burst.data)

    def tell_when_written(self, message: msgspec.Struct) -> None:
        self._tell(message)

    def _hear(self, data: bytes) -> None:
        if not self._is_closed and self.player.line is self:
            self.player.hear(data)

    def close_stream(self, condition: StreamCondition | None) -> None:
        is_current, self._is_closed = not self._is_closed and self.player.line is self, True
        if condition is not None and is_current:
            self.player.hear(ERROR.format(condition.value).encode())
        if is_current:
            self.player.hear_end()


class MemoryWire:
    """The session's view of a `MemoryLine`."""

    def __init__(self, line: MemoryLine) -> None:
        self._line = line

    @property
    def is_open(self) -> bool:
        return self._line.is_open

    def deliver(self, event: msgspec.Struct) -> None:
        self._line.deliver(event)

    def render(self, event: msgspec.Struct) -> Burst | None:
        return self._line.render(event)

    def write(self, burst: Burst) -> None:
        self._line.write(burst)

    def tell_when_written(self, message: msgspec.Struct) -> None:
        self._line.tell_when_written(message)

    def close(self, condition: StreamCondition | None, text: str) -> None:
        self._line.close_stream(condition)


class MemoryStage:
    """`tests.stage.stage.Stage` in memory."""

    def __init__(self, ports: Ports, nursery: trio.Nursery) -> None:
        self._ports = ports
        self._nursery = nursery
        self._files = FileOffer("https://chat.example.com", 1_000_000)
        self._mux = build_mux(Software(), files=self._files)
        self._entered = 0
        self._tokens = itertools.count(1)
        self._lines: list[MemoryLine] = []
        self._scope = trio.CancelScope()
        self._is_over = trio.Event()

    async def start(self) -> None:
        """Start the system on what is kept."""
        accounts = self._ports.accounts
        domains: dict[str, ContactList] = {}
        for domain in await accounts.domains():
            entries = await accounts.contacts(domain)
            present = [entry for entry in entries if isinstance(entry, Contact)]
            removed = [e for e in entries if isinstance(e, RemovedContact)]
            domains[domain] = ContactList(present, removed, await accounts.personal_owners())
        blocks = {domain: BlockLists(domain, await accounts.block_lists(domain)) for domain in domains}
        self._directory = Directory()
        self._runtime = Runtime(tell_sender(self._directory))
        self._sessions = Sessions(
            self._runtime, self._directory, self._ports.journal, lambda: f"token-{next(self._tokens)}"
        )
        self._deadlines = Deadlines(self._runtime.batch)
        self._desk = WebmailDesk(self._sessions, self._deadlines, now, self._files)
        await self._nursery.start(self._run)
        self._runtime.start(WebmailBell, self._desk, self._directory)
        about = {
            "domains": domains,
            "blocks": blocks,
            "configured": (DOMAIN,),
            "newest": await self._ports.archive.newest(),
        }
        self._runtime.start(Supervisor, self._runtime, self._directory, self._ports, Limits(), **about)
        await self._runtime.quiescent()

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        self._scope, self._is_over = trio.CancelScope(), trio.Event()
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._deadlines.run)
                await self._runtime.run(task_status=task_status)
        self._is_over.set()

    async def stop(self) -> None:
        """In good order."""
        await self._runtime.stop_all()

    async def restart(self) -> None:
        """As after kill -9: nobody says goodbye, and what is on disk is all that is left."""
        self._scope.cancel()
        await self._is_over.wait()
        for line in self._lines:
            line.close_stream(None)
        self._lines.clear()
        cast("MemoryJournal", self._ports.journal).reopen()
        await self.start()

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
        jid = Jid(f"{name}@{domain}", resource or f"r{self._entered}")
        line = MemoryLine(jid, self._mux, self._runtime)
        self._lines.append(line)
        line.session = self._sessions.start(jid, MemoryWire(line))
        await line.opened.wait()
        if is_present:
            await line.player.is_present(show, priority=priority)
        return line.player

    async def resume(self, player: Player, handled: int | None = None) -> Element:
        account = Jid.parse(player.bare)
        line = MemoryLine(account, self._mux, self._runtime, player)
        self._lines.append(line)
        player.begin_anew(line)
        h = player.handled if handled is None else handled
        with self._runtime.batch():
            line.session = self._sessions.resume(account, player.token, h, MemoryWire(line))
        return await player.hears(lambda e: e.tag in {f"{SM}resumed", f"{SM}failed"}, "whether it may go on")

    async def enter_web(self, name: str, status: str = "Available", *, domain: str = DOMAIN) -> WebPlayer:
        self._entered += 1
        key = Login(self._entered.to_bytes(32), f"{name}@{domain}", 0)
        return await self._open_page(WebPlayer(name, key), status)

    async def open_tab(self, player: WebPlayer) -> WebPlayer:
        return await self._open_page(WebPlayer(player.name, player.key), "Available")

    async def come_back(self, player: WebPlayer) -> Frame:
        MemoryWebLine(player, self._desk.open(player.key), self._runtime)
        return await player.greets(again=True)

    async def _open_page(self, player: WebPlayer, status: str) -> WebPlayer:
        MemoryWebLine(player, self._desk.open(player.key), self._runtime)
        await player.greets(status)
        await player.hears("conversations")
        return player

    async def upload(self, player: WebPlayer, name: str, content: bytes) -> str:
        secret = f"{next(self._tokens):032}"
        file = SharedFile(id_of(secret), player.bare, name, len(content), int(now() * 1_000_000))
        assert await self._ports.files.reserve(file, 0)
        async with self._ports.files.receive(file) as incoming:
            await incoming.write(content)
            await incoming.keep()
        return ticket_of(secret, file.size, name)

    async def fetch(self, player: WebPlayer, path: str) -> bytes | None:
        file_id = path.removeprefix(SHARED).partition("/")[0]
        file = await self._ports.files.find(file_id)
        if file is None or not await self._ports.files.may_have(file_id, player.bare):
            return None
        return await self._ports.files.read(file, 0, file.size)

    async def settle(self, player: Player | WebPlayer) -> None:
        for _ in range(3):  # a tick of presence may follow what is settled
            await self._runtime.quiescent()
            await trio.sleep(0.1)

    async def operate(self, command: a.AccountsCommand) -> None:
        registrar = self._directory.find(REGISTRAR)
        assert registrar is not None
        asked = registrar.ask(a.Administer(command, "operator"), block=False)
        await asked.wait()
        await self._runtime.quiescent()

    async def command(self, command: a.AccountsCommand) -> a.Result:
        """What an operator does, and what he is told."""
        return await administer(command, self._runtime, self._directory)

    def tell(self, address: str, message: object) -> None:
        """Tell an actor anything, for tests of what happens when it fails."""
        assert self._directory.tell(address, message)

    async def history(self, owner: str) -> list[tuple[str, str, str]]:
        return [
            (chat.id_text, chat.sender.bare, chat.body)
            for chat, role in await self._entries(owner)
            if role is not Role.ABSENT
        ]

    async def conversations(self, owner: str) -> list[str]:
        archive = self._ports.archive
        assert isinstance(archive, MemoryArchive)
        entries = [entry for chat, _ in await self._entries(owner) for entry in await archive.ledger(chat.id)]
        return sorted({entry.peer for entry in entries if entry.owner == owner and entry.role is not Role.ABSENT})

    async def ledger(self, body: str) -> dict[str, str]:
        archive = self._ports.archive
        assert isinstance(archive, MemoryArchive)
        [chat] = [chat for chat in archive._chats.values() if chat.body == body]
        return {entry.owner: entry.role.name.lower() for entry in await archive.ledger(chat.id)}

    async def _entries(self, owner: str) -> list[tuple[m.Chat, Role]]:
        archive = self._ports.archive
        assert isinstance(archive, MemoryArchive)
        return [
            (chat, entry.role)
            for chat in archive._chats.values()
            for entry in await archive.ledger(chat.id)
            if entry.owner == owner
        ]

    @contextmanager
    def broken_archive(self) -> Iterator[None]:
        archive = self._ports.archive
        assert isinstance(archive, MemoryArchive)
        archive.fail_with = StorageUnavailable("the disk is full")
        try:
            yield
        finally:
            archive.fail_with = None

    @contextmanager
    def broken_accounts(self) -> Iterator[None]:
        """Until the end of the block the accounts can neither be read nor written."""
        accounts = self._ports.accounts
        assert isinstance(accounts, MemoryAccounts)
        accounts.fail_with = StorageUnavailable("the disk is full")
        try:
            yield
        finally:
            accounts.fail_with = None


@asynccontextmanager
async def memory_stage() -> AsyncIterator[MemoryStage]:
    """The system in memory, with the cast as its members."""
    accounts, search = MemoryAccounts(), MemoryContacts()
    for domain in (DOMAIN, "example.org"):
        await accounts.add_domain(domain)
    await search.rebuild(await accounts.put(CAST))
    archive = MemoryArchive(now)
    words = MemoryHistorySearch()
    histories = SearchedHistories(archive.histories, words)
    ports = Ports(
        archive,
        accounts,
        search,
        words,
        archive.texts,
        archive.retention,
        histories,
        archive.files,
        MemoryJournal(),
        now,
    )
    async with trio.open_nursery() as nursery:
        stage = MemoryStage(ports, nursery)
        await stage.start()
        yield stage
        await stage.stop()
        nursery.cancel_scope.cancel()
