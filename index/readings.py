"""Up to where people have read (table ``reading``): by displayed markers (XEP-0333), and by hand.

A marker names a message as its sender did: by the ``id`` attribute, the origin-id or, if the client knows no better, the
archive's id. Meant is the newest message that the owner received in this conversation, before the marker itself, and that is
called so. Archive ids and origin-ids are found at any depth; the attribute has no index and is looked for among the newest
`LOOKED_AT` entries. A marker for what is not there is passed over (XEP-0333, 5). Nothing ever moves back.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from engine.messages import parse_id

LOOKED_AT: Final = 100
"""Entries of a conversation. Clients that send markers give their messages origin-ids; for the others this is some screens.
Looking at them costs the archive as much as two messages do."""


class Marker(msgspec.Struct, frozen=True):
    """What somebody's client has shown. Addresses by number.

    Attributes:
        id: of the message that carried the marker.
        owner: who has read.
        peer: the conversation.
        mark: what the message that was read is called.
    """

    id: int
    owner: int
    peer: int
    mark: str


def move(connection: sqlite3.Connection, markers: Iterable[Marker]) -> None:
    """Move what these markers say; inside the transaction that writes them."""
    for marker in markers:
        values = {
            "marker": marker.id,
            "owner": marker.owner,
            "peer": marker.peer,
            "mark": marker.mark,
            "id": parse_id(marker.mark),
        }
        connection.execute(_MOVE, values)


def mark(connection: sqlite3.Connection, marks: Sequence[tuple[str, int]]) -> list[bool]:
    """Whoever it is has read up to this message, in the conversation that it belongs to; False: it is not in his history."""

    def mark_one(values: tuple[Any, ...]) -> bool:
        return connection.execute(_MARK, values).rowcount > 0

    return [mark_one(values) for values in marks]


_NEVER_BACK: Final = "ON CONFLICT (owner, peer) DO UPDATE SET id = max(id, excluded.id)"

_MOVE: Final = f"""
    INSERT INTO reading (owner, peer, id)
    SELECT :owner, :peer, id FROM (SELECT max(id) AS id FROM (
        SELECT id FROM message WHERE sender = :peer AND origin_id = :mark AND origin_id <> ''
        UNION ALL SELECT :id
        UNION ALL SELECT id FROM (
            SELECT id FROM entry INDEXED BY entry_by_peer
            WHERE owner = :owner AND peer = :peer AND id < :marker ORDER BY id DESC LIMIT {LOOKED_AT}
        ) AS newest CROSS JOIN message USING (id) WHERE stanza_id = :mark
    ) AS called
    CROSS JOIN entry USING (id)
    WHERE entry.owner = :owner AND entry.peer = :peer AND id < :marker AND (role = 2 OR entry.owner = entry.peer)
    ) WHERE id IS NOT NULL
    {_NEVER_BACK}
"""  # noqa: S608

_MARK: Final = f"""
    INSERT INTO reading (owner, peer, id)
    SELECT owner, peer, id FROM entry
    WHERE owner = (SELECT id FROM address WHERE jid = ?) AND id = ?
        AND id > ifnull((SELECT id FROM departure WHERE departure.owner = entry.owner), 0)
    {_NEVER_BACK}
"""  # noqa: S608
