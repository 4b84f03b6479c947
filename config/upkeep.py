"""Looking after what is kept: the stores opened, verified, indexed again, and freed of what is too old.

All of it works on open stores, whoever opened them: the assembler gives it to the control socket, and the command line calls it
itself when the server is stopped (`config.stopped`).
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import trio

from actors.retention import PACE, purge
from engine import administration as a
from engine.admission import alias_problems
from engine.contacts import Contact
from engine.files import FileStore
from engine.ports import Accounts, Archive, Histories, HistorySearch, StorageUnavailable, Texts
from engine.resumption import SessionJournal
from engine.retention import Retention
from index.accounts import SqliteAccounts
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.contacts import TantivyContacts
from index.history_index import TantivyHistory
from index.rebuild import IndexedContacts, bring_history_up_to_date, bring_up_to_date, leave_other_archives
from index.searched_histories import SearchedHistories
from index.session_journal import FileJournal

ARCHIVE = "archive.sqlite"
ACCOUNTS = "accounts.sqlite"
CONTACTS = "contacts.tantivy"
HISTORY = "history.tantivy"
FILES = "files"
JOURNAL = "sessions.journal"

INDEX_SECONDS: Final = 2.0
"""How far the contact index of a running server may be behind the accounts before that is a fault."""

_POLL_SECONDS: Final = 0.1


class Stores(msgspec.Struct, frozen=True):
    """What is kept, open."""

    archive: Archive
    accounts: Accounts
    search: IndexedContacts
    history: HistorySearch
    texts: Texts
    retention: Retention
    histories: Histories
    files: FileStore
    journal: SessionJournal


@asynccontextmanager
async def open_accounts(data_dir: Path) -> AsyncIterator[Accounts]:
    """The accounts alone; the caller holds the claim.

    Raises:
        DatabaseRefused: the file is not ours, or damaged.
        StorageUnavailable: it cannot be read or written just now.
    """
    async with Island() as island, SqliteAccounts(island, data_dir / ACCOUNTS) as accounts:
        yield accounts


@asynccontextmanager
async def open_archive(data_dir: Path, clock: Callable[[], float] = time.time) -> AsyncIterator[SqliteArchive]:
    """The archive alone; see `open_accounts`. `clock`: seconds since 1970, for the ids of what is written."""
    async with Island() as island, SqliteArchive(island, data_dir / ARCHIVE, clock=clock) as archive:
        yield archive


@asynccontextmanager
async def open_stores(data_dir: Path) -> AsyncIterator[Stores]:
    """Everything that is kept; the caller holds the claim.

    Raises:
        DatabaseRefused: a file is not ours, or damaged.
        StorageUnavailable: one cannot be read or written just now.
    """
    async with AsyncExitStack() as stack:
        island = await stack.enter_async_context(Island())
        archive = await stack.enter_async_context(SqliteArchive(island, data_dir / ARCHIVE, clock=time.time))
        accounts = await stack.enter_async_context(SqliteAccounts(island, data_dir / ACCOUNTS))
        search = await trio.to_thread.run_sync(TantivyContacts.open, data_dir / CONTACTS)
        stack.push_async_callback(search.aclose)
        history = await trio.to_thread.run_sync(TantivyHistory.open, data_dir / HISTORY)
        stack.push_async_callback(history.aclose)
        await leave_other_archives(history, archive)
        histories = SearchedHistories(archive.histories, history)
        journal = FileJournal(data_dir / JOURNAL)
        stack.callback(journal.close)
        yield Stores(
            archive, accounts, search, history, archive.texts, archive.retention, histories, archive.files, journal
        )


async def purge_history(stores: Stores, command: a.PurgeHistory, *, pace: float = PACE, pause: float = 0) -> a.Result:
    """Remove what is too old; see `actors.retention.purge` and, for `pause`, `HistoryIndex`. Files go after their messages."""
    now = int(time.time() * 1_000_000)
    result = await purge(command, stores.retention, HistoryIndex(stores, pause), now=now, pace=pace)
    if isinstance(result, a.Purged) and not command.is_rehearsal:
        try:
            await stores.files.sweep(now, command.before)
        except StorageUnavailable as error:
            return a.Refused(f"the messages are removed, but not all of their files: {error}; run this again later")
    return result


class HistoryIndex:
    """`actors.retention.WordIndex` of open stores.

    Args:
        stores: open.
        pause: seconds between two pages, see `index.rebuild.bring_history_up_to_date`.
    """

    def __init__(self, stores: Stores, pause: float = 0) -> None:
        self._stores = stores
        self._pause = pause

    async def catch_up(self) -> None:
        """Know all that the archive has by now."""
        await bring_history_up_to_date(self._stores.history, self._stores.texts, pause=self._pause)

    async def renew(self) -> None:
        """Be made anew of what the archive has."""
        await bring_history_up_to_date(self._stores.history, self._stores.texts, is_forced=True, pause=self._pause)


async def verify(stores: Stores) -> list[str]:
    """One line for each fault in archive, accounts, files and search indexes; the indexes are compared by count.

    Raises:
        StorageUnavailable: something cannot be read just now.
    """
    problems = [*await stores.archive.problems(), *await stores.accounts.problems()]
    try:
        return [*problems, *await _problems_between(stores)]
    except StorageUnavailable as error:
        if not problems:
            raise
        return [*problems, f"{error}; the rest was not looked at"]


async def _problems_between(stores: Stores) -> list[str]:
    problems = []
    for domain in sorted(await stores.accounts.domains()):
        faults = await trio.to_thread.run_sync(alias_problems, await _contacts(stores, domain))
        problems += [f"{ACCOUNTS}: {fault}" for fault in faults]
        problems += await _index_problems(stores, domain)
    return [*problems, *await _history_problems(stores), *await stores.files.problems()]


async def _index_problems(stores: Stores, domain: str) -> list[str]:
    deadline = trio.current_time() + INDEX_SECONDS
    while True:
        known, indexed = len(await _contacts(stores, domain)), await stores.search.count(domain)
        if known == indexed:
            return []
        if trio.current_time() >= deadline:
            return [f"{CONTACTS}: {indexed} contacts of {domain}, but there are {known}; run `rookery reindex`"]
        await trio.sleep(_POLL_SECONDS)


async def _history_problems(stores: Stores) -> list[str]:
    """What the index knows is compared with what it should know by now; it may be behind.

    For some time after a member was removed it knows more, see `actors.retention`.
    """
    newest, indexed = await stores.history.newest(), await stores.history.count()
    known = await stores.texts.count(newest)
    if known == indexed or (await stores.retention.erased())[1]:
        return []
    return [f"{HISTORY}: {indexed} messages, but there are {known}; run `rookery reindex`"]


async def _contacts(stores: Stores, domain: str) -> list[Contact]:
    return [entry for entry in await stores.accounts.contacts(domain) if isinstance(entry, Contact)]


async def reindex(stores: Stores, *, pause: float = 0) -> str:
    """Make the search indexes again; says what was done. `pause`: see `index.rebuild.bring_history_up_to_date`.

    Raises:
        StorageUnavailable: a database or the index cannot be used just now.
    """
    brought = await bring_up_to_date(stores.search, stores.accounts, is_forced=True)
    contacts = sum(domain.entries for domain in brought)
    erased, _ = await stores.retention.erased()
    messages = await bring_history_up_to_date(stores.history, stores.texts, is_forced=True, pause=pause)
    await stores.retention.renewed(erased)
    return f"{contacts} contacts and {messages} messages indexed again"
