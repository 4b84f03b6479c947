"""What sessions are told most: chats and presence, each rendered once for all who get it.

A rendering is a list of parts, cut where the recipient's address belongs: ``address.join(parts)`` is the whole for one
session. The parts of a presence live as long as the `PresenceChange` (it stays on its domain's board, and everyone who logs in
later gets the same parts); the joined parts of a broadcast and of a chat are kept for the last few of them, because the
recipients' turns come one after the other.

Everything that came from a person is escaped here or was when it was parsed; a payload goes in as it is.
"""

from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from engine import messages as m
from engine.ports import Burst
from engine.presence import Presence, PresenceChange
from engine.xmpp import shapes, stanzas
from engine.xmpp.mux import EventRenderer, Feature, Recipient
from engine.xmpp.patterns import HERE, SLOT, Recent, address_patterns, pattern
from engine.xmpp.xml import CLIENT, E, Element, clean_text, escape_attribute, escape_text, standalone

CARBONS: Final = "urn:xmpp:carbons:2"
FORWARD: Final = "urn:xmpp:forward:0"

CHATS_KEPT: Final = 256
"""Chats whose rendering is kept: what one turn of the archiver delivers. The oldest is rendered again if needed."""

BROADCASTS_KEPT: Final = 8
"""Presence broadcasts whose rendering is kept: one for each busy domain, and they follow each other slowly."""

Parts = list[bytes]
Describe = Callable[[str], str]


def _chat_patterns(*, has_id: bool, has_language: bool, has_archive_id: bool) -> tuple[str, ...]:
    return address_patterns(
        E(
            "message",
            CLIENT,
            SLOT,
            shapes.stanza_id(SLOT, HERE) if has_archive_id else None,
            SLOT,
            attributes={
                "from": SLOT,
                "to": HERE,
                "type": SLOT,
                **({"id": SLOT} if has_id else {}),
                **({"xml:lang": SLOT} if has_language else {}),
            },
        )
    )


def _copy(kind: str) -> Element:
    forwarded = E("forwarded", FORWARD, SLOT)
    return E("message", CLIENT, E(kind, CARBONS, forwarded), attributes={"from": SLOT, "to": SLOT, "type": SLOT})


_CHAT = {
    (has_id, has_language, has_archive_id): _chat_patterns(
        has_id=has_id, has_language=has_language, has_archive_id=has_archive_id
    )
    for has_id in (False, True)
    for has_language in (False, True)
    for has_archive_id in (False, True)
}
_BARE_PRESENCE = address_patterns(E("presence", CLIENT, from_=SLOT, to=HERE))
_AVAILABLE = address_patterns(E("presence", CLIENT, SLOT, from_=SLOT, to=HERE))
_UNAVAILABLE = address_patterns(E("presence", CLIENT, from_=SLOT, to=HERE, type="unavailable"))
_FAREWELL = address_patterns(E("presence", CLIENT, E("status", CLIENT, SLOT), from_=SLOT, to=HERE, type="unavailable"))
_SHOW = pattern(E("show", CLIENT, SLOT))
_STATUS = pattern(E("status", CLIENT, SLOT))
_PRIORITY = pattern(E("priority", CLIENT, SLOT))
_DELAY = pattern(shapes.delay(SLOT, SLOT))
_SENT_TO = pattern(shapes.sent_to(SLOT, SLOT))
_SENT_COPY = pattern(_copy("sent"))
_RECEIVED_COPY = pattern(_copy("received"))
_IQ = pattern(E("iq", CLIENT, SLOT, from_=SLOT, to=SLOT, type=SLOT, id=SLOT))


