"""The domain is the contact list.

Every member and every alias of a domain is a contact of every other member, with subscription ``both`` and nothing to
request. A `ContactList` holds one domain's contacts with the version at which each changed; a roster is the list without
oneself, overlaid with what the user himself set for a contact (`PersonalContact`: own name, own groups).

**Versions** (RFC 6121, 2.6): the domain counts its changes, the user's own additions are counted apart, and a roster's
version is ``<domain>-<personal>``. A client that comes with a version gets what changed since then; removed contacts are
remembered for that, the newest `REMOVED_REMEMBERED` of them. Whoever is older, or from another time, gets the whole list.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

REMOVED_REMEMBERED: Final = 10_000
"""Removed contacts that are remembered for roster versioning; a client from before gets the whole list."""

ALIAS_GROUP: Final = "Aliases"


class ContactKind(StrEnum):
    """A person or an alias."""

    MEMBER = "member"
    ALIAS = "alias"


class Contact(msgspec.Struct, frozen=True, eq=False, weakref=True, kw_only=True):
    """One entry of a domain's directory. Compared by identity: renderings are cached for as long as it lives.

    Attributes:
        address: prepared bare JID.
        kind: member or alias.
        name: display name; the localpart when none was given.
        title: of a person, such as "Head of sales".
        department: of a person; the roster group.
        phone: of a person, as written.
        members: of an alias: the addresses it names (people or aliases), as given.
        changed: the domain's version at which this entry last changed.
    """

    address: str
    kind: ContactKind = ContactKind.MEMBER
    name: str = ""
    title: str = ""
    department: str = ""
    phone: str = ""
    members: tuple[str, ...] = ()
    changed: int = 0

    @property
    def is_alias(self) -> bool:
        """An alias, not a person."""
        return self.kind is ContactKind.ALIAS

    @property
    def display_name(self) -> str:
        """The name to show."""
        return self.name or self.address.partition("@")[0]

    @property
    def groups(self) -> tuple[str, ...]:
        """The roster groups that the domain gives."""
        if self.is_alias:
            return (ALIAS_GROUP,)
        return (self.department,) if self.department else ()


class RemovedContact(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A contact that is no more, remembered for roster versioning."""

    address: str
    kind: ContactKind
    changed: int

    @property
    def is_alias(self) -> bool:
        """It was an alias, not a person."""
        return self.kind is ContactKind.ALIAS


class PersonalContact(msgspec.Struct, frozen=True, kw_only=True):
    """What a user himself set for a contact (RFC 6121, 2.3). A contact whose additions were dropped has neither.

    Attributes:
        address: the contact.
        name: own name for it; None: the domain's.
        groups: own groups; None: the domain's.
        changed: the user's own version at which this last changed.
    """

    address: str
    name: str | None = None
    groups: tuple[str, ...] | None = None
    changed: int = 0


class RosterVersion(msgspec.Struct, frozen=True):
    """``<domain>-<personal>``; opaque to clients."""

    domain: int
    personal: int

    @classmethod
    def parse(cls, text: str) -> "RosterVersion | None":
        """The version that a client brought; None if it is none of ours."""
        domain, dash, personal = text.partition("-")
        if not dash or not (domain.isascii() and domain.isdigit() and personal.isascii() and personal.isdigit()):
            return None
        return cls(int(domain[:18]), int(personal[:18]))

    def __str__(self) -> str:
        return f"{self.domain}-{self.personal}"


class ContactList:
    """The contacts of one domain, and what changed since a version.

    Args:
        contacts: all of them.
        removed: those that are remembered.
        owners: members who set something of their own for a contact (`PersonalContact`), at least; None: perhaps everybody.

    Costs: `apply` is O(1); `all` builds a tuple once per change; `since` is O(what changed).
    """

    def __init__(
        self,
        contacts: Iterable[Contact] = (),
        removed: Iterable[RemovedContact] = (),
        owners: Iterable[str] | None = None,
    ) -> None:
        entries: list[Contact | RemovedContact] = [*contacts, *removed]
        entries.sort(key=lambda entry: entry.changed)
        self._contacts = {entry.address: entry for entry in entries if isinstance(entry, Contact)}
        # Insertion order is the order of change: the newest entry of an address is always last.
        self._log: dict[str, Contact | RemovedContact] = {entry.address: entry for entry in entries}
        self._removed = sum(isinstance(entry, RemovedContact) for entry in self._log.values())
        self._oldest_known = 0
        self.version = entries[-1].changed if entries else 0
        self._owners = None if owners is None else set(owners)
        self._all: tuple[Contact, ...] | None = None
        self._forget_oldest_removed()

    def __len__(self) -> int:
        return len(self._contacts)

    def __contains__(self, address: str) -> bool:
        return address in self._contacts

    def find(self, address: str) -> Contact | None:
        """The contact at this bare address."""
        return self._contacts.get(address)

    @property
    def all(self) -> tuple[Contact, ...]:
        """All contacts; the same tuple until something changes, so that its rendering can be shared."""
        if self._all is None:
            self._all = tuple(self._contacts.values())
        return self._all

    def may_have_own(self, member: str) -> bool:
        """Whether this one may have set something of his own; if not, nobody need be asked what."""
        return self._owners is None or member in self._owners

    def note_own(self, member: str) -> None:
        """This one is about to."""
        if self._owners is not None:
            self._owners.add(member)

    def apply(self, change: Contact | RemovedContact) -> None:
        """Take one change; changes come in the order of their versions."""
        previous = self._log.pop(change.address, None)
        self._removed -= isinstance(previous, RemovedContact)
        self._log[change.address] = change
        if isinstance(change, Contact):
            self._contacts[change.address] = change
        else:
            self._contacts.pop(change.address, None)
            self._removed += 1
            self._forget_oldest_removed()
        self.version = change.changed
        self._all = None

    def since(self, version: int) -> Sequence[Contact | RemovedContact] | None:
        """What changed after `version`, oldest first; None if that is too long ago to know, or from the future."""
        if not self._oldest_known <= version <= self.version:
            return None
        changes: list[Contact | RemovedContact] = []
        for entry in reversed(self._log.values()):
            if entry.changed <= version:
                break
            changes.append(entry)
        return changes[::-1]

    def _forget_oldest_removed(self) -> None:
        if self._removed <= REMOVED_REMEMBERED:
            return
        surplus = [e for e in self._log.values() if isinstance(e, RemovedContact)][: self._removed - REMOVED_REMEMBERED]
        for entry in surplus:
            del self._log[entry.address]
            self._oldest_known = entry.changed
        self._removed = REMOVED_REMEMBERED


def personal_name(contact: Contact, own: Mapping[str, PersonalContact]) -> str:
    """The name on this user's roster: his own before the domain's."""
    entry = own.get(contact.address)
    return entry.name if entry is not None and entry.name is not None else contact.display_name


def personal_groups(contact: Contact, own: Mapping[str, PersonalContact]) -> tuple[str, ...]:
    """The groups on this user's roster: his own before the domain's."""
    entry = own.get(contact.address)
    return entry.groups if entry is not None and entry.groups is not None else contact.groups
