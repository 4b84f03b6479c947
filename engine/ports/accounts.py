"""Who is a member of what, by what each proves who he is, and how a contact is found."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from engine.contacts import Contact, PersonalContact, RemovedContact
from engine.messages import Photo


class Accounts(Protocol):
    """Domains, members, aliases, credentials, and what users keep about themselves and their contacts."""

    async def domains(self) -> list[str]:
        """All domains that have been added."""

    async def contacts(self, domain: str) -> list[Contact | RemovedContact]:
        """The whole directory of a domain, removed contacts that are still remembered included."""

    async def changes(self, domain: str, after: int) -> "DirectoryChanges":
        """The part of the directory that changed after this version, and how large all of it is."""

    async def aliases(self, domain: str) -> list[Contact]:
        """The aliases of a domain; costs nothing for its members."""

    async def find(self, address: str) -> Contact | None:
        """One member or alias."""

    async def add_domain(self, domain: str) -> None:
        """Serve this domain from now on; nothing changes if it is served already."""

    async def remove_domain(self, domain: str) -> None:
        """Forget the domain with all its members and aliases."""

    async def put(
        self, contacts: Sequence[Contact], verifiers: Mapping[str, Mapping[str, "Verifier"]] | None = None
    ) -> list[Contact]:
        """Add these contacts, or replace those that exist, in one transaction; `changed` is given here.

        `verifiers`: for some of the addresses, the verifier of each hash name; an address without keeps its own.
        """

    async def remove(self, addresses: Sequence[str]) -> list[RemovedContact]:
        """Remove members and aliases, with what they kept, in one transaction; unknown ones are left out.

        The members are among the `departing` from then on.
        """

    async def departing(self) -> list[str]:
        """Members who were removed and whose history is not gone yet, see `engine.retention`."""

    async def departed(self, address: str) -> None:
        """The history of this one is gone."""

    async def set_verifiers(self, address: str, verifiers: Mapping[str, "Verifier"]) -> None:
        """A new password."""

    async def secret(self, name: str) -> bytes:
        """32 random bytes that were made once and never change."""

    async def problems(self) -> list[str]:
        """Check everything; one line for each fault, naming the row."""

    async def verifier(self, address: str, hash_name: str) -> "Verifier | None":
        """The SCRAM verifier of a member (``sha-1`` or ``sha-256``); None: no such member, or no password set."""

    async def personal(self, owner: str) -> list[PersonalContact]:
        """What this user set for his contacts, dropped ones included (for versioning)."""

    async def personal_owners(self) -> set[str]:
        """Who set anything for his contacts, in all domains; for the others `personal` is empty."""

    async def set_personal(
        self, owner: str, address: str, name: str | None, groups: tuple[str, ...] | None
    ) -> PersonalContact:
        """Keep (or, with neither, drop) the user's own name and groups for a contact."""

    async def block_lists(self, domain: str) -> dict[str, frozenset[str]]:
        """Whom the members of a domain block: of each member who blocks somebody, the addresses."""

    async def blocked(self, owner: str) -> frozenset[str]:
        """Whom this user blocks."""

    async def set_blocked(self, owner: str, addresses: Collection[str]) -> None:
        """From now on this is the user's block list, on disk when this returns."""

    async def add_login(self, login: "Login", keep_since: int) -> None:
        """Keep a login. Of its owner, all that were made before `keep_since` go, and the oldest beyond `LOGINS` of them.

        A new password ends all logins of a member, and so does his removal.
        """

    async def login(self, key: bytes) -> "Login | None":
        """The login of this key."""

    async def remove_login(self, key: bytes) -> None:
        """Forget a login; nothing happens if there is none."""

    async def use_token(self, name: str, until: int, now: int) -> bool:
        """Use what can be used once, on disk when this returns; False: it was used before.

        It is remembered `until` then; those whose time is over by `now` are forgotten (both in seconds since 1970).
        """

    async def photo(self, address: str) -> Photo | None:
        """The user's picture."""

    async def set_photo(self, address: str, photo: Photo | None) -> None:
        """Keep or drop the user's picture."""


class DirectoryChanges(msgspec.Struct, frozen=True):
    """What changed of a domain's directory.

    Attributes:
        entries: contacts that were added or changed, and removed ones that are still remembered.
        contacts: how many the whole directory has.
        version: of the newest change at all, removals among them; 0: there is none.
    """

    entries: list[Contact | RemovedContact]
    contacts: int
    version: int


class Verifier(msgspec.Struct, frozen=True):
    """What the server keeps of a password (RFC 5802, section 3): it proves knowledge, but cannot be used to log in."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


class Login(msgspec.Struct, frozen=True):
    """A browser that is logged in.

    Attributes:
        key: SHA-256 of the secret that the browser holds.
        owner: bare address of the member.
        made_at: seconds since 1970.
    """

    key: bytes
    owner: str
    made_at: int


class FoundContacts(msgspec.Struct, frozen=True):
    """Addresses, best first. `is_complete`: no further match was cut off by the limit."""

    addresses: tuple[str, ...]
    is_complete: bool


class ContactSearch(Protocol):
    """Finds members and aliases of one domain by letters and digits."""

    async def search(self, domain: str, text: str, fields: dict[str, str], limit: int) -> FoundContacts:
        """Contacts of `domain` of which every word of `text` begins some word, and likewise for each named field.

        Fields: ``name``, ``first`` (a word of the name but the last), ``last``, ``nick`` (localpart or name), ``email``.
        A text without a letter or digit finds nothing; no text and no fields find all, in order of name.
        """

    async def update(self, changes: Sequence[Contact | RemovedContact]) -> None:
        """Put new, changed and removed contacts into the index; they are found when this returns."""

    async def rebuild(self, contacts: Sequence[Contact]) -> None:
        """The index again, from nothing."""
