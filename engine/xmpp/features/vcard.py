"""XEP-0054 1.3: who a contact is, from the domain's directory, with the user's own photo.

The directory is the operator's; a user can change his photo only. Clients know no partial update and send the whole card to
change anything, so a set takes the photo (or its absence) and passes over the other fields: refusing them would refuse
every photo.
"""

import base64
from collections.abc import Iterable
from typing import Final

from engine import messages as m
from engine.contacts import Contact
from engine.errors import Condition, Refusal
from engine.messages import Photo
from engine.photos import read_photo
from engine.xmpp.mux import Asked, Feature, Outcome, Place, Recipient, Reply
from engine.xmpp.stanzas import refusal, result
from engine.xmpp.xml import E, Element, clean_text

VCARD: Final = "vcard-temp"
_CARD = f"{{{VCARD}}}vCard"


def fetch_own(asked: Asked) -> Iterable[Outcome]:
    """The own card."""
    yield m.FetchCard(asked.request, asked.session.bare)


def fetch(asked: Asked) -> Iterable[Outcome]:
    """A contact's card."""
    yield m.FetchCard(asked.request, asked.request.to)


def set_photo(asked: Asked) -> Iterable[Outcome]:
    """The own photo, from a whole card."""
    try:
        photo = asked.child.find("PHOTO", VCARD)
        yield m.SetPhoto(asked.request, read_photo("" if photo is None else photo.find_text("BINVAL", VCARD)))
    except Refusal as refused:
        yield Reply(refusal(asked.request, refused.condition, refused.text))


def ask_who(asked: Asked) -> Iterable[Outcome]:
    """Somebody else's card cannot be changed; but first, is there somebody?"""
    yield m.FetchContact(asked.request, asked.request.to)


def render_card(event: m.CardFetched, _recipient: Recipient) -> bytes:
    """A card."""
    fields = _alias_fields if event.contact.is_alias else _person_fields
    return result(event.request, E("vCard", VCARD, *fields(event.contact), _photo(event.photo)))


def render_nobody_elses(event: m.ContactFetched, _recipient: Recipient) -> bytes:
    """The refusal of a set on somebody else's card."""
    nobody = event.contact is None
    return refusal(event.request, Condition.SERVICE_UNAVAILABLE if nobody else Condition.FORBIDDEN)


def _field(name: str, text: str) -> Element | None:
    return E(name, VCARD, clean_text(text)) if text else None


def _common_fields(contact: Contact) -> Iterable[Element | None]:
    yield _field("FN", contact.display_name)
    yield E("EMAIL", VCARD, E("INTERNET", VCARD), E("PREF", VCARD), E("USERID", VCARD, contact.address))
    yield _field("JABBERID", contact.address)


def _person_fields(contact: Contact) -> Iterable[Element | None]:
    given, _, family = contact.display_name.rpartition(" ")
    yield E("N", VCARD, _field("FAMILY", family if given else ""), _field("GIVEN", given or family))
    yield from _common_fields(contact)
    if contact.phone:
        yield E("TEL", VCARD, E("WORK", VCARD), E("VOICE", VCARD), _field("NUMBER", contact.phone))
    yield _field("TITLE", contact.title)
    if contact.department:
        domain = contact.address.rpartition("@")[2]
        yield E("ORG", VCARD, _field("ORGNAME", domain), _field("ORGUNIT", contact.department))


def _alias_fields(contact: Contact) -> Iterable[Element | None]:
    yield from _common_fields(contact)
    yield _field("DESC", "\n".join(("Members:", *contact.members)))


def _photo(photo: Photo | None) -> Element | None:
    if photo is None:
        return None
    binval = E("BINVAL", VCARD, base64.b64encode(photo.data).decode())
    return E("PHOTO", VCARD, E("TYPE", VCARD, clean_text(photo.media_type)), binval)


FEATURE = Feature(
    name="vcard",
    handles={
        (Place.ACCOUNT, "get", _CARD): fetch_own,
        (Place.ACCOUNT, "set", _CARD): set_photo,
        (Place.CONTACT, "get", _CARD): fetch,
        (Place.CONTACT, "set", _CARD): ask_who,
    },
    answers={(m.CardFetched, _CARD): render_card, (m.ContactFetched, _CARD): render_nobody_elses},
    advertises=dict.fromkeys((Place.SERVER, Place.ACCOUNT, Place.CONTACT), (VCARD,)),
)
