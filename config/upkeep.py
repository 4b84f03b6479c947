"""Looking after what is kept: verify, reindex, and the databases opened for a command while no server runs.

`verify` and `reindex` work on open stores, whoever opened them: the assembler gives them to the control socket, and the command
line calls them itself when the server is stopped.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
import trio

from actors.provisioning import carry_out
from config.settings import Settings
from engine import administration as a
from engine.admission import alias_problems
from engine.contacts import Contact
from engine.ports import Accounts, Archive, HistorySearch, StorageUnavailable, Texts
from index.accounts import SqliteAccounts
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.contacts import TantivyContacts
from index.history_index import TantivyHistory
from index.migrations import DatabaseRefused
from index.rebuild import IndexedContacts, bring_history_up_to_date, bring_up_to_date, leave_other_archives

ARCHIVE = "archive.sqlite"
ACCOUNTS = "accounts.sqlite"
CONTACTS = "contacts.tantivy"
HISTORY = "history.tantivy"

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
        yield Stores(archive, accounts, search, history, archive.texts)


async def verify(stores: Stores) -> list[str]:
    """One line for each fault in archive, accounts and search indexes; the indexes are compared by count.

    Raises:
        StorageUnavailable: something cannot be read just now.
    """
    problems = [*await stores.archive.problems(), *await stores.accounts.problems()]
    for domain in sorted(await stores.accounts.domains()):
        faults = await trio.to_thread.run_sync(alias_problems, await _contacts(stores, domain))
        problems += [f"{ACCOUNTS}: {fault}" for fault in faults]
        problems += await _index_problems(stores, domain)
    return [*problems, *await _history_problems(stores)]


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
    """What the index knows is compared with what it should know by now; it may be behind."""
    newest, indexed = await stores.history.newest(), await stores.history.count()
    known = await stores.texts.count(newest)
    if known == indexed:
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
    messages = await bring_history_up_to_date(stores.history, stores.texts, is_forced=True, pause=pause)
    return f"{contacts} contacts and {messages} messages indexed again"


async def carry_out_stopped(settings: Settings, command: a.Command) -> a.Result:
    """Do what the server would do, without it; the caller holds the claim."""
    try:
        return await _carry_out_stopped(settings, command)
    except (DatabaseRefused, StorageUnavailable) as error:
        if isinstance(command, a.Verify | a.CheckAccounts):
            return a.Inspected((str(error),))
        return a.Refused(str(error))


async def _carry_out_stopped(settings: Settings, command: a.Command) -> a.Result:
    data_dir = settings.data_dir
    if isinstance(command, a.ShowStatus):
        return a.StatusShown(await _status(settings))
    if isinstance(command, a.CheckAccounts):
        return a.Inspected(tuple(await _check(settings)))
    if not isinstance(command, a.Verify | a.Reindex):
        async with open_accounts(data_dir) as accounts:
            return (await carry_out(command, accounts, settings.domains)).result
    async with open_stores(data_dir) as stores:
        for domain in set(settings.domains) - set(await stores.accounts.domains()):
            await stores.accounts.add_domain(domain)
        if isinstance(command, a.Reindex):
            return a.Done(await reindex(stores))
        await bring_up_to_date(stores.search, stores.accounts)  # as the next start would
        await bring_history_up_to_date(stores.history, stores.texts)
        return a.Inspected(tuple(await verify(stores)))


async def _check(settings: Settings) -> list[str]:
    """Faults of the accounts, and whether the archive would be opened; each database has its own say."""
    problems: list[str] = []
    try:
        async with open_accounts(settings.data_dir) as accounts:
            result = (await carry_out(a.CheckAccounts(), accounts, settings.domains)).result
            problems += result.problems if isinstance(result, a.Inspected) else [str(result)]
    except (DatabaseRefused, StorageUnavailable) as error:
        problems.append(str(error))
    archive = settings.data_dir / ARCHIVE
    if archive.exists():
        try:
            async with Island() as island, SqliteArchive(island, archive, clock=time.time):
                pass
        except (DatabaseRefused, StorageUnavailable) as error:
            problems.append(str(error))
    return problems


async def _status(settings: Settings) -> dict[str, str | int | float | bool | None]:
    async with open_accounts(settings.data_dir) as accounts:
        domains = {*await accounts.domains(), *settings.domains}
        entries = [entry for domain in domains for entry in await accounts.contacts(domain)]
    contacts = [entry for entry in entries if isinstance(entry, Contact)]
    aliases = sum(contact.is_alias for contact in contacts)
    return {
        "server": "stopped",
        "domains": len(domains),
        "users": len(contacts) - aliases,
        "aliases": aliases,
        "archive_bytes": _size(settings.data_dir / ARCHIVE),
    }


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
