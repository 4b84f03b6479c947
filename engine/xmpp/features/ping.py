"""XEP-0199 2.0: is anybody there?

A client pings its server; a ping to another session is passed on like any request. The server's own pings are the stream's.
"""

from collections.abc import Iterable

from engine.xmpp.mux import Asked, Feature, Outcome, Place, Reply
from engine.xmpp.stanzas import result

PING = "urn:xmpp:ping"


def answer(asked: Asked) -> Iterable[Outcome]:
    """Yes."""
    yield Reply(result(asked.request))


FEATURE = Feature(
    name="ping",
    handles={(place, "get", f"{{{PING}}}ping"): answer for place in (Place.SERVER, Place.ACCOUNT)},
    advertises={Place.SERVER: (PING,), Place.ACCOUNT: (PING,)},
)
