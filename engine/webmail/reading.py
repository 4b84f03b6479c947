"""A browser's frames as commands of the vocabulary.

The rules of messages are those of XMPP: a message is made as a stanza and read as one (`engine.xmpp.stanzas`), so both channels
say the same and are kept the same.

What belongs to one's own domain may be addressed; everything else is refused like a name that does not exist.

**Request ids** are ``<tab>:<q>``, see `request_id`: an answer finds its tab and its question by it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from engine import messages as m
from engine.errors import Condition, Refusal
from engine.files import FileOffer, read_ticket
from engine.jid import Jid, JidError
from engine.limits import CONVERSATIONS_PAGE, HISTORY_PAGE, SEARCH_CHARACTERS, SEARCH_RESULTS
from engine.messages import parse_id
from engine.photos import read_photo
from engine.presence import Presence, Status
from engine.webmail import frames as f
from engine.xmpp.patterns import SLOT, pattern
from engine.xmpp.shapes import STANZA_IDS
from engine.xmpp.stanzas import OUT_OF_BAND, read_message
from engine.xmpp.xml import CLIENT, E, Element, clean_text, escape_attribute, escape_text

ID_CHARACTERS: Final = 128
"""Of an id that a page makes; ours are UUIDs. Longer: refused."""

STATUS_CHARACTERS: Final = 256
"""Of the person's own words for his status. What is beyond is cut off."""

CHAT_STATES: Final = "http://jabber.org/protocol/chatstates"
MARKERS: Final = "urn:xmpp:chat-markers:0"
HINTS: Final = "urn:xmpp:hints"
CORRECTION: Final = "urn:xmpp:message-correct:0"
RETRACTION: Final = "urn:xmpp:message-retract:1"
REPLY: Final = "urn:xmpp:reply:0"

_ACTIVE: Final = E("active", CHAT_STATES)
_MARKABLE: Final = E("markable", MARKERS)
_NO_STORE: Final = E("no-store", HINTS)
_PLAIN: Final = "".join(
    map(pattern, (E("body", CLIENT, SLOT), E("origin-id", STANZA_IDS, id=SLOT), _ACTIVE, _MARKABLE))
)

Command = msgspec.Struct

NO_FILES: Final = FileOffer()


def request_id(tab: int, q: int) -> str:
    """The id of a question of this tab."""
    return f"{tab}:{q}"


def parse_request_id(text: str) -> tuple[int, int] | None:
    """Tab and number of a question; None: it is none of a tab."""
    tab, colon, q = text.partition(":")
    return (int(tab), int(q)) if colon and tab.isdigit() and q.isdigit() else None


def read(frame: Any, session: Jid, tab: int, files: FileOffer = NO_FILES) -> Sequence[Command]:
    """What follows from a frame, other than `Hello` and `Ping`, of this tab. `files`: where they lie.

    Raises:
        Refusal: it says what cannot be.
    """
    try:
        if isinstance(frame, f.Say) and frame.file:
            return _share(frame, session, files)
        return _READERS[type(frame)](frame, session, tab)
    except JidError as error:
        raise Refusal(Condition.JID_MALFORMED) from error


def refusal(frame: Any, refused: Refusal) -> f.Failed | f.Refused | None:
    """What a tab is told of a frame that was refused; None: it waits for no answer."""
    if isinstance(frame, f.Say):
        return f.Failed(frame.id, refused.condition.value, refused.text)
    q = getattr(frame, "q", 0)
    return f.Refused(q, refused.condition.value, refused.text) if q else None


def presence(status: Status, text: str) -> Presence | None:
    """What a session of webmail says of itself; its devices are marked, so that nobody takes them for a phone."""
    made = Presence.of_status(status, clean_text(text)[:STATUS_CHARACTERS])
    return None if made is None else msgspec.structs.replace(made, software=SOFTWARE)


SOFTWARE: Final = "webmail"
"""The family of clients that webmail is, see `engine.clients`."""


def snapshot_questions(session: Jid, tab: int, *, has_presences: bool) -> Sequence[Command]:
    """What a tab that begins anew must be told. `has_presences`: it hears of them without asking."""
    asked: list[Command] = [m.FetchRoster(_request(session, tab, 0))]
    if not has_presences:
        asked.append(m.FetchPresences(_request(session, tab, 0)))
    query = m.ConversationsQuery(owner=session.bare, limit=CONVERSATIONS_PAGE)
    return (*asked, m.FetchConversations(_request(session, tab, 0), query))


# -- chats -------------------------------------------------------------------------------------------------------------


def _say(frame: f.Say, session: Jid, _tab: int) -> Sequence[Command]:
    _check_id(frame.id)
    body = clean_text(frame.body)
    if not (body.strip() or frame.retracts):
        raise Refusal(Condition.BAD_REQUEST, "a message has a text")
    if not (frame.replaces or frame.retracts or frame.reply):
        return (m.SendChat(_plain(body, frame.id, session, _recipient(frame.to, session))),)
    parts: list[Element | None] = [
        E("body", CLIENT, body) if body.strip() else None,
        E("origin-id", STANZA_IDS, id=frame.id),
        _ACTIVE if body.strip() else None,
        _MARKABLE if body.strip() and not frame.replaces else None,
        E("replace", CORRECTION, id=_check_id(frame.replaces)) if frame.replaces else None,
        E("retract", RETRACTION, id=_check_id(frame.retracts)) if frame.retracts else None,
        E("reply", REPLY, id=_check_id(frame.reply), to=clean_text(frame.reply_to)) if frame.reply else None,
    ]
    return _message(frame.to, session, parts, frame.id)


