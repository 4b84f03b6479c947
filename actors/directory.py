"""address -> actor: the only look-up.

Owns what is bound to which address, and what everyone may know of a domain: its contact list, and who blocks whom. Addresses
are prepared: a domain (``example.org``), a bare JID, a full JID, or the name of a service (`ARCHIVER` and its like: no domain
has an underscore). Nobody keeps another actor's ref for longer than a conversation; that is what lets a later step answer with
a ref to another node.

Rules: all look-ups are O(1). An actor that is gone is not found, even if it did not unbind. A bare JID that is not bound is
asked of its domain's factory, so users are started when they are first needed.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from pykka import ActorDeadError, ActorRef

from engine import messages as m
from engine.blocking import NOBODY, BlockLists
from engine.contacts import Contact, ContactList

ARCHIVER: Final = "_archiver"
CATALOGUER: Final = "_cataloguer"
FINDER: Final = "_finder"
HISTORIAN: Final = "_historian"
INDEXER: Final = "_indexer"
LIBRARIAN: Final = "_librarian"
SURVEYOR: Final = "_surveyor"
REGISTRAR: Final = "_registrar"
SCRIBE: Final = "_scribe"
DEPARTURES: Final = "_departures"
FILE_CLERK: Final = "_file-clerk"
WEBMAIL: Final = "_webmail"

DESKS: Final[dict[type, str]] = {
    m.SetPhoto: REGISTRAR,
    m.FetchBlocked: REGISTRAR,
    m.ChangeBlocked: REGISTRAR,
    m.SearchContacts: INDEXER,
    m.RequestSlot: FILE_CLERK,
}
"""Which of these answers what an account does not know itself."""

Factory = Callable[[str], ActorRef[Any] | None]


class Directory:
    """The addresses of one process. Limited by those who bind: sessions and users have limits of their own."""

    def __init__(self) -> None:
        self._refs: dict[str, ActorRef[Any]] = {}
        self._sessions: dict[str, dict[str, ActorRef[Any]]] = {}
        self._factories: dict[str, Factory] = {}
        self._contacts: dict[str, ContactList] = {}
        self._blocks: dict[str, BlockLists] = {}

    def __len__(self) -> int:
        return len(self._refs)

    def __contains__(self, address: object) -> bool:
        return address in self._refs

    def __iter__(self) -> Iterator[str]:
        return iter(self.addresses())

    def addresses(self) -> tuple[str, ...]:
        """All bound addresses, oldest first; a snapshot, so that they may be bound and unbound meanwhile."""
        return tuple(self._refs)

    # -- actors --------------------------------------------------------------------------------------------------------

    def bind(self, address: str, ref: ActorRef[Any]) -> None:
        """Give the address to this actor, whoever had it before."""
        self._refs[address] = ref
        bare, slash, _ = address.partition("/")
        if slash:
            self._sessions.setdefault(bare, {})[address] = ref

    def unbind(self, address: str, ref: ActorRef[Any]) -> None:
        """Take the address from this actor; nothing happens if another one has it by now."""
        if self._refs.get(address) is not ref:
            return
        del self._refs[address]
        bare, slash, _ = address.partition("/")
        if slash:
            sessions = self._sessions[bare]
            del sessions[address]
            if not sessions:
                del self._sessions[bare]

    def find(self, address: str) -> ActorRef[Any] | None:
        """The living actor at this address; None if there is none."""
        ref = self._refs.get(address)
        if ref is not None and ref.actor_stopped.is_set():
            self.unbind(address, ref)
            return None
        return ref

    def sessions(self, bare: str) -> tuple[ActorRef[Any], ...]:
        """The living sessions of one account, oldest first."""
        addresses = self._sessions.get(bare)
        if not addresses:
            return ()
        return tuple(ref for address in tuple(addresses) if (ref := self.find(address)) is not None)

    def session_addresses(self, bare: str) -> tuple[str, ...]:
        """The full JIDs that are bound for one account, oldest first; a snapshot."""
        return tuple(self._sessions.get(bare, ()))

    def resolve(self, address: str) -> ActorRef[Any] | None:
        """The actor at this address; a bare JID is started by its domain if need be. None: there is nobody."""
        ref = self.find(address)
        if ref is not None or "/" in address:
            return ref
        local, at, domain = address.partition("@")
        factory = self._factories.get(domain) if local and at else None
        if factory is None or (ref := factory(address)) is None:
            return None
        if self._refs.get(address) is not ref:
            self.bind(address, ref)
        return ref

    def tell(self, address: str, message: Any) -> bool:
        """Tell whoever is at this address; whether there was anybody. Nobody is started for it, see `resolve`.

        Raises:
            MailboxFull: the actor's mailbox is full and its policy is to refuse.
        """
        ref = self._refs.get(address)
        if ref is None:
            return False
        try:
            ref.tell(message)
        except ActorDeadError:
            self.unbind(address, ref)
            return False
        return True

    # -- domains -------------------------------------------------------------------------------------------------------

    def set_factory(self, domain: str, factory: Factory | None) -> None:
        """From now on this starts the accounts of the domain: bare JID -> ref, None for who does not exist."""
        if factory is None:
            self._factories.pop(domain, None)
        else:
            self._factories[domain] = factory

    def publish(self, domain: str, contacts: ContactList | None) -> None:
        """Let everyone look into the domain's contact list, which the domain goes on to keep; None takes it away."""
        if contacts is None:
            self._contacts.pop(domain, None)
        else:
            self._contacts[domain] = contacts

    def publish_blocks(self, domain: str, lists: BlockLists | None) -> None:
        """Let everyone look into the block lists of the domain's members, which the domain goes on to keep."""
        if lists is None:
            self._blocks.pop(domain, None)
        else:
            self._blocks[domain] = lists

    def blocks(self, domain: str) -> BlockLists:
        """Who of this domain blocks whom."""
        return self._blocks.get(domain, NOBODY)

    @property
    def domains(self) -> Collection[str]:
        """The domains that are served; a live view."""
        return self._contacts.keys()

    def contacts(self, domain: str) -> ContactList | None:
        """The list of one domain; None: it is not served."""
        return self._contacts.get(domain)

    def contact(self, domain: str, address: str) -> Contact | None:
        """The contact at this address among those of one domain; None for all others: a domain is an island."""
        contacts = self._contacts.get(domain)
        return None if contacts is None else contacts.find(address)
