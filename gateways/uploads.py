"""Files of XMPP clients, at ``/upload/SECRET/SIZE/NAME`` (XEP-0363 1.2): who knows the address may fetch; its first user fills.

The secret is looked up by its hash, so nothing is compared with it. What is not there, not full yet, or gone is 404, and
nothing more is said. Cookies are not looked at, which is why pages of other hosts may call here (XEP-0363, 13: web clients).
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

from engine.files import SLOT_SECONDS, UPLOAD, FileStore, Link, read_ticket
from engine.ports import StorageUnavailable
from gateways.files import Porter
from gateways.web import Route, Visit

log = logging.getLogger(__name__)

_FOR_ALL_PAGES: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "OPTIONS, HEAD, GET, PUT",
    "access-control-allow-headers": "authorization, content-type",
    "cross-origin-resource-policy": "cross-origin",
}


def routes(store: FileStore, porter: Porter, clock: Callable[[], float]) -> Mapping[str, Route]:
    """The handlers by path.

    Args:
        store: keeps files.
        porter: carries them.
        clock: seconds since 1970.
    """
    return {UPLOAD: partial(_serve, store, porter, clock)}


async def _serve(store: FileStore, porter: Porter, clock: Callable[[], float], visit: Visit) -> None:
    request = visit.request
    link = read_ticket(request.path.removeprefix(UPLOAD))
    try:
        if request.method == "OPTIONS":
            await visit.answer(HTTPStatus.OK, headers=_FOR_ALL_PAGES)
        elif link is None:
            await visit.answer(HTTPStatus.NOT_FOUND, headers=_FOR_ALL_PAGES)
        elif request.method == "PUT":
            status = await _put(store, porter, clock, visit, link)
            await visit.answer(status, headers=_FOR_ALL_PAGES)
        elif request.method in {"GET", "HEAD"}:
            await _get(store, porter, visit, link)
        else:
            await visit.answer(
                HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "OPTIONS, HEAD, GET, PUT", **_FOR_ALL_PAGES}
            )
    except StorageUnavailable as error:
        log.warning("upload: %s", error)
        await visit.answer(HTTPStatus.SERVICE_UNAVAILABLE, headers=_FOR_ALL_PAGES)


async def _get(store: FileStore, porter: Porter, visit: Visit, link: Link) -> None:
    file = await store.find(link.id)
    if file is None or not file.is_kept:
        await visit.answer(HTTPStatus.NOT_FOUND, headers=_FOR_ALL_PAGES)
    else:
        await porter.send(visit, file, _FOR_ALL_PAGES)


async def _put(store: FileStore, porter: Porter, clock: Callable[[], float], visit: Visit, link: Link) -> HTTPStatus:
    file = await store.find(link.id)
    if file is None or (not file.is_kept and file.made_at < (clock() - SLOT_SECONDS) * 1_000_000):
        return HTTPStatus.NOT_FOUND
    length = visit.request.header("content-length")
    if not length:
        return HTTPStatus.LENGTH_REQUIRED
    if int(length) != file.size:  # XEP-0363, 12
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if int(length) > file.size else HTTPStatus.BAD_REQUEST
    return await porter.receive(visit, file)
