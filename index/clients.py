"""Clients in the archive's file: how far each has been given its history, and which sessions can be resumed.

Written in the same transactions as the chats (`index.archive`), so what a client is told of them survives a kill together
with them. A session's count of done stanzas is raised by the commit of each of its chats; the rest of its state is written as a
whole.

**Limits**: an account has `CLIENTS_PER_ACCOUNT`; beyond, the one that is furthest behind is forgotten, and is new when it comes
again.
"""

import sqlite3
from collections.abc import Mapping
from itertools import chain
from typing import Final

import msgspec

from engine.jid import Jid
from engine.messages import SessionState
from engine.ports import Cursor, KeptSession, Notes
from index.database import in_chunks, insert, placeholders

CLIENTS_PER_ACCOUNT: Final = 64
"""A person has some five programs on some three devices; resources that are new at each login would go on for ever."""

_CURSOR_NEVER_MOVES_BACK: Final = (
    "ON CONFLICT (owner, family) DO UPDATE"
    " SET delivered = max(delivered, excluded.delivered), fetches = max(fetches, excluded.fetches)"
)
_SESSION_COLUMNS: Final = "session (token, owner, resource, kept, handled, state)"
_SESSION_AGAIN: Final = (
    "ON CONFLICT (token) DO UPDATE"
    " SET kept = excluded.kept, handled = max(handled, excluded.handled), state = excluded.state"
)
_FORGET_STALEST: Final = """
    DELETE FROM client WHERE (owner, family) IN (
        SELECT owner, family FROM client WHERE owner = ?
        ORDER BY delivered DESC, family LIMIT -1 OFFSET ?
    )
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SessionState).decode


def addresses(notes: Notes) -> set[str]:
    """The bare addresses that the notes are about."""
    return {owner for owner, _ in notes.cursors} | {kept.session.bare for kept in notes.sessions.values()}


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
    if notes.sessions:
        rows = [
            (token, number[kept.session.bare], kept.session.resource, now, kept.done, _encode(kept.state))
            for token, kept in notes.sessions.items()
        ]
        insert(connection, _SESSION_COLUMNS, rows, _SESSION_AGAIN)
    for chunk in in_chunks(list(notes.done.items())):
        values = placeholders(len(chunk), 2)
        sql = (
            f"WITH done (token, handled) AS (VALUES {values})"  # noqa: S608 -- question marks
            " UPDATE session SET handled = max(session.handled, done.handled) FROM done WHERE session.token = done.token"
        )
        connection.execute(sql, tuple(chain.from_iterable(chunk)))
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


def read_session(connection: sqlite3.Connection, token: str) -> KeptSession | None:
    """See `engine.ports.Archive.kept_session`."""
    row = connection.execute(
        "SELECT jid, resource, handled, state FROM session JOIN address ON address.id = owner WHERE token = ?", (token,)
    ).fetchone()
    return None if row is None else KeptSession(Jid(row[0], row[1]), row[2], _decode(row[3]))


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
    (
        "session of number {0} is not that of an address",
        "SELECT owner FROM session LEFT JOIN address ON address.id = owner WHERE address.id IS NULL",
    ),
)
"""What `rookery verify` asks of these tables: the text of a fault, and its query."""
