"""How a contact lies in the accounts: the columns of tables ``contact`` and ``removed_contact``, written and read in one place.

What is a list (an alias's members, the groups of a personal contact) is a JSON text.
"""

import sqlite3
from typing import Any, Final

import msgspec

from engine.contacts import Contact, ContactKind, RemovedContact

CONTACTS: Final = """
    SELECT address, kind, contact.name, title, department, phone, members, changed
    FROM contact JOIN domain ON domain.id = contact.domain
"""
"""For `contact_of`."""

_REMOVED: Final = """
    SELECT address, kind, changed FROM removed_contact JOIN domain ON domain.id = removed_contact.domain
    WHERE domain.name = ? AND changed > ? ORDER BY changed
"""
INTO_CONTACT: Final = "contact (address, domain, kind, name, title, department, phone, members, changed)"
"""For `row_of`."""

OR_REPLACE: Final = """
    ON CONFLICT (address) DO UPDATE SET
        kind = excluded.kind, name = excluded.name, title = excluded.title, department = excluded.department,
        phone = excluded.phone, members = excluded.members, changed = excluded.changed
"""
"""Behind the values."""

KINDS: Final = {kind.value: kind for kind in ContactKind}
texts_of: Final = msgspec.json.Decoder(tuple[str, ...]).decode


def text_of(texts: tuple[str, ...]) -> str:
    """A list as it lies there."""
    return msgspec.json.encode(texts).decode() if texts else "[]"


def row_of(c: Contact, domain: int) -> tuple[Any, ...]:
    """A contact as a row of `INTO_CONTACT`; `domain`: its number."""
    members = text_of(c.members)
    return (c.address, domain, c.kind.value, c.name, c.title, c.department, c.phone, members, c.changed)


def entries(connection: sqlite3.Connection, domain: str, after: int) -> list[Contact | RemovedContact]:
    """The contacts of a domain, and the removed ones that are remembered, that changed after a version."""
    rows = connection.execute(CONTACTS + "WHERE domain.name = ? AND changed > ? ORDER BY changed", (domain, after))
    found: list[Contact | RemovedContact] = [contact_of(row) for row in rows]
    rows = connection.execute(_REMOVED, (domain, after))
    found += [RemovedContact(address=address, kind=KINDS[kind], changed=changed) for address, kind, changed in rows]
    return found


def contact_of(row: Any) -> Contact:
    """A row of `CONTACTS` as a contact."""
    address, kind, name, title, department, phone, members, changed = row
    return Contact(
        address=address,
        kind=KINDS[kind],
        name=name,
        title=title,
        department=department,
        phone=phone,
        members=() if members == "[]" else texts_of(members),
        changed=changed,
    )
