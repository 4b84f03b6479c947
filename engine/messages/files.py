"""Places for files that are to be shared."""

import msgspec

from engine.messages.values import Request


class RequestSlot(msgspec.Struct, frozen=True):
    """session -> user -> file clerk: a place for a file (XEP-0363, 5).

    Attributes:
        request: the question.
        name: of the file, safe.
        size: bytes.
    """

    request: Request
    name: str
    size: int


class SlotGiven(msgspec.Struct, frozen=True):
    """file clerk -> session: `ticket`: see `engine.files`."""

    request: Request
    ticket: str
