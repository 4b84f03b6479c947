"""Stanzas: a client's elements as words of `engine.messages`, and the plain answers to them.

**Nobody speaks for the server.** A client may put anything into a stanza, except what its recipient would take for the
server's own word. Such children are left out of what passes (`_FORGERIES`): the archive's ids, the alias a message was sent
to, results from an archive, carbon copies, and a delay that somebody other than the sender vouches for.

**What lasts** is what says something (a body) or changes what was said (`_LASTING`). What only accompanies a conversation,
such as typing, does not. Hints (XEP-0334) can make a message last, but cannot keep what has a body out of the archive.

**What is copied** to the other devices of both sides is what is chat (XEP-0280, 6): of type ``chat``, with a body, or with a
payload of instant messaging; but nothing that its sender marked as private (XEP-0280) or not to be copied (XEP-0334).

**A refusal carries nothing of the stanza** but its id and its address, so that refusals of what does not exist are the same to
the byte, whatever was sent.
"""

from collections.abc import Callable
from typing import Final, cast

from engine.errors import Condition, Detail, Refusal
from engine.files import read_address
from engine.jid import Jid, JidError
from engine.limits import PRESENCE_BYTES
from engine.messages import Chat, ChatKind, Request
from engine.presence import Presence, Show
from engine.xmpp.shapes import ADDRESSES, DELAY, STANZA_IDS
from engine.xmpp.xml import CLIENT, STANZA_ERRORS, E, Element, clean_text, render, serialise

ORIGIN_ID_CHARACTERS: Final = 256
"""Of an origin-id that is compared; real ones are UUIDs. A longer one passes, but does not mark a resend."""

_CHAT_KINDS: dict[str, ChatKind] = {
    "chat": "chat",
    "normal": "normal",
    "headline": "headline",
    "groupchat": "groupchat",
    "error": "error",
}

_LASTING = {
    ("subject", CLIENT),
    ("replace", "urn:xmpp:message-correct:0"),  # XEP-0308
    ("retract", "urn:xmpp:message-retract:0"),  # XEP-0424
    ("retract", "urn:xmpp:message-retract:1"),
    ("apply-to", "urn:xmpp:fasten:0"),  # XEP-0422, around older retractions
    ("reactions", "urn:xmpp:reactions:0"),  # XEP-0444
    ("reply", "urn:xmpp:reply:0"),  # XEP-0461
    ("received", "urn:xmpp:receipts"),  # XEP-0184
    ("received", "urn:xmpp:chat-markers:0"),  # XEP-0333
    ("displayed", "urn:xmpp:chat-markers:0"),
    ("acknowledged", "urn:xmpp:chat-markers:0"),
    ("encrypted", "eu.siacs.conversations.axolotl"),  # XEP-0384
    ("encrypted", "urn:xmpp:omemo:1"),
    ("encrypted", "urn:xmpp:omemo:2"),
    ("openpgp", "urn:xmpp:openpgp:0"),  # XEP-0373
    ("x", "jabber:x:encrypted"),  # XEP-0027
    ("x", "jabber:x:oob"),  # XEP-0066
    ("file-sharing", "urn:xmpp:sfs:0"),  # XEP-0447
    ("store", "urn:xmpp:hints"),  # XEP-0334: the sender asks for it
}


_READ_MARKERS = {("displayed", "urn:xmpp:chat-markers:0"), ("acknowledged", "urn:xmpp:chat-markers:0")}
"""COMPAT: `acknowledged` left XEP-0333 with version 0.5; who still sends it has read the message, too (XEP-0430, 5)."""
_RECEIPTS_AND_MARKERS = {"urn:xmpp:receipts", "urn:xmpp:chat-markers:0"}
_CHAT_STATES = "http://jabber.org/protocol/chatstates"
_PRIVATE = {("private", "urn:xmpp:carbons:2"), ("no-copy", "urn:xmpp:hints")}
_ASIDES = {("thread", CLIENT), ("origin-id", STANZA_IDS)}
"""Beside a chat state, these say nothing of their own; nor do hints (XEP-0334)."""


def _is_always_forged(_child: Element, _sender: Jid) -> bool:
    return True


