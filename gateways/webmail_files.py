"""Files of webmail, at ``/files/``: uploaded and fetched by browsers that are logged in.

- ``POST /files/?name=NAME`` with the bytes as body, of type ``application/octet-stream`` and with their length, uploads a
  file; the answer is 201 and JSON, see `Uploaded`. What `Uploaded.file` says is what a message that carries the file says.
  Other pages cannot call here: the Origin is looked at, the cookie is ``SameSite=Strict``, and no form can send this type.
- ``GET /files/ID/NAME``, as a message's `engine.webmail.attachments.File.path` says, serves it to whoever may have it
  (`engine.files`); to everybody else it does not exist. The name in the path is for people, the file's own counts.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from engine.files import (
    SECRET_BYTES,
    SHARED,
    FileStore,
    SharedFile,
    id_of,
    is_id,
    media_type,
    quoted,
    safe_name,
    ticket_of,
)
from engine.limits import Limits
from engine.ports import StorageUnavailable
from engine.webmail.attachments import Uploaded
from engine.webmail.frames import encode
from gateways.files import Porter
from gateways.web import Route, Visit
from gateways.web_socket import is_origin_allowed
from gateways.webmail_login import WebmailLogins

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/octet-stream"


_FAILURES: Final = {
    HTTPStatus.SERVICE_UNAVAILABLE: "busy",
    HTTPStatus.INSUFFICIENT_STORAGE: "full",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-large",
}


class WebmailFiles:
    """The handlers.

    Args:
        store: keeps files.
        porter: carries them.
        logins: who is logged in.
        limits: of the configuration.
        clock: seconds since 1970.
        origins: other than the host's own whose pages may call; normalised.
    """

    def __init__(
        self,
        store: FileStore,
        porter: Porter,
        logins: WebmailLogins,
        *,
        limits: Limits,
        clock: Callable[[], float],
        origins: frozenset[str],
    ) -> None:
        self._store = store
        self._porter = porter
        self._logins = logins
        self._limits = limits
        self._clock = clock
        self._origins = origins

    def routes(self) -> Mapping[str, Route]:
        """The handlers by path."""
        return {SHARED: self._serve}

    async def _serve(self, visit: Visit) -> None:
        handle = {"POST": self._upload, "GET": self._fetch, "HEAD": self._fetch}.get(visit.request.method)
        if handle is None:
            await visit.answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD, POST"})
            return
        try:
            login = await self._logins.find(visit.request)
            await handle(visit, "" if login is None else login.owner)
        except StorageUnavailable as error:
            log.warning("webmail: %s", error)
            await _say(visit, HTTPStatus.SERVICE_UNAVAILABLE, Uploaded("unavailable"))

    # -- out -----------------------------------------------------------------------------------------------------------

    async def _fetch(self, visit: Visit, owner: str) -> None:
        file_id = visit.request.path.removeprefix(SHARED).partition("/")[0]
        file = await self._store.find(file_id) if owner and is_id(file_id) else None
        if file is None or not file.is_kept or not await self._store.may_have(file_id, owner):
            await visit.answer(HTTPStatus.NOT_FOUND)
        else:
            await self._porter.send(visit, file, {"cross-origin-resource-policy": "same-origin", "vary": "cookie"})

    # -- in ------------------------------------------------------------------------------------------------------------

    async def _upload(self, visit: Visit, owner: str) -> None:
        request = visit.request
        say = partial(_say, visit)
        if not is_origin_allowed(request, self._origins) or request.header("sec-fetch-site") in {
            "cross-site",
            "same-site",
        }:
            await visit.answer(HTTPStatus.FORBIDDEN, "this page may not call here")
        elif request.header("content-type").partition(";")[0].strip().lower() != MEDIA_TYPE:
            await visit.answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{MEDIA_TYPE} is expected")
        elif not owner:
            await say(HTTPStatus.UNAUTHORIZED, Uploaded("not-authorized"))
        elif not (length := request.header("content-length")):
            await say(HTTPStatus.LENGTH_REQUIRED, Uploaded("length-required"))
        elif self._limits.file_bytes and int(length) > self._limits.file_bytes:
            await say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Uploaded("too-large", self._limits.file_bytes))
        else:
            await self._receive(visit, owner, int(length))

    async def _receive(self, visit: Visit, owner: str, size: int) -> None:
        name, secret = _name_in(visit.request.query), secrets.token_urlsafe(SECRET_BYTES)
        file = SharedFile(id_of(secret), owner, name, size, int(self._clock() * 1_000_000))
        if not await self._store.reserve(file, self._limits.file_bytes_per_user):
            await _say(visit, HTTPStatus.INSUFFICIENT_STORAGE, Uploaded("quota", self._limits.file_bytes_per_user))
            return
        status = await self._porter.receive(visit, file)
        if status is HTTPStatus.CREATED:
            path = f"{SHARED}{file.id}/{quoted(name)}"
            ticket = ticket_of(secret, size, name)
            await _say(visit, status, Uploaded("", 0, ticket, file.id, name, size, media_type(name), path))
        else:
            await _say(visit, status, Uploaded(_FAILURES.get(status, "bad-request")))


def _name_in(query: str) -> str:
    try:
        return safe_name(parse_qs(query, max_num_fields=8).get("name", [""])[0])
    except ValueError:  # more fields than anybody needs
        return safe_name("")


async def _say(visit: Visit, status: HTTPStatus, uploaded: Uploaded) -> None:
    await visit.respond(status, encode(uploaded), {"content-type": "application/json"})
