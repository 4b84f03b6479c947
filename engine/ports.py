"""Side doors of the engine: what others keep or find for it.

Each port is a Protocol with two implementations that pass the same tests: one on disk (package index) and one in memory
(`index.memory_archive` and its like). The methods are coroutines; only workers await them, never a handler.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from engine.contacts import Contact, PersonalContact, RemovedContact
from engine.errors import StreamCondition
from engine.jid import Jid
from engine.messages import (
    Chat,
    ConversationsPage,
    ConversationsQuery,
    HistoryPage,
    HistoryQuery,
    Kept,
    Photo,
)


class StorageUnavailable(Exception):  # noqa: N818 -- a state of the world, not a fault of the program
    """The disk is full, locked or broken just now; nothing of the call was done. The text is one line for the log."""


class Draft(msgspec.Struct, frozen=True):
    """A chat to be archived: one row for it, one for its sender, one for each recipient and each absent member."""

    chat: Chat
    recipients: tuple[str, ...]
    absent: tuple[str, ...] = ()


class Cursor(msgspec.Struct, frozen=True):
    """What one client has been given: everything between these archive ids. `fetches`: it asks for the history itself."""

    since: int
    delivered: int
    fetches: bool = False


class Notes(msgspec.Struct, frozen=True):
    """What goes to disk together with chats.

    Attributes:
        cursors: by owner and family of the client; `delivered` never moves back, `since` stays what it was first.
        done: by token of a session that can be resumed: stanzas of its client that are done with this transaction.
        forgotten: tokens of sessions whose count is to be dropped.
    """

    cursors: Mapping[tuple[str, str], Cursor] = {}
    done: Mapping[str, int] = {}
    forgotten: Collection[str] = ()

    def __bool__(self) -> bool:
        return bool(self.cursors or self.done or self.forgotten)


class Stored(msgspec.Struct, frozen=True):
    """Outcome of one draft, in the order of the drafts. `duplicate`: the id is that of the first time it was sent."""

    id: int
    duplicate: bool = False


NOTHING = Notes()


class Archive(Protocol):
    """Every chat, once, in the history of everyone it belongs to."""

    async def commit(self, drafts: Sequence[Draft], notes: Notes = NOTHING) -> list[Stored]:
        """Write all drafts and notes, in one transaction; on disk (fsync) when this returns.

        Ids are given here: microseconds since 1970, strictly growing also when the clock goes back or after a restart. A
        draft whose sender (bare) and origin-id are in the archive already, or earlier in the batch, is a duplicate.
        A chat that says what was `displayed` moves its sender's reading of that conversation
        to the newest message before it that he received there and that is called so; never back.

        Raises:
            StorageUnavailable: nothing was written.
        """

    async def mark_read(self, marks: Sequence[tuple[str, int]]) -> list[bool]:
        """Each owner has read the conversation of this archive id up to it; False: it is not in his history.

        Raises:
            StorageUnavailable: nothing was written.
        """

    async def missed(self, session: Jid, after: int, limit: int, *, has_copies: bool) -> list[Chat]:
        """Chats that the account of `session` received after the archive id `after`, oldest first.

        Also what its other sessions sent to itself or, if `has_copies`, to anyone. The sender's full JID, the address and the
        alias are as they were; `is_delayed` is set.
        """

    async def cursor(self, owner: str, family: str) -> tuple[Cursor | None, int]:
        """What this client has been given, and the greatest id that any client of the owner has been given (or 0)."""

    async def stanzas_done(self, token: str) -> int:
        """How many stanzas of this session's client were done with its last chat that was committed; 0: none is known."""

    async def forget_stale_sessions(self) -> None:
        """Drop the counts of sessions that had no chat since the archive was opened: their clients did not come back.

        Raises:
            StorageUnavailable: nothing was written.
        """

    async def newest(self) -> int:
        """The newest id given so far; 0 in an empty archive."""

    async def problems(self) -> list[str]:
        """Check everything (SQLite's own check and the invariants of the tables); one line for each fault, naming the row."""


class UnknownMessage(Exception):  # noqa: N818 -- a state of the world, not a fault of the program
    """A query names an archive id that is not in the history that it asks about."""


