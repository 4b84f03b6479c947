"""Files as the page is told of them: in a message, and in the answer to an upload. Where they lie is in `engine.files`."""

import msgspec


class File(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that a message carries, as its sender described it.

    Attributes:
        id: of the file.
        name: safe to show and to save under.
        size: bytes.
        type: media type; ``image/...`` is what a browser may show in its place, everything else is saved.
        path: where this host serves it, to those who have the message.
    """

    id: str
    name: str
    size: int
    type: str
    path: str


class Uploaded(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to an upload, as JSON.

    Attributes:
        error: empty: it is on disk. ``not-authorized`` (401), ``bad-request`` (400), ``length-required`` (411), ``too-large``
            (413), ``quota`` (507: the member's own), ``full`` (507: the server's disk), ``busy`` (503), ``unavailable`` (503).
        limit: bytes, if that was too many.
        file: what `Say.file` says of it.
        id: as in `File`, and so are the rest.
    """

    error: str = ""
    limit: int = 0
    file: str = ""
    id: str = ""
    name: str = ""
    size: int = 0
    type: str = ""
    path: str = ""
