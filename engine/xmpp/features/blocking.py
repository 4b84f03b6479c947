"""XEP-0191 1.3: the account's block list; what it means is in `engine.blocking`.

A client that asked for the list gets a push of every later change, its own included (3.3). Commands carry addresses in any
spelling; the list has them prepared, and so have the pushes.
"""

from collections.abc import Iterable
from itertools import count
from typing import Final, cast

from engine import messages as m
from engine.errors import Condition
from engine.jid import Jid, JidError
from engine.limits import BLOCKED_ADDRESSES
from engine.messages import BlockingKind
from engine.xmpp.mux import Asked, Feature, Outcome, Place, Recipient, Reply
from engine.xmpp.stanzas import refusal, result, written
from engine.xmpp.xml import CLIENT, E, Element

BLOCKING: Final = "urn:xmpp:blocking"
_LIST = f"{{{BLOCKING}}}blocklist"


def fetch(asked: Asked) -> Iterable[Outcome]:
    """The list (3.2)."""
    yield m.FetchBlocked(asked.request)


def change(asked: Asked) -> Iterable[Outcome]:
    """Block (3.3), unblock (3.4), and, without an item, unblock all (3.5)."""
    kind = cast("BlockingKind", asked.child.name)
    items = asked.child.find_all("item", BLOCKING)
    if not items and (kind == "block" or asked.child.elements()):
        yield Reply(refusal(asked.request, Condition.BAD_REQUEST, "whom? there is no item"))
    elif len(items) > BLOCKED_ADDRESSES:
        yield Reply(
            refusal(asked.request, Condition.POLICY_VIOLATION, f"more than {BLOCKED_ADDRESSES} blocked addresses")
        )
    else:
        yield _command(asked, kind, items)


def _command(asked: Asked, kind: BlockingKind, items: Iterable[Element]) -> Outcome:
    try:
        addresses = [Jid.parse(item.get("jid")).full for item in items]
    except JidError:
        return Reply(refusal(asked.request, Condition.JID_MALFORMED))
    return m.ChangeBlocked(asked.request, kind, tuple(dict.fromkeys(addresses)))


def render_list(event: m.BlockedFetched, _recipient: Recipient) -> bytes:
    """The list."""
    return result(event.request, E("blocklist", BLOCKING, *_items(event.addresses)))


class Pusher:
    """Pushes, each with an id of its own."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def render(self, event: m.BlockedChanged, recipient: Recipient) -> bytes:
        """What was asked for, for every session that knows the list."""
        change = E(event.kind, BLOCKING, *_items(event.addresses))
        number = f"blocking-{next(self._numbers)}"
        return written(E("iq", CLIENT, change, type="set", id=number, to=recipient.jid.full))


def _items(addresses: Iterable[str]) -> Iterable[Element]:
    return (E("item", BLOCKING, jid=address) for address in addresses)


def make() -> Feature:
    """The feature, with a count of its own."""
    return Feature(
        name="blocking",
        handles={
            (Place.ACCOUNT, "get", _LIST): fetch,
            (Place.ACCOUNT, "set", f"{{{BLOCKING}}}block"): change,
            (Place.ACCOUNT, "set", f"{{{BLOCKING}}}unblock"): change,
        },
        answers={(m.BlockedFetched, _LIST): render_list},
        events={m.BlockedChanged: Pusher().render},
        advertises=dict.fromkeys((Place.SERVER, Place.ACCOUNT), (BLOCKING,)),
    )
