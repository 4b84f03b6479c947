"""Single sign-on: the webmail of a domain logs its user in to the chat, without a second password.

The host webmail knows who its user is. It signs a short-lived token (JWT, RFC 7519) with a key that the configuration names for
that domain, and lets the user's browser post it to `PATH`, from a form: a token is in no address, so it is in no history, no
referrer and no log. The browser gets the same cookie as after a login with a password, and is sent on to the page.

**What a token must say**, all of it:

- ``iss``: the domain, which says whose key it is; ``sub``: a member of that very domain, by address;
- ``aud``: this chat: ``[web] url``, or ``rookery`` if that is not set;
- ``iat`` and ``exp``: not more than `LIFETIME_SECONDS` apart, and now between them (clocks may differ by `LEEWAY_SECONDS`);
- ``jti``: a name that no other token of this domain has. It works once; that is on disk before the login is.

**The algorithm is the key's**: a PEM file is a public key (Ed25519: ``EdDSA``, P-256: ``ES256``, RSA: ``RS256``), everything
else is a secret of at least `SECRET_BYTES` for ``HS256``. What the token says of its algorithm only has to agree.

The form must come from a page of this host, or of an origin that may frame the chat or call it. Whatever is wrong with
a token, the answer is the same; the log says which check failed and nothing of the token.
"""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from engine.jid import Jid, JidError
from engine.ports import Accounts, StorageUnavailable
from gateways.web import Route, Visit
from gateways.web_socket import is_origin_allowed
from gateways.webmail_login import WebmailLogins

log = logging.getLogger(__name__)

PATH: Final = "/api/sign-on"

LIFETIME_SECONDS: Final = 120
"""A form is posted as soon as its page is there."""

LEEWAY_SECONDS: Final = 10

BODY_BYTES: Final = 8_192
"""A token with a signature of RSA has under 1,000. More: 413."""

SECRET_BYTES: Final = 32
"""RFC 7518, 3.2: as many as the hash has."""

RSA_BITS: Final = 2_048
"""RFC 7518, 3.3."""

JTI_CHARACTERS: Final = 255

DEFAULT_AUDIENCE: Final = "rookery"

_CLAIMS: Final = ["iss", "sub", "aud", "iat", "exp", "jti"]


class KeyRefused(Exception):  # noqa: N818 -- a state of the file, not a fault of the program
    """The file has no key that could be used. One line."""


class Key(msgspec.Struct, frozen=True):
    """What checks the tokens of one domain. `value`: a public key, or a secret."""

    algorithm: str
    value: Any


class _Refused(Exception):  # noqa: N818
    """A token is not accepted, for this reason."""


