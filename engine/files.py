"""Files that are shared in chats: what one is, where it lies, who may have it, and when it goes.

The rules, and the side door to the disk (as in `engine.ports`: one implementation there, one in memory, the same tests).

**Who may have a file**: who uploaded it, and everyone in whose history a message carries it. That is the archive's
truth: both sides of a conversation, and of an alias the members whom the message reached. There are two ways to a file:

- ``/files/<id>/<name>`` is webmail's. The id is no secret: it is served to a browser that is logged in, if its owner may have
  the file, and to nobody else.
- ``/upload/<secret>/<size>/<name>`` is for XMPP clients, which know no cookies (XEP-0363 1.2: "Anyone who knows the URL SHOULD
  be able to access it"). The secret has 192 random bits. It stands in the message and nowhere else: the server keeps a hash,
  the *id*. So who has the message has the file; who passes the address on passes the file on, as he could the file itself.
  Browsers are not told addresses of this kind: what a page shows, prints or remembers opens nothing without a login.

A message carries a file by its address in out-of-band data (XEP-0066 1.5), whoever sent it.

**When it goes**: with the last message that carries it, whether that was purged, left with a member, or was taken back by its
sender (XEP-0424): from then on that message carries nothing. What no message was
seen to carry (an upload that was thought better of, or a link inside end-to-end encryption) goes `UNSHARED_SECONDS` after it
came, with a purge of that time, or with its owner. A place that was reserved and not filled goes after `STALE_SECONDS`.

Limits: ``file_bytes`` of one file, ``file_bytes_per_user`` of all that somebody has uploaded; `PLACES_AWAITED`.
"""

import base64
import hashlib
import re
import unicodedata
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol
from urllib.parse import quote, unquote

import msgspec

UPLOAD: Final = "/upload/"
SHARED: Final = "/files/"

SECRET_BYTES: Final = 24

NAME_BYTES: Final = 180
"""Of a file's name in UTF-8; file systems take 255. Longer: cut off before its ending."""

SLOT_SECONDS: Final = 300
"""Until an upload must have begun (XEP-0363, 13)."""

STALE_SECONDS: Final = 2 * 3600
"""Until a reserved place is given up; longer than any upload may take."""

UNSHARED_SECONDS: Final = 30 * 24 * 3600
"""How long a file is kept that no message is seen to carry: links in encrypted messages are not seen, and
a phone that was away for its owner's holidays should still find what they lead to."""

PLACES_AWAITED: Final = 64
"""Of one member at a time: an album of photos. More: ``resource-constraint``."""

_ENDING: Final = re.compile(r"\.[^.\s]{1,15}$")
_TICKET: Final = re.compile(r"([\w-]{32})/(0|[1-9]\d{0,12})/([\w.~%!$&'()*+,;=:@-]{1,600})", re.ASCII)
_ADDRESS: Final = re.compile(rf"https?://[^/?#\s]{{1,255}}{UPLOAD}{_TICKET.pattern}", re.ASCII)
_ID: Final = re.compile(r"[\w-]{24}", re.ASCII)

_IMAGES: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
}
"""What a browser may show in its place. SVG is none: it can carry scripts."""

_OTHERS: Final = {
    "txt": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
}


class SharedFile(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        id: 24 characters.
        owner: bare address of who uploaded it; empty: he left.
        name: safe, see `safe_name`.
        size: bytes.
        made_at: microseconds since 1970, when its place was reserved.
        is_kept: all of it is on disk.
    """

    id: str
    owner: str
    name: str
    size: int
    made_at: int
    is_kept: bool = False


class Link(msgspec.Struct, frozen=True):
    """What an address says of its file. `name` and `size` are as good as who sent the address."""

    id: str
    name: str
    size: int


class FileOffer(msgspec.Struct):
    """What clients are offered. `base`: of addresses, such as ``https://chat.example.net``; `file_bytes`: 0: no limit."""

    base: str = ""
    file_bytes: int = 0

    def address(self, ticket: str) -> str:
        """The address for XMPP clients."""
        return f"{self.base}{UPLOAD}{ticket}"


def id_of(secret: str) -> str:
    """The id of the file with this secret; there is no way back."""
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()[:18]).decode()


