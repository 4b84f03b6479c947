"""What members keep, as rows that go with them: of the accounts' database, for `index.accounts`.

A member replaced by an alias has gone. Who is nobody's member cannot keep anything: `LookupError`.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from engine.limits import LOGINS
from engine.ports import Login, Verifier
from index.statements import in_chunks, insert, placeholders

Verifiers = Mapping[str, Verifier]
"""Hash name -> verifier."""

_TABLES: Final = (
    ("verifier", "address"),
    ("personal", "owner"),
    ("photo", "address"),
    ("blocked", "owner"),
    ("login", "owner"),
)
"""Each table with the column that says whose a row is; when a contact's row goes, the database itself takes them along."""


def delete(connection: sqlite3.Connection, table: str, column: str, keys: Sequence[str]) -> None:
    """Remove the rows with these keys."""
    for chunk in in_chunks(keys):
        connection.execute(
            f"DELETE FROM {table} WHERE {column} IN (VALUES {placeholders(len(chunk), 1)})",  # noqa: S608
            chunk,
        )


def forget_kept(connection: sqlite3.Connection, addresses: Sequence[str]) -> None:
    """Remove whatever these kept."""
    for table, column in _TABLES:
        delete(connection, table, column, addresses)


def put_verifiers(connection: sqlite3.Connection, verifiers: Mapping[str, Verifiers]) -> None:
    """New passwords; the verifiers of all hashes are replaced, and who is logged in by the old one is so no more."""
    require_members(connection, list(verifiers))
    delete(connection, "verifier", "address", list(verifiers))
    delete(connection, "login", "owner", list(verifiers))
    rows = [
        (address, hash_name, v.salt, v.iterations, v.stored_key, v.server_key)
        for address, of_one in verifiers.items()
        for hash_name, v in of_one.items()
    ]
    insert(connection, "verifier (address, hash_name, salt, iterations, stored_key, server_key)", rows)


def add_login(connection: sqlite3.Connection, login: Login, keep_since: int) -> None:
    """One more browser of a member."""
    require_member(connection, login.owner)
    insert(connection, "login (key, owner, made_at)", [(login.key, login.owner, login.made_at)])
    connection.execute("DELETE FROM login WHERE owner = ? AND made_at < ?", (login.owner, keep_since))
    connection.execute(
        """
        DELETE FROM login WHERE key IN (
            SELECT key FROM login WHERE owner = ? ORDER BY made_at DESC, key = ? DESC LIMIT -1 OFFSET ?
        )
        """,
        (login.owner, login.key, LOGINS),
    )


def use_token(connection: sqlite3.Connection, name: str, until: int, now: int) -> bool:
    """See `engine.ports.Accounts.use_token`."""
    connection.execute("DELETE FROM used_token WHERE until < ?", (now,))
    return insert(connection, "used_token (name, until)", [(name, until)], "ON CONFLICT DO NOTHING") == 1


def personal_owners(connection: sqlite3.Connection) -> set[str]:
    """Who set something for a contact; what each of them set is passed over."""
    sql = """
        WITH RECURSIVE found (owner) AS (
            SELECT min(owner) FROM personal
            UNION ALL
            SELECT (SELECT min(owner) FROM personal WHERE owner > found.owner) FROM found WHERE found.owner IS NOT NULL
        )
        SELECT owner FROM found WHERE owner IS NOT NULL
    """
    return {owner for (owner,) in connection.execute(sql)}


def block_lists(connection: sqlite3.Connection, domain: str) -> dict[str, frozenset[str]]:
    """Of each member of a domain who blocks somebody, the addresses."""
    # CROSS JOIN keeps this order: the few who block are looked at, not every member.
    sql = """
        SELECT owner, blocked.address FROM blocked
        CROSS JOIN contact ON contact.address = owner CROSS JOIN domain ON domain.id = contact.domain
        WHERE domain.name = ?
    """
    found: dict[str, list[str]] = {}
    for owner, address in connection.execute(sql, (domain,)):
        found.setdefault(owner, []).append(address)
    return {owner: frozenset(addresses) for owner, addresses in found.items()}


def blocked(connection: sqlite3.Connection, owner: str) -> frozenset[str]:
    """Whom a member blocks."""
    return frozenset(a for (a,) in connection.execute("SELECT address FROM blocked WHERE owner = ?", (owner,)))


def set_blocked(connection: sqlite3.Connection, owner: str, addresses: Collection[str]) -> None:
    """Replace a member's block list."""
    require_member(connection, owner)
    connection.execute("DELETE FROM blocked WHERE owner = ?", (owner,))
    insert(connection, "blocked (owner, address)", [(owner, address) for address in sorted(set(addresses))])


def require_member(connection: sqlite3.Connection, address: str) -> None:
    """Raises `LookupError` if there is no such member."""
    require_members(connection, [address])


def require_members(connection: sqlite3.Connection, addresses: Sequence[str]) -> None:
    """Raises `LookupError` if one of these is no member."""
    for chunk in in_chunks(addresses):
        sql = (
            "SELECT address FROM contact WHERE kind = 'member'"  # noqa: S608
            f" AND address IN (VALUES {placeholders(len(chunk), 1)})"
        )
        known = {address for (address,) in connection.execute(sql, chunk)}
        for address in chunk:
            if address not in known:
                raise LookupError(f"there is no member {address}")
