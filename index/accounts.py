"""The accounts on disk: domains, members, aliases, credentials, and what members keep.

Owns ``accounts.sqlite``. Rules:

- **Versions.** A domain counts its changes; each contact put or removed, and each personal contact set, takes the next number.
  None is given twice, also when a member or a whole domain is removed and added again: a roster version that a client
  kept never means another state. (The personal ones draw from the same count for this reason.)
- **Removed contacts** are remembered, the newest `REMOVED_KEPT` of each domain: one more than the contact list remembers, so
  that it learns from the surplus one how far back it knows.
- **A new password** replaces the verifiers of all hashes: no mechanism goes on with the old one.
- **Verifiers** that were asked for stay in memory, `engine.limits.VERIFIERS` of them, until anything is written that may change
  one. Such a one is told no sooner than one that is read, or nobody's: how long it takes does not tell who exists.
- **What a member keeps** (`index.belongings`) goes with him; a member replaced by an alias has gone.

Who is nobody's member cannot keep anything, and a domain that is not served cannot have contacts: `LookupError`.
"""

import secrets
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import trio

from engine.contacts import REMOVED_REMEMBERED, Contact, PersonalContact, RemovedContact
from engine.limits import VERIFIERS
from engine.messages import Photo
from engine.ports import DirectoryChanges, Login, StorageUnavailable, Verifier
from index import belongings
from index.account_checks import problems
from index.asyncio_island import Island
from index.belongings import Verifiers
from index.contact_rows import CONTACTS, INTO_CONTACT, KINDS, OR_REPLACE, contact_of, entries, row_of, text_of, texts_of
from index.database import Database, T, describe_damage
from index.migrations import Schema
from index.statements import insert

APPLICATION_ID: Final = 0x526F6B62

REMOVED_KEPT: Final = REMOVED_REMEMBERED + 1

SECRET_BYTES: Final = 32

READING_SECONDS: Final = 0.005
"""At most so long waits who asks for one that is in memory: a disk that is slower than this is busy, and tells nothing."""


