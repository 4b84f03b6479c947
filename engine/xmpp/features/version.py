"""XEP-0092 1.1: which software the server is.

The operating system is not told: the XEP leaves it to the operator, and it helps attackers more than friends.
"""

from collections.abc import Iterable

from engine.xmpp.mux import Asked, Feature, Outcome, Place, Reply
from engine.xmpp.stanzas import result
from engine.xmpp.xml import E

VERSION = "jabber:iq:version"


def answer(asked: Asked) -> Iterable[Outcome]:
    """Name and version."""
    software = asked.mux.software
    name, version = E("name", VERSION, software.name), E("version", VERSION, software.version)
    yield Reply(result(asked.request, E("query", VERSION, name, version)))


FEATURE = Feature(
    name="version",
    handles={(Place.SERVER, "get", f"{{{VERSION}}}query"): answer},
    advertises={Place.SERVER: (VERSION,)},
)