class Histories(Protocol):
    """Reads the archive, one owner at a time; no read delays a commit.

    An owner who departed and whose address was given again has what came after that. Every method raises `StorageUnavailable`.
    """

    async def page(self, query: HistoryQuery) -> HistoryPage:
        """One page. The same effort at every depth.

        `query.text` is looked at by histories that can be searched (`index.searched_histories`), and not by others.

        It ends before `engine.limits.HISTORY_PAGE_BYTES` are full. With a resource, all of the conversation may have to
        be looked at.

        Raises:
            UnknownMessage: `after`, `before`, one of `known` or one of `ids` is not in this history.
        """

    async def count(self, query: HistoryQuery) -> int:
        """How many messages there are, whatever the limit of the query. Looks at each: 50 ms for a million.

        Raises:
            UnknownMessage: as `page`.
        """

    async def bounds(self, owner: str) -> tuple[Kept, Kept] | None:
        """The oldest and the newest message; None: an empty history."""

    async def conversations(self, query: ConversationsQuery) -> ConversationsPage:
        """The most recent conversations and what is unread; see `engine.limits.UNREAD`. The effort grows with the peers."""


class Side(msgspec.Struct, frozen=True):
    """A message in one history: whose, in the conversation with whom, and from or to which resources of that peer."""

    owner: str
    peer: str
    resources: tuple[str, ...] = ()


class Indexed(msgspec.Struct, frozen=True):
    """What the history search knows of a message; one without a body is never found."""

    id: int
    body: str
    sides: tuple[Side, ...]


class Texts(Protocol):
    """What the archive has for the history search."""

    async def since(self, after: int, limit: int) -> Sequence[Indexed]:
        """Every message after this archive id, oldest first: `limit` of them, fewer if they are long. Empty: there is none."""

    async def count(self, up_to: int) -> int:
        """How many messages with a body there are up to this archive id; takes its time."""


class HistorySearch(Protocol):
    """Finds messages in histories by words."""

    async def find(self, query: HistoryQuery) -> tuple[Sequence[int], bool]:
        """Archive ids of one page of what `query.owner` sent or received, oldest first; and whether it is complete.

        Each word of `query.text` must begin a word of the body, and one of a script without spaces must be somewhere in it;
        case, accents and width do not matter; a text without a letter or digit finds nothing. `ids` is not looked at.
        """

    async def matches(self, query: HistoryQuery) -> int:
        """How many messages `find` would find without a limit."""

    async def add(self, messages: Sequence[Indexed], after: int) -> None:
        """Take in all that the archive has after this id, up to the last of these; they are found when this returns.

        Those that are known already are passed over. Nothing happens if the index does not reach up to `after`.

        Raises:
            StorageUnavailable: what `newest` says is known, the rest is to be added again.
        """

    async def keep(self) -> None:
        """Have everything on disk.

        Raises:
            StorageUnavailable: as in `add`.
        """

    async def newest(self) -> int:
        """Everything up to this archive id is found."""

    async def count(self) -> int:
        """How many messages with a body the index has."""

    def anew(self) -> AbstractAsyncContextManager["FreshHistory"]:
        """Make the index again, from nothing, beside the one in use, which is searched and grows meanwhile.

        At the end of the block the fresh one takes its place, and nothing of the old one is left on disk; if the block raises,
        nothing has changed.

        Raises:
            StorageUnavailable: nothing has changed.
        """


class FreshHistory(Protocol):
    """An index that is being made again; see `HistorySearch.anew`."""

    async def add(self, messages: Sequence[Indexed], after: int) -> None:
        """See `HistorySearch.add`; what is added is found when it is complete."""

    async def newest(self) -> int:
        """Everything up to this archive id has been added."""


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


class Burst(msgspec.Struct, frozen=True):
    """What the client is told of one event: so many stanzas, one after the other."""

    data: bytes
    count: int


class Wire(Protocol):
    """A client's end, attached to a session. Calls come from the session's handler, never from another thread."""

    @property
    def is_open(self) -> bool:
        """Somebody is there to be told; if not, the session hears of it in a moment (`Disconnect`)."""

    def deliver(self, event: msgspec.Struct) -> None:
        """Render the event and have it written at the end of this turn."""

    def render(self, event: msgspec.Struct) -> Burst | None:
        """The event as this client is told of it; None: it is told nothing."""

    def write(self, burst: Burst) -> None:
        """Have it written at the end of this turn."""

    def tell_when_written(self, message: msgspec.Struct) -> None:
        """Tell the session this when everything before it is out of this process; of several the newest is enough."""

    def close(self, condition: StreamCondition | None, text: str) -> None:
        """Say goodbye and close."""
