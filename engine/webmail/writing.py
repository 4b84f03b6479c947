"""Events of a session as frames. What is the same for many is encoded once: a chat, a broadcast of presence, a contact list.

A chat's meaning beyond its text is in its payload (`engine.messages.Chat`), which is read again here: whether it corrects,
retracts or answers another one, or is no message at all but a sign that somebody types or has seen something. Receipts,
reactions and whatever else this version does not show are left out.
"""

import base64
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

from engine import messages as m
from engine.contacts import Contact, PersonalContact, RemovedContact, personal_name
from engine.files import SHARED, Link, media_type, quoted, read_address
from engine.presence import PresenceChange, Status
from engine.webmail import frames as f
from engine.webmail.attachments import File
from engine.webmail.reading import parse_request_id
from engine.xmpp.parser import Closing, Opening, Parser
from engine.xmpp.patterns import Recent
from engine.xmpp.stanzas import OUT_OF_BAND
from engine.xmpp.xml import CLIENT, STREAMS, Element, start_tag

CHATS_KEPT: Final = 256
BROADCASTS_KEPT: Final = 8
ROSTERS_KEPT: Final = 16
"""Encoded frames that are kept, as `engine.xmpp.rendering` does: recipients' turns follow each other. The oldest goes."""

PAYLOAD_BYTES: Final = 1 << 30
"""What is in the archive was bounded when it came."""

_ROOT: Final = start_tag("payload", {}, {"": CLIENT, "stream": STREAMS}).encode()
_CORRECTIONS: Final = {("replace", "urn:xmpp:message-correct:0")}
_RETRACTIONS: Final = {("retract", "urn:xmpp:message-retract:1"), ("retract", "urn:xmpp:message-retract:0")}
_REPLIES: Final = {("reply", "urn:xmpp:reply:0")}
_TYPES: Final = ("composing", "http://jabber.org/protocol/chatstates")

Fitting = f.Frame | None


def children(payload: str) -> list[Element]:
    """The elements of a payload."""
    parser = Parser(PAYLOAD_BYTES)
    parser.receive(_ROOT + payload.encode())
    found: list[Element] = []
    while (item := parser.next_item()) is not None:
        if not isinstance(item, Opening | Closing):
            found.append(item)
    parser.close()
    return found


def chat_frame(chat: m.Chat) -> f.Chat | f.Displayed | f.Typing | None:
    """A chat as a browser is told of it; None: it is not."""
    if chat.is_typing:
        types = any((child.name, child.namespace) == _TYPES for child in children(chat.payload))
        return f.Typing(chat.sender.bare, types)
    if chat.displayed or (not chat.body and "chat-markers" in chat.payload):
        return _displayed(chat)
    ids = {"replaces": "", "retracts": "", "reply": ""}
    body, file = chat.body, None
    if any(namespace in chat.payload for namespace in _LINKING):  # else there is nothing to parse for
        for child in children(chat.payload):
            for key, names in _LINKS:
                if (child.name, child.namespace) in names:
                    ids[key] = ids[key] or child.get("id")
            if file is None and (child.name, child.namespace) == OUT_OF_BAND:
                address = child.find_text("url", OUT_OF_BAND[1])
                file = _file(read_address(address))
                body = "" if file is not None and body.strip() == address else body  # no page is told this address
    if not (chat.body or ids["retracts"] or file):
        return None
    return f.Chat(
        id=chat.id_text if chat.id else "",
        sender=chat.sender.bare,
        to=chat.to.bare,
        via=chat.via.bare if chat.via is not None else "",
        body=body,
        origin=chat.origin_id or chat.stanza_id,
        name=chat.stanza_id or chat.origin_id or chat.id_text,
        file=file,
        **ids,
    )


def _file(link: Link | None) -> File | None:
    if link is None:
        return None
    return File(link.id, link.name, link.size, media_type(link.name), f"{SHARED}{link.id}/{quoted(link.name)}")


_LINKS: Final = (("replaces", _CORRECTIONS), ("retracts", _RETRACTIONS), ("reply", _REPLIES))
_LINKING: Final = sorted({namespace for _, names in _LINKS for _, namespace in names} | {OUT_OF_BAND[1]})


def _displayed(chat: m.Chat) -> f.Displayed | None:
    name = chat.displayed
    if not name:  # from the archive, where only the payload is kept
        names = {("displayed", _MARKERS), ("acknowledged", _MARKERS)}
        name = next((c.get("id") for c in children(chat.payload) if (c.name, c.namespace) in names), "")
    to = (chat.via or chat.to).bare
    return f.Displayed(chat.id_text if chat.id else "", chat.sender.bare, to, name) if name else None


_MARKERS: Final = "urn:xmpp:chat-markers:0"


def lasting_frame(chat: m.Chat) -> f.Chat | f.Displayed | None:
    """A chat of the history."""
    frame = chat_frame(chat)
    return None if isinstance(frame, f.Typing) else frame


def person(contact: Contact, name: str) -> f.Person:
    """A contact as it is shown."""
    return f.Person(
        contact.address, name, contact.is_alias, contact.title, contact.department, contact.phone, contact.members
    )


