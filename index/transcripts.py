"""Whole histories, page by page, for an operator who takes them away.

The history of a member is what is in his conversations; that of an alias is what was sent to it. A page is one query
(`PAGE_MESSAGES`, `PAGE_CHARACTERS`), so memory and transactions are bounded however long the history is. What is said after the
beginning is not in it; what is removed meanwhile may be missing.

An alias has no entries of its own and there is no index for it: all messages are passed over, see `Onlooker.spans`.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from engine.messages import Chat
from index.chat_rows import CHAT_COLUMNS, WITH_ADDRESSES, WITH_CHATS, chat_of
from index.ledger import Role
from index.onlooker import Onlooker

PAGE_MESSAGES: Final = 500
PAGE_CHARACTERS: Final = 4 * 1024 * 1024


class Excerpt(msgspec.Struct, frozen=True):
    """Which part of whose history.

    Attributes:
        owner: a member, or an alias.
        is_alias: it is an alias.
        peer: only the conversation with this person or alias; of an alias, only what this person sent. Empty: everything.
        start: the earliest time, microseconds since 1970, inclusive.
        end: the latest time, inclusive; None: now.
    """

    owner: str
    is_alias: bool = False
    peer: str = ""
    start: int = 0
    end: int | None = None


class Line(msgspec.Struct, frozen=True):
    """One message of a transcript. `peer`: with whom the owner had this conversation; `is_sent`: by the owner."""

    chat: Chat
    peer: str
    is_sent: bool


def read(onlooker: Onlooker, excerpt: Excerpt) -> Iterator[Line]:
    """The messages, oldest first."""
    newest = onlooker.newest()
    numbers: dict[str, int] = dict(onlooker.fetch(_NUMBERS, {"owner": excerpt.owner, "peer": excerpt.peer}))
    if excerpt.owner not in numbers or (excerpt.peer and excerpt.peer not in numbers):
        return
    end = newest if excerpt.end is None else min(newest, excerpt.end)
    values = {"owner": numbers[excerpt.owner], "peer": numbers.get(excerpt.peer), "end": end}
    pages = _scan if excerpt.is_alias else _page
    for row in pages(onlooker, values, excerpt.start - 1):
        peer, role, *chat = row
        yield Line(chat_of(chat), peer, role == Role.SENT)


def _page(onlooker: Onlooker, values: dict[str, Any], after: int) -> Iterator[Any]:
    """What a member sent and received after an id."""
    sql = _OF_MEMBER if values["peer"] is None else _OF_CONVERSATION
    while True:
        rows = onlooker.fetch_some(sql, values | {"after": after}, characters=PAGE_CHARACTERS)
        if not rows:
            return
        yield from rows
        after = rows[-1][2]


def _scan(onlooker: Onlooker, values: dict[str, Any], after: int) -> Iterator[Any]:
    """What was sent to an alias after an id."""
    for first, last in onlooker.spans(after, values["end"]):
        within = first
        while rows := onlooker.fetch_some(
            _OF_ALIAS, values | {"after": within, "last": last}, characters=PAGE_CHARACTERS
        ):
            yield from rows
            within = rows[-1][2]


_NUMBERS: Final = "SELECT jid, id FROM address WHERE jid IN (:owner, :peer)"
_OF_MEMBER: Final = f"""
    SELECT peer.jid, role, {CHAT_COLUMNS}
    FROM entry CROSS JOIN address AS peer ON peer.id = entry.peer {WITH_CHATS}
    WHERE entry.owner = :owner AND entry.id > :after AND entry.id <= :end
    ORDER BY entry.id LIMIT {PAGE_MESSAGES:d}
"""  # noqa: S608
_OF_CONVERSATION: Final = _OF_MEMBER.replace(
    "entry.owner = :owner AND", "entry.owner = :owner AND entry.peer = :peer AND"
)
_OF_ALIAS: Final = f"""
    SELECT sender.jid, 0, {CHAT_COLUMNS}
    FROM message {WITH_ADDRESSES}
    WHERE message.via = :owner AND (:peer IS NULL OR message.sender = :peer) AND message.id > :after AND message.id <= :last
    ORDER BY message.id LIMIT {PAGE_MESSAGES:d}
"""  # noqa: S608
