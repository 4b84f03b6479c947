"""XEP-0352 1.0.0: whether somebody looks at the client. While nobody does, presence waits and typing is dropped."""

from collections.abc import Iterable
from typing import Final

from engine import messages as m
from engine.jid import Jid
from engine.xmpp.mux import Feature, Mux, Outcome
from engine.xmpp.xml import E, Element

CSI: Final = "urn:xmpp:csi:0"


def become_active(_element: Element, _session: Jid, _now: float) -> Iterable[Outcome]:
    """Somebody looks."""
    yield m.ClientState(is_active=True)


def become_inactive(_element: Element, _session: Jid, _now: float) -> Iterable[Outcome]:
    """Nobody does."""
    yield m.ClientState(is_active=False)


def offer(_mux: Mux) -> Element:
    """The stream feature (3)."""
    return E("csi", CSI)


FEATURE = Feature(
    name="client state",
    nonzas={(CSI, "active"): become_active, (CSI, "inactive"): become_inactive},
    offers=(offer,),
)
