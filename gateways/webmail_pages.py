"""The pages of webmail: what Vite built of `webmail_ui`, read once and served from memory.

A file whose name has a hash of its content never changes and is kept by browsers for ever; the page itself is asked for each
time. Text is compressed once, when the server starts.

**Safety.** The page may run the scripts and styles of this host and nothing else (Content-Security-Policy, without inline
scripts and styles); what it puts into itself is checked by the browser (Trusted Types); it is shown in frames of those origins
only that the configuration names.
"""

import gzip
from collections.abc import Collection, Mapping
from functools import partial
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

from gateways.web import Route, Visit

INDEX: Final = "/"

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "woff2": "font/woff2",
    "webmanifest": "application/manifest+json",
    "wav": "audio/wav",
}
_COMPRESSED: Final = {"html", "js", "css", "svg", "webmanifest"}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Page(msgspec.Struct, frozen=True):
    """One file. `packed`: with gzip; empty: it is not worth it."""

    body: bytes
    packed: bytes
    headers: dict[str, str]


def routes(frame_ancestors: Collection[str] = ()) -> Mapping[str, Route]:
    """The handlers by path; without pages `INDEX` says how to build them. `frame_ancestors`: who may frame them."""
    folder = resources.files("gateways") / "webmail_ui" / "dist"
    safety = _safety(frame_ancestors)
    pages = dict(_read(folder, "", safety)) if folder.is_dir() else {}
    if "/index.html" not in pages:
        return {INDEX: _not_built}
    pages[INDEX] = pages.pop("/index.html")
    return {path: partial(_serve, page) for path, page in pages.items()}


def _safety(frame_ancestors: Collection[str]) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "media-src": "'self'",
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": " ".join(frame_ancestors) or "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "lit-html",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


def _read(folder: Traversable, path: str, safety: Mapping[str, str]) -> "list[tuple[str, Page]]":
    found: list[tuple[str, Page]] = []
    for entry in folder.iterdir():
        name = f"{path}/{entry.name}"
        ending = entry.name.rpartition(".")[2]
        if entry.is_dir():
            found += _read(entry, name, safety)
        elif ending in _TYPES:
            body = entry.read_bytes()
            headers = {"content-type": _TYPES[ending], "x-content-type-options": "nosniff", **safety}
            headers["cache-control"] = _FOR_EVER if path == "/assets" else "no-cache"
            packed = gzip.compress(body, 9) if ending in _COMPRESSED else b""
            found.append((name, Page(body, packed, headers)))
    return found


async def _serve(page: Page, visit: Visit) -> None:
    if visit.request.method not in {"GET", "HEAD"}:
        await visit.answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD"})
    elif page.packed and "gzip" in visit.request.header("accept-encoding"):
        headers = {**page.headers, "content-encoding": "gzip", "vary": "accept-encoding"}
        await visit.respond(HTTPStatus.OK, page.packed, headers)
    else:
        await visit.respond(HTTPStatus.OK, page.body, {**page.headers, "vary": "accept-encoding"})


async def _not_built(visit: Visit) -> None:
    await visit.answer(HTTPStatus.SERVICE_UNAVAILABLE, "The pages of webmail were not built: run `make ui`.")