def is_id(text: str) -> bool:
    """Whether this could be the id of a file."""
    return _ID.fullmatch(text) is not None


def safe_name(text: str) -> str:
    """A name for people and for their disks: no folders, no control or direction characters, no dot in front.

    The ending is kept. What nothing is left of is called ``file``.
    """
    last = unicodedata.normalize("NFC", text).replace("\\", "/").rstrip("/").rpartition("/")[2]
    seen = "".join(" " if c.isspace() else c for c in last if c.isspace() or unicodedata.category(c)[0] != "C")
    name = " ".join(re.sub(r'[<>:"|?*]', "_", seen).split()).lstrip(". ").rstrip(". ")
    if len(name.encode()) > NAME_BYTES:
        found = _ENDING.search(name)
        ending = found[0] if found else ""
        room = NAME_BYTES - len(ending.encode())
        name = name[: len(name) - len(ending)].encode()[:room].decode(errors="ignore").rstrip(". ") + ending
    return name or "file"


def quoted(name: str) -> str:
    """A name as the last part of an address (RFC 3986)."""
    return quote(name, safe="")


def media_type(name: str) -> str:
    """Of a file of this name; what is not known, or could be run by a browser, is just bytes."""
    ending = name.rpartition(".")[2].lower()
    return _IMAGES.get(ending) or _OTHERS.get(ending) or "application/octet-stream"


def is_shown(name: str) -> bool:
    """Whether a browser may show a file of this name in its place; otherwise it saves it."""
    return name.rpartition(".")[2].lower() in _IMAGES


def ticket_of(secret: str, size: int, name: str) -> str:
    """What the address for XMPP clients ends with."""
    return f"{secret}/{size}/{quoted(name)}"


def read_ticket(ticket: str) -> Link | None:
    """What `ticket_of` made; None: it is none."""
    found = _TICKET.fullmatch(ticket)
    return None if found is None else Link(id_of(found[1]), safe_name(unquote(found[3])), int(found[2]))


def read_address(address: str) -> Link | None:
    """An address for XMPP clients, whatever its host: only what the id names can be had. None: it is none."""
    found = _ADDRESS.fullmatch(address)
    return None if found is None else Link(id_of(found[1]), safe_name(unquote(found[3])), int(found[2]))


class FileGone(Exception):  # noqa: N818 -- a state of the world, not a fault of the program
    """There is no such file (any more)."""


class FileTaken(Exception):  # noqa: N818 -- a state of the world, not a fault of the program
    """This place is being filled, or is full."""


class Incoming(Protocol):
    """A file that is being received."""

    async def write(self, data: bytes) -> None:
        """The next bytes.

        Raises:
            StorageUnavailable: the disk is full or broken.
        """

    async def keep(self) -> None:
        """That was all: it is on disk (fsync) when this returns, and can be had.

        Raises:
            StorageUnavailable: it is not kept.
            FileGone: its place was given up meanwhile.
        """


class FileStore(Protocol):
    """Keeps files and knows who may have them. Every method raises `engine.ports.StorageUnavailable`."""

    async def reserve(self, file: SharedFile, quota: int) -> bool:
        """A place for this file.

        What its owner has, and what he reserved in the `SLOT_SECONDS` before, counts; False: it is too much. `quota`: bytes; 0:
        no limit.
        """

    async def find(self, file_id: str) -> SharedFile | None:
        """A file, or the place for one."""

    async def may_have(self, file_id: str, address: str) -> bool:
        """Whether this person uploaded it, or has a message in his history that carries it."""

    def receive(self, file: SharedFile) -> AbstractAsyncContextManager[Incoming]:
        """Fill the place of a file. What is not kept by the end of the block leaves nothing behind.

        Raises:
            FileTaken: somebody else does, or did.
        """

    async def read(self, file: SharedFile, start: int, size: int) -> bytes:
        """Some of a file's bytes; fewer at its end.

        Raises:
            FileGone: it was removed.
        """

    async def sweep(self, now: int, before: int = 0) -> int:
        """Remove what is to go; how many files went.

        Args:
            now: microseconds since 1970.
            before: what no message is seen to carry goes if it came before this time, too.
        """

    async def problems(self) -> list[str]:
        """One line for each file that is not on the disk as it should be."""
