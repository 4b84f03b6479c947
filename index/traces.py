"""What became of one message: in whose histories it is, which clients have got it, who still waits for it.

A message is known by its archive id, by the origin-id that its sender's client gave it (XEP-0359), or by the ``id``
attribute, which need not be unique; all that match are found. Only archive ids have an index of their own, for the others
all messages are passed over (`Onlooker.spans`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from engine.messages import Chat, SessionState, parse_id
from engine.resumption import KeptSession
from index.chat_rows import CHAT_COLUMNS, WITH_ADDRESSES, chat_of
from index.onlooker import Onlooker

TRACES: Final = 100
"""Of one search; whoever asks for ``id='1'`` does not want all of them."""


class Client(msgspec.Struct, frozen=True):
    """A client for which the message was, see `engine.clients`. `is_given`: it has got it."""

    family: str
    is_given: bool


class Session(msgspec.Struct, frozen=True):
    """One of a recipient's sessions that can be resumed (XEP-0198). `is_acknowledged`: it has said that it got the message."""

    resource: str
    is_acknowledged: bool


class Receipt(msgspec.Struct, frozen=True):
    """The message in the history of one recipient."""

    owner: str
    clients: tuple[Client, ...]
    sessions: tuple[Session, ...]

    @property
    def is_waiting(self) -> bool:
        """None of the owner's clients has got it."""
        return not any(client.is_given for client in self.clients)


class Trace(msgspec.Struct, frozen=True):
    """One message.

    Attributes:
        chat: the message.
        has_sender: it is in its sender's history; otherwise he was removed.
        receipts: of those in whose history it is as received.
        absent: members of the alias who were not there while others were.
    """

    chat: Chat
    has_sender: bool
    receipts: tuple[Receipt, ...]
    absent: tuple[str, ...]


def find(onlooker: Onlooker, sessions: Iterable[KeptSession], name: str) -> tuple[list[Trace], bool]:
    """All messages of this name, oldest first; and whether these are all. `sessions`: all that can be resumed."""
    of_owner: dict[str, list[KeptSession]] = {}
    for kept in sorted(sessions, key=lambda kept: kept.session):
        of_owner.setdefault(kept.session.bare, []).append(kept)
    ids = set()
    number = parse_id(name.lower())
    if number is not None:
        ids |= {message_id for (message_id,) in onlooker.fetch(_BY_ID, {"id": number})}
    for after, last in onlooker.spans(0, onlooker.newest()):
        values = {"after": after, "last": last, "name": name}
        ids |= {message_id for (message_id,) in onlooker.fetch(_BY_NAME, values)}
        if len(ids) > TRACES:
            break
    found = [_trace(onlooker, of_owner, message_id) for message_id in sorted(ids)[:TRACES]]
    return [trace for trace in found if trace is not None], len(ids) <= TRACES


def _trace(onlooker: Onlooker, sessions: Mapping[str, Sequence[KeptSession]], message_id: int) -> Trace | None:
    """None: it was removed meanwhile."""
    values = {"id": message_id}
    rows = onlooker.fetch(_MESSAGE, values)
    if not rows:
        return None
    clients: dict[int, list[Client]] = {}
    later: set[tuple[int, str]] = set()  # clients that began behind this message
    for owner, family, since, delivered in onlooker.fetch(_CLIENTS, values):
        if since < message_id:
            clients.setdefault(owner, []).append(Client(family, message_id <= delivered))
        else:
            later.add((owner, family))

    def told(owner: int, jid: str) -> Iterator[Session]:
        for kept in sessions.get(jid, ()):
            if (owner, kept.state.family) not in later:
                yield from _session(kept.session.resource, kept.state, message_id)

    sides = onlooker.fetch(_SIDES, values)
    return Trace(
        chat=chat_of(rows[0]),
        has_sender=any(role == 1 for _, _, role in sides),
        receipts=tuple(
            Receipt(jid, tuple(clients.get(owner, ())), tuple(told(owner, jid)))
            for owner, jid, role in sides
            if role != 1
        ),
        absent=tuple(jid for (jid,) in onlooker.fetch(_ABSENT, values)),
    )


def _session(resource: str, state: SessionState, message_id: int) -> Iterator[Session]:
    """None if it was never told of this message."""
    if message_id <= state.acked_id:
        yield Session(resource, is_acknowledged=True)
    elif any(message_id == told for _, told in state.chats):
        yield Session(resource, is_acknowledged=False)


_BY_ID: Final = "SELECT id FROM message WHERE id = :id"
_BY_NAME: Final = f""" SELECT id FROM message WHERE id > :after AND id <= :last AND (origin_id = :name OR stanza_id = :name)
AND :name <> '' ORDER BY id LIMIT {TRACES + 1:d} """  # noqa: S608
_MESSAGE: Final = f"""
    SELECT {CHAT_COLUMNS} FROM message {WITH_ADDRESSES} WHERE message.id = :id
"""  # noqa: S608
_SIDES: Final = """
    SELECT owner, jid, role FROM entry CROSS JOIN address ON address.id = owner WHERE entry.id = :id ORDER BY role, jid
"""
_RECIPIENTS: Final = "SELECT owner FROM entry WHERE id = :id AND role <> 1"
_CLIENTS: Final = f"""
    SELECT owner, family, since, delivered FROM client WHERE owner IN ({_RECIPIENTS}) ORDER BY owner, family
"""  # noqa: S608
_ABSENT: Final = """
    SELECT jid FROM absence CROSS JOIN address ON address.id = owner WHERE absence.id = :id ORDER BY jid
"""
