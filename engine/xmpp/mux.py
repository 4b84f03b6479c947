"""Who answers what: the tables of an XMPP connection, collected from the features.

A `Feature` is one small file: what it handles, what it answers with, what it advertises. A `Mux` merges them into tables
that can be printed, and refuses two features that claim the same cell.

Requests are found by `Place` (whom the client asked), type and ``{namespace}name`` of the child. Without a handler the answer
is the RFC's (6120, 8.4 and 8.3.3.3): ``service-unavailable``, or ``feature-not-implemented`` when the namespace is known at
that place but not the element or the type. What is asked of a contact is always ``service-unavailable``: the answer must be the
one that a name gets which does not exist.

Events are found by their type; answers to requests by type and by the name of the request.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from engine.errors import Condition
from engine.jid import Jid
from engine.messages import IqKind, Request
from engine.ports import Burst
from engine.xmpp.shapes import Extension, Identity, Listing
from engine.xmpp.stanzas import refusal
from engine.xmpp.xml import Element, escape_attribute


class Place(StrEnum):
    """Whom a stanza is addressed to, as seen from the session that sends it."""

    SERVER = "the server: its domain"
    ACCOUNT = "the own account: its bare JID, or no address"
    CONTACT = "another bare JID of the domain: the server answers on its behalf"
    SESSION = "a full JID of the domain: passed on"
    ELSEWHERE = "any other address: not there"


class Software(msgspec.Struct, frozen=True):
    """What the server says of itself. `url`: also the node of its capabilities (XEP-0115)."""

    name: str = "Rookery"
    version: str = ""
    url: str = "https://rookery.example/"


class Reply(msgspec.Struct, frozen=True):
    """To be written back to the client at once."""

    data: bytes


class Asked(msgspec.Struct, frozen=True):
    """One IQ of type get or set.

    Attributes:
        request: what the answer needs.
        kind: get or set.
        place: whom the client asked.
        child: the one child of the IQ.
        now: seconds since 1970.
        mux: the tables.
    """

    request: Request
    kind: IqKind
    place: Place
    child: Element
    now: float
    mux: "Mux"

    @property
    def session(self) -> Jid:
        """Who asks."""
        return self.request.session


class Recipient:
    """The session that an event is rendered for, with its addresses ready to be spliced in."""

    __slots__ = ("bare", "full", "jid", "mux")

    def __init__(self, jid: Jid, mux: "Mux") -> None:
        self.jid = jid
        self.bare = escape_attribute(jid.bare).encode()
        self.full = escape_attribute(jid.full).encode()
        self.mux = mux


Outcome = msgspec.Struct
"""A command of `engine.messages` for the session, or a `Reply`."""

Handler = Callable[[Asked], Iterable[Outcome]]
Key = tuple[Place, IqKind, str]
EventRenderer = Callable[[Any, Recipient], bytes | Burst | None]
"""What an event is to a client: one stanza, several (`Burst`), or nothing."""

Nonza = Callable[[Element, Jid, float], Iterable[Outcome]]


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One protocol extension, whole.

    Attributes:
        name: the noun it is called by.
        handles: requests.
        answers: by type of the event and name of the request it answers.
        events: by type: what comes unasked.
        nonzas: elements beside stanzas, by (namespace, name), which the stream is told of as its `extensions`.
        advertises: what service discovery lists at each place.
        identities: what service discovery says that each place is.
        extensions: what service discovery says beyond that of each place.
        offers: what the stream offers after login.
    """

    name: str
    handles: Mapping[Key, Handler] = {}
    answers: Mapping[tuple[type, str], EventRenderer] = {}
    events: Mapping[type, EventRenderer] = {}
    nonzas: Mapping[tuple[str, str], Nonza] = {}
    advertises: Mapping[Place, Sequence[str]] = {}
    identities: Mapping[Place, Sequence[Identity]] = {}
    extensions: Mapping[Place, Sequence[Extension]] = {}
    offers: Sequence[Callable[["Mux"], Element]] = ()


class Mux:
    """All features together; one for all connections of a server.

    Attributes:
        software: what the server says of itself.
        listings: what service discovery says, generated from the features.
        offers: stream features for after the login.
        handlers, answers, events, nonzas: the tables.
    """

    def __init__(self, software: Software, features: Sequence[Feature]) -> None:
        self.software: Final = software
        self.features: Final = tuple(features)
        self.handlers: Final = _merge(feature.handles for feature in features)
        self.answers: Final = _merge(feature.answers for feature in features)
        self.nonzas: Final = _merge(feature.nonzas for feature in features)
        self.events: Final[dict[type, EventRenderer]] = _merge(feature.events for feature in features)
        self.events.update({event: self._answer for event, _ in self.answers if event not in self.events})
        self._namespaces = frozenset((place, name.partition("}")[0]) for place, _, name in self.handlers)
        self.listings: Final = {place: self._list(place) for place in Place}
        self.offers: Final = tuple(offer(self) for feature in features for offer in feature.offers)

    def render(self, event: Any, recipient: Recipient) -> Burst | None:
        """What a client is told of an event of its session; None when that is nothing."""
        rendered = self.events[type(event)](event, recipient)
        return Burst(rendered, 1) if isinstance(rendered, bytes) else rendered

    def ask(self, asked: Asked) -> list[Outcome]:
        """What follows from a request that the server answers itself."""
        handler = self.handlers.get((asked.place, asked.kind, asked.request.name))
        if handler is not None:
            return list(handler(asked))
        is_known = (asked.place, asked.request.name.partition("}")[0]) in self._namespaces
        return [Reply(refusal(asked.request, self._unhandled(asked.place, is_known=is_known)))]

    def table_lines(self) -> Iterable[str]:
        """What is handled, as text."""
        for (place, kind, name), handler in sorted(self.handlers.items()):
            yield f"{place.name:9} {kind:4} {name:55} {handler.__module__.rpartition('.')[2]}.{handler.__name__}"

    def _list(self, place: Place) -> Listing:
        identities = [identity for feature in self.features for identity in feature.identities.get(place, ())]
        names = {name for feature in self.features for name in feature.advertises.get(place, ())}
        extensions = [each for feature in self.features for each in feature.extensions.get(place, ())]
        return Listing(tuple(identities), tuple(sorted(names)), tuple(extensions))

    def _answer(self, event: Any, recipient: Recipient) -> bytes | Burst | None:
        render = self.answers.get((type(event), event.request.name))
        return None if render is None else render(event, recipient)

    @staticmethod
    def _unhandled(place: Place, *, is_known: bool) -> Condition:
        if is_known and place is not Place.CONTACT:
            return Condition.FEATURE_NOT_IMPLEMENTED
        return Condition.SERVICE_UNAVAILABLE


def _merge(tables: Iterable[Mapping[Any, Any]]) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    for table in tables:
        if clash := merged.keys() & table.keys():
            raise ValueError(f"two features claim {clash}")
        merged.update(table)
    return merged
