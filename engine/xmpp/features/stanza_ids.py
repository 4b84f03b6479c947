"""XEP-0359 0.7: every archived message carries its id in the recipient's archive, and nobody else can set one.

The id is put in where chats are rendered and what clients claim is taken out where they are read; here it is announced.
"""

from engine.xmpp.mux import Feature, Place
from engine.xmpp.shapes import STANZA_IDS

FEATURE = Feature(name="stanza ids", advertises={Place.SERVER: (STANZA_IDS,), Place.ACCOUNT: (STANZA_IDS,)})
