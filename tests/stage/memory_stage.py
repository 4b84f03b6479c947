"""The stage in memory: the actors, the archive's twin, a mock clock; no sockets and no TLS, but every stanza is translated."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec
import trio

from actors.directory import REGISTRAR, Directory
from actors.runtime import Runtime, TrioRef
from actors.session import Session
from actors.sessions import Sessions
from actors.supervisor import Ports, Supervisor, tell_sender
from engine import administration as a
from engine import messages as m
from engine.blocking import BlockLists
from engine.contacts import Contact, ContactList, RemovedContact
from engine.errors import StreamCondition
from engine.jid import Jid
from engine.limits import Limits
from engine.ports import Burst, StorageUnavailable
from engine.xmpp.client import XmppClient
from engine.xmpp.features import build_mux
from engine.xmpp.mux import Mux, Reply, Software
from engine.xmpp.parser import Closing, Opening, Parser
from engine.xmpp.xml import Element
from index.history_tail import MemoryHistorySearch
from index.ledger import Role
from index.memory import MemoryAccounts, MemoryArchive
from index.memory_search import MemoryContacts
from tests.stage.player import Player
from tests.stage.stage import CAST, DOMAIN

OPENING = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
ERROR = "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"


class MemoryLine:
    """Both ends of a connection without a network: the player's line, and the session's wire."""

    def __init__(self, jid: Jid, mux: Mux, runtime: Runtime) -> None:
        self.player = Player(jid.full, self)
        self.opened = trio.Event()
        self.session: TrioRef[Session]
        self._client = XmppClient(jid, mux)
        self._runtime = runtime
        self._parser = Parser(262_144)
        self._parser.receive(OPENING)
        assert isinstance(self._parser.next_item(), Opening)
        self._is_closed = False

    # -- the player's line ---------------------------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        self._parser.receive(data)
        while (item := self._parser.next_item()) is not None:
            if isinstance(item, Closing):
                self._disconnect()
            elif isinstance(item, Element):
                for outcome in self._client.receive(item, trio.current_time()):
                    if isinstance(outcome, Reply):
                        self.player.hear(outcome.data)
                    else:
                        self.session.tell(outcome)
        self._runtime.drain()

    async def close(self) -> None:
        self._disconnect()
        await trio.lowlevel.checkpoint()

    def _disconnect(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self.session.tell(m.Disconnect())

    # -- the session's wire --------------------------------------------------------------------------------------------

    def deliver(self, event: msgspec.Struct) -> None:
        if isinstance(event, m.SessionOpened):
            self.opened.set()
        elif not self._is_closed:
            burst = self.render(event)
            if burst is not None:
                self.write(burst)

    def render(self, event: msgspec.Struct) -> Burst | None:
        return self._client.render(event)

    def write(self, burst: Burst) -> None:
        if not self._is_closed:
            self.player.hear(burst.data)

    def close_stream(self, condition: StreamCondition | None) -> None:
        self._is_closed = True
        if condition is not None:
            self.player.hear(ERROR.format(condition.value).encode())
        self.player.hear_end()


class MemoryWire:
    """The session's view of a `MemoryLine`."""

    def __init__(self, line: MemoryLine) -> None:
        self._line = line

    def deliver(self, event: msgspec.Struct) -> None:
        self._line.deliver(event)

    def render(self, event: msgspec.Struct) -> Burst | None:
        return self._line.render(event)

    def write(self, burst: Burst) -> None:
        self._line.write(burst)

    def close(self, condition: StreamCondition | None, text: str) -> None:
        self._line.close_stream(condition)


class MemoryStage:
    """`tests.stage.stage.Stage` in memory."""

    def __init__(self, runtime: Runtime, directory: Directory, ports: Ports) -> None:
        self._runtime = runtime
        self._directory = directory
        self._ports = ports
        self._mux = build_mux(Software())
        self._entered = 0
        tokens = itertools.count(1)
        self._sessions = Sessions(runtime, directory, lambda: f"token-{next(tokens)}")

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
        line.session = self._sessions.start(jid, MemoryWire(line))
        await line.opened.wait()
        if is_present:
            await line.player.is_present(show, priority=priority)
        return line.player

    async def settle(self, player: Player) -> None:
        for _ in range(3):  # a tick of presence may follow what is settled
            await self._runtime.quiescent()
            await trio.sleep(0.1)

    async def operate(self, command: a.AccountsCommand) -> None:
        registrar = self._directory.find(REGISTRAR)
        assert registrar is not None
        asked = registrar.ask(a.Administer(command, "operator"), block=False)
        await asked.wait()
        await self._runtime.quiescent()

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
    contacts = await accounts.put(CAST)
    await search.rebuild(contacts)
    domains: dict[str, ContactList] = {}
    for domain in await accounts.domains():
        entries = await accounts.contacts(domain)
        present = [entry for entry in entries if isinstance(entry, Contact)]
        domains[domain] = ContactList(present, [e for e in entries if isinstance(e, RemovedContact)])
    archive = MemoryArchive(lambda: 1_700_000_000 + trio.current_time())
    ports = Ports(archive, accounts, search, MemoryHistorySearch(), archive.texts)
    directory = Directory()
    runtime = Runtime(tell_sender(directory))
    async with trio.open_nursery() as nursery:
        await nursery.start(runtime.run)
        blocks = {domain: BlockLists(domain, await accounts.block_lists(domain)) for domain in domains}
        about = {"domains": domains, "blocks": blocks, "configured": (DOMAIN,)}
        runtime.start(Supervisor, runtime, directory, ports, Limits(), newest=0, **about)
        await runtime.quiescent()
        yield MemoryStage(runtime, directory, ports)
        await runtime.stop_all()
        nursery.cancel_scope.cancel()
