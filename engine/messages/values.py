"""What is said, and what an answer needs to find back: the values that the messages carry."""

import re
from typing import Literal

import msgspec

from engine.jid import Jid

ChatKind = Literal["chat", "normal", "headline", "groupchat", "error"]
IqKind = Literal["get", "set", "result", "error"]
StanzaKind = Literal["message", "presence", "iq"]

_ID = re.compile("[0-7][0-9a-f]{15}")  # 63 bits, as in the archive


class Chat(msgspec.Struct, frozen=True, eq=False, weakref=True, kw_only=True):
    """One message. Compared by identity: renderings are cached for as long as it lives.

    Attributes:
        sender: full JID of the session that sent it.
        to: as addressed: a person (bare or full JID) or an alias.
        kind: RFC 6121, 5.2.2.
        stanza_id: the sender's ``id`` attribute; empty when there was none.
        origin_id: XEP-0359; a resend with the same one is the same message. Empty when there was none.
        language: ``xml:lang``; empty when there was none.
        body: the text, for search and webmail; empty for a message without one.
        payload: all children that pass, the body included.
        displayed: what the message is called that the sender has read, and all before it (XEP-0333): its id, origin-id or
            archive id; empty when this says nothing of the kind. Known on the way only.
        file: id of the file that it carries (`engine.files`); empty: none. Known on the way only.
        retracts: the own message that it takes back, by its origin-id; empty: none. Known on the way only.
        is_lasting: has a body or changes what was said (a correction, retraction, reaction, receipt, marker): archived.
        is_typing: only says that somebody types, or stopped (XEP-0085).
        is_copied: the other devices of sender and recipient get copies (XEP-0280, 6); a private message has none.
        via: the alias it was sent to, on its way to the members.
        id: archive id, microseconds since 1970 that never go back; 0 before it is on disk. The ``stanza-id`` is `id_text`.
        is_delayed: waited in the archive; shown with the time of `id` (XEP-0203).
    """

    sender: Jid
    to: Jid
    kind: ChatKind = "chat"
    stanza_id: str = ""
    origin_id: str = ""
    language: str = ""
    body: str = ""
    payload: str = ""
    displayed: str = ""
    file: str = ""
    retracts: str = ""
    is_lasting: bool = False
    is_typing: bool = False
    is_copied: bool = False
    via: Jid | None = None
    id: int = 0
    is_delayed: bool = False

    @property
    def id_text(self) -> str:
        """The archive id as it is written everywhere: 16 hexadecimal digits, which sort as the numbers do."""
        return f"{self.id:016x}"


def parse_id(text: str) -> int | None:
    """The archive id that `Chat.id_text` writes so; None: it is none."""
    return int(text, 16) if _ID.fullmatch(text) else None


class Iq(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A request or an answer between two sessions, passed on as it is (RFC 6121, 8.5)."""

    sender: Jid
    to: Jid
    kind: IqKind
    stanza_id: str
    payload: str


class Request(msgspec.Struct, frozen=True):
    """What an answer needs to find back to its question.

    Attributes:
        session: full JID of the session that asks.
        id: the stanza's id.
        to: as addressed; empty when the request had none.
        name: ``{namespace}name`` of the request's child.
        kind: of the stanza; an answer to an IQ is a result or an error.
    """

    session: Jid
    id: str
    to: str = ""
    name: str = ""
    kind: StanzaKind = "iq"


class Photo(msgspec.Struct, frozen=True):
    """A user's own picture. `media_type`: such as ``image/png``."""

    media_type: str
    data: bytes
