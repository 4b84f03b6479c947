"""Who and what is let in: the rules behind the commands of `engine.administration`.

Plain functions over values. They take addresses as they were typed and return prepared ones; a refusal is one line that names
the address and says why.
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from engine import alias
from engine.administration import Fault, NewUser
from engine.contacts import Contact, ContactKind
from engine.errors import Condition, Refusal
from engine.jid import Jid, JidError
from engine.limits import NAME_CHARACTERS

_ARTICLES: Final = {ContactKind.MEMBER: "a member", ContactKind.ALIAS: "an alias"}


def prepare_domain(text: str) -> str:
    """A domain as it was typed, prepared.

    Raises:
        Refusal: it is none.
    """
    jid = _parse(text, "domain")
    if jid.local or jid.resource or not _is_host_name(jid.bare):
        raise Refusal(Condition.JID_MALFORMED, f"{_shown(text)}: not a domain")
    return jid.bare


def prepare_address(text: str, domains: Collection[str]) -> str:
    """The address of a member or alias as it was typed, prepared.

    Raises:
        Refusal: it is none, or its domain is not one of `domains`.
    """
    jid = _parse(text, "address")
    if not jid.local or jid.resource:
        raise Refusal(Condition.JID_MALFORMED, f"{_shown(text)}: not an address of the form name@domain")
    if jid.domain not in domains:
        raise Refusal(Condition.ITEM_NOT_FOUND, f"{jid.bare}: the domain {jid.domain} is not served here")
    return jid.bare


def check_text(address: str, field: str, text: str) -> str:
    """A name, title, department or phone, without space around it.

    Raises:
        Refusal: too long, or with characters that no screen or stanza can show.
    """
    stripped = text.strip()
    if len(stripped) > NAME_CHARACTERS:
        raise Refusal(
            Condition.NOT_ACCEPTABLE,
            f"{address}: {field} is longer than {NAME_CHARACTERS} characters",
        )
    for character in "" if stripped.isprintable() else stripped:
        # Controls, line and paragraph separators, lone surrogates and what is no character at all (U+FFFE).
        if unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"} or ord(character) & 0xFFFE == 0xFFFE:
            raise Refusal(
                Condition.NOT_ACCEPTABLE, f"{address}: {field} has a control character (U+{ord(character):04X})"
            )
    return stripped


def check_user(user: NewUser, domains: Collection[str]) -> Contact:
    """The contact that a new member becomes.

    Raises:
        Refusal: the address or one of the texts cannot be.
    """
    address = prepare_address(user.address, domains)
    return Contact(
        address=address,
        name=check_text(address, "name", user.name),
        title=check_text(address, "title", user.title),
        department=check_text(address, "department", user.department),
        phone=check_text(address, "phone", user.phone),
    )


def check_new(address: str, existing: Contact | None, departing: Collection[str] = ()) -> None:
    """Whether the address is free.

    Raises:
        Refusal: a member or an alias has it, or it is one of those whose history is not gone yet.
    """
    if existing is not None:
        raise Refusal(Condition.CONFLICT, f"{address} exists already, as {_ARTICLES[existing.kind]}")
    if address in departing:
        raise Refusal(
            Condition.CONFLICT, f"{address} was removed, and its history is still being removed; try again in a moment"
        )


def check_kind(address: str, existing: Contact | None, kind: ContactKind) -> Contact:
    """The member or alias at this address.

    Raises:
        Refusal: there is none, or it is the other.
    """
    if existing is None:
        raise Refusal(Condition.ITEM_NOT_FOUND, f"there is no {kind} {address}")
    if existing.kind is not kind:
        raise Refusal(Condition.CONFLICT, f"{address} is {_ARTICLES[existing.kind]}, not {_ARTICLES[kind]}")
    return existing


def check_import(
    users: Sequence[NewUser], domains: Collection[str], taken: Mapping[str, Contact], departing: Collection[str] = ()
) -> tuple[list[Contact], list[Fault]]:
    """The contacts that these rows become, and what is wrong with which row.

    Args:
        users: the rows.
        domains: all that are served.
        taken: members and aliases that exist, at least those at the addresses of these rows.
        departing: addresses of removed members whose history is not gone yet.
    """
    contacts: dict[str, Contact] = {}
    faults: list[Fault] = []
    for row, user in enumerate(users):
        try:
            contact = check_user(user, domains)
            check_new(contact.address, taken.get(contact.address), departing)
        except Refusal as refusal:
            faults.append(Fault(row, refusal.text))
        else:
            if contact.address in contacts:
                faults.append(Fault(row, f"{contact.address} is there twice"))
            contacts[contact.address] = contact
    return list(contacts.values()), faults


def check_alias(
    address: str, members: Iterable[str], domains: Collection[str], contacts: Iterable[Contact]
) -> tuple[str, ...]:
    """The members that an alias may have, prepared, each once.

    Args:
        address: of the alias, prepared.
        members: as they were typed.
        domains: all that are served.
        contacts: the whole directory of the alias's domain.

    Raises:
        Refusal: see `engine.alias.check`.
    """
    prepared = tuple(dict.fromkeys(prepare_address(member, domains) for member in members))
    entries = list(contacts)
    people = {contact.address for contact in entries if not contact.is_alias}
    alias.check(
        address, prepared, people, {contact.address: contact.members for contact in entries if contact.is_alias}
    )
    return prepared


def alias_problems(contacts: Iterable[Contact]) -> list[str]:
    """What is wrong with the aliases of one domain as they are kept: one line for each fault."""
    entries = list(contacts)
    people = {contact.address for contact in entries if not contact.is_alias}
    aliases = {contact.address: contact.members for contact in entries if contact.is_alias}
    problems = []
    for address, members in aliases.items():
        try:
            alias.check(address, members, people, aliases)
        except Refusal as refusal:
            problems.append(f"alias {address}: {refusal.text}")
    return problems


def _parse(text: str, what: str) -> Jid:
    try:
        return Jid.parse(text.strip())
    except JidError:
        raise Refusal(Condition.JID_MALFORMED, f"{_shown(text)}: not a valid {what}") from None


def _is_host_name(domain: str) -> bool:
    """Whether a certificate could name it: labels of letters, digits and hyphens, in its ASCII form."""
    try:
        labels = domain.encode("idna").decode("ascii").split(".")
    except UnicodeError:
        return False
    return all(
        label and label.replace("-", "").replace("_", "").isalnum() and not label.startswith("-") for label in labels
    )


def _shown(text: str) -> str:
    """What was typed, fit for one line."""
    shown = repr(text.strip())
    return shown if len(shown) <= 128 else f"{shown[:120]}…'"
