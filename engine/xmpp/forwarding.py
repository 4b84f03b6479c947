"""Messages of the archive as histories show them (XEP-0313, 4.2): each in a ``result`` around a ``forwarded`` (XEP-0297 1.0).

Inside is the message as its recipients got it, with the same archive id; outside is the time when it was archived. Made from
patterns, because a page has many: 5 us each.
"""

from collections.abc import Callable
from typing import Final

from engine import messages as m
from engine.errors import Condition, Refusal
from engine.limits import QUERY_ID_CHARACTERS
from engine.xmpp import shapes
from engine.xmpp.mux import Recipient
from engine.xmpp.patterns import SLOT, pattern
from engine.xmpp.xml import CLIENT, E, Element, clean_text, escape_attribute

HISTORY: Final = "urn:xmpp:mam:2"
FORWARD: Final = "urn:xmpp:forward:0"


def _result(*, has_query_id: bool, has_id: bool, has_language: bool) -> Element:
    attributes = {
        "from": SLOT,
        "to": SLOT,
        "type": SLOT,
        **({"id": SLOT} if has_id else {}),
        **({"xml:lang": SLOT} if has_language else {}),
    }
    message = E("message", CLIENT, SLOT, shapes.stanza_id(SLOT, SLOT), SLOT, attributes=attributes)
    forwarded = E("forwarded", FORWARD, E("delay", shapes.DELAY, stamp=SLOT), message)
    return E("result", HISTORY, forwarded, id=SLOT, queryid=SLOT if has_query_id else None)


_RESULTS = {
    (has_query_id, has_id, has_language): pattern(
        _result(has_query_id=has_query_id, has_id=has_id, has_language=has_language)
    )
    for has_query_id in (False, True)
    for has_id in (False, True)
    for has_language in (False, True)
}
_SENT_TO = pattern(shapes.sent_to(SLOT, SLOT))


def read_query_id(text: str) -> str:
    """A client's name for its query.

    Raises:
        Refusal: it is too long to be sent back with each message (``not-acceptable``).
    """
    if len(text) > QUERY_ID_CHARACTERS:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"the name of a query may have {QUERY_ID_CHARACTERS} characters")
    return text


class Forwarding:
    """Renders what is in histories.

    Args:
        describe: the name of the alias at an address; empty when unknown.
    """

    def __init__(self, describe: Callable[[str], str]) -> None:
        self._describe = describe

    def result(self, kept: m.Kept, recipient: Recipient, query_id: str) -> str:
        """One message of the recipient's own history. `query_id`: escaped; empty for none."""
        chat = kept.chat
        owner = recipient.bare.decode()
        is_through_alias = chat.via is not None and not kept.is_sent
        named = [escape_attribute(value) for value in (chat.stanza_id, chat.language) if value]
        return _RESULTS[bool(query_id), bool(chat.stanza_id), bool(chat.language)] % (
            chat.id_text,
            *((query_id,) if query_id else ()),
            shapes.utc_text(chat.id),
            escape_attribute(chat.sender.full),
            owner if is_through_alias else escape_attribute(chat.to.full),
            chat.kind,
            *named,
            chat.payload,
            chat.id_text,
            owner,
            self._alias_of(chat) if is_through_alias else "",
        )

    def _alias_of(self, chat: m.Chat) -> str:
        if chat.via is None:
            return ""
        name = clean_text(self._describe(chat.via.bare))
        return _SENT_TO % (escape_attribute(chat.via.bare), escape_attribute(name))
