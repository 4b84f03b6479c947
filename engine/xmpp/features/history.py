"""XEP-0313 1.1.3: an account reads its own history; XEP-0431 0.2: and searches it; XEP-0441 0.2: it is always kept.

Asked at the own account and nowhere else: somebody else's history looks like that of nobody (``service-unavailable``), whether
he exists or not. Conversations with an alias are found under the alias by those who wrote to it, and under the person who wrote
by those who got it.

A query is a form (`_FIELDS`) and a page (XEP-0059). Archive ids are those of the live messages (XEP-0359). Ids that are not in
the history, or are none at all, are ``item-not-found``. A page has at most `engine.limits.HISTORY_PAGE` messages and may be
smaller; ``complete`` says whether it was the last. Messages are counted when a client asks for an empty page, and not else.

The field `TEXT_FIELD` narrows a query like any other: each word must begin a word of the body (`engine.ports.HistorySearch`). A
hit opens with its context: the same query without that field, before or after its id.

Groupchats are in no history, so the field that leaves them out is understood and changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from engine import messages as m
from engine.errors import Condition, Refusal
from engine.jid import Jid
from engine.limits import HISTORY_IDS, HISTORY_PAGE
from engine.messages import HistoryQuery, parse_id
from engine.ports import Burst
from engine.xmpp.forwarding import HISTORY, Forwarding, read_query_id
from engine.xmpp.mux import Asked, Feature, Outcome, Place, Recipient, Reply
from engine.xmpp.paging import PAGING, Paging, page_of, read_paging
from engine.xmpp.patterns import SLOT, pattern
from engine.xmpp.shapes import FORMS, Field, form_to_fill_in, microseconds, submitted_values, utc_text
from engine.xmpp.stanzas import result
from engine.xmpp.xml import CLIENT, E, Element, escape_attribute

EXTENDED: Final = "urn:xmpp:mam:2#extended"
TEXT_SEARCH: Final = "urn:xmpp:fulltext:0"
TEXT_FIELD: Final = f"{{{TEXT_SEARCH}}}fulltext"
GROUPCHAT_FIELD: Final = "urn:xmpp:mam:2#groupchat-field"

_QUERY = f"{{{HISTORY}}}query"
_METADATA = f"{{{HISTORY}}}metadata"
_PREFERENCES = f"{{{HISTORY}}}prefs"
_MESSAGE = pattern(E("message", CLIENT, SLOT, from_=SLOT, to=SLOT))


# -- the form ----------------------------------------------------------------------------------------------------------


class Wanted(msgspec.Struct):
    """What the fields of one query ask for, while they are read."""

    with_: Jid | None = None
    start: int = 0
    end: int | None = None
    after: list[int] = []
    before: list[int] = []
    ids: list[int] = []
    text: str = ""


def _read_with(wanted: Wanted, values: Sequence[str]) -> None:
    wanted.with_ = Jid.parse(values[0])


def _read_start(wanted: Wanted, values: Sequence[str]) -> None:
    wanted.start = _time(values[0])


def _read_end(wanted: Wanted, values: Sequence[str]) -> None:
    end = _time(values[0])
    # COMPAT: Dino cuts the fractions off the time of a message and wants what is before that message.
    wanted.end = end if "." in values[0] else end + 999_999


def _read_after(wanted: Wanted, values: Sequence[str]) -> None:
    wanted.after.append(_id(values[0]))


def _read_before(wanted: Wanted, values: Sequence[str]) -> None:
    wanted.before.append(_id(values[0]))


def _read_ids(wanted: Wanted, values: Sequence[str]) -> None:
    if len(values) > HISTORY_IDS:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"a query may name {HISTORY_IDS} ids")
    wanted.ids += map(_id, values)


def _read_text(wanted: Wanted, values: Sequence[str]) -> None:
    wanted.text = values[0].strip()


def _read_nothing(_wanted: Wanted, _values: Sequence[str]) -> None:
    """Changes nothing."""


_FIELDS: Final[Mapping[str, tuple[Field, Callable[[Wanted, Sequence[str]], None]]]] = {
    "with": (Field("with", "With whom", "jid-single"), _read_with),
    "start": (Field("start", "From"), _read_start),
    "end": (Field("end", "To"), _read_end),
    "before-id": (Field("before-id", "Before the message"), _read_before),
    "after-id": (Field("after-id", "After the message"), _read_after),
    "ids": (Field("ids", "Messages", "list-multi", is_open=True), _read_ids),
    TEXT_FIELD: (Field(TEXT_FIELD, "Words"), _read_text),
    "include-groupchat": (Field("include-groupchat", "With groupchats", "boolean"), _read_nothing),
}


def _time(text: str) -> int:
    try:
        return microseconds(text)
    except ValueError as error:
        raise Refusal(Condition.BAD_REQUEST, "a time is written as in XEP-0082") from error


def _id(text: str) -> int:
    number = parse_id(text)
    if number is None:
        raise Refusal(Condition.ITEM_NOT_FOUND)
    return number


def _read_form(query: Element) -> Wanted:
    wanted = Wanted()
    form = query.find("x", FORMS)
    if form is None:
        return wanted
    values = submitted_values(form)
    if form.get("type", "submit") != "submit" or values.pop("FORM_TYPE", None) != [HISTORY]:
        raise Refusal(Condition.BAD_REQUEST, f"the form is to be submitted, with {HISTORY} as its FORM_TYPE")
    for name, given in values.items():
        if name not in _FIELDS:
            raise Refusal(Condition.FEATURE_NOT_IMPLEMENTED, "there is no such field")
        if given:
            _FIELDS[name][1](wanted, given)
    return wanted


def _query_of(owner: str, wanted: Wanted, paging: Paging) -> HistoryQuery:
    after, before = list(wanted.after), list(wanted.before)
    if paging.after:
        after.append(_id(paging.after))
    if paging.before:
        before.append(_id(paging.before))
    return HistoryQuery(
        owner=owner,
        peer="" if wanted.with_ is None else wanted.with_.bare,
        resource="" if wanted.with_ is None else wanted.with_.resource,
        start=wanted.start,
        end=wanted.end,
        after=max(after, default=None),
        before=min(before, default=None),
        known=(*after, *before),
        ids=tuple(wanted.ids),
        text=wanted.text,
        limit=HISTORY_PAGE if paging.limit is None else min(paging.limit, HISTORY_PAGE),
        is_backwards=paging.is_backwards,
    )


# -- what clients ask --------------------------------------------------------------------------------------------------


def fetch(asked: Asked) -> Iterable[Outcome]:
    """One page (4)."""
    query_id = read_query_id(asked.child.get("queryid"))
    if asked.child.get("node"):
        raise Refusal(Condition.ITEM_NOT_FOUND)
    query = _query_of(asked.session.bare, _read_form(asked.child), read_paging(asked.child))
    is_flipped = asked.child.find("flip-page", HISTORY) is not None
    yield m.FetchHistory(asked.request, query, query_id, is_flipped)


def describe(asked: Asked) -> Iterable[Outcome]:
    """What can be asked for (4.1.5)."""
    fields = (field for field, _ in _FIELDS.values())
    form = form_to_fill_in(HISTORY, "History", "Every field that is filled in narrows the query.", fields)
    yield Reply(result(asked.request, E("query", HISTORY, form)))


def fetch_bounds(asked: Asked) -> Iterable[Outcome]:
    """From when to when there is history (5)."""
    yield m.FetchHistoryBounds(asked.request)


def tell_preferences(asked: Asked) -> Iterable[Outcome]:
    """Everything is archived (XEP-0441, 2.1)."""
    yield Reply(result(asked.request, _always()))


def set_preferences(asked: Asked) -> Iterable[Outcome]:
    """What says the same is applied, everything else is not allowed (XEP-0441, 2.1)."""
    default = asked.child.get("default")
    if default not in {"always", "never", "roster"}:
        raise Refusal(Condition.BAD_REQUEST, "the default is always, never or roster")
    never = asked.child.find("never", HISTORY)
    if default != "always" or (never is not None and never.elements()):
        raise Refusal(Condition.NOT_ALLOWED, "history is always kept")
    yield Reply(result(asked.request, _always()))


def _always() -> Element:
    return E("prefs", HISTORY, E("always", HISTORY), E("never", HISTORY), default="always")


# -- what clients are told ---------------------------------------------------------------------------------------------


class HistoryRenderer:
    """Writes pages.

    Args:
        forwarding: writes each message of one.
    """

    def __init__(self, forwarding: Forwarding) -> None:
        self._forwarding = forwarding

    def page(self, event: m.HistoryFetched, recipient: Recipient) -> Burst:
        """The messages, then the answer to the query (4.2)."""
        kept, page = event.page.kept, event.page
        query_id = escape_attribute(event.query_id)
        bare, full = recipient.bare.decode(), recipient.full.decode()
        write = self._forwarding.result
        messages = [_MESSAGE % (bare, full, write(one, recipient, query_id)) for one in kept]
        if event.is_flipped:
            messages.reverse()
        ends = (kept[0].chat.id_text, kept[-1].chat.id_text) if kept else ("", "")
        complete = "true" if page.is_complete else "false"
        fin = E("fin", HISTORY, page_of(*ends, page.count), complete=complete, stable="true")
        return Burst("".join(messages).encode() + result(event.request, fin), len(messages) + 1)


def render_bounds(event: m.HistoryBoundsFetched, _recipient: Recipient) -> bytes:
    """The first and the last message (5)."""
    ends: list[Element] = []
    if event.bounds is not None:
        for name, kept in zip(("start", "end"), event.bounds, strict=True):
            ends.append(E(name, HISTORY, id=kept.chat.id_text, timestamp=utc_text(kept.chat.id)))
    return result(event.request, E("metadata", HISTORY, *ends))


def make(forwarding: Forwarding) -> Feature:
    """The feature."""
    return Feature(
        name="history",
        handles={
            (Place.ACCOUNT, "set", _QUERY): fetch,
            (Place.ACCOUNT, "get", _QUERY): describe,
            (Place.ACCOUNT, "get", _METADATA): fetch_bounds,
            (Place.ACCOUNT, "get", _PREFERENCES): tell_preferences,
            (Place.ACCOUNT, "set", _PREFERENCES): set_preferences,
        },
        answers={
            (m.HistoryFetched, _QUERY): HistoryRenderer(forwarding).page,
            (m.HistoryBoundsFetched, _METADATA): render_bounds,
        },
        advertises={Place.ACCOUNT: (HISTORY, EXTENDED, GROUPCHAT_FIELD, TEXT_SEARCH, PAGING)},
    )
