"""Extensions of XMPP, one small file for each; none knows another.

A new one is a file with a `Feature`, and a line in `build_mux`. What it can hang on to is what `engine.xmpp.mux.Feature` lists:
requests, events, elements beside stanzas, service discovery, stream features.
"""

from engine.files import FileOffer
from engine.xmpp.features import (
    binding,
    blocking,
    caps,
    carbons,
    client_state,
    clock,
    contact_search,
    disco,
    history,
    inbox,
    ping,
    roster,
    stanza_ids,
    stream_management,
    upload,
    vcard,
    version,
)
from engine.xmpp.forwarding import Forwarding
from engine.xmpp.mux import Mux, Software
from engine.xmpp.rendering import Renderer


def build_mux(software: Software, renderer: Renderer | None = None, files: FileOffer | None = None) -> Mux:
    """Everything that a connection can do; one for all connections of a server. `files`: None: none can be shared."""
    renderer = renderer or Renderer()
    forwarding = Forwarding(renderer.describe)
    return Mux(
        software,
        (
            renderer.feature(),
            roster.make(),
            blocking.make(),
            disco.make(software),
            history.make(forwarding),
            inbox.make(forwarding),
            binding.FEATURE,
            caps.FEATURE,
            carbons.FEATURE,
            client_state.FEATURE,
            clock.FEATURE,
            contact_search.FEATURE,
            ping.FEATURE,
            stanza_ids.FEATURE,
            stream_management.FEATURE,
            vcard.FEATURE,
            version.FEATURE,
            *(() if files is None else (upload.make(files),)),
        ),
    )
