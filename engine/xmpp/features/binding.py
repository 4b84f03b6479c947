"""RFC 6120, 7, once a resource is bound: a second one is not allowed, and the legacy session is there already."""

from collections.abc import Iterable

from engine.errors import Condition
from engine.xmpp.mux import Asked, Feature, Outcome, Place, Reply
from engine.xmpp.stanzas import refusal, result
from engine.xmpp.stream_elements import BIND, SESSION

_PLACES = (Place.SERVER, Place.ACCOUNT)


def establish_session(asked: Asked) -> Iterable[Outcome]:
    """COMPAT: Pidgin-era clients establish a session after binding (RFC 3921, 3); there is nothing to do for it."""
    yield Reply(result(asked.request))


def refuse_binding(asked: Asked) -> Iterable[Outcome]:
    """One stream, one resource (7.1)."""
    yield Reply(refusal(asked.request, Condition.NOT_ALLOWED, "a resource is bound already"))


FEATURE = Feature(
    name="binding",
    handles={
        **{(place, "set", f"{{{SESSION}}}session"): establish_session for place in _PLACES},
        **{(place, "set", f"{{{BIND}}}bind"): refuse_binding for place in _PLACES},
    },
)