class SqliteAccounts:
    """`engine.ports.Accounts` in one SQLite file. ``async with SqliteAccounts(...) as accounts``.

    Args:
        island: open for as long as this is.
        path: of the file; made if it does not exist.
    """

    def __init__(self, island: Island, path: Path) -> None:
        self._island = island
        self._database = Database(path, Schema.load("accounts", APPLICATION_ID), has_foreign_keys=True)
        self._verifiers: dict[tuple[str, str], Verifier] = {}
        self._reading_seconds = 0.0  # what it took to read one, the last time

    async def open(self) -> None:
        """Open, and migrate if need be.

        Raises:
            DatabaseRefused: the file is damaged, foreign, of a newer version, or may not be opened.
            StorageUnavailable: another process holds it, or the disk fails.
        """
        await self._island.run_to_end(self._database.open, lambda _: None)

    async def close(self) -> None:
        """Finish what is under way, and close the file."""
        await self._island.run_to_end(self._database.close)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- domains and contacts ------------------------------------------------------------------------------------------

    async def domains(self) -> list[str]:
        """See `engine.ports.Accounts.domains`; in the order in which they were added."""
        return [name for (name,) in await self._fetch("SELECT name FROM domain ORDER BY id")]

    async def contacts(self, domain: str) -> list[Contact | RemovedContact]:
        """See `engine.ports.Accounts.contacts`; contacts first, each kind in the order of change."""
        return await self._island.run(self._database.read, lambda connection: entries(connection, domain, 0))

    async def changes(self, domain: str, after: int) -> DirectoryChanges:
        """See `engine.ports.Accounts.changes`."""

        def read(connection: sqlite3.Connection) -> DirectoryChanges:
            contacts, version = connection.execute(_EXTENT, {"domain": domain}).fetchone()
            return DirectoryChanges(entries(connection, domain, after), contacts, version)

        return await self._island.run(self._database.read, read)

    async def aliases(self, domain: str) -> list[Contact]:
        """See `engine.ports.Accounts.aliases`; in the order of change."""
        rows = await self._fetch(CONTACTS + "WHERE domain.name = ? AND kind = 'alias' ORDER BY changed", domain)
        return [contact_of(row) for row in rows]

    async def find(self, address: str) -> Contact | None:
        """See `engine.ports.Accounts.find`."""
        rows = await self._fetch(CONTACTS + "WHERE address = ?", address)
        return contact_of(rows[0]) if rows else None

    async def add_domain(self, domain: str) -> None:
        """See `engine.ports.Accounts.add_domain`."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO domain (name, version) SELECT ?, version FROM retired WHERE true ON CONFLICT DO NOTHING",
                (domain,),
            )

        await self._write(write)

    async def remove_domain(self, domain: str) -> None:
        """See `engine.ports.Accounts.remove_domain`."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE retired SET version = max(version, ifnull((SELECT version FROM domain WHERE name = ?), 0))",
                (domain,),
            )
            connection.execute("DELETE FROM domain WHERE name = ?", (domain,))

        await self._write_members(write)

    async def put(self, contacts: Sequence[Contact], verifiers: Mapping[str, Verifiers] | None = None) -> list[Contact]:
        """See `engine.ports.Accounts.put`; in the given order, each with a version of its own.

        Raises:
            LookupError: a domain is not served, or a verifier's address is no member; nothing was written.
        """

        def write(connection: sqlite3.Connection) -> list[Contact]:
            versions = _Versions(connection)
            numbered = [msgspec.structs.replace(c, changed=versions.take(_domain(c.address))) for c in contacts]
            rows = [row_of(c, versions.number(_domain(c.address))) for c in numbered]
            insert(connection, INTO_CONTACT, rows, OR_REPLACE)
            addresses = [c.address for c in contacts]
            belongings.delete(connection, "removed_contact", "address", addresses)
            belongings.forget_kept(connection, [c.address for c in contacts if c.is_alias])
            belongings.put_verifiers(connection, verifiers or {})
            versions.save()
            return numbered

        return await self._write_members(write)

    async def remove(self, addresses: Sequence[str]) -> list[RemovedContact]:
        """See `engine.ports.Accounts.remove`."""

        def write(connection: sqlite3.Connection) -> list[RemovedContact]:
            versions = _Versions(connection)
            removed: list[RemovedContact] = []
            for address in addresses:
                row = connection.execute("DELETE FROM contact WHERE address = ? RETURNING kind", (address,)).fetchall()
                if row:
                    changed = versions.take(_domain(address))
                    removed.append(RemovedContact(address=address, kind=KINDS[row[0][0]], changed=changed))
            rows = [(r.address, versions.number(_domain(r.address)), r.kind.value, r.changed) for r in removed]
            insert(connection, "removed_contact (address, domain, kind, changed)", rows)
            members = [(r.address,) for r in removed if not r.is_alias]
            insert(connection, "departing (address)", members, "ON CONFLICT DO NOTHING")
            for number in {row[1] for row in rows}:
                connection.execute(_FORGET_OLDEST_REMOVED, {"domain": number, "kept": REMOVED_KEPT})
            versions.save()
            return removed

        return await self._write_members(write)

    async def departing(self) -> list[str]:
        """See `engine.ports.Accounts.departing`."""
        return [address for (address,) in await self._fetch("SELECT address FROM departing ORDER BY address")]

    async def departed(self, address: str) -> None:
        """See `engine.ports.Accounts.departed`."""
        await self._write(lambda line: line.execute("DELETE FROM departing WHERE address = ?", (address,)).rowcount)

    async def problems(self) -> list[str]:
        """See `engine.ports.Accounts.problems`.

        Raises:
            StorageUnavailable: the file could not be read, for another reason than being damaged.
        """
        try:
            return await self._island.run(self._database.read_apart, problems)
        except StorageUnavailable as error:
            damage = describe_damage(error)
            if damage is None:
                raise
            return [damage]

    # -- what members keep ---------------------------------------------------------------------------------------------

    async def set_verifiers(self, address: str, verifiers: Verifiers) -> None:
        """See `engine.ports.Accounts.set_verifiers`.

        Raises:
            LookupError: no such member.
        """
        await self._write_members(lambda connection: belongings.put_verifiers(connection, {address: verifiers}))

    async def verifier(self, address: str, hash_name: str) -> Verifier | None:
        """See `engine.ports.Accounts.verifier`."""
        known = self._verifiers
        verifier = known.get((address, hash_name))
        if verifier is not None:
            await trio.sleep(self._reading_seconds)
        else:
            began = trio.current_time()
            sql = "SELECT salt, iterations, stored_key, server_key FROM verifier WHERE address = ? AND hash_name = ?"
            rows = await self._fetch(sql, address, hash_name)
            self._reading_seconds = min(trio.current_time() - began, READING_SECONDS)
            verifier = Verifier(*rows[0]) if rows else None
            if verifier is not None:
                if len(known) >= VERIFIERS:
                    known.clear()
                known[address, hash_name] = verifier  # of no use to anybody if something was written meanwhile
        return verifier

    async def personal(self, owner: str) -> list[PersonalContact]:
        """See `engine.ports.Accounts.personal`; in the order of change."""
        rows = await self._fetch(
            "SELECT address, name, groups, changed FROM personal WHERE owner = ? ORDER BY changed", owner
        )
        return [
            PersonalContact(
                address=address, name=name, groups=None if groups is None else texts_of(groups), changed=changed
            )
            for address, name, groups, changed in rows
        ]

    async def personal_owners(self) -> set[str]:
        """See `engine.ports.Accounts.personal_owners`."""
        return await self._island.run(self._database.read, belongings.personal_owners)

    async def set_personal(
        self, owner: str, address: str, name: str | None, groups: tuple[str, ...] | None
    ) -> PersonalContact:
        """See `engine.ports.Accounts.set_personal`.

        Raises:
            LookupError: no such member.
        """

        def write(connection: sqlite3.Connection) -> PersonalContact:
            belongings.require_member(connection, owner)
            versions = _Versions(connection)
            changed = versions.take(_domain(owner))
            row = (owner, address, name, None if groups is None else text_of(groups), changed)
            insert(connection, "personal (owner, address, name, groups, changed)", [row], _OR_REPLACE_PERSONAL)
            versions.save()
            return PersonalContact(address=address, name=name, groups=groups, changed=changed)

        return await self._write(write)

    async def block_lists(self, domain: str) -> dict[str, frozenset[str]]:
        """See `engine.ports.Accounts.block_lists`."""
        return await self._island.run(self._database.read, lambda c: belongings.block_lists(c, domain))

    async def blocked(self, owner: str) -> frozenset[str]:
        """See `engine.ports.Accounts.blocked`."""
        return await self._island.run(self._database.read, lambda c: belongings.blocked(c, owner))

    async def set_blocked(self, owner: str, addresses: Collection[str]) -> None:
        """See `engine.ports.Accounts.set_blocked`.

        Raises:
            LookupError: no such member.
        """
        await self._write(lambda connection: belongings.set_blocked(connection, owner, addresses))

    async def add_login(self, login: Login, keep_since: int) -> None:
        """See `engine.ports.Accounts.add_login`.

        Raises:
            LookupError: no such member.
        """
        await self._write(lambda connection: belongings.add_login(connection, login, keep_since))

    async def login(self, key: bytes) -> Login | None:
        """See `engine.ports.Accounts.login`."""
        rows = await self._fetch("SELECT key, owner, made_at FROM login WHERE key = ?", key)
        return Login(*rows[0]) if rows else None

    async def remove_login(self, key: bytes) -> None:
        """See `engine.ports.Accounts.remove_login`."""
        await self._write(lambda connection: connection.execute("DELETE FROM login WHERE key = ?", (key,)))

    async def use_token(self, name: str, until: int, now: int) -> bool:
        """See `engine.ports.Accounts.use_token`."""
        return await self._write(lambda connection: belongings.use_token(connection, name, until, now))

    async def photo(self, address: str) -> Photo | None:
        """See `engine.ports.Accounts.photo`."""
        rows = await self._fetch("SELECT media_type, data FROM photo WHERE address = ?", address)
        return Photo(*rows[0]) if rows else None

    async def set_photo(self, address: str, photo: Photo | None) -> None:
        """See `engine.ports.Accounts.set_photo`.

        Raises:
            LookupError: no such member.
        """

        def write(connection: sqlite3.Connection) -> None:
            belongings.require_member(connection, address)
            connection.execute("DELETE FROM photo WHERE address = ?", (address,))
            if photo is not None:
                insert(connection, "photo (address, media_type, data)", [(address, photo.media_type, photo.data)])

        await self._write(write)

    # -- what the server keeps -----------------------------------------------------------------------------------------

    async def secret(self, name: str) -> bytes:
        """Random bytes that were made when first asked for, the same ever since; 32 of them."""

        def write(connection: sqlite3.Connection) -> bytes:
            made = (name, secrets.token_bytes(SECRET_BYTES))
            insert(connection, "secret (name, value)", [made], "ON CONFLICT DO NOTHING")
            value: bytes = connection.execute("SELECT value FROM secret WHERE name = ?", (name,)).fetchone()[0]
            return value

        return await self._write(write)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._island.run_to_end(self._database.write, work)

    async def _write_members(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Write what may change a verifier; whoever reads one from now on, or has begun to, does not bring the old one back."""
        try:
            return await self._write(work)
        finally:
            self._verifiers = {}

    async def _fetch(self, sql: str, *parameters: Any) -> list[Any]:
        return await self._island.run(self._database.read, lambda c: c.execute(sql, parameters).fetchall())


class _Versions:
    """The counts of the domains that a transaction changes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}
        self._versions: dict[str, int] = {}

    def number(self, domain: str) -> int:
        """The domain's row."""
        if domain not in self._numbers:
            row = self._connection.execute("SELECT id, version FROM domain WHERE name = ?", (domain,)).fetchone()
            if row is None:
                raise LookupError(f"the domain {domain} is not served")
            self._numbers[domain], self._versions[domain] = row
        return self._numbers[domain]

    def take(self, domain: str) -> int:
        """The version of the next change."""
        self.number(domain)
        self._versions[domain] += 1
        return self._versions[domain]

    def save(self) -> None:
        for domain, version in self._versions.items():
            self._connection.execute("UPDATE domain SET version = ? WHERE name = ?", (version, domain))


_EXTENT: Final = """
    WITH known (id) AS (SELECT id FROM domain WHERE name = :domain)
    SELECT
        (SELECT count(*) FROM contact WHERE domain = known.id),
        max(
            ifnull((SELECT max(changed) FROM contact WHERE domain = known.id), 0),
            ifnull((SELECT max(changed) FROM removed_contact WHERE domain = known.id), 0)
        )
    FROM (SELECT (SELECT id FROM known) AS id) AS known
"""
_OR_REPLACE_PERSONAL: Final = """
    ON CONFLICT (owner, address) DO UPDATE SET name = excluded.name, groups = excluded.groups, changed = excluded.changed
"""
_FORGET_OLDEST_REMOVED: Final = """
    DELETE FROM removed_contact WHERE domain = :domain AND changed <=
        (SELECT changed FROM removed_contact WHERE domain = :domain ORDER BY changed DESC LIMIT 1 OFFSET :kept)
"""


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
