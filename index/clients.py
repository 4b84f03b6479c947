"""Clients in the archive's file: how far each has been given its history, and how far what it sent is done.

Written in the same transactions as the chats (`index.archive`): the count of a session's done stanzas that goes with a chat is
on disk if and only if the chat is.

**Limits**: an account has `CLIENTS_PER_ACCOUNT`; beyond, the one that is furthest behind is forgotten, and is new when it comes
again.
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

from engine.ports import Cursor, Notes
from index.statements import insert

CLIENTS_PER_ACCOUNT: Final = 64
"""A person has some five programs on some three devices; resources that are new at each login would go on for ever."""

_CURSOR_NEVER_MOVES_BACK: Final = (
    "ON CONFLICT (owner, family) DO UPDATE"
    " SET delivered = max(delivered, excluded.delivered), fetches = max(fetches, excluded.fetches)"
)
_DONE_NEVER_MOVES_BACK: Final = (
    "ON CONFLICT (token) DO UPDATE SET kept = excluded.kept, handled = max(handled, excluded.handled)"
)
_FORGET_STALEST: Final = """
    DELETE FROM client WHERE (owner, family) IN (
        SELECT owner, family FROM client WHERE owner = ?
        ORDER BY delivered DESC, family LIMIT -1 OFFSET ?
    )
"""


def addresses(notes: Notes) -> set[str]:
    """The bare addresses that the notes are about."""
    return {owner for owner, _ in notes.cursors}


def write(connection: sqlite3.Connection, notes: Notes, number: Mapping[str, int], now: int) -> None:
    """Everything of the notes, inside a transaction.

    Args:
        connection: in a transaction.
        notes: to be written.
        number: of each of their addresses.
        now: microseconds since 1970.
    """
    if notes.cursors:
        _write_cursors(connection, notes.cursors, number)
    rows = [(token, now, done) for token, done in notes.done.items()]
    insert(connection, "session (token, kept, handled)", rows, _DONE_NEVER_MOVES_BACK)
    for token in notes.forgotten:
        connection.execute("DELETE FROM session WHERE token = ?", (token,))


def _write_cursors(
    connection: sqlite3.Connection, cursors: Mapping[tuple[str, str], Cursor], number: Mapping[str, int]
) -> None:
    rows = [
        (number[owner], family, cursor.since, cursor.delivered, int(cursor.fetches))
        for (owner, family), cursor in cursors.items()
    ]
    insert(connection, "client (owner, family, since, delivered, fetches)", rows, _CURSOR_NEVER_MOVES_BACK)
    for owner in {row[0] for row in rows if row[2] == row[3]}:  # it may be new: a client begins where it is
        connection.execute(_FORGET_STALEST, (owner, CLIENTS_PER_ACCOUNT))


def read_cursor(connection: sqlite3.Connection, owner: str, family: str) -> tuple[Cursor | None, int]:
    """See `engine.ports.Archive.cursor`."""
    row = connection.execute(
        "SELECT since, delivered, fetches FROM client"
        " WHERE owner = (SELECT id FROM address WHERE jid = ?) AND family = ?",
        (owner, family),
    ).fetchone()
    (newest,) = connection.execute(
        "SELECT ifnull(max(delivered), 0) FROM client WHERE owner = (SELECT id FROM address WHERE jid = ?)", (owner,)
    ).fetchone()
    return (Cursor(row[0], row[1], bool(row[2])) if row else None), newest


def read_done(connection: sqlite3.Connection, token: str) -> int:
    """See `engine.ports.Archive.stanzas_done`."""
    row = connection.execute("SELECT handled FROM session WHERE token = ?", (token,)).fetchone()
    return row[0] if row else 0


def forget_sessions(connection: sqlite3.Connection, before: int) -> None:
    """Drop what was kept the last time before this (microseconds since 1970)."""
    connection.execute("DELETE FROM session WHERE kept < ?", (before,))


CHECKS: Final = (
    (
        "client {1} of number {0} is not that of an address",
        "SELECT owner, family FROM client LEFT JOIN address ON address.id = owner WHERE address.id IS NULL",
    ),
    (
        "client {1} of {0} has got up to {3}, but began at {2}",
        "SELECT jid, family, since, delivered FROM client JOIN address ON address.id = owner WHERE delivered < since",
    ),
)
"""What `rookery verify` asks of these tables: the text of a fault, and its query."""
