"""The accounts in memory: the same behaviour as on disk, proved by the same tests.

For tests and scenario plays; nothing is kept when the process ends. A method does its work in one go and then gives other
tasks their turn once, as the disk does. `MemoryAccounts.fail_with` stands for a disk that fails.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence

import msgspec
import trio

from engine.contacts import REMOVED_REMEMBERED, Contact, PersonalContact, RemovedContact
from engine.limits import LOGINS
from engine.messages import Photo
from engine.ports import DirectoryChanges, Login, StorageUnavailable, Verifier

Verifiers = Mapping[str, Verifier]


class _Domain:
    """One domain's contacts and its count of changes."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.contacts: dict[str, Contact] = {}
        self.removed: dict[str, RemovedContact] = {}  # in the order of change

    def take_version(self) -> int:
        self.version += 1
        return self.version


class MemoryAccounts:
    """`engine.ports.Accounts` in dicts.

    Attributes:
        fail_with: raised by every call until it is None again.
    """

    def __init__(self) -> None:
        self.fail_with: StorageUnavailable | None = None
        self._domains: dict[str, _Domain] = {}
        self._retired_version = 0
        self._departing: set[str] = set()
        self._verifiers: dict[str, Verifiers] = {}
        self._logins: dict[bytes, Login] = {}
        self._used_tokens: dict[str, int] = {}
        self._personal: dict[str, dict[str, PersonalContact]] = {}
        self._photos: dict[str, Photo] = {}
        self._blocked: dict[str, frozenset[str]] = {}
        self._secrets: dict[str, bytes] = {}

    async def domains(self) -> list[str]:
        """See `engine.ports.Accounts.domains`."""
        await self._reach_disk()
        return list(self._domains)

    async def contacts(self, domain: str) -> list[Contact | RemovedContact]:
        """See `engine.ports.Accounts.contacts`."""
        await self._reach_disk()
        if domain not in self._domains:
            return []
        mine = self._domains[domain]
        return [*sorted(mine.contacts.values(), key=lambda contact: contact.changed), *mine.removed.values()]

    async def changes(self, domain: str, after: int) -> DirectoryChanges:
        """See `engine.ports.Accounts.changes`."""
        entries = await self.contacts(domain)
        contacts = sum(isinstance(entry, Contact) for entry in entries)
        version = max((entry.changed for entry in entries), default=0)
        return DirectoryChanges([entry for entry in entries if entry.changed > after], contacts, version)

    async def aliases(self, domain: str) -> list[Contact]:
        """See `engine.ports.Accounts.aliases`."""
        return [entry for entry in await self.contacts(domain) if isinstance(entry, Contact) and entry.is_alias]

    async def find(self, address: str) -> Contact | None:
        """See `engine.ports.Accounts.find`."""
        await self._reach_disk()
        return self._find(address)

    async def add_domain(self, domain: str) -> None:
        """See `engine.ports.Accounts.add_domain`."""
        await self._reach_disk()
        if domain not in self._domains:
            self._domains[domain] = _Domain(self._retired_version)

    async def remove_domain(self, domain: str) -> None:
        """See `engine.ports.Accounts.remove_domain`."""
        await self._reach_disk()
        gone = self._domains.pop(domain, None)
        if gone is not None:
            self._retired_version = max(self._retired_version, gone.version)
            for address in gone.contacts:
                self._forget_kept(address)

    async def put(self, contacts: Sequence[Contact], verifiers: Mapping[str, Verifiers] | None = None) -> list[Contact]:
        """See `engine.ports.Accounts.put`.

        Raises:
            LookupError: as in `index.accounts.SqliteAccounts.put`.
        """
        await self._reach_disk()
        for contact in contacts:
            self._domain_of(contact.address)
        final = {contact.address: contact for contact in contacts}
        for address in verifiers or {}:
            contact_then = final.get(address) or self._find(address)
            if contact_then is None or contact_then.is_alias:
                raise LookupError(f"there is no member {address}")
        numbered = []
        for contact in contacts:
            domain = self._domain_of(contact.address)
            numbered.append(msgspec.structs.replace(contact, changed=domain.take_version()))
            domain.contacts[contact.address] = numbered[-1]
            domain.removed.pop(contact.address, None)
            if contact.is_alias:
                self._forget_kept(contact.address)
        for address, of_one in (verifiers or {}).items():
            self._set_verifiers(address, of_one)
        return numbered

    async def remove(self, addresses: Sequence[str]) -> list[RemovedContact]:
        """See `engine.ports.Accounts.remove`."""
        await self._reach_disk()
        removed = []
        for address in addresses:
            contact = self._find(address)
            if contact is not None:
                domain = self._domain_of(address)
                del domain.contacts[address]
                self._forget_kept(address)
                gone = RemovedContact(address=address, kind=contact.kind, changed=domain.take_version())
                domain.removed[address] = gone
                removed.append(gone)
                if not gone.is_alias:
                    self._departing.add(address)
        for domain in self._domains.values():
            while len(domain.removed) > REMOVED_REMEMBERED + 1:
                del domain.removed[next(iter(domain.removed))]
        return removed

    async def departing(self) -> list[str]:
        """See `engine.ports.Accounts.departing`."""
        await self._reach_disk()
        return sorted(self._departing)

    async def departed(self, address: str) -> None:
        """See `engine.ports.Accounts.departed`."""
        await self._reach_disk()
        self._departing.discard(address)

    async def set_verifiers(self, address: str, verifiers: Verifiers) -> None:
        """See `engine.ports.Accounts.set_verifiers`."""
        await self._reach_disk()
        self._require_member(address)
        self._set_verifiers(address, verifiers)

    async def problems(self) -> list[str]:
        """None can arise but an alias that names nobody."""
        await self._reach_disk()
        return [
            f"accounts: alias {alias.address} names {member}, which is neither member nor alias of its domain"
            for domain in self._domains.values()
            for alias in domain.contacts.values()
            for member in (alias.members if alias.is_alias else ())
            if member not in domain.contacts
        ]

    async def verifier(self, address: str, hash_name: str) -> Verifier | None:
        """See `engine.ports.Accounts.verifier`."""
        await self._reach_disk()
        return self._verifiers.get(address, {}).get(hash_name)

    async def personal(self, owner: str) -> list[PersonalContact]:
        """See `engine.ports.Accounts.personal`."""
        await self._reach_disk()
        return sorted(self._personal.get(owner, {}).values(), key=lambda entry: entry.changed)

    async def personal_owners(self) -> set[str]:
        """See `engine.ports.Accounts.personal_owners`."""
        await self._reach_disk()
        return {owner for owner, entries in self._personal.items() if entries}

    async def set_personal(
        self, owner: str, address: str, name: str | None, groups: tuple[str, ...] | None
    ) -> PersonalContact:
        """See `engine.ports.Accounts.set_personal`."""
        await self._reach_disk()
        self._require_member(owner)
        changed = self._domain_of(owner).take_version()
        entry = PersonalContact(address=address, name=name, groups=groups, changed=changed)
        self._personal.setdefault(owner, {})[address] = entry
        return entry

    async def block_lists(self, domain: str) -> dict[str, frozenset[str]]:
        """See `engine.ports.Accounts.block_lists`."""
        await self._reach_disk()
        return {owner: items for owner, items in self._blocked.items() if owner.rpartition("@")[2] == domain}

    async def blocked(self, owner: str) -> frozenset[str]:
        """See `engine.ports.Accounts.blocked`."""
        await self._reach_disk()
        return self._blocked.get(owner, frozenset())

    async def set_blocked(self, owner: str, addresses: Collection[str]) -> None:
        """See `engine.ports.Accounts.set_blocked`."""
        await self._reach_disk()
        self._require_member(owner)
        self._blocked.pop(owner, None)
        if addresses:
            self._blocked[owner] = frozenset(addresses)

    async def add_login(self, login: Login, keep_since: int) -> None:
        """See `engine.ports.Accounts.add_login`."""
        await self._reach_disk()
        self._require_member(login.owner)
        own = [kept for kept in self._logins.values() if kept.owner == login.owner]
        kept = sorted((one for one in own if one.made_at >= keep_since), key=lambda one: one.made_at)
        for one in own:
            if one not in kept[-(LOGINS - 1) :]:
                del self._logins[one.key]
        if login.made_at >= keep_since:
            self._logins[login.key] = login

    async def login(self, key: bytes) -> Login | None:
        """See `engine.ports.Accounts.login`."""
        await self._reach_disk()
        return self._logins.get(key)

    async def remove_login(self, key: bytes) -> None:
        """See `engine.ports.Accounts.remove_login`."""
        await self._reach_disk()
        self._logins.pop(key, None)

    async def use_token(self, name: str, until: int, now: int) -> bool:
        """See `engine.ports.Accounts.use_token`."""
        await self._reach_disk()
        self._used_tokens = {used: end for used, end in self._used_tokens.items() if end >= now}
        is_new = name not in self._used_tokens
        self._used_tokens.setdefault(name, until)
        return is_new

    async def photo(self, address: str) -> Photo | None:
        """See `engine.ports.Accounts.photo`."""
        await self._reach_disk()
        return self._photos.get(address)

    async def set_photo(self, address: str, photo: Photo | None) -> None:
        """See `engine.ports.Accounts.set_photo`."""
        await self._reach_disk()
        self._require_member(address)
        self._photos.pop(address, None)
        if photo is not None:
            self._photos[address] = photo

    async def secret(self, name: str) -> bytes:
        """See `index.accounts.SqliteAccounts.secret`."""
        await self._reach_disk()
        return self._secrets.setdefault(name, secrets.token_bytes(32))

    async def _reach_disk(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.fail_with is not None:
            raise self.fail_with

    def _find(self, address: str) -> Contact | None:
        domain = self._domains.get(address.rpartition("@")[2])
        return None if domain is None else domain.contacts.get(address)

    def _domain_of(self, address: str) -> _Domain:
        name = address.rpartition("@")[2]
        if name not in self._domains:
            raise LookupError(f"the domain {name} is not served")
        return self._domains[name]

    def _require_member(self, address: str) -> None:
        contact = self._find(address)
        if contact is None or contact.is_alias:
            raise LookupError(f"there is no member {address}")

    def _set_verifiers(self, address: str, verifiers: Verifiers) -> None:
        self._verifiers[address] = dict(verifiers)
        self._forget_logins(address)

    def _forget_logins(self, address: str) -> None:
        self._logins = {key: login for key, login in self._logins.items() if login.owner != address}

    def _forget_kept(self, address: str) -> None:
        self._forget_logins(address)
        self._verifiers.pop(address, None)
        self._personal.pop(address, None)
        self._photos.pop(address, None)
        self._blocked.pop(address, None)
