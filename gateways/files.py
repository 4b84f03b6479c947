"""The bytes of shared files on their way over the web port, whoever may send and fetch them.

A file is received piece by piece and never held in memory; it is answered for when it is on disk. What stalls for
`STALL_SECONDS` or takes longer than `TRANSFER_SECONDS` is cut, and what was received of it is gone.

**Safety.** Bytes of people come from the host of the page, so nothing of them may run: a browser does not guess their type
(``nosniff``), shows none but images in their place (everything else is saved), and what it shows has no rights of this host
(``sandbox``). Nobody between may keep them, and the browser asks again each time whether it may show what it has.

Limits: `UPLOADS` and `UPLOADS_OF_ONE` at once.
"""

import logging
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Final

import h11
import trio

from engine.files import FileGone, FileStore, FileTaken, SharedFile, is_shown, media_type, quoted
from engine.ports import StorageUnavailable
from gateways.web import Visit

log = logging.getLogger(__name__)

CHUNK_BYTES: Final = 262_144

STALL_SECONDS: Final = 30.0
"""For the next bytes to come or to be taken."""

TRANSFER_SECONDS: Final = 3_600.0
"""For all of a file: 50 MiB over 120 kbit/s."""

UPLOADS: Final = 64
"""At once; each has a task, a file and at most one chunk in memory. More: 503, to be tried again."""

UPLOADS_OF_ONE: Final = 8
"""Of one account at once."""

SAFETY: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cache-control": "private, no-cache",
    "referrer-policy": "no-referrer",
}

_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


class Porter:
    """Carries files in and out.

    Args:
        store: keeps them.
    """

    def __init__(self, store: FileStore) -> None:
        self._store = store
        self._receiving: Counter[str] = Counter()

    async def receive(self, visit: Visit, file: SharedFile) -> HTTPStatus:
        """Take the body of a request, which has as many bytes as its place; ``Created``: it is on disk."""
        receiving = self._receiving
        if receiving.total() >= UPLOADS or receiving[file.owner] >= UPLOADS_OF_ONE:
            return HTTPStatus.SERVICE_UNAVAILABLE
        receiving[file.owner] += 1
        try:
            with trio.fail_after(TRANSFER_SECONDS):
                return await self._receive(visit, file)
        except FileTaken:
            return HTTPStatus.CONFLICT
        except FileGone:
            return HTTPStatus.NOT_FOUND
        except StorageUnavailable as error:
            log.warning("upload: %s", error)
            return HTTPStatus.INSUFFICIENT_STORAGE
        finally:
            receiving[file.owner] -= 1

    async def _receive(self, visit: Visit, file: SharedFile) -> HTTPStatus:
        size = 0
        async with self._store.receive(file) as incoming, aclosing(visit.body(STALL_SECONDS)) as body:
            async for data in body:
                size += len(data)
                if size > file.size:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                await incoming.write(data)
            if size < file.size:
                return HTTPStatus.BAD_REQUEST
            await incoming.keep()
        return HTTPStatus.CREATED

    async def send(self, visit: Visit, file: SharedFile, headers: Mapping[str, str]) -> None:
        """Answer GET or HEAD with a file, or with the part of it that is asked for (RFC 9110, 14.2: one range, in bytes).

        `headers`: more than those that every file has.
        """
        request, tag = visit.request, f'"{file.id}"'
        fields = {**SAFETY, "etag": tag, "accept-ranges": "bytes", **_presentation(file.name), **headers}
        if request.header("if-none-match") == tag:
            await visit.respond(HTTPStatus.NOT_MODIFIED, b"", fields)
            return
        wanted = _range(request.header("range"), file.size) if request.header("if-range") in {"", tag} else None
        if wanted is not None and not wanted:
            fields["content-range"] = f"bytes */{file.size}"
            await visit.answer(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers={**headers, **SAFETY, **fields, **_TEXT}
            )
            return
        part = range(file.size) if wanted is None else wanted
        if wanted is not None:
            fields["content-range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
        status = HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT
        try:
            await self._send(visit, file, part, _head(status, len(part), fields))
        except FileGone:
            log.warning("file %s is in the archive, but not on the disk", file.id)
            await visit.answer(HTTPStatus.NOT_FOUND, headers=headers)

    async def _send(self, visit: Visit, file: SharedFile, part: range, head: bytes) -> None:
        if visit.request.method == "HEAD":
            await visit.stream.send_all(head)
            return
        begun = b"" if not part else await self._store.read(file, part.start, min(CHUNK_BYTES, len(part)))
        place = part.start + len(begun)
        with trio.fail_after(TRANSFER_SECONDS):
            await _write(visit, head + begun)
            while place < part.stop:
                try:
                    data = await self._store.read(file, place, min(CHUNK_BYTES, part.stop - place))
                except (FileGone, StorageUnavailable) as error:
                    raise trio.BrokenResourceError("the file cannot be read to its end") from error
                if not data:
                    raise trio.BrokenResourceError("the file is shorter than it should be")
                place += len(data)
                await _write(visit, data)


_TEXT: Final = {"content-type": "text/plain; charset=utf-8", "content-disposition": "inline"}


async def _write(visit: Visit, data: bytes) -> None:
    with trio.fail_after(STALL_SECONDS):
        await visit.stream.send_all(data)


def _presentation(name: str) -> dict[str, str]:
    """What a browser does with a file of this name (RFC 6266; RFC 8187 for its characters)."""
    kind = "inline" if is_shown(name) else "attachment"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return {
        "content-type": media_type(name),
        "content-disposition": f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quoted(name)}",
    }


def _range(header: str, size: int) -> range | None:
    """What part is asked for; None: all of it, also when the question is not understood; empty: there is no such part."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return range(max(0, size - int(found[2])), size)
    first, last = int(found[1]), int(found[2] or size - 1)
    if first >= size:
        return range(0)
    return range(first, min(last, size - 1) + 1) if last >= first else None


def _head(status: HTTPStatus, size: int, fields: Mapping[str, str]) -> bytes:
    lines = {**fields, "content-length": str(size), "connection": "close"}
    connection = h11.Connection(h11.SERVER)
    return connection.send(h11.Response(status_code=status, reason=status.phrase, headers=list(lines.items()))) or b""
