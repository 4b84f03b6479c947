"""What must hold in the accounts' database, as questions that list the rows where it does not (``rookery verify``)."""

import sqlite3
from typing import Final

PROBLEMS_LISTED: Final = 1_000
"""Of each kind."""

_CHECKS: Final = (
    (
        "contact {0} is in no domain that is served",
        "SELECT address FROM contact LEFT JOIN domain ON domain.id = contact.domain WHERE domain.id IS NULL",
    ),
    (
        "contact {0} is kept under the domain {1}",
        """
        SELECT address, domain.name FROM contact JOIN domain ON domain.id = contact.domain
        WHERE address NOT LIKE '%@%' OR substr(address, instr(address, '@') + 1) <> domain.name
        """,
    ),
    (
        "{0}: version {1} is newer than that of its domain, {2}",
        """
        SELECT address, changed, version FROM contact JOIN domain ON domain.id = contact.domain WHERE changed > version
        UNION ALL SELECT address, changed, version FROM removed_contact
        JOIN domain ON domain.id = removed_contact.domain WHERE changed > version
        """,
    ),
    (
        "{0}: version {1} was given to another contact of its domain too",
        """
        SELECT max(address), changed FROM (
            SELECT address, domain, changed FROM contact UNION ALL SELECT address, domain, changed FROM removed_contact
        ) GROUP BY domain, changed HAVING count(*) > 1
        """,
    ),
    (
        "removed contact {0} is there",
        "SELECT address FROM removed_contact JOIN contact USING (address)",
    ),
    (
        "removed contact {0} is in no domain that is served",
        "SELECT address FROM removed_contact LEFT JOIN domain ON domain.id = removed_contact.domain WHERE domain.id IS NULL",
    ),
    (
        "contact {0} has members that are no list: {1}",
        "SELECT address, members FROM contact WHERE NOT json_valid(members) OR json_type(members) <> 'array'",
    ),
    (
        "alias {0} names {1}, which is neither member nor alias of its domain",
        """
        SELECT alias.address, named.value FROM contact AS alias, json_each(alias.members) AS named
        LEFT JOIN contact AS member ON member.address = named.value AND member.domain = alias.domain
        WHERE alias.kind = 'alias' AND json_valid(alias.members) AND member.address IS NULL
        """,
    ),
    (
        "verifier {1} of {0}: there is no such member",
        """
        SELECT address, hash_name FROM verifier WHERE address NOT IN (SELECT address FROM contact WHERE kind = 'member')
        """,
    ),
    (
        "verifier {1} of {0} has keys of another length than the hash",
        """
        SELECT address, hash_name FROM verifier
        WHERE length(stored_key) <> length(server_key)
           OR length(stored_key) <> CASE hash_name WHEN 'sha-1' THEN 20 WHEN 'sha-256' THEN 32 ELSE length(stored_key) END
        """,
    ),
    (
        "personal contact {1} of {0}: there is no such owner",
        "SELECT owner, address FROM personal WHERE owner NOT IN (SELECT address FROM contact WHERE kind = 'member')",
    ),
    (
        "blocked address {1} of {0}: there is no such owner",
        "SELECT owner, address FROM blocked WHERE owner NOT IN (SELECT address FROM contact WHERE kind = 'member')",
    ),
    (
        "photo of {0}: there is no such member",
        "SELECT address FROM photo WHERE address NOT IN (SELECT address FROM contact WHERE kind = 'member')",
    ),
)


def problems(connection: sqlite3.Connection) -> list[str]:
    """SQLite's own check and ours; one line for each fault."""
    file = "accounts.sqlite"
    found = [f"{file}: {line}" for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
    for text, sql in _CHECKS:
        rows = connection.execute(f"SELECT * FROM ({sql}) LIMIT {PROBLEMS_LISTED:d}")  # noqa: S608
        found += [f"{file}: {text.format(*row)}" for row in rows]
    return found
