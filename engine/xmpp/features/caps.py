"""XEP-0115 1.6: the server's capabilities as one hash in the stream features, so that a client that knows it need not ask.

The hash is made of the listing that service discovery gives for the server, which answers for the hash's node too.
"""

from engine.xmpp.mux import Feature, Mux, Place
from engine.xmpp.xml import E, Element

CAPS = "http://jabber.org/protocol/caps"


def offer(mux: Mux) -> Element:
    """The stream feature."""
    ver = mux.listings[Place.SERVER].capability_hash
    return E("c", CAPS, hash="sha-1", node=mux.software.url, ver=ver)


FEATURE = Feature(name="caps", advertises={Place.SERVER: (CAPS,)}, offers=(offer,))
