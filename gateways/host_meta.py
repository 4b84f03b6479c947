"""XEP-0156 on the web port: where the web socket is, for clients that cannot ask the DNS.

``/.well-known/host-meta`` and its JSON have one link. It names the host as the client asked for it and is ``wss:`` when the way
is encrypted, here or by a proxy on this machine that says so; or it is what the configuration says. A host that is none of ours
gets 404. Pages of every origin may read these two, and nothing else of this port (XEP-0156, Implementation Notes).
"""

from collections.abc import Collection, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

from engine.xmpp import host_meta
from gateways import xmpp_websocket
from gateways.web import Route, Visit

_FORMATS: Final = {
    "/.well-known/host-meta": (host_meta.as_xrd, "application/xrd+xml; charset=utf-8"),
    "/.well-known/host-meta.json": (host_meta.as_json, "application/json"),
}
_READABLE_BY_ALL: Final = {"access-control-allow-origin": "*", "access-control-allow-methods": "GET, HEAD, OPTIONS"}
_SCHEMES: Final = {"http": "ws", "https": "wss"}


def routes(domains: Collection[str], url: str = "") -> Mapping[str, Route]:
    """The handlers by path.

    Args:
        domains: that are served; a live view.
        url: of the web port as clients reach it, such as ``https://chat.example.net``; empty: the host that was asked for.
    """
    return {path: partial(_serve, domains, url, path) for path in _FORMATS}


async def _serve(domains: Collection[str], url: str, path: str, visit: Visit) -> None:
    request = visit.request
    write, media_type = _FORMATS[path]
    if request.method == "OPTIONS":
        await visit.answer(HTTPStatus.OK, headers={**_READABLE_BY_ALL, "access-control-allow-headers": "*"})
    elif request.method not in {"GET", "HEAD"}:
        await visit.answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD, OPTIONS"})
    elif not (url or host_meta.is_ours(request.header("host"), domains)):
        await visit.answer(HTTPStatus.NOT_FOUND, "this host is not served here", _READABLE_BY_ALL)
    else:
        base = url or f"{'https' if request.is_secure else 'http'}://{request.header('host')}"
        scheme, _, host = base.partition("://")
        link = f"{_SCHEMES[scheme]}://{host}{xmpp_websocket.PATH}"
        await visit.answer(HTTPStatus.OK, write(link), {"content-type": media_type, **_READABLE_BY_ALL})