def _is_foreign_delay(child: Element, sender: Jid) -> bool:
    # COMPAT: Conversations marks what it sends late itself, without an address.
    vouched_by = child.get("from")
    try:
        return bool(vouched_by) and Jid.parse(vouched_by).bare != sender.bare
    except JidError:
        return True


_FORGERIES: dict[tuple[str, str], Callable[[Element, Jid], bool]] = {
    # There are no other servers here whose ids could be worth keeping (XEP-0359, 3 speaks of routing between servers).
    ("stanza-id", STANZA_IDS): _is_always_forged,
    ("addresses", ADDRESSES): _is_always_forged,
    ("sent", "urn:xmpp:carbons:2"): _is_always_forged,
    ("received", "urn:xmpp:carbons:2"): _is_always_forged,
    ("sent", "urn:xmpp:carbons:1"): _is_always_forged,
    ("received", "urn:xmpp:carbons:1"): _is_always_forged,
    ("result", "urn:xmpp:mam:2"): _is_always_forged,
    ("result", "urn:xmpp:mam:1"): _is_always_forged,
    ("result", "urn:xmpp:mam:0"): _is_always_forged,
    ("result", "urn:xmpp:mam:tmp"): _is_always_forged,
    ("archived", "urn:xmpp:mam:tmp"): _is_always_forged,
    ("delay", DELAY): _is_foreign_delay,
    ("x", "jabber:x:delay"): _is_foreign_delay,
}


# -- what a client says ------------------------------------------------------------------------------------------------


def read_message(stanza: Element, sender: Jid, to: Jid) -> Chat:
    """A message as a `Chat` (RFC 6121, 5.2); a type that is none of the RFC's is ``normal``."""
    attributes = stanza.attributes
    language = attributes.get("xml:lang", "")
    kind = _CHAT_KINDS.get(attributes.get("type", "normal"), "normal")
    passing: list[Element] = []
    body: Element | None = None
    origin_id = displayed = ""
    is_lasting = is_private = is_chat = has_state = says_more = False
    for child in stanza.children:
        if isinstance(child, str):
            continue
        name = (child.name, child.namespace)
        is_forged = _FORGERIES.get(name)
        if is_forged is not None and is_forged(child, sender):
            continue
        passing.append(child)
        if name == _BODY:
            if body is None or (_fits(child, language) and not _fits(body, language)):
                body = child
        elif name == _ORIGIN_ID:
            origin_id = origin_id or child.get("id")
        elif child.namespace == _CHAT_STATES:
            has_state = True
        elif name in _PRIVATE:
            is_private = True
        else:
            is_lasting = is_lasting or name in _LASTING
            is_chat = is_chat or child.namespace in _RECEIPTS_AND_MARKERS
            says_more = says_more or (name not in _ASIDES and child.namespace != _HINTS)
            if name in _READ_MARKERS:
                displayed = displayed or child.get("id")
    text = "" if body is None else body.text
    return Chat(
        sender=sender,
        to=to,
        kind=kind,
        stanza_id=attributes.get("id", ""),
        origin_id=origin_id if len(origin_id) <= ORIGIN_ID_CHARACTERS else "",
        language=language,
        body=text,
        payload=render(*passing),
        displayed=displayed,
        file=_carried(passing) if is_lasting else "",
        retracts=_taken_back(passing) if is_lasting else "",
        is_lasting=kind != "error" and (is_lasting or bool(text)),
        is_typing=has_state and body is None and not (is_lasting or says_more),
        is_copied=not is_private and (kind == "chat" or (kind == "normal" and (bool(text) or is_chat or has_state))),
    )


OUT_OF_BAND: Final = ("x", "jabber:x:oob")
"""XEP-0066 1.5: the address of a file."""

_RETRACTIONS: Final = {("retract", "urn:xmpp:message-retract:0"), ("retract", "urn:xmpp:message-retract:1")}

_HINTS = "urn:xmpp:hints"
_BODY = ("body", CLIENT)
_CAPABILITIES = ("c", "http://jabber.org/protocol/caps")
_SHOW = ("show", CLIENT)
_PRIORITY = ("priority", CLIENT)
_STATUS = ("status", CLIENT)
_ORIGIN_ID = ("origin-id", STANZA_IDS)


