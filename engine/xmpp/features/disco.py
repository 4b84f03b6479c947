"""XEP-0030 2.5: what the server, the own account and a contact are, and what they can do; generated from the features.

The items of the server and of an account are none: nobody's sessions are listed here (they are seen by presence), and
contacts are on the roster and found by search, not in a list that grows with the domain. An alias's items are its members.
A request about a contact first asks who that is; nobody is ``service-unavailable``, as for everything that does not exist.
"""

from collections.abc import Iterable
from typing import Final

from engine import messages as m
from engine.contacts import Contact
from engine.errors import Condition
from engine.xmpp.mux import Asked, Feature, Outcome, Place, Recipient, Reply, Software
from engine.xmpp.shapes import Identity, Listing
from engine.xmpp.stanzas import refusal, result
from engine.xmpp.xml import E, Element, clean_text

INFO: Final = "http://jabber.org/protocol/disco#info"
ITEMS: Final = "http://jabber.org/protocol/disco#items"
_INFO_QUERY = f"{{{INFO}}}query"
_ITEMS_QUERY = f"{{{ITEMS}}}query"


def _info(listing: Listing, node: str = "") -> Element:
    return E(
        "query",
        INFO,
        *(E("identity", INFO, category=i.category, type=i.type, name=i.name or None) for i in listing.identities),
        *(E("feature", INFO, var=feature) for feature in listing.features),
        *(extension.form() for extension in listing.extensions),
        node=node or None,
    )


def answer_info(asked: Asked) -> Iterable[Outcome]:
    """About the server or the own account. The one node that the server has is that of its capabilities (XEP-0115)."""
    node = asked.child.get("node")
    listing = asked.mux.listings[asked.place]
    known = {"", f"{asked.mux.software.url}#{listing.capability_hash}" if asked.place is Place.SERVER else ""}
    if node in known:
        yield Reply(result(asked.request, _info(listing, node)))
    else:
        yield Reply(refusal(asked.request, Condition.ITEM_NOT_FOUND))


def answer_items(asked: Asked) -> Iterable[Outcome]:
    """Nothing that is not seen elsewhere."""
    if asked.child.get("node"):
        yield Reply(refusal(asked.request, Condition.ITEM_NOT_FOUND))
    else:
        yield Reply(result(asked.request, E("query", ITEMS)))


def ask_who(asked: Asked) -> Iterable[Outcome]:
    """About a contact; contacts have no nodes."""
    if asked.child.get("node"):
        yield Reply(refusal(asked.request, Condition.SERVICE_UNAVAILABLE))
    else:
        yield m.FetchContact(asked.request, asked.request.to)


def render_info(event: m.ContactFetched, recipient: Recipient) -> bytes:
    """What a contact is."""
    if event.contact is None:
        return refusal(event.request, Condition.SERVICE_UNAVAILABLE)
    identity = _identity(event.contact)
    return result(event.request, _info(Listing((identity,), recipient.mux.listings[Place.CONTACT].features)))


def render_items(event: m.ContactFetched, _recipient: Recipient) -> bytes:
    """What belongs to a contact: the members of an alias."""
    if event.contact is None:
        return refusal(event.request, Condition.SERVICE_UNAVAILABLE)
    return result(event.request, E("query", ITEMS, *(E("item", ITEMS, jid=jid) for jid in event.contact.members)))


def _identity(contact: Contact) -> Identity:
    # The registry has no distribution list; "directory/group" is the nearest that makes no client try to join a room.
    category, kind = ("directory", "group") if contact.is_alias else ("account", "registered")
    return Identity(category, kind, clean_text(contact.display_name))


def make(software: Software) -> Feature:
    """The feature of a server of that name."""
    return Feature(
        name="disco",
        handles={
            (Place.SERVER, "get", _INFO_QUERY): answer_info,
            (Place.ACCOUNT, "get", _INFO_QUERY): answer_info,
            (Place.CONTACT, "get", _INFO_QUERY): ask_who,
            (Place.SERVER, "get", _ITEMS_QUERY): answer_items,
            (Place.ACCOUNT, "get", _ITEMS_QUERY): answer_items,
            (Place.CONTACT, "get", _ITEMS_QUERY): ask_who,
        },
        answers={(m.ContactFetched, _INFO_QUERY): render_info, (m.ContactFetched, _ITEMS_QUERY): render_items},
        advertises=dict.fromkeys((Place.SERVER, Place.ACCOUNT, Place.CONTACT), (INFO, ITEMS)),
        identities={
            Place.SERVER: (Identity("server", "im", software.name),),
            Place.ACCOUNT: (Identity("account", "registered"),),
        },
    )
