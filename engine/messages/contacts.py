"""The contact list, own additions to it, cards, and the search for contacts."""

import msgspec

from engine.contacts import Contact, PersonalContact, RemovedContact
from engine.jid import Jid
from engine.messages.values import Photo, Request


class FetchRoster(msgspec.Struct, frozen=True):
    """session -> user -> domain. `version`: what the client has; None: it does not speak roster versioning.

    The user fills in `personal`.
    """

    request: Request
    version: str | None = None
    personal: tuple[PersonalContact, ...] = ()


class WatchRoster(msgspec.Struct, frozen=True):
    """session -> user -> domain: this session fetched the roster before the one that is told began anew.

    `version`: that the client has; empty: it is up to date. The user fills in `personal`.
    """

    session: Jid
    personal: tuple[PersonalContact, ...]
    version: str = ""


class RosterFetched(msgspec.Struct, frozen=True):
    """domain -> session.

    Attributes:
        request: the question.
        version: of the roster after this.
        contacts: the whole list (the asking user among them; he is left out when it is shown), or None: the client's
            version is good, up to `changes`.
        changes: what changed since the client's version.
        personal: the user's own additions: all of them with `contacts`, else those that changed.
    """

    request: Request
    version: str
    contacts: tuple[Contact, ...] | None
    changes: tuple[Contact | RemovedContact, ...] = ()
    personal: tuple[PersonalContact, ...] = ()


class SetPersonalContact(msgspec.Struct, frozen=True):
    """session -> user -> registrar: own name and groups for a contact (a roster set); both None: drop them (a remove)."""

    request: Request
    address: str
    name: str | None = None
    groups: tuple[str, ...] | None = None


class PersonalContactChanged(msgspec.Struct, frozen=True):
    """registrar -> user -> domain, which pushes it to the user's sessions."""

    owner: str
    personal: PersonalContact


class FetchPersonal(msgspec.Struct, frozen=True):
    """user -> registrar."""

    owner: str


class PersonalFetched(msgspec.Struct, frozen=True):
    """registrar -> user."""

    owner: str
    personal: tuple[PersonalContact, ...]


class ContactsChanged(msgspec.Struct, frozen=True):
    """registrar -> domain, indexer: added, changed or removed, in the order of their versions."""

    domain: str
    changes: tuple[Contact | RemovedContact, ...]


class RosterChanged(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """domain -> sessions that fetched the roster. `personal`: the user's own additions to the changed contacts."""

    version: str
    changes: tuple[Contact | RemovedContact, ...]
    personal: tuple[PersonalContact, ...] = ()


class FetchContact(msgspec.Struct, frozen=True):
    """session -> user: who is at this address of one's own domain?"""

    request: Request
    address: str


class ContactFetched(msgspec.Struct, frozen=True):
    """user -> session. `contact`: None: nobody."""

    request: Request
    contact: Contact | None


class FetchCard(msgspec.Struct, frozen=True):
    """session -> user -> registrar: a contact's details and photo."""

    request: Request
    address: str


class CardFetched(msgspec.Struct, frozen=True):
    """registrar -> session."""

    request: Request
    contact: Contact
    photo: Photo | None


class SetPhoto(msgspec.Struct, frozen=True):
    """session -> user -> registrar. None: no photo any more."""

    request: Request
    photo: Photo | None


class SearchContacts(msgspec.Struct, frozen=True):
    """session -> user -> indexer: words anywhere (`text`), and in the fields of `engine.ports.ContactSearch`."""

    request: Request
    text: str
    fields: dict[str, str] = {}
    limit: int = 100


class ContactsFound(msgspec.Struct, frozen=True):
    """indexer -> session."""

    request: Request
    contacts: tuple[Contact, ...]
    is_complete: bool
