"""XEP-0363 1.2: places for files that are to be shared, given at the domain's own address; the bytes go over the web port.

Which addresses there are and who may use them is in `engine.files`. The purpose of an upload is always that of a message.
"""

from collections.abc import Iterable
from typing import Final

from engine import messages as m
from engine.errors import Condition
from engine.files import FileOffer, safe_name
from engine.xmpp.mux import Asked, Feature, Outcome, Place, Recipient, Reply
from engine.xmpp.shapes import Extension, Identity
from engine.xmpp.stanzas import refusal, result, written
from engine.xmpp.xml import CLIENT, STANZA_ERRORS, E

UPLOAD: Final = "urn:xmpp:http:upload:0"
_REQUEST: Final = f"{{{UPLOAD}}}request"

SIZE_DIGITS: Final = 12
"""Of a size that is read; a terabyte."""


class Uploads:
    """The requests and their answers.

    Args:
        offer: how large files may be, and where they lie; a live view.
    """

    def __init__(self, offer: FileOffer) -> None:
        self._offer = offer

    def request(self, asked: Asked) -> Iterable[Outcome]:
        """A place is asked for (5)."""
        name, size = asked.child.get("filename"), asked.child.get("size")
        if not name or not (size.isascii() and size.isdigit() and len(size) <= SIZE_DIGITS and int(size)):
            yield Reply(refusal(asked.request, Condition.BAD_REQUEST, "a file has a name and a size"))
        elif self._offer.file_bytes and int(size) > self._offer.file_bytes:
            yield Reply(self._too_large(asked.request))
        else:
            yield m.RequestSlot(asked.request, safe_name(name), int(size))

    def _too_large(self, request: m.Request) -> bytes:
        """Its own error (11)."""
        most = str(self._offer.file_bytes)
        error = E(
            "error",
            CLIENT,
            E(Condition.NOT_ACCEPTABLE.value, STANZA_ERRORS),
            E("text", STANZA_ERRORS, f"a file may have {most} bytes", attributes={"xml:lang": "en"}),
            E("file-too-large", UPLOAD, E("max-file-size", UPLOAD, most)),
            type="modify",
        )
        attributes = {"type": "error", "id": request.id, "to": request.session.full, "from": request.to}
        return written(E("iq", CLIENT, error, attributes={k: v for k, v in attributes.items() if v}))

    def answer(self, event: m.SlotGiven, _recipient: Recipient) -> bytes:
        """Where to put it, and where it will be; the same."""
        url = self._offer.address(event.ticket)
        return result(event.request, E("slot", UPLOAD, E("put", UPLOAD, url=url), E("get", UPLOAD, url=url)))


def make(offer: FileOffer) -> Feature:
    """The feature; where files are offered at all."""
    uploads = Uploads(offer)
    limit = (Extension(UPLOAD, (("max-file-size", str(offer.file_bytes)),)),) if offer.file_bytes else ()
    return Feature(
        name="upload",
        handles={(Place.SERVER, "get", _REQUEST): uploads.request},
        answers={(m.SlotGiven, _REQUEST): uploads.answer},
        advertises={Place.SERVER: (UPLOAD,)},
        identities={Place.SERVER: (Identity("store", "file", "File sharing"),)},
        extensions={Place.SERVER: limit},
    )
