"""Carrying out what an operator asks of the accounts.

One truth for two callers: the registrar while the server runs, the command line while it does not. `carry_out` reads what the
rules of `engine.admission` need, asks them, writes through the Accounts port and says what changed, so that the registrar can
tell it to those who are online. Whoever calls sees to it that no two commands run at the same time.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

import msgspec
import trio

from engine import administration as a
from engine import admission, alias
from engine.contacts import Contact, ContactKind, RemovedContact
from engine.errors import Condition, Refusal
from engine.ports import Accounts, StorageUnavailable


class Outcome(msgspec.Struct, frozen=True, eq=False):
    """What came of a command.

    Attributes:
        result: for the operator.
        changes: of contacts, in the order of their versions.
        opened: domains that are served from now on.
        closed: domains that are served no more.
        departed: a member whose history is to be removed now, see `actors.retention`; empty: none.
    """

    result: a.Result
    changes: tuple[Contact | RemovedContact, ...] = ()
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    departed: str = ""


async def carry_out(command: a.AccountsCommand, accounts: Accounts, configured: Collection[str]) -> Outcome:
    """Do it, or say in one line why not.

    Args:
        command: what is asked.
        accounts: what it is asked of.
        configured: the domains of the configuration file; they are served whether added or not.
    """
    try:
        return await _HANDLERS[type(command)](command, _Register(accounts, configured))
    except Refusal as refusal:
        return Outcome(a.Refused(refusal.text))
    except StorageUnavailable as error:
        return Outcome(a.Refused(f"the accounts cannot be read or written just now: {error}"))


class _Register:
    """The accounts, as the handlers below read them."""

    def __init__(self, accounts: Accounts, configured: Collection[str]) -> None:
        self.accounts = accounts
        self.configured = frozenset(configured)

    async def domains(self) -> set[str]:
        """All that are served."""
        return {*await self.accounts.domains(), *self.configured}

    async def contacts(self, domain: str) -> list[Contact]:
        """The directory of one domain, without those who are gone."""
        return [entry for entry in await self.accounts.contacts(domain) if isinstance(entry, Contact)]

    async def aliases(self, domain: str) -> dict[str, Contact]:
        """The aliases of one domain."""
        return {contact.address: contact for contact in await self.accounts.aliases(domain)}

    async def find(self, text: str, kind: ContactKind) -> Contact:
        """The member or alias at an address as it was typed."""
        address = admission.prepare_address(text, await self.domains())
        return admission.check_kind(address, await self.accounts.find(address), kind)

    async def check_new(self, address: str) -> None:
        """Whether the address is free; see `admission.check_new`."""
        admission.check_new(address, await self.accounts.find(address), await self.accounts.departing())

    async def put(self, contacts: list[Contact], verifiers: Mapping[str, a.Verifiers]) -> list[Contact]:
        """Write; domains of the configuration file that were never used are added first."""
        used = {_domain(contact.address) for contact in contacts}
        for domain in sorted(used - set(await self.accounts.domains())):
            await self.accounts.add_domain(domain)
        return await self.accounts.put(contacts, verifiers)

    async def remove(self, address: str) -> tuple[list[Contact | RemovedContact], tuple[str, ...]]:
        """Remove a member or alias, and take it out of the aliases that name it; those left empty go too.

        Returns:
            What changed, in order, and a line for each alias that had to change or go.
        """
        aliases = await self.aliases(_domain(address))
        changed, gone = alias.without(address, {name: entry.members for name, entry in aliases.items()})
        changes: list[Contact | RemovedContact] = []
        if changed:
            shrunk = [msgspec.structs.replace(aliases[name], members=members) for name, members in changed.items()]
            changes += await self.accounts.put(shrunk)
        emptied = [name for name in gone if name != address]
        changes += await self.accounts.remove([*reversed(emptied), address])
        notes = [f"taken out of alias {name}" for name in sorted(changed)]
        notes += [f"alias {name} removed: it had no other member" for name in emptied]
        return changes, tuple(notes)


# -- domains ------------------------------------------------------------------------------------------------------------


async def _add_domain(command: a.AddDomain, register: _Register) -> Outcome:
    domain = admission.prepare_domain(command.domain)
    if domain in await register.domains():
        raise Refusal(Condition.CONFLICT, f"domain {domain} is served already")
    await register.accounts.add_domain(domain)
    return Outcome(a.Done(f"domain {domain} added"), opened=(domain,))


async def _remove_domain(command: a.RemoveDomain, register: _Register) -> Outcome:
    domain = admission.prepare_domain(command.domain)
    if domain in register.configured:
        raise Refusal(Condition.NOT_ALLOWED, f"domain {domain} is in the configuration file; take it out there first")
    if domain not in await register.accounts.domains():
        raise Refusal(Condition.ITEM_NOT_FOUND, f"there is no domain {domain}")
    contacts = await register.contacts(domain)
    if contacts:
        raise Refusal(
            Condition.NOT_ALLOWED, f"domain {domain} still has {len(contacts)} members and aliases; remove them first"
        )
    await register.accounts.remove_domain(domain)
    return Outcome(a.Done(f"domain {domain} removed"), closed=(domain,))


async def _list_domains(_: a.ListDomains, register: _Register) -> Outcome:
    return Outcome(a.DomainsListed(tuple(sorted(await register.domains()))))


# -- members ------------------------------------------------------------------------------------------------------------


async def _add_user(command: a.AddUser, register: _Register) -> Outcome:
    contact = admission.check_user(command.user, await register.domains())
    await register.check_new(contact.address)
    changes = await register.put([contact], _verifiers({contact.address: command.user.verifiers}))
    return Outcome(a.Done(f"user {contact.address} added"), tuple(changes))


async def _change_user(command: a.ChangeUser, register: _Register) -> Outcome:
    contact = await register.find(command.address, ContactKind.MEMBER)
    texts = {"name": command.name, "title": command.title, "department": command.department, "phone": command.phone}
    checked = {
        field: admission.check_text(contact.address, field, text) for field, text in texts.items() if text is not None
    }
    changes = await register.accounts.put([msgspec.structs.replace(contact, **checked)])
    return Outcome(a.Done(f"user {contact.address} changed"), tuple(changes))


async def _remove_user(command: a.RemoveUser, register: _Register) -> Outcome:
    contact = await register.find(command.address, ContactKind.MEMBER)
    changes, notes = await register.remove(contact.address)
    return Outcome(a.Done(f"user {contact.address} removed", notes), tuple(changes), departed=contact.address)


async def _set_password(command: a.SetPassword, register: _Register) -> Outcome:
    contact = await register.find(command.address, ContactKind.MEMBER)
    if not command.verifiers:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"{contact.address}: the password is empty")
    await register.accounts.set_verifiers(contact.address, command.verifiers)
    return Outcome(a.Done(f"password of {contact.address} set"))


async def _import_users(command: a.ImportUsers, register: _Register) -> Outcome:
    if len(command.users) > a.IMPORT_USERS:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"more than {a.IMPORT_USERS} users; import them in parts")
    domains = await register.domains()
    taken = {contact.address: contact for domain in domains for contact in await register.contacts(domain)}
    # 100,000 rows take a second: in a thread, so that those who chat do not wait for it.
    departing = frozenset(await register.accounts.departing())
    contacts, faults = await trio.to_thread.run_sync(admission.check_import, command.users, domains, taken, departing)
    if faults:
        return Outcome(
            a.Refused(f"{len(faults)} of {len(command.users)} rows are faulty", tuple(faults[: a.FAULTS_SHOWN]))
        )
    if command.is_rehearsal:
        return Outcome(a.Done(f"{len(contacts)} users can be imported"))
    verifiers = {contact.address: user.verifiers for contact, user in zip(contacts, command.users, strict=True)}
    changes = await register.put(contacts, _verifiers(verifiers))
    return Outcome(a.Done(f"{len(contacts)} users imported"), tuple(changes))


async def _list_users(command: a.ListUsers, register: _Register) -> Outcome:
    return await _list(command.domain, register, ContactKind.MEMBER)


# -- aliases ------------------------------------------------------------------------------------------------------------


async def _add_alias(command: a.AddAlias, register: _Register) -> Outcome:
    domains = await register.domains()
    address = admission.prepare_address(command.address, domains)
    await register.check_new(address)
    contacts = await register.contacts(_domain(address))
    members = admission.check_alias(address, command.members, domains, contacts)
    name = admission.check_text(address, "name", command.name)
    made = Contact(address=address, kind=ContactKind.ALIAS, name=name, members=members)
    changes = await register.put([made], {})
    return Outcome(a.Done(f"alias {address} added"), tuple(changes))


async def _change_alias(command: a.ChangeAlias, register: _Register) -> Outcome:
    contact = await register.find(command.address, ContactKind.ALIAS)
    address, members, name = contact.address, contact.members, contact.name
    if command.members is not None:
        contacts = await register.contacts(_domain(address))
        members = admission.check_alias(address, command.members, await register.domains(), contacts)
    if command.name is not None:
        name = admission.check_text(address, "name", command.name)
    changes = await register.accounts.put([msgspec.structs.replace(contact, members=members, name=name)])
    return Outcome(a.Done(f"alias {address} changed"), tuple(changes))


async def _remove_alias(command: a.RemoveAlias, register: _Register) -> Outcome:
    contact = await register.find(command.address, ContactKind.ALIAS)
    changes, notes = await register.remove(contact.address)
    return Outcome(a.Done(f"alias {contact.address} removed", notes), tuple(changes))


async def _list_aliases(command: a.ListAliases, register: _Register) -> Outcome:
    return await _list(command.domain, register, ContactKind.ALIAS)


# -- all ----------------------------------------------------------------------------------------------------------------


async def _find_contact(command: a.FindContact, register: _Register) -> Outcome:
    address = admission.prepare_address(command.address, await register.domains())
    found = await register.accounts.find(address)
    if found is None:
        raise Refusal(Condition.ITEM_NOT_FOUND, f"there is no member or alias {address}")
    return Outcome(a.ContactsListed((found,)))


async def _check_accounts(_: a.CheckAccounts, register: _Register) -> Outcome:
    problems = list(await register.accounts.problems())
    for domain in sorted(await register.domains()):
        problems += await trio.to_thread.run_sync(admission.alias_problems, await register.contacts(domain))
    return Outcome(a.Inspected(tuple(dict.fromkeys(problems))))


async def _list(typed: str, register: _Register, kind: ContactKind) -> Outcome:
    domains = sorted(await register.domains())
    if typed:
        domain = admission.prepare_domain(typed)
        if domain not in domains:
            raise Refusal(Condition.ITEM_NOT_FOUND, f"there is no domain {domain}")
        domains = [domain]
    listed: list[Contact] = []
    for domain in domains:
        entries = [contact for contact in await register.contacts(domain) if contact.kind is kind]
        listed += sorted(entries, key=lambda contact: contact.address)
    return Outcome(a.ContactsListed(tuple(listed)))


def _verifiers(given: Mapping[str, a.Verifiers]) -> dict[str, a.Verifiers]:
    """Only those who have a password."""
    return {address: verifiers for address, verifiers in given.items() if verifiers}


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


_HANDLERS: Final[Mapping[type, Callable[[Any, _Register], Awaitable[Outcome]]]] = {
    a.AddDomain: _add_domain,
    a.RemoveDomain: _remove_domain,
    a.ListDomains: _list_domains,
    a.AddUser: _add_user,
    a.ChangeUser: _change_user,
    a.RemoveUser: _remove_user,
    a.SetPassword: _set_password,
    a.ListUsers: _list_users,
    a.ImportUsers: _import_users,
    a.AddAlias: _add_alias,
    a.ChangeAlias: _change_alias,
    a.RemoveAlias: _remove_alias,
    a.ListAliases: _list_aliases,
    a.FindContact: _find_contact,
    a.CheckAccounts: _check_accounts,
}
