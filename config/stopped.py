"""Having a command carried out while no server runs: on the databases, opened for the one command.

The caller holds the claim on the data folder, see `gateways.control`. What the server would do in the background is done before
the command ends.
"""

import logging
import time
from pathlib import Path

from actors.provisioning import carry_out
from actors.retention import take_leave, with_history
from config.settings import Settings
from config.upkeep import ARCHIVE, open_accounts, open_archive, open_stores, purge_history, reindex, verify
from engine import administration as a
from engine.contacts import Contact
from engine.ports import Accounts, StorageUnavailable
from index.migrations import DatabaseRefused
from index.rebuild import bring_history_up_to_date, bring_up_to_date

log = logging.getLogger(__name__)


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
    if not isinstance(command, a.Verify | a.Reindex | a.PurgeHistory):
        return await _carry_out_on_accounts(settings, command)
    async with open_stores(data_dir) as stores:
        for domain in set(settings.domains) - set(await stores.accounts.domains()):
            await stores.accounts.add_domain(domain)
        if isinstance(command, a.Reindex):
            return a.Done(await reindex(stores))
        if isinstance(command, a.PurgeHistory):
            return await purge_history(stores, command, pace=0)
        await bring_up_to_date(stores.search, stores.accounts)  # as the next start would
        await bring_history_up_to_date(stores.history, stores.texts)
        return a.Inspected(tuple(await verify(stores)))


async def _carry_out_on_accounts(settings: Settings, command: a.AccountsCommand) -> a.Result:
    """Histories of removed members go at once; also of those whose removal was cut short."""
    async with open_accounts(settings.data_dir) as accounts:
        await _take_leaves(settings, accounts)
        outcome = await carry_out(command, accounts, settings.domains)
        if not outcome.departed or not isinstance(outcome.result, a.Done):
            return outcome.result
        gone = await _take_leaves(settings, accounts)
        return with_history(outcome.result, gone.get(outcome.departed))


async def _take_leaves(settings: Settings, accounts: Accounts) -> dict[str, int]:
    """Remove the histories of the departing; how many messages were in each that is gone."""
    departing = await accounts.departing()
    gone: dict[str, int] = {}
    if not departing:
        return gone
    try:
        async with open_archive(settings.data_dir) as archive:
            for address in departing:
                gone[address] = await take_leave(address, accounts, archive.retention, pace=0)
            await archive.files.sweep(int(time.time() * 1_000_000))
    except (DatabaseRefused, StorageUnavailable) as error:
        log.warning("histories of removed members: %s", error)
    return gone


async def _check(settings: Settings) -> list[str]:
    """Faults of the accounts, and whether the archive would be opened; each database has its own say."""
    problems: list[str] = []
    try:
        async with open_accounts(settings.data_dir) as accounts:
            result = (await carry_out(a.CheckAccounts(), accounts, settings.domains)).result
            problems += result.problems if isinstance(result, a.Inspected) else [str(result)]
    except (DatabaseRefused, StorageUnavailable) as error:
        problems.append(str(error))
    if (settings.data_dir / ARCHIVE).exists():
        try:
            async with open_archive(settings.data_dir):
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
