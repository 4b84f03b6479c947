"""RFC 6121, 2: the contact list of the domain as everyone's roster, with versions (2.6) and personal additions.

The whole list is rendered once for each state of a domain. One user's roster is that text with the own entry cut out and the
entries of his personal additions replaced: two or three pieces of it, joined. An entry is rendered once for as long as its
`Contact` lives, so a changed contact costs one entry, not a list.

Setting an entry (2.3) keeps an own name and groups for it; removing one (2.5) drops those, and the push that follows shows
the contact as the domain has it: a colleague cannot be taken off the list. Subscription is always ``both``.

A client that brings a version that is still known gets an empty result, then a push for each change (2.6.3). A push in
between carries a version from which the rest would be sent again, so a connection that breaks there loses nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, count
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from engine import messages as m
from engine.contacts import Contact, PersonalContact, RemovedContact, RosterVersion, personal_groups, personal_name
from engine.errors import Condition
from engine.jid import Jid, JidError
from engine.limits import NAME_CHARACTERS, ROSTER_GROUPS
from engine.ports import Burst
from engine.xmpp.mux import Asked, Feature, Mux, Outcome, Place, Recipient, Reply
from engine.xmpp.patterns import SLOT, pattern
from engine.xmpp.stanzas import refusal, result
from engine.xmpp.xml import CLIENT, E, Element, clean_text, escape_attribute, escape_text

ROSTER: Final = "jabber:iq:roster"
VERSIONING: Final = "urn:xmpp:features:rosterver"
_QUERY = f"{{{ROSTER}}}query"

DOMAINS_KEPT: Final = 64
"""Domains whose list is kept rendered (150 bytes a contact); at the limit the one that was rendered first goes."""

_ENTRY = pattern(E("item", ROSTER, SLOT, jid=SLOT, name=SLOT, subscription="both"), ROSTER)
_REMOVED = pattern(E("item", ROSTER, jid=SLOT, subscription="remove"), ROSTER)
_GROUP = pattern(E("group", ROSTER, SLOT), ROSTER)
_LIST = pattern(E("iq", CLIENT, E("query", ROSTER, SLOT, ver=SLOT), type="result", id=SLOT, to=SLOT))
_PUSH = pattern(E("iq", CLIENT, E("query", ROSTER, SLOT, ver=SLOT), type="set", id=SLOT, to=SLOT))


# -- what clients ask --------------------------------------------------------------------------------------------------


def fetch(asked: Asked) -> Iterable[Outcome]:
    """The roster. Without ``ver`` the client knows no versions; with an empty one it has nothing yet (2.6.2)."""
    yield m.FetchRoster(asked.request, asked.child.attributes.get("ver"))


def change(asked: Asked) -> Iterable[Outcome]:
    """A roster set (2.1.5): one entry."""
    entries = asked.child.elements()
    if len(entries) != 1 or not entries[0].is_named("item", ROSTER):
        yield Reply(refusal(asked.request, Condition.BAD_REQUEST, "a roster set has exactly one item"))
        return
    entry = entries[0]
    groups = tuple(group.text for group in entry.find_all("group", ROSTER))
    refused = _check(entry, groups)
    if refused is not None:
        yield Reply(refusal(asked.request, *refused))
        return
    address = Jid.parse(entry.get("jid")).bare
    if entry.get("subscription") == "remove":
        yield m.SetPersonalContact(asked.request, address)
    else:
        yield m.SetPersonalContact(asked.request, address, entry.get("name") or None, groups)


def _check(entry: Element, groups: tuple[str, ...]) -> tuple[Condition, str] | None:
    """What is wrong with an entry (2.3.3)."""
    try:
        Jid.parse(entry.get("jid"))
    except JidError:
        return Condition.JID_MALFORMED, ""
    if len(entry.get("name")) > NAME_CHARACTERS:
        return Condition.NOT_ACCEPTABLE, f"a name may have {NAME_CHARACTERS} characters"
    if len(set(groups)) < len(groups):
        return Condition.BAD_REQUEST, "a group is named twice"
    if len(groups) > ROSTER_GROUPS or not all(0 < len(group) <= NAME_CHARACTERS for group in groups):
        return Condition.NOT_ACCEPTABLE, f"up to {ROSTER_GROUPS} groups of 1 to {NAME_CHARACTERS} characters"
    return None


# -- what clients are told ---------------------------------------------------------------------------------------------


class RenderedList(msgspec.Struct, frozen=True):
    """All contacts of a domain. `places`: the number of each address, and where the entry of each number ends."""

    contacts: tuple[Contact, ...]
    text: bytes
    places: dict[str, int]
    ends: list[int]


class RosterRenderer:
    """The renderings that all connections share."""

    def __init__(self) -> None:
        self._entries: WeakKeyDictionary[Contact, bytes] = WeakKeyDictionary()
        self._lists: dict[str, RenderedList] = {}
        self._push_ids = count(1)

    def fetched(self, event: m.RosterFetched, recipient: Recipient) -> bytes | Burst:
        """The answer to a request for the roster."""
        if event.contacts is None:
            pushes = self._pushes(event.changes, event.personal, event.version, recipient)
            return Burst(result(event.request) + b"".join(pushes), len(pushes) + 1)
        own = {entry.address: entry for entry in event.personal}
        head, tail = _split(_LIST, event.version, event.request.id, recipient)
        return b"".join((head, *self._roster_of(recipient.jid.bare, event.contacts, own), tail))

    def changed(self, event: m.RosterChanged, recipient: Recipient) -> Burst | None:
        """What changed, one push for each entry (2.1.6)."""
        pushes = self._pushes(event.changes, event.personal, event.version, recipient)
        return Burst(b"".join(pushes), len(pushes)) if pushes else None

    def _roster_of(
        self, owner: str, contacts: tuple[Contact, ...], own: Mapping[str, PersonalContact]
    ) -> Iterable[bytes | memoryview]:
        everyone = self._list(owner.rpartition("@")[2], contacts)
        places = sorted(everyone.places[address] for address in {owner, *own} if address in everyone.places)
        text = memoryview(everyone.text)  # its slices are no copies
        position = 0
        for place in places:
            yield text[position : everyone.ends[place - 1] if place else 0]
            if contacts[place].address != owner:
                yield _entry(contacts[place], own)
            position = everyone.ends[place]
        yield text[position:]

    def _list(self, domain: str, contacts: tuple[Contact, ...]) -> RenderedList:
        known = self._lists.get(domain)
        if known is not None and known.contacts is contacts:
            return known
        entries = [self._shared_entry(contact) for contact in contacts]
        ends = list(accumulate(map(len, entries)))
        places = {contact.address: place for place, contact in enumerate(contacts)}
        if domain not in self._lists and len(self._lists) >= DOMAINS_KEPT:
            del self._lists[next(iter(self._lists))]
        self._lists[domain] = RenderedList(contacts, b"".join(entries), places, ends)
        return self._lists[domain]

    def _shared_entry(self, contact: Contact) -> bytes:
        entry = self._entries.get(contact)
        if entry is None:
            entry = self._entries[contact] = _entry(contact, {})
        return entry

    def _pushes(
        self,
        changes: Sequence[Contact | RemovedContact],
        personal: Sequence[PersonalContact],
        version: str,
        recipient: Recipient,
    ) -> list[bytes]:
        own = {entry.address: entry for entry in personal}
        shown = [change for change in changes if change.address != recipient.jid.bare]
        pushes: list[bytes] = []
        newest = 0
        for change in shown:
            newest = max(newest, change.changed)
            reached = version if change is shown[-1] else str(RosterVersion(newest, 0))
            head, tail = _split(_PUSH, reached, f"push-{next(self._push_ids)}", recipient)
            pushes.append(b"".join((head, self._pushed_entry(change, own), tail)))
        return pushes

    def _pushed_entry(self, change: Contact | RemovedContact, own: Mapping[str, PersonalContact]) -> bytes:
        if not isinstance(change, Contact):
            return (_REMOVED % escape_attribute(change.address)).encode()
        return _entry(change, own) if change.address in own else self._shared_entry(change)


def _entry(contact: Contact, own: Mapping[str, PersonalContact]) -> bytes:
    groups = "".join([_GROUP % escape_text(clean_text(group)) for group in personal_groups(contact, own)])
    name = escape_attribute(clean_text(personal_name(contact, own)))
    return (_ENTRY % (escape_attribute(contact.address), name, groups)).encode()


def _split(shape: str, version: str, stanza_id: str, recipient: Recipient) -> tuple[bytes, bytes]:
    """A list or push around its entries."""
    head, tail = shape.rsplit("%s", 1)
    values = (escape_attribute(stanza_id), recipient.full.decode(), escape_attribute(version))
    return (head % values).encode(), tail.encode()


def offer(_mux: Mux) -> Element:
    """The stream feature of roster versioning (2.6.1)."""
    return E("ver", VERSIONING)


def make() -> Feature:
    """The feature, with caches of its own."""
    renderer = RosterRenderer()
    return Feature(
        name="roster",
        handles={(Place.ACCOUNT, "get", _QUERY): fetch, (Place.ACCOUNT, "set", _QUERY): change},
        answers={(m.RosterFetched, _QUERY): renderer.fetched},
        events={m.RosterChanged: renderer.changed},
        offers=(offer,),
    )
