"""What a user's own photo may be, whichever channel it comes by: a PNG, JPEG, GIF or WebP of at most `PHOTO_BYTES`."""

import base64
import binascii
from typing import Final

from engine.errors import Condition, Refusal
from engine.limits import PHOTO_BYTES
from engine.messages import Photo

_SIGNATURES: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def read_photo(text: str) -> Photo | None:
    """A picture in base64, with or without spaces and line ends; None: there is none.

    Raises:
        Refusal: no base64, too large, or none of the kinds of picture that every client can show.
    """
    text = "".join(text.split())
    if not text:
        return None
    if len(text) > PHOTO_BYTES * 4 // 3 + 4:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"a photo may have {PHOTO_BYTES} bytes")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(Condition.BAD_REQUEST, "the photo is no base64") from error
    if len(data) > PHOTO_BYTES:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"a photo may have {PHOTO_BYTES} bytes")
    return Photo(_media_type(data), data)


def _media_type(data: bytes) -> str:
    """From the data and not from what the client says: webmail shows it in a browser, where an SVG is a program."""
    for signature, media_type in _SIGNATURES:
        if data.startswith(signature):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise Refusal(Condition.NOT_ACCEPTABLE, "a photo is a PNG, JPEG, GIF or WebP")
