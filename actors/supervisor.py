"""The supervisor: starts the system in order, owns everything that has no other owner, and ends what must not go on.

Start order: the workers that keep and find (archiver, historian, librarians, scribe with its cataloguer, indexer, registrar,
departures, file clerk), then the domains with their aliases. Gateways come last, from the assembler, when all they could ask
for is there. Users and sessions are started by need and owned by their domain.

An actor that uses up its restart budget is lost. If it is a worker or a domain the process ends: without an archiver nothing
may be acknowledged, and an operator's service manager starts the server anew. A message that failed twice is set aside, and
only the session that it came from is told (`tell_sender`).
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import msgspec

from actors.archiver import Archiver
from actors.cataloguer import Cataloguer
from actors.departures import Departures
from actors.directory import (
    ARCHIVER,
    CATALOGUER,
    DEPARTURES,
    FILE_CLERK,
    FINDER,
    HISTORIAN,
    INDEXER,
    LIBRARIAN,
    REGISTRAR,
    SCRIBE,
    SURVEYOR,
    Directory,
)
from actors.domain import Domain
from actors.file_clerk import FileClerk
from actors.historian import Historian
from actors.indexer import Indexer
from actors.librarian import Librarian
from actors.registrar import Registrar
from actors.runtime import ActorRef, ActorStopped, Runtime, TrioActor
from actors.scribe import Scribe
from engine import messages as m
from engine.blocking import BlockLists
from engine.contacts import ContactList
from engine.errors import Condition, StreamCondition
from engine.files import FileStore
from engine.jid import Jid
from engine.limits import Limits
from engine.ports import Accounts, Archive, ContactSearch, Histories, HistorySearch, Texts
from engine.resumption import SessionJournal
from engine.retention import Retention
from engine.standing import Standings

log = logging.getLogger(__name__)


class Ports(msgspec.Struct, frozen=True):
    """What is kept and found elsewhere, opened and ready. `clock`: seconds since 1970."""

    archive: Archive
    accounts: Accounts
    search: ContactSearch
    history: HistorySearch
    texts: Texts
    retention: Retention
    histories: Histories
    files: FileStore
    journal: SessionJournal
    clock: Callable[[], float]


class Supervisor(TrioActor):
    """The owner of last resort."""

    def __init__(
        self,
        runtime: Runtime,
        directory: Directory,
        ports: Ports,
        limits: Limits,
        *,
        newest: int,
        domains: Mapping[str, ContactList],
        blocks: Mapping[str, BlockLists],
        configured: Collection[str],
    ) -> None:
        """Take what the system is made of.

        Args:
            runtime: runs the actors.
            directory: where they find each other.
            ports: what is kept and found elsewhere.
            limits: of the configuration.
            newest: the newest archive id given so far.
            domains: the contact list of each domain that is served.
            blocks: who blocks whom in each domain.
            configured: the domains that the configuration names; they cannot be removed.
        """
        super().__init__()
        self._runtime = runtime
        self._directory = directory
        self._ports = ports
        self._limits = limits
        self._newest = newest
        self._domains = domains
        self._blocks = blocks
        self._configured = configured

    def on_start(self) -> None:
        """Start everything, in order."""
        ports = self._ports
        self._start(ARCHIVER, Archiver, ports.archive, ports.journal, Standings(self._newest))
        self._start(HISTORIAN, Historian, ports.archive, ports.journal)
        self._start(LIBRARIAN, Librarian, ports.histories)
        self._start(SURVEYOR, Librarian, ports.histories)
        self._start(FINDER, Librarian, ports.histories)
        self._start(SCRIBE, Scribe, ports.history, ports.texts, self._newest)
        self._start(CATALOGUER, Cataloguer, self._newest)
        self._start(INDEXER, Indexer, ports.search)
        self._start(
            REGISTRAR,
            Registrar,
            ports.accounts,
            configured=self._configured,
            open_domain=self._open_domain,
            close_domain=self._close_domain,
        )
        self._start(DEPARTURES, Departures, ports.retention, ports.accounts, files=ports.files, clock=ports.clock)
        self._start(FILE_CLERK, FileClerk, ports.files, self._limits.file_bytes_per_user, ports.clock)
        for name, contacts in self._domains.items():
            self._open_domain(name, contacts)

    def on_receive(self, message: Any) -> None:
        """A child is lost for good."""
        if isinstance(message, ActorStopped):
            self._runtime.escalate(message.ref, message.error)

    def _start(self, address: str, actor_class: type[TrioActor], port: Any, *args: Any, **options: Any) -> None:
        if self._directory.find(address) is not None:  # children outlive a restart of their owner
            return
        arguments = (port, *args, self._runtime, self._directory)
        self._directory.bind(address, self._runtime.start(actor_class, *arguments, owner=self.actor_ref, **options))

    def _open_domain(self, name: str, contacts: ContactList | None = None) -> None:
        if self._directory.find(name) is not None:
            return
        # A new domain has no members yet; its lists are kept here and not in its actor, which may begin anew.
        blocks = self._blocks.get(name) or BlockLists(name)
        arguments = (name, contacts or ContactList(), self._runtime, self._directory, self._limits)
        kept = {"blocks": blocks, "journal": self._ports.journal}
        self._directory.bind(name, self._runtime.start(Domain, *arguments, owner=self.actor_ref, **kept))

    def _close_domain(self, name: str) -> None:
        self._directory.tell(name, m.CloseDomain())


_SAID_AGAIN: Final[dict[type, Callable[[Any], Jid]]] = {
    m.SetPresence: lambda message: message.session,
    m.WatchRoster: lambda message: message.session,
    m.OpenSession: lambda message: message.session,
    m.EnableCopies: lambda message: message.request.session,
    m.PresenceChanged: lambda message: message.change.jid,
}
"""What an actor that began anew is told again of each session: if it cannot bear it, it would fail again and again."""


def tell_sender(directory: Directory) -> Callable[[ActorRef[Any], Any, BaseException], None]:
    """What to do when a message is set aside: only the session that it came from notices.

    What is in the archive already reaches its recipients from there; nobody is told that it did not. Of what is said again to
    whoever begins anew, the session ends.
    """

    def on_set_aside(ref: ActorRef[Any], message: Any, error: BaseException) -> None:  # noqa: ARG001
        whose = _SAID_AGAIN.get(type(message))
        if whose is not None:
            directory.tell(whose(message).full, m.CloseSession(StreamCondition.INTERNAL_SERVER_ERROR))
            return
        sent = message if isinstance(message, m.SendChat) else getattr(message, "sent", None)
        if sent is not None:
            sender = sent.chat.sender
            refused = m.ChatRefused(sent.chat, Condition.INTERNAL_SERVER_ERROR, "", sent.number)
            if not directory.tell(sender.bare, refused):
                directory.tell(sender.full, m.RequestRefused.of_chat(sent.chat, Condition.INTERNAL_SERVER_ERROR))
            return
        refusal = _refusal_of(message)
        if refusal is not None:
            directory.tell(refusal.request.session.full, refusal)

    return on_set_aside


def _refusal_of(message: Any) -> m.RequestRefused | None:
    """The refusal for whoever sent this; None if nobody waits for an answer."""
    condition = Condition.INTERNAL_SERVER_ERROR
    chat = getattr(message, "chat", None)
    if chat is not None:
        return None if chat.id else m.RequestRefused.of_chat(chat, condition)
    request = getattr(message, "request", None)
    if request is not None:
        return m.RequestRefused(request, condition)
    iq = getattr(message, "iq", None)
    return m.RequestRefused.of_iq(iq, condition) if iq is not None and iq.kind in {"get", "set"} else None