def _carried(children: list[Element]) -> str:
    """The id of the file that a message with these children carries."""
    name, namespace = OUT_OF_BAND
    addresses = (child.find_text("url", namespace) for child in children if child.is_named(name, namespace))
    return next((link.id for address in addresses if (link := read_address(address)) is not None), "")


def _taken_back(children: list[Element]) -> str:
    """What the message is called that one with these children takes back (XEP-0424)."""
    return next((child.get("id") for child in children if (child.name, child.namespace) in _RETRACTIONS), "")


def _fits(body: Element, language: str) -> bool:
    return body.language in {"", language}


def read_presence(stanza: Element, sender: Jid) -> Presence:
    """An available presence (RFC 6121, 4.7).

    Raises:
        Refusal: a show or priority that is none (``bad-request``), or too many bytes (``not-acceptable``).
    """
    passing: list[Element] = []
    show = text = priority = None
    software = ""
    for child in stanza.elements():
        name = (child.name, child.namespace)
        if name == _SHOW:  # a second one is not passed on: recipients would choose differently
            show = child.text.strip() if show is None else show
        elif name == _PRIORITY:
            priority = child.text.strip() if priority is None else priority
        elif name == _STATUS and text is None:  # the others are translations
            text = child.text
        elif (is_forged := _FORGERIES.get(name)) is None or not is_forged(child, sender):
            passing.append(child)
            if name == _CAPABILITIES:
                software = child.get("node")
    payload = render(*passing)
    if len(payload.encode()) + len((text or "").encode()) > PRESENCE_BYTES:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"a presence may have {PRESENCE_BYTES} bytes")
    return Presence(_read_show(show or ""), text or "", _read_priority(priority), payload, software)


def read_farewell(stanza: Element) -> str:
    """The words of an unavailable presence.

    Raises:
        Refusal: too many of them.
    """
    text = stanza.find_text("status", CLIENT)
    if len(text.encode()) > PRESENCE_BYTES:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"a presence may have {PRESENCE_BYTES} bytes")
    return text


def _read_show(text: str) -> Show:
    if text in {"", "chat", "away", "xa", "dnd"}:
        return cast("Show", text)
    if text == "online":  # COMPAT: Psi+ (issue 724) says so for available
        return ""
    raise Refusal(Condition.BAD_REQUEST, "show is away, chat, dnd or xa")


def _read_priority(text: str | None) -> int:
    if text is None:
        return 0
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= 3 and -128 <= (priority := int(text)) <= 127:
        return priority
    raise Refusal(Condition.BAD_REQUEST, "priority is an integer from -128 to 127")


# -- what the server says ----------------------------------------------------------------------------------------------


def result(request: Request, child: Element | None = None) -> bytes:
    """The answer to an IQ; without a child, that it was done."""
    return written(
        E("iq", CLIENT, child, type="result", id=request.id, from_=request.to or None, to=request.session.full)
    )


def refusal(request: Request, condition: Condition, text: str = "", detail: Detail | None = None) -> bytes:
    """That a stanza was refused (RFC 6120, 8.3): from whom it was sent to, without what was sent."""
    namespace, error_type = ("", condition.error_type) if detail is None else _DETAILS[detail]
    error = E(
        "error",
        CLIENT,
        E(condition.value, STANZA_ERRORS),
        E("text", STANZA_ERRORS, clean_text(text), attributes={"xml:lang": "en"}) if text else None,
        None if detail is None else E(detail.value, namespace),
        type=error_type,
    )
    return written(
        E(
            request.kind,
            CLIENT,
            error,
            type="error",
            id=request.id or None,
            from_=request.to or None,
            to=request.session.full,
        )
    )


_DETAILS = {Detail.BLOCKED: ("urn:xmpp:blocking:errors", "cancel")}
"""Detail -> the namespace of its element, and the type that its XEP gives the error."""


def written(stanza: Element) -> bytes:
    """A whole stanza as it goes to the client."""
    return serialise(stanza).encode()