def _plain(body: str, name: str, session: Jid, to: Jid) -> m.Chat:
    """What `read_message` would make of a message that says this and nothing else: most of them."""
    payload = _PLAIN % (escape_text(body), escape_attribute(name))
    return m.Chat(
        sender=session,
        to=to,
        stanza_id=name,
        origin_id=name,
        body=body,
        payload=payload,
        is_lasting=True,
        is_copied=True,
    )


def _share(frame: f.Say, session: Jid, files: FileOffer) -> Sequence[Command]:
    _check_id(frame.id)
    if read_ticket(frame.file) is None or frame.body or frame.replaces or frame.retracts:
        raise Refusal(Condition.BAD_REQUEST, "a file goes without a text")
    address = files.address(frame.file)
    name, namespace = OUT_OF_BAND
    parts: list[Element | None] = [
        E("body", CLIENT, address),  # COMPAT: clients show it in its place if the text is the address and nothing else
        E(name, namespace, E("url", namespace, address)),
        E("origin-id", STANZA_IDS, id=frame.id),
        _ACTIVE,
        _MARKABLE,
        E("reply", REPLY, id=_check_id(frame.reply), to=clean_text(frame.reply_to)) if frame.reply else None,
    ]
    return _message(frame.to, session, parts, frame.id)


def _typing(frame: f.Typing, session: Jid, _tab: int) -> Sequence[Command]:
    state = "composing" if frame.on else "paused"
    return _message(frame.peer, session, [E(state, CHAT_STATES), _NO_STORE])


def _read(frame: f.Read, session: Jid, tab: int) -> Sequence[Command]:
    if frame.name:
        return _message(frame.peer, session, [E("displayed", MARKERS, id=clean_text(frame.name))])
    return (m.MarkRead(_request(session, tab, 0), _id(frame.id)),)


def _message(to: str, session: Jid, parts: Sequence[Element | None], stanza_id: str = "") -> Sequence[Command]:
    jid = _recipient(to, session)
    stanza = E("message", CLIENT, *parts, type="chat", id=stanza_id or None)
    return (m.SendChat(read_message(stanza, session, jid)),)


def _recipient(to: str, session: Jid) -> Jid:
    jid = Jid.parse(to).to_bare()
    if not jid.local or jid.domain != session.domain:
        raise Refusal(Condition.SERVICE_UNAVAILABLE)
    return jid


# -- oneself -----------------------------------------------------------------------------------------------------------


def _set_status(frame: f.SetStatus, session: Jid, _tab: int) -> Sequence[Command]:
    return (m.SetPresence(session, presence(frame.status, frame.text)),)


# -- questions ---------------------------------------------------------------------------------------------------------


def _ask_history(frame: f.AskHistory, session: Jid, tab: int) -> Sequence[Command]:
    query = m.HistoryQuery(
        owner=session.bare,
        peer=Jid.parse(frame.peer).bare if frame.peer else "",
        before=_id(frame.before) if frame.before else None,
        after=_id(frame.after) if frame.after else None,
        start=_id(frame.start) if frame.start else 0,
        has_file=frame.files and not frame.text,
        text=frame.text[:SEARCH_CHARACTERS],
        limit=max(1, min(frame.limit, HISTORY_PAGE)),
        is_backwards=not (frame.after or frame.start),
    )
    return (m.FetchHistory(_request(session, tab, frame.q), query),)


def _ask_conversations(frame: f.AskConversations, session: Jid, tab: int) -> Sequence[Command]:
    limit = max(1, min(frame.limit, CONVERSATIONS_PAGE))
    older_than = _id(frame.before) if frame.before else None
    query = m.ConversationsQuery(owner=session.bare, older_than=older_than, limit=limit)
    return (m.FetchConversations(_request(session, tab, frame.q), query),)


def _find(frame: f.Find, session: Jid, tab: int) -> Sequence[Command]:
    text = frame.text[:SEARCH_CHARACTERS]
    return (m.SearchContacts(_request(session, tab, frame.q), text, limit=SEARCH_RESULTS),)


def _ask_card(frame: f.AskCard, session: Jid, tab: int) -> Sequence[Command]:
    return (m.FetchCard(_request(session, tab, frame.q), Jid.parse(frame.address).bare),)


def _set_photo(frame: f.SetPhoto, session: Jid, tab: int) -> Sequence[Command]:
    return (m.SetPhoto(_request(session, tab, frame.q), read_photo(frame.photo)),)


def _ask_since(frame: f.AskSince, session: Jid, tab: int) -> Sequence[Command]:
    return (m.FetchStatus(_request(session, tab, frame.q), Jid.parse(frame.address).bare),)


def _request(session: Jid, tab: int, q: int) -> m.Request:
    return m.Request(session, request_id(tab, q))


def _check_id(text: str) -> str:
    if not 0 < len(text) <= ID_CHARACTERS or clean_text(text) != text:
        raise Refusal(Condition.BAD_REQUEST, "an id has 1 to 128 characters")
    return text


def _id(text: str) -> int:
    number = parse_id(text)
    if number is None:
        raise Refusal(Condition.BAD_REQUEST, "not the id of a message")
    return number


_READERS: dict[type, Callable[[Any, Jid, int], Sequence[Command]]] = {
    f.Say: _say,
    f.Typing: _typing,
    f.Read: _read,
    f.SetStatus: _set_status,
    f.AskHistory: _ask_history,
    f.AskConversations: _ask_conversations,
    f.Find: _find,
    f.AskCard: _ask_card,
    f.SetPhoto: _set_photo,
    f.AskSince: _ask_since,
}
