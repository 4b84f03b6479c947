"""What must hold in the archive, as questions that list the rows where it does not (``rookery verify``); and the checksums."""

import sqlite3
from itertools import islice
from typing import Final

from index import clients, files
from index.chat_rows import CHAT_COLUMNS, WITH_ADDRESSES, is_damaged

PROBLEMS_LISTED: Final = 1_000
"""Of each kind; whoever has more needs the count no more than the rows."""

_CHECKS: Final = (
    (
        "message {0} has no {1} {2} in the table of addresses",
        """
        SELECT message.id, kind, number FROM (
            SELECT id, 'sender' AS kind, sender AS number FROM message
            UNION ALL SELECT id, 'target', target FROM message
            UNION ALL SELECT id, 'alias', via FROM message WHERE via IS NOT NULL
        ) AS message LEFT JOIN address ON address.id = number WHERE address.id IS NULL
        """,
    ),
    (
        "message {0} has no sent entry of its sender {1}",
        """
        SELECT message.id, ifnull(jid, 'number ' || sender) FROM message LEFT JOIN address ON address.id = sender
        LEFT JOIN entry ON entry.owner = sender AND entry.id = message.id AND role = 1
        LEFT JOIN departure ON departure.owner = sender
        WHERE entry.id IS NULL AND message.id > ifnull(departure.id, 0)
        """,
    ),
    (
        "message {0} is in nobody's history",
        "SELECT message.id FROM message LEFT JOIN entry ON entry.id = message.id WHERE entry.id IS NULL",
    ),
    (
        "entry of {0} for message {1}: there is no such message",
        """
        SELECT ifnull(jid, 'number ' || owner), entry.id FROM entry
        LEFT JOIN address ON address.id = owner LEFT JOIN message ON message.id = entry.id WHERE message.id IS NULL
        """,
    ),
    (
        "entry of number {0} for message {1}: owner or peer {2} is not in the table of addresses",
        """
        SELECT owner, entry.id, peer FROM entry
        LEFT JOIN address AS a ON a.id = owner LEFT JOIN address AS b ON b.id = peer WHERE a.id IS NULL OR b.id IS NULL
        """,
    ),
    (
        "entry of {0} for message {1}: role {2} with peer {3} does not fit the message",
        """
        SELECT a.jid, entry.id, role, b.jid FROM entry JOIN message ON message.id = entry.id
        JOIN address AS a ON a.id = owner JOIN address AS b ON b.id = peer
        WHERE CASE role
            WHEN 1 THEN owner <> sender OR peer <> ifnull(via, target)
            WHEN 2 THEN owner = sender OR peer <> sender
            ELSE true
        END
        """,
    ),
    (
        "absence of {0} from message {1}: there is no such message",
        """
        SELECT ifnull(jid, 'number ' || owner), absence.id FROM absence
        LEFT JOIN address ON address.id = owner LEFT JOIN message ON message.id = absence.id WHERE message.id IS NULL
        """,
    ),
    (
        "absence of number {0} from message {1}: not an address, or somebody who has the message",
        """
        SELECT absence.owner, absence.id FROM absence LEFT JOIN address ON address.id = absence.owner
        WHERE address.id IS NULL OR EXISTS (
            SELECT 1 FROM entry WHERE entry.owner = absence.owner AND entry.id = absence.id
        )
        """,
    ),
    (
        "reading of number {0} with number {1}: one is not that of an address",
        """
        SELECT owner, peer FROM reading
        LEFT JOIN address AS a ON a.id = owner LEFT JOIN address AS b ON b.id = peer WHERE a.id IS NULL OR b.id IS NULL
        """,
    ),
    *clients.CHECKS,
    *files.CHECKS,
)


def problems(connection: sqlite3.Connection) -> list[str]:
    """One line for each fault, naming the row."""
    file = "archive.sqlite"
    found = [f"{file}: {line}" for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
    for text, sql in _CHECKS:
        rows = connection.execute(f"{sql} LIMIT {PROBLEMS_LISTED:d}")
        found += [f"{file}: {text.format(*row)}" for row in rows]
    rows = connection.execute(f"SELECT {CHAT_COLUMNS} FROM message {WITH_ADDRESSES}")  # noqa: S608
    damaged = (row[0] for row in rows if is_damaged(row))
    found += [f"{file}: message {i} is damaged: it does not fit its checksum" for i in islice(damaged, PROBLEMS_LISTED)]
    return found
