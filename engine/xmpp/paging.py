"""Result set management (XEP-0059 1.0): which page a client wants, and which one it gets.

A page is asked for by the ids of its neighbours; places by number (2.6) are not offered, because counting up to one costs more
than everything else.
"""

from typing import Final

import msgspec

from engine.errors import Condition, Refusal
from engine.xmpp.xml import E, Element

PAGING: Final = "http://jabber.org/protocol/rsm"


class Paging(msgspec.Struct, frozen=True):
    """The page that is wanted.

    Attributes:
        limit: items in it, at most; None: the client names no number. 0: only the count is wanted (2.7).
        after: the id of the item before the page; empty: from the first one on.
        before: the id of the item after the page; empty: up to the last one.
        is_backwards: the page at the end (2.3, 2.5): just before `before`, or the last of all.
    """

    limit: int | None = None
    after: str = ""
    before: str = ""
    is_backwards: bool = False


def read_paging(query: Element) -> Paging:
    """The page that a query asks for; without a word about it the first one.

    Raises:
        Refusal: a number that is none (``bad-request``), or a page by number (``feature-not-implemented``).
    """
    wanted = query.find("set", PAGING)
    if wanted is None:
        return Paging()
    if wanted.find("index", PAGING) is not None:
        raise Refusal(
            Condition.FEATURE_NOT_IMPLEMENTED, "pages are found by the ids of their neighbours, not by number"
        )
    limit = wanted.find_text("max", PAGING).strip()
    if limit and not (limit.isascii() and limit.isdigit()):
        raise Refusal(Condition.BAD_REQUEST, "max is a number")
    before = wanted.find("before", PAGING)
    return Paging(
        limit=int(limit[:9]) if limit else None,
        after=wanted.find_text("after", PAGING).strip(),
        before="" if before is None else before.text.strip(),
        is_backwards=before is not None,
    )


def page_of(first: str, last: str, count: int | None) -> Element:
    """The page that is given. Both ids are empty for an empty page. `count`: of all items; None: not counted."""
    return E(
        "set",
        PAGING,
        E("first", PAGING, first) if first else None,
        E("last", PAGING, last) if last else None,
        None if count is None else E("count", PAGING, str(count)),
    )