class Renderer:
    """The renderings that are shared by all connections of a server.

    Attributes:
        describe: the name of the alias at an address, for those who get a message through it; empty when unknown.
    """

    def __init__(self, describe: Describe = lambda _address: "") -> None:
        self.describe = describe
        self._chats: Recent[Parts] = Recent(CHATS_KEPT)
        self._broadcasts: Recent[Parts] = Recent(BROADCASTS_KEPT)
        self._presences: WeakKeyDictionary[PresenceChange, tuple[bytes, bytes]] = WeakKeyDictionary()

    # -- chats ---------------------------------------------------------------------------------------------------------

    def chat(self, event: m.DeliverChat, recipient: Recipient) -> bytes:
        """A message. It is addressed as it was sent: to the person or, if the sender chose it, to this session."""
        chat = event.chat
        parts = self._chats.get(chat, self._chat_parts)
        # The full JID is in the first place only; the second one is the archive's, which is the account's.
        if chat.to.resource and chat.to == recipient.jid:
            return b"".join((parts[0], recipient.full, recipient.bare.join(parts[1:])))
        return recipient.bare.join(parts)

    def copy(self, event: m.DeliverCopy, recipient: Recipient) -> bytes:
        """What another session of the account sent or got (XEP-0280, 7 and 8)."""
        chat = event.chat
        head, *rest = self._chats.get(chat, self._chat_parts)
        inner = b"".join((head, escape_attribute(chat.to.full).encode(), recipient.bare.join(rest)))
        outer = _SENT_COPY if event.is_sent else _RECEIVED_COPY
        bare, full = recipient.bare.decode(), recipient.full.decode()
        return (outer % (bare, full, chat.kind, standalone(inner.decode()))).encode()

    def answer(self, event: m.Answer, _recipient: Recipient) -> bytes:
        """What was rendered already."""
        return event.data

    def _chat_parts(self, chat: m.Chat) -> Parts:
        patterns = _CHAT[bool(chat.stanza_id), bool(chat.language), bool(chat.id)]
        attributes = (chat.kind, *(escape_attribute(value) for value in (chat.stanza_id, chat.language) if value))
        head = patterns[0] % escape_attribute(chat.sender.full)
        added = self._added(chat) if chat.is_delayed or chat.via is not None else ""
        if not chat.id:
            return [head.encode(), (patterns[1] % (*attributes, chat.payload, added)).encode()]
        middle = patterns[1] % (*attributes, chat.payload, chat.id_text)
        return [head.encode(), middle.encode(), (patterns[2] % added).encode()]

    def _added(self, chat: m.Chat) -> str:
        added = ""
        if chat.is_delayed:
            added += _DELAY % (escape_attribute(chat.to.domain), shapes.utc_text(chat.id))
        if chat.via is not None:
            name = clean_text(self.describe(chat.via.bare))
            added += _SENT_TO % (escape_attribute(chat.via.bare), escape_attribute(name))
        return added

    # -- presence ------------------------------------------------------------------------------------------------------

    def presence(self, event: m.PresenceSeen, recipient: Recipient) -> Burst:
        """The changes of one tick."""
        parts = self._broadcasts.get(event, self._broadcast_parts)
        return Burst(recipient.bare.join(parts), len(parts) - 1)

    def _broadcast_parts(self, event: m.PresenceSeen) -> Parts:
        parts: Parts = [b""]
        presences = self._presences
        for change in event.changes:
            change_parts = presences.get(change)
            if change_parts is None:
                change_parts = presences[change] = _presence_parts(change)
            parts[-1] += change_parts[0]
            parts.append(change_parts[1])
        return parts

    # -- the rest ------------------------------------------------------------------------------------------------------

    def iq(self, event: m.DeliverIq, recipient: Recipient) -> bytes:
        """A request or answer of another session."""
        iq = event.iq
        values = (escape_attribute(iq.sender.full), recipient.full.decode(), iq.kind, escape_attribute(iq.stanza_id))
        return (_IQ % (*values, iq.payload)).encode()

    def subscription(self, event: m.SubscriptionAnswered, recipient: Recipient) -> bytes:
        """The answer to a subscription stanza."""
        return stanzas.written(E("presence", CLIENT, from_=event.sender.bare, to=recipient.jid.bare, type=event.kind))

    def done(self, event: m.RequestDone, _recipient: Recipient) -> bytes:
        """A request was carried out."""
        return stanzas.result(event.request)

    def refused(self, event: m.RequestRefused, _recipient: Recipient) -> bytes:
        """A stanza was refused."""
        return stanzas.refusal(event.request, event.condition, event.text, event.detail)

    def nothing(self, _event: object, _recipient: Recipient) -> None:
        """The stream says it."""

    def feature(self) -> Feature:
        """The part of the tables that is no extension: what every client is told (RFC 6120, RFC 6121)."""
        events: dict[type, EventRenderer] = {
            m.SessionOpened: self.nothing,
            m.SessionRefused: self.nothing,
            m.DeliverChat: self.chat,
            m.DeliverCopy: self.copy,
            m.Answer: self.answer,
            m.DeliverIq: self.iq,
            m.PresenceSeen: self.presence,
            m.SubscriptionAnswered: self.subscription,
            m.RequestDone: self.done,
            m.RequestRefused: self.refused,
        }
        return Feature(name="stanzas", events=events)


def _presence_parts(change: PresenceChange) -> tuple[bytes, bytes]:
    sender = escape_attribute(change.jid.full)
    if change.presence is not None:
        inner = _inner(change.presence)
        head, tail = _AVAILABLE if inner else _BARE_PRESENCE
        return (head % sender).encode(), (tail % inner if inner else tail).encode()
    head, tail = _FAREWELL if change.text else _UNAVAILABLE
    return (head % sender).encode(), (tail % escape_text(clean_text(change.text)) if change.text else tail).encode()


def _inner(presence: Presence) -> str:
    inner = _SHOW % presence.show if presence.show else ""
    if presence.text:
        inner += _STATUS % escape_text(clean_text(presence.text))
    if presence.priority:
        inner += _PRIORITY % presence.priority
    return inner + presence.payload
