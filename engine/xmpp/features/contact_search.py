"""XEP-0055 1.3: finding contacts of the domain, through a form whose main field is ``search``.

Asked at the domain's own address. A client that knows data forms gets and sends a form; one that does not has the four old
fields ``first``, ``last``, ``nick`` and ``email``, and gets the old list of items.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from engine import messages as m
from engine.contacts import Contact
from engine.errors import Condition
from engine.limits import SEARCH_RESULTS
from engine.xmpp.mux import Asked, Feature, Outcome, Place, Recipient, Reply
from engine.xmpp.shapes import FORMS, Field, form_table, form_to_fill_in, submitted
from engine.xmpp.stanzas import refusal, result
from engine.xmpp.xml import E, Element, clean_text

SEARCH: Final = "jabber:iq:search"
_QUERY = f"{{{SEARCH}}}query"
_FORM = f"{{{FORMS}}}x"
"""Name of a request that came as a form, so that its answer is one too."""

_INSTRUCTIONS = "Letters and digits of a name, address, title, department or phone; several words narrow the search."
_OLD_FIELDS = ("first", "last", "nick", "email")
_FIELDS = (
    Field("search", "Search"),
    Field("first", "Given Name"),
    Field("last", "Family Name"),
    Field("nick", "Nickname"),
    Field("email", "Email Address"),
)
_COLUMNS = (
    Field("jid", "Address", "jid-single"),
    Field("name", "Name"),
    Field("title", "Title"),
    Field("department", "Department"),
)


def describe(asked: Asked) -> Iterable[Outcome]:
    """What can be asked for."""
    form = form_to_fill_in(SEARCH, "Contact search", _INSTRUCTIONS, _FIELDS)
    old_fields = (E(name, SEARCH) for name in _OLD_FIELDS)
    yield Reply(result(asked.request, E("query", SEARCH, E("instructions", SEARCH, _INSTRUCTIONS), *old_fields, form)))


def search(asked: Asked) -> Iterable[Outcome]:
    """A search, in the new form or the old."""
    form = asked.child.find("x", FORMS)
    if form is None:
        values = {name: asked.child.find_text(name, SEARCH).strip() for name in _OLD_FIELDS}
        yield _command(asked.request, values)
    elif form.get("type", "submit") == "submit":
        yield _command(msgspec.structs.replace(asked.request, name=_FORM), submitted(form))
    elif form.get("type") == "cancel":
        yield Reply(result(asked.request))
    else:
        yield Reply(refusal(asked.request, Condition.BAD_REQUEST, "the form is to be submitted"))


def _command(request: m.Request, values: dict[str, str]) -> m.SearchContacts:
    fields = {name: values[name] for name in _OLD_FIELDS if values.get(name)}
    return m.SearchContacts(request, values.get("search", ""), fields, SEARCH_RESULTS)


def render_form(event: m.ContactsFound, _recipient: Recipient) -> bytes:
    """What was found, as a table."""
    rows = ((c.address, c.display_name, c.title, c.department) for c in event.contacts)
    return result(event.request, E("query", SEARCH, form_table(SEARCH, _COLUMNS, rows)))


def render_items(event: m.ContactsFound, _recipient: Recipient) -> bytes:
    """What was found, as the old list."""
    return result(event.request, E("query", SEARCH, *map(_item, event.contacts)))


def _item(contact: Contact) -> Element:
    first, _, last = contact.display_name.rpartition(" ")
    values = (first or last, last if first else "", contact.address.partition("@")[0], contact.address)
    fields = (E(name, SEARCH, clean_text(value)) for name, value in zip(_OLD_FIELDS, values, strict=True))
    return E("item", SEARCH, *fields, jid=contact.address)


FEATURE = Feature(
    name="contact search",
    handles={(Place.SERVER, "get", _QUERY): describe, (Place.SERVER, "set", _QUERY): search},
    answers={(m.ContactsFound, _FORM): render_form, (m.ContactsFound, _QUERY): render_items},
    advertises={Place.SERVER: (SEARCH,)},
)