def load_key(file: Path) -> Key:
    """The key in a file.

    Raises:
        KeyRefused: there is none.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise KeyRefused(f"{file}: {error.strerror}") from error
    if not data.lstrip().startswith(b"-----BEGIN"):
        secret = data.strip()
        if len(secret) < SECRET_BYTES:
            raise KeyRefused(f"{file}: a secret has at least {SECRET_BYTES} bytes")
        return Key("HS256", secret)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefused(f"{file}: not a public key") from error
    if isinstance(key, Ed25519PublicKey):
        return Key("EdDSA", key)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return Key("ES256", key)
    if isinstance(key, RSAPublicKey) and key.key_size >= RSA_BITS:
        return Key("RS256", key)
    raise KeyRefused(f"{file}: a public key is of Ed25519, P-256, or RSA with at least {RSA_BITS} bits")


class SignOn:
    """Accepts tokens.

    Args:
        accounts: know which tokens were used.
        logins: makes the login.
        keys: by domain.
        audience: what tokens are for.
        clock: seconds since 1970.
        origins: other than the host's own whose forms may post; normalised.
    """

    def __init__(
        self,
        accounts: Accounts,
        logins: WebmailLogins,
        *,
        keys: Mapping[str, Key],
        audience: str,
        clock: Callable[[], float],
        origins: frozenset[str],
    ) -> None:
        self._accounts = accounts
        self._logins = logins
        self._keys = keys
        self._audience = audience
        self._clock = clock
        self._origins = origins

    def routes(self) -> Mapping[str, Route]:
        """The handlers by path; none where there is no key."""
        return {PATH: self._serve} if self._keys else {}

    async def _serve(self, visit: Visit) -> None:
        request = visit.request
        if request.method != "POST":
            await visit.answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "POST"})
        elif not request.header("origin") or not is_origin_allowed(request, self._origins):
            await visit.answer(HTTPStatus.FORBIDDEN, "this page may not sign on here")
        elif request.header("content-type").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            await visit.answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a form is expected")
        elif (body := await visit.read_body(BODY_BYTES)) is None:
            await visit.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            await self._sign_on(visit, body)

    async def _sign_on(self, visit: Visit, body: bytes) -> None:
        try:
            owner = await self._check(body)
            cookie = await self._logins.make(visit.request, owner)
        except LookupError:
            await visit.answer(HTTPStatus.UNAUTHORIZED, "there is no such member any more")
        except _Refused as refused:
            log.warning("sign-on from %s refused: %s", visit.request.peer, refused)
            await visit.answer(HTTPStatus.UNAUTHORIZED, "signing on failed; reload the page that brought you here")
        except StorageUnavailable as error:
            log.warning("sign-on: %s", error)
            await visit.answer(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            await visit.answer(HTTPStatus.SEE_OTHER, headers={"location": "/", "set-cookie": cookie})

    async def _check(self, body: bytes) -> str:
        """Whose token this is; from now on it is used.

        Raises:
            _Refused: it is not accepted.
        """
        try:
            token = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=8)["token"][0]
            claims = self._verify(token)
        except (ValueError, LookupError):
            raise _Refused("there is no token") from None
        except (jwt.InvalidTokenError, RecursionError) as error:
            raise _Refused(type(error).__name__) from None  # its text may have parts of the token
        owner: str = claims["sub"]
        issued, expires, now = claims["iat"], claims["exp"], self._clock()
        if expires - issued > LIFETIME_SECONDS or not issued - LEEWAY_SECONDS <= now < expires + LEEWAY_SECONDS:
            raise _Refused("it is too old, too new, or lives too long")
        name: str = claims["jti"]
        if not (0 < len(name) <= JTI_CHARACTERS and name.isascii() and name.isprintable()):
            raise _Refused("its name is empty, too long, or not of printable ASCII")
        if Jid.parse(owner).bare != owner or owner.rpartition("@")[2] != claims["iss"]:
            raise _Refused("its subject is no address of its domain")
        contact = await self._accounts.find(owner)
        if contact is None or contact.is_alias:
            raise _Refused("its subject is no member")
        until = int(expires) + LEEWAY_SECONDS
        if not await self._accounts.use_token(f"{claims['iss']} {name}", until, int(now)):
            raise _Refused("it was used before")
        return owner

    def _verify(self, token: str) -> dict[str, Any]:
        """The claims of a token with a right signature, each of the type that it should have.

        Raises:
            jwt.InvalidTokenError: it is none.
        """
        unverified = jwt.decode(token, options={"verify_signature": False})
        issuer = unverified.get("iss")
        key = self._keys.get(issuer) if isinstance(issuer, str) else None
        if key is None:
            raise jwt.InvalidIssuerError
        claims = jwt.decode(
            token,
            key.value,
            algorithms=[key.algorithm],
            audience=self._audience,
            issuer=issuer,
            # Times are looked at with the server's own clock.
            options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        try:
            for name, kind in (("sub", str), ("jti", str), ("iat", int | float), ("exp", int | float)):
                if not isinstance(claims[name], kind) or isinstance(claims[name], bool):
                    raise jwt.DecodeError
            Jid.parse(claims["sub"])
        except JidError as error:
            raise jwt.DecodeError from error
        return claims