def _people(contacts: Iterable[Contact | RemovedContact], personal: Iterable[PersonalContact]) -> f.Contacts:
    own = {entry.address: entry for entry in personal}
    entries = tuple(contacts)
    there = tuple(person(c, personal_name(c, own)) for c in entries if isinstance(c, Contact))
    return f.Contacts(there, tuple(c.address for c in entries if isinstance(c, RemovedContact)))


def _devices(changes: Iterable[PresenceChange]) -> tuple[f.Seen, ...]:
    return tuple(
        f.Seen(change.jid.bare, change.jid.resource, Status.OFFLINE, change.text)
        if change.presence is None
        else f.Seen(change.jid.bare, change.jid.resource, change.presence.status, change.presence.text)
        for change in changes
    )


class Writer:
    """The encodings that are shared by all browser sessions of a server."""

    def __init__(self) -> None:
        self._chats: Recent[bytes | None] = Recent(CHATS_KEPT)
        self._broadcasts: Recent[bytes] = Recent(BROADCASTS_KEPT)
        self._rosters: Recent[bytes] = Recent(ROSTERS_KEPT)

    def event(self, event: Any) -> bytes | None:
        """The frame, encoded, that every tab of a session is told of this event; None: none."""
        write = self._events.get(type(event))
        return None if write is None else write(self, event)

    def answer(self, event: Any) -> bytes | None:
        """The frame, encoded, for the tab that asked; None: it is told nothing."""
        write = self._answers.get(type(event))
        return None if write is None else write(self, event)

    # -- events --------------------------------------------------------------------------------------------------------

    def _chat(self, event: m.DeliverChat | m.DeliverCopy | m.ChatArchived) -> bytes | None:
        return self._chats.get(event.chat, _encode_chat)

    def _presence(self, event: m.PresenceSeen) -> bytes:
        return self._broadcasts.get(event, lambda seen: f.encode(f.Presences(_devices(seen.changes))))

    def _roster_changed(self, event: m.RosterChanged) -> bytes:
        return f.encode(_people(event.changes, event.personal))

    def _chat_refused(self, event: m.RequestRefused) -> bytes | None:
        if event.request.kind != "message" or not event.request.id:
            return None
        return f.encode(f.Failed(event.request.id, event.condition.value, event.text))

    # -- answers -------------------------------------------------------------------------------------------------------

    def _roster(self, event: m.RosterFetched) -> bytes:
        contacts = event.contacts or ()
        if event.personal:
            return _encode_roster(contacts, event.personal)
        return self._rosters.get(contacts, _encode_roster)

    def _presences(self, event: m.PresencesFetched) -> bytes:
        return f.encode(f.Presences(_devices(event.changes), all=True))

    def _history(self, event: m.HistoryFetched) -> bytes:
        items = tuple(frame for kept in event.page.kept if (frame := lasting_frame(kept.chat)) is not None)
        return f.encode(f.History(_q(event.request), items, event.page.is_complete))

    def _conversations(self, event: m.ConversationsFetched) -> bytes:
        recent = tuple(
            f.Recent(c.peer, frame, c.unread, f"{c.read:016x}" if c.read else "")
            for c in event.page.conversations
            if (frame := lasting_frame(c.newest.chat)) is not None
        )
        return f.encode(f.Conversations(recent, event.page.is_complete, _q(event.request)))

    def _found(self, event: m.ContactsFound) -> bytes:
        return f.encode(f.Found(_q(event.request), tuple(c.address for c in event.contacts), event.is_complete))

    def _card(self, event: m.CardFetched) -> bytes:
        photo = event.photo
        url = f"data:{photo.media_type};base64,{base64.b64encode(photo.data).decode()}" if photo else ""
        return f.encode(f.Card(_q(event.request), event.contact.address, url))

    def _since(self, event: m.StatusFetched) -> bytes:
        return f.encode(f.Since(_q(event.request), event.address, event.seconds))

    def _done(self, event: m.RequestDone) -> bytes | None:
        q = _q(event.request)
        return f.encode(f.Done(q)) if q else None

    def _refused(self, event: m.RequestRefused) -> bytes | None:
        q = _q(event.request)
        return f.encode(f.Refused(q, event.condition.value, event.text)) if q else None

    _events: ClassVar[dict[type, Callable[[Any, Any], bytes | None]]] = {
        m.DeliverChat: _chat,
        m.DeliverCopy: _chat,
        m.ChatArchived: _chat,
        m.PresenceSeen: _presence,
        m.RosterChanged: _roster_changed,
        m.RequestRefused: _chat_refused,
    }
    _answers: ClassVar[dict[type, Callable[[Any, Any], bytes | None]]] = {
        m.RosterFetched: _roster,
        m.PresencesFetched: _presences,
        m.HistoryFetched: _history,
        m.ConversationsFetched: _conversations,
        m.ContactsFound: _found,
        m.CardFetched: _card,
        m.StatusFetched: _since,
        m.RequestDone: _done,
        m.RequestRefused: _refused,
    }


def _encode_chat(chat: m.Chat) -> bytes | None:
    frame = chat_frame(chat)
    return None if frame is None else f.encode(frame)


def _encode_roster(contacts: tuple[Contact, ...], personal: tuple[PersonalContact, ...] = ()) -> bytes:
    people = _people(contacts, personal)
    return f.encode(f.Contacts(people.contacts, all=True))


def _q(request: m.Request) -> int:
    found = parse_request_id(request.id)
    return 0 if found is None else found[1]
