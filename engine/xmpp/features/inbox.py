"""XEP-0430 0.2: the recent conversations of the own account, with what is unread.

One message for each conversation, the most recent first, then the answer with the sums over all of them. A conversation is
known by the archive id of its newest message with a body, which its ``entry`` has as ``id`` and its page is asked for with
(XEP-0059). The messages are named by the request's own id. What is unread is said in `engine.messages.Conversation`: a client
marks by a displayed marker (XEP-0333), or by an answer.
"""

from collections.abc import Iterable
from typing import Final

from engine import messages as m
from engine.errors import Condition, Refusal
from engine.limits import CONVERSATIONS_PAGE
from engine.messages import ConversationsQuery, parse_id
from engine.ports import Burst
from engine.xmpp.forwarding import Forwarding, read_query_id
from engine.xmpp.mux import Asked, Feature, Outcome, Place, Recipient
from engine.xmpp.paging import PAGING, page_of, read_paging
from engine.xmpp.patterns import SLOT, pattern
from engine.xmpp.stanzas import result
from engine.xmpp.xml import CLIENT, E, escape_attribute

INBOX: Final = "urn:xmpp:inbox:1"
_INBOX = f"{{{INBOX}}}inbox"
_MESSAGE = pattern(
    E("message", CLIENT, E("entry", INBOX, unread=SLOT, jid=SLOT, id=SLOT), SLOT, attributes={"from": SLOT, "to": SLOT})
)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def fetch(asked: Asked) -> Iterable[Outcome]:
    """One page of conversations (3.1)."""
    read_query_id(asked.request.id)
    paging = read_paging(asked.child)
    query = ConversationsQuery(
        owner=asked.session.bare,
        older_than=_place(paging.after),
        newer_than=_place(paging.before),
        is_unread=_boolean(asked.child.get("unread-only", "false")),
        limit=CONVERSATIONS_PAGE if paging.limit is None else min(paging.limit, CONVERSATIONS_PAGE),
        is_backwards=paging.is_backwards,
    )
    yield m.FetchConversations(asked.request, query, _boolean(asked.child.get("messages", "true")))


def _place(text: str) -> int | None:
    """The list is in the order of ids, so an id that is in it no more still has its place (XEP-0059, 2.4)."""
    number = parse_id(text)
    if text and number is None:
        raise Refusal(Condition.ITEM_NOT_FOUND)
    return number


def _boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise Refusal(Condition.BAD_REQUEST, "true or false")
    return _BOOLEANS[text]


class InboxRenderer:
    """Writes lists of conversations.

    Args:
        forwarding: writes the newest message of each.
    """

    def __init__(self, forwarding: Forwarding) -> None:
        self._forwarding = forwarding

    def page(self, event: m.ConversationsFetched, recipient: Recipient) -> Burst:
        """A message for each conversation, then the answer."""
        page = event.page
        query_id = escape_attribute(event.request.id)
        bare, full = recipient.bare.decode(), recipient.full.decode()
        messages = [
            _MESSAGE
            % (
                bare,
                full,
                one.unread,
                escape_attribute(one.peer),
                one.newest.chat.id_text,
                self._forwarding.result(one.newest, recipient, query_id) if event.has_messages else "",
            )
            for one in page.conversations
        ]
        shown = page.conversations
        ends = (shown[0].newest.chat.id_text, shown[-1].newest.chat.id_text) if shown else ("", "")
        fin = E(
            "fin",
            INBOX,
            page_of(*ends, page.count),
            attributes={
                "total": str(page.total),
                "unread": str(page.unread),
                "all-unread": str(page.unread_messages),
            },
        )
        return Burst("".join(messages).encode() + result(event.request, fin), len(messages) + 1)


def make(forwarding: Forwarding) -> Feature:
    """The feature."""
    return Feature(
        name="inbox",
        handles={(Place.ACCOUNT, "get", _INBOX): fetch},
        answers={(m.ConversationsFetched, _INBOX): InboxRenderer(forwarding).page},
        advertises={Place.ACCOUNT: (INBOX, PAGING)},
    )
