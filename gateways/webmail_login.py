"""Who is logged in to webmail: the login, the logout, and the cookie that says who a browser is.

A login is a random secret that the browser holds in a cookie and of which the server keeps a hash (`engine.ports.Login`). The
cookie is ``HttpOnly``, so no script reads it, and ``SameSite=Strict``, so no other site's page sends it along. Each login has a
new secret. A login ends with its logout, with a new password, or `LOGIN_SECONDS` after it was made.

A webmail that knows its user already logs him in without a password (`gateways.sign_on`). Otherwise
passwords are checked by the one login desk (`gateways.login`): the same pace for XMPP and webmail, and the same answer for a
wrong password and for an account that does not exist.

**Calls that change something** are JSON over POST and come from our own page, or from no page at all: the Origin is that of
the host, or one that was allowed.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec

from engine.jid import Jid, JidError
from engine.ports import Accounts, Login, StorageUnavailable
from engine.xmpp.scram import fake_verifier
from gateways.login import Logins
from gateways.web import Request, Route, Visit
from gateways.web_socket import is_origin_allowed
from gateways.webmail_session import WebmailDesk

LOGIN: Final = "/api/login"
LOGOUT: Final = "/api/logout"

LOGIN_SECONDS: Final = 14 * 24 * 3600
"""People read their mail every few days."""

BODY_BYTES: Final = 4_096
"""An address and a password. More: 413."""

COOKIE: Final = "rookery"
SECURE_COOKIE: Final = "__Host-rookery"
"""Over TLS: by this prefix a browser takes it from nobody else, and keeps it to this host."""

_SECRET_BYTES: Final = 24


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is posted to `LOGIN`. The address may go without its domain if there is only one."""

    address: str
    password: str


class WebmailLogins:
    """The logins of all browsers.

    Args:
        accounts: keeps them.
        logins: checks passwords.
        desk: whose sessions end with a logout.
        domains: that are served; a live view.
        secret: of the server, see `engine.xmpp.scram.fake_verifier`.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        accounts: Accounts,
        logins: Logins,
        desk: WebmailDesk,
        *,
        domains: Collection[str],
        secret: bytes,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._logins = logins
        self._desk = desk
        self._domains = domains
        self._secret = secret
        self._clock = clock

    def routes(self, origins: frozenset[str]) -> Mapping[str, Route]:
        """The handlers by path. `origins`: other than the host's own whose pages may call."""
        return {
            LOGIN: partial(self._serve, self._log_in, origins),
            LOGOUT: partial(self._serve, self._log_out, origins),
        }

    async def find(self, request: Request) -> Login | None:
        """The login of a browser; None: it has none, or it is over.

        Raises:
            StorageUnavailable: nobody can tell just now.
        """
        secret = _cookie(request)
        login = await self._accounts.login(_key(secret)) if secret else None
        return None if login is None or login.made_at + LOGIN_SECONDS < self._clock() else login

    async def _serve(self, handle: Route, origins: frozenset[str], visit: Visit) -> None:
        request = visit.request
        if request.method != "POST":
            await visit.answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "POST"})
        elif not is_origin_allowed(request, origins) or request.header("sec-fetch-site") in {"cross-site", "same-site"}:
            await visit.answer(HTTPStatus.FORBIDDEN, "this page may not call here")
        elif request.header("content-type").partition(";")[0].strip().lower() != "application/json":
            await visit.answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JSON is expected")
        else:
            try:
                await handle(visit)
            except StorageUnavailable:
                await _say(visit, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")

    async def _log_in(self, visit: Visit) -> None:
        body = await visit.read_body(BODY_BYTES)
        if body is None:
            await _say(visit, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large")
            return
        try:
            credentials = _decode(body)
        except msgspec.DecodeError:
            await _say(visit, HTTPStatus.BAD_REQUEST, "bad-request")
            return
        account = self._account(credentials.address)
        peer = visit.request.peer
        fake = fake_verifier("sha-256", account.bare, self._secret)
        if not await self._logins.check(peer, account, credentials.password, fake):
            await _say(visit, HTTPStatus.UNAUTHORIZED, "not-authorized")
            return
        try:
            cookie = await self.make(visit.request, account.bare)
        except LookupError:  # removed this very moment
            await _say(visit, HTTPStatus.UNAUTHORIZED, "not-authorized")
        else:
            await _say(visit, HTTPStatus.OK, "", account.bare, cookie=cookie)

    async def make(self, request: Request, owner: str) -> str:
        """A new login of a member who has shown who he is, in place of the one that his browser has; the cookie for it.

        Raises:
            LookupError: there is no such member.
            StorageUnavailable: it cannot be kept just now.
        """
        secret, now = secrets.token_urlsafe(_SECRET_BYTES), int(self._clock())
        await self._accounts.add_login(Login(_key(secret), owner, now), keep_since=now - LOGIN_SECONDS)
        await self._forget(_cookie(request))
        return _set_cookie(request, secret, LOGIN_SECONDS)

    async def _log_out(self, visit: Visit) -> None:
        await self._forget(_cookie(visit.request))
        await _say(visit, HTTPStatus.OK, "", cookie=_set_cookie(visit.request, "", 0))

    async def _forget(self, secret: str) -> None:
        if secret:
            await self._accounts.remove_login(_key(secret))
            self._desk.end(_key(secret))

    def _account(self, text: str) -> Jid:
        """Whose password it is said to be; what is no address is an account that does not exist."""
        text = text.strip()
        if "@" not in text and len(self._domains) == 1:
            text = f"{text}@{next(iter(self._domains))}"
        try:
            return Jid.parse(text).to_bare()
        except JidError:
            return Jid("nobody@invalid")


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a call: who is logged in, or what was wrong."""

    error: str = ""
    address: str = ""


_decode: Final = msgspec.json.Decoder(Credentials).decode
_encode: Final = msgspec.json.Encoder().encode


async def _say(visit: Visit, status: HTTPStatus, error: str, address: str = "", cookie: str = "") -> None:
    headers = {"content-type": "application/json", **({"set-cookie": cookie} if cookie else {})}
    await visit.respond(status, _encode(Outcome(error, address)), headers)


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _name(request: Request) -> str:
    return SECURE_COOKIE if request.is_secure else COOKIE


def _cookie(request: Request) -> str:
    """The secret that this browser holds; empty: none."""
    name = _name(request)
    for header in request.headers.get("cookie", ()):
        for pair in header.split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
    return ""


def _set_cookie(request: Request, secret: str, seconds: int) -> str:
    secure = "; Secure" if request.is_secure else ""
    return f"{_name(request)}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
