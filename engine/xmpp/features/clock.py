"""XEP-0202 2.0: the server's time, in UTC."""

from collections.abc import Iterable

from engine.xmpp.mux import Asked, Feature, Outcome, Place, Reply
from engine.xmpp.shapes import utc_text
from engine.xmpp.stanzas import result
from engine.xmpp.xml import E

TIME = "urn:xmpp:time"


def answer(asked: Asked) -> Iterable[Outcome]:
    """Now."""
    utc = E("utc", TIME, utc_text(int(asked.now * 1_000_000)))
    yield Reply(result(asked.request, E("time", TIME, E("tzo", TIME, "+00:00"), utc)))


FEATURE = Feature(
    name="clock",
    handles={(Place.SERVER, "get", f"{{{TIME}}}time"): answer},
    advertises={Place.SERVER: (TIME,)},
)
