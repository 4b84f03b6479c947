"""Brings the search indexes up to date with the databases: at start, after damage, and when an operator asks for it.

**Contacts**: for each domain the index knows the version up to which it is complete (its watermark), and the database
knows the version of every contact and of those removed lately. So the difference is indexed; or the whole domain, when the
index has no watermark, has one from the future (a database restored from a copy), or in the end holds another number of
contacts than the database (removals that are no longer remembered, a domain that was made again). Domains that the
database no longer has are forgotten.

The database is read while updates of the index wait, so that an older state never replaces a newer one; searches go on, in
the state before. Nothing keeps the trio loop for more than some milliseconds.

**Messages**: the history index knows the archive id up to which it is complete, and the archive is read from there, page by
page. An index that knows more than the archive belongs to another one (a database restored from a copy) and is made anew.
"""

import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Final, Protocol

import msgspec
import trio

from engine.contacts import Contact, RemovedContact
from engine.ports import Accounts, Archive, ContactSearch, FreshHistory, HistorySearch, Texts

log = logging.getLogger(__name__)

PAGE: Final = 256
"""Messages read at a time."""


class Outcome(StrEnum):
    """What was done for a domain."""

    UNCHANGED = "unchanged"
    CHANGES = "changes"
    ANEW = "anew"
    FORGOTTEN = "forgotten"


class Brought(msgspec.Struct, frozen=True):
    """One domain: what was done, and how many entries were written to the index."""

    domain: str
    outcome: Outcome
    entries: int


class ContactWriting(Protocol):
    """Changes of an index that are committed together."""

    async def put(self, changes: Iterable[Contact | RemovedContact], *, is_new: bool = False) -> None:
        """Take changes in their order; `is_new`: none of their addresses is in the index."""

    def forget(self, domain: str) -> None:
        """Drop all contacts of the domain, and its watermark."""

    def mark(self, domain: str, version: int) -> None:
        """The domain is completely indexed up to this version."""


class IndexedContacts(ContactSearch, Protocol):
    """A `ContactSearch` that knows how far it is: `TantivyContacts` or `MemoryContacts`."""

    @property
    def watermarks(self) -> Mapping[str, int]:
        """For each domain that was indexed as a whole: the version up to which the index is complete."""

    async def count(self, domain: str) -> int:
        """How many contacts of the domain are found."""

    def writing(self) -> AbstractAsyncContextManager[ContactWriting]:
        """Change the index: all of it or nothing; others who want to change it wait."""


async def bring_up_to_date(search: IndexedContacts, accounts: Accounts, *, is_forced: bool = False) -> list[Brought]:
    """Make the index hold what the database holds; `is_forced`: every domain anew (``rookery reindex``).

    Raises:
        StorageUnavailable: domains before this one are done, this one is as it was.
    """
    domains = await accounts.domains()
    done = [await _forget(search, domain) for domain in sorted(search.watermarks.keys() - set(domains))]
    for domain in domains:
        brought = None if is_forced else await _bring_changes(search, accounts, domain)
        done.append(brought or await _bring_anew(search, accounts, domain))
    return done


async def _forget(search: IndexedContacts, domain: str) -> Brought:
    async with search.writing() as writing:
        writing.forget(domain)
    return Brought(domain, Outcome.FORGOTTEN, 0)


async def _bring_changes(search: IndexedContacts, accounts: Accounts, domain: str) -> Brought | None:
    """Index what changed since the watermark; None if that does not make the index right."""
    watermark = search.watermarks.get(domain)
    if watermark is None:
        return None
    async with search.writing() as writing:
        changes = await accounts.changes(domain, watermark)
        if changes.version < watermark:
            return None
        await writing.put(changes.entries)
        # Also without a change: the domain counts as complete from now on, and updates move its watermark.
        writing.mark(domain, changes.version)
    if await search.count(domain) != changes.contacts:
        return None
    return Brought(domain, Outcome.CHANGES if changes.entries else Outcome.UNCHANGED, len(changes.entries))


async def _bring_anew(search: IndexedContacts, accounts: Accounts, domain: str) -> Brought:
    async with search.writing() as writing:
        everything = await accounts.changes(domain, 0)
        writing.forget(domain)
        await writing.put((entry for entry in everything.entries if isinstance(entry, Contact)), is_new=True)
        writing.mark(domain, everything.version)
    return Brought(domain, Outcome.ANEW, everything.contacts)


async def leave_other_archives(search: HistorySearch, archive: Archive) -> None:
    """Empty an index that knows more than this archive; to be called before anything new is archived.

    Raises:
        StorageUnavailable: nothing has changed.
    """
    known, kept = await search.newest(), await archive.newest()
    if known > kept:
        log.warning(
            "archive.sqlite ends at %016x, the search index knew messages up to %016x: the archive is an older copy, or it has "
            "lost its end (archive.sqlite-wal); the index is made anew",
            kept,
            known,
        )
        async with search.anew():
            pass


async def bring_history_up_to_date(
    search: HistorySearch, texts: Texts, *, is_forced: bool = False, pause: float = 0
) -> int:
    """Make the index hold what the archive holds, on disk; `is_forced`: all of it anew, and nothing of the old one is left.

    Chats may be archived and searched meanwhile. Returns how many messages were read.

    Args:
        search: the index.
        texts: the archive.
        is_forced: see above.
        pause: seconds between two pages, for the chat of a running server.

    Raises:
        StorageUnavailable: the index is as it was, or at least nearer.
    """
    read = 0
    if is_forced:
        async with search.anew() as fresh:
            read = await _follow(fresh, texts, pause)
    read += await _follow(search, texts, pause)
    await search.keep()
    return read


async def _follow(index: HistorySearch | FreshHistory, texts: Texts, pause: float) -> int:
    read = 0
    while page := await texts.since(after := await index.newest(), PAGE):
        await index.add(page, after)
        read += len(page)
        await trio.sleep(pause)
    return read
