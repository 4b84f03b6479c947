"""XEP-0280 1.0.1: copies of what the account's other sessions send and get.

What is copied is said where messages are read (`engine.xmpp.stanzas`), who gets a copy by `engine.delivery`, and how it is
written by `engine.xmpp.rendering`. A copy comes from the own account and from nobody else: what claims to be one is left out
of what clients send.
"""

from collections.abc import Iterable
from typing import Final

from engine import messages as m
from engine.xmpp.mux import Asked, Feature, Outcome, Place

CARBONS: Final = "urn:xmpp:carbons:2"

_PLACES = (Place.SERVER, Place.ACCOUNT)


def enable(asked: Asked) -> Iterable[Outcome]:
    """Copies from now on (4)."""
    yield m.EnableCopies(asked.request, is_on=True)


def disable(asked: Asked) -> Iterable[Outcome]:
    """No more copies (5)."""
    yield m.EnableCopies(asked.request, is_on=False)


FEATURE = Feature(
    name="carbons",
    handles={
        **{(place, "set", f"{{{CARBONS}}}enable"): enable for place in _PLACES},
        **{(place, "set", f"{{{CARBONS}}}disable"): disable for place in _PLACES},
    },
    advertises=dict.fromkeys(_PLACES, (CARBONS,)),
)
