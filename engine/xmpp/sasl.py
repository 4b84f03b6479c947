"""SASL: who is this? SCRAM-SHA-256 and SCRAM-SHA-1, both also with channel binding (-PLUS), and PLAIN.

Spec. A client names a mechanism and speaks first (RFC 6120, 6.4). SCRAM (RFC 5802, RFC 7677): the client says its name and
a nonce; the server answers with its part of the nonce, the salt and the iterations; the client proves that it knows
the password; the server proves that it knows the verifier. With -PLUS the proof covers the hash of the server's certificate
too (``tls-server-end-point``, RFC 5929), so nobody in the middle can pass it on. A client that says it would have
used -PLUS, had it been offered, while it was, has been lied to (``y``): refused. PLAIN (RFC 4616) sends the password, and
is there over TLS only.

Sans-I/O. Each step returns an `Outcome`: something to send, the end, or a question for the caller, who looks
accounts up and computes slow hashes elsewhere. A name that does not exist gets a fake verifier and fails at the same step
as a wrong password. Nobody acts for anybody else: the authorization identity is empty or one's own bare JID.
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from engine.jid import Jid, JidError
from engine.ports import Verifier
from engine.xmpp.scram import HASHES, check_proof, fake_verifier, server_signature

END_POINT: Final = "tls-server-end-point"


class SaslCondition(StrEnum):
    """Why a login failed (RFC 6120, 6.5)."""

    ABORTED = "aborted"
    ACCOUNT_DISABLED = "account-disabled"
    CREDENTIALS_EXPIRED = "credentials-expired"
    ENCRYPTION_REQUIRED = "encryption-required"
    INCORRECT_ENCODING = "incorrect-encoding"
    INVALID_AUTHZID = "invalid-authzid"
    INVALID_MECHANISM = "invalid-mechanism"
    MALFORMED_REQUEST = "malformed-request"
    MECHANISM_TOO_WEAK = "mechanism-too-weak"
    NOT_AUTHORIZED = "not-authorized"
    TEMPORARY_AUTH_FAILURE = "temporary-auth-failure"


class SaslSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the mechanisms need to know.

    Attributes:
        domain: of the stream; accounts of another one do not exist here.
        secret: of the server, the same over restarts: makes the verifiers of those who do not exist.
        nonce: makes an unguessable text.
        is_encrypted: over TLS; PLAIN is offered only then.
        channel_binding: ``tls-server-end-point`` data; None without TLS or where it is not known. -PLUS is offered only then.
        hashes: for which the accounts have verifiers.
    """

    domain: str
    secret: bytes
    nonce: Callable[[], str]
    is_encrypted: bool
    channel_binding: bytes | None = None
    hashes: tuple[str, ...] = HASHES


class Challenge(msgspec.Struct, frozen=True):
    """Send this and wait for the client's response."""

    data: bytes


class WantVerifier(msgspec.Struct, frozen=True):
    """Look the verifier up, then call `Mechanism.give_verifier`."""

    account: Jid
    hash_name: str


class WantCheck(msgspec.Struct, frozen=True):
    """Compute `check_password` somewhere, then call `Mechanism.give_check`."""

    account: Jid
    verifier: Verifier
    password: str


class Success(msgspec.Struct, frozen=True):
    """Logged in; `data` goes with the success, if there is any."""

    account: Jid
    data: bytes = b""


class Failure(msgspec.Struct, frozen=True):
    """Not logged in. `account`: whom the client claimed to be, once that was known. `text` is for the log."""

    condition: SaslCondition
    text: str = ""
    account: Jid | None = None


Outcome = Challenge | WantVerifier | WantCheck | Success | Failure


class Mechanism(Protocol):
    """One exchange; of no use after a `Success` or `Failure`."""

    def respond(self, message: bytes) -> Outcome:
        """The client's next message."""

    def give_verifier(self, verifier: Verifier | None) -> Outcome:
        """The answer to `WantVerifier`; None when there is no such account or it has no password."""

    def give_check(self, is_right: bool) -> Outcome:
        """The answer to `WantCheck`."""


class _Refused(Exception):  # noqa: N818 -- a decision, not a fault
    """Inside a step: the login fails."""

    def __init__(self, condition: SaslCondition, text: str) -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text


_MALFORMED = SaslCondition.MALFORMED_REQUEST
_DENIED = SaslCondition.NOT_AUTHORIZED

_CLIENT_FIRST = re.compile(
    r"(?P<header>(?P<flag>n|y|p=(?P<type>[A-Za-z0-9.\-]+)),(?P<authzid>a=[^,]+)?,)(?P<bare>.*)", re.DOTALL
)
_CLIENT_FIRST_BARE = re.compile(r"n=(?P<user>[^,\0]+),r=(?P<nonce>[!-+\--~]+)(?P<extensions>(?:,[A-Za-z]=[^,\0]+)*)")
_CLIENT_FINAL = re.compile(
    r"(?P<without>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[!-+\--~]+)(?P<extensions>(?:,[A-Za-z]=[^,\0]+)*))"
    r",p=(?P<proof>[A-Za-z0-9+/=]+)"
)


class Scram:
    """The server's side of SCRAM, one exchange (RFC 5802, section 5)."""

    def __init__(self, settings: SaslSettings, hash_name: str, *, is_plus: bool) -> None:
        self._settings = settings
        self._hash_name = hash_name
        self._is_plus = is_plus
        self._account: Jid | None = None
        self._verifier: Verifier | None = None
        self._is_known = False
        self._header = self._first_bare = self._nonce = self._server_first = ""
        self._next: Callable[[Scram, str], Outcome] = (
            Scram._client_first
        )  # no method of this one: that would be a circle

    def respond(self, message: bytes) -> Outcome:
        """The client's next message."""
        step, self._next = self._next, Scram._out_of_order
        try:
            return step(self, _decode(message))
        except _Refused as refused:
            return Failure(refused.condition, refused.text, self._account)

    def give_verifier(self, verifier: Verifier | None) -> Outcome:
        """The verifier of the account; None when there is none: a fake one takes its place."""
        if self._account is None:
            raise RuntimeError("no verifier was asked for")
        self._is_known = verifier is not None
        fake = fake_verifier(self._hash_name, self._account.bare, self._settings.secret)  # always: it takes time too
        self._verifier = verifier or fake
        salt = b64encode(self._verifier.salt).decode()
        self._server_first = f"r={self._nonce},s={salt},i={self._verifier.iterations}"
        self._next = Scram._client_final
        return Challenge(self._server_first.encode())

    def give_check(self, is_right: bool) -> Outcome:  # noqa: ARG002 -- the protocol's signature
        """SCRAM asks for no check."""
        raise RuntimeError("no check was asked for")

    def _client_first(self, message: str) -> Outcome:
        match = _CLIENT_FIRST.fullmatch(message)
        bare = match and _CLIENT_FIRST_BARE.fullmatch(match["bare"])
        if not match or not bare:
            # This is also where an extension that must be understood (``m=``) ends: there is none that we know.
            raise _Refused(_MALFORMED, "not the first message of SCRAM")
        self._account = _own_account(_decode_name(bare["user"]), self._settings.domain)
        self._check_binding_flag(match["flag"], match["type"])
        _check_authzid(_decode_name((match["authzid"] or "a=")[2:]), self._account)
        self._header, self._first_bare = match["header"], match["bare"]
        self._nonce = bare["nonce"] + self._settings.nonce()
        return WantVerifier(self._account, self._hash_name)

    def _check_binding_flag(self, flag: str, kind: str | None) -> None:
        if self._is_plus != (kind is not None):
            raise _Refused(_MALFORMED, "the flag of channel binding does not fit the mechanism")
        if flag == "y" and self._settings.channel_binding is not None:
            raise _Refused(_DENIED, "the client was not shown our -PLUS mechanisms: somebody is in the middle")
        if kind is not None and kind != END_POINT:
            raise _Refused(_DENIED, f"no channel binding of type {kind}")

    def _client_final(self, message: str) -> Outcome:
        match = _CLIENT_FINAL.fullmatch(message)
        if not match or self._verifier is None or self._account is None:
            raise _Refused(_MALFORMED, "not the final message of SCRAM")
        bound = self._header.encode() + ((self._settings.channel_binding or b"") if self._is_plus else b"")
        if not hmac.compare_digest(_decode_base64(match["binding"], _MALFORMED), bound):
            raise _Refused(_DENIED, "the client is bound to another channel: somebody may be in the middle")
        if not hmac.compare_digest(match["nonce"], self._nonce):
            raise _Refused(_DENIED, "the nonce is not that of this exchange")
        auth_message = f"{self._first_bare},{self._server_first},{match['without']}".encode()
        is_right = check_proof(
            self._hash_name, self._verifier, auth_message, _decode_base64(match["proof"], _MALFORMED)
        )
        if not is_right or not self._is_known:
            raise _Refused(_DENIED, "wrong password" if self._is_known else "no such account")
        return Success(self._account, f"v={server_signature(self._hash_name, self._verifier, auth_message)}".encode())

    def _out_of_order(self, _message: str) -> Outcome:
        raise _Refused(_MALFORMED, "the exchange is over")


class Plain:
    """The server's side of PLAIN (RFC 4616); the caller computes the slow hash."""

    def __init__(self, settings: SaslSettings) -> None:
        self._settings = settings
        self._account: Jid | None = None
        self._password = ""
        self._is_known = False

    def respond(self, message: bytes) -> Outcome:
        """The client's one message."""
        try:
            return self._read(_decode(message))
        except _Refused as refused:
            return Failure(refused.condition, refused.text, self._account)

    def _read(self, message: str) -> Outcome:
        authzid, _, rest = message.partition("\0")
        name, _, password = rest.partition("\0")
        if not name or not password or "\0" in password or self._account is not None:
            raise _Refused(_MALFORMED, "not the message of PLAIN")
        self._account = _own_account(name, self._settings.domain)
        _check_authzid(authzid, self._account)
        self._password = password
        return WantVerifier(self._account, self._settings.hashes[0])

    def give_verifier(self, verifier: Verifier | None) -> Outcome:
        """The verifier of the account; None when there is none: a fake one is checked in its place."""
        if self._account is None:
            raise RuntimeError("no verifier was asked for")
        self._is_known = verifier is not None
        fake = fake_verifier(self._settings.hashes[0], self._account.bare, self._settings.secret)
        password, self._password = self._password, ""
        return WantCheck(self._account, verifier or fake, password)

    def give_check(self, is_right: bool) -> Outcome:
        """Whether the password fits."""
        if self._account is None:
            raise RuntimeError("no check was asked for")
        if is_right and self._is_known:
            return Success(self._account)
        return Failure(_DENIED, "wrong password" if self._is_known else "no such account", self._account)


def _scram(hash_name: str, *, is_plus: bool = False) -> Callable[[SaslSettings], Mechanism]:
    return lambda settings: Scram(settings, hash_name, is_plus=is_plus)


_MECHANISMS: Final[dict[str, tuple[Callable[[SaslSettings], Mechanism], Callable[[SaslSettings], bool]]]] = {
    "SCRAM-SHA-256-PLUS": (
        _scram("sha-256", is_plus=True),
        lambda settings: settings.channel_binding is not None and "sha-256" in settings.hashes,
    ),
    "SCRAM-SHA-1-PLUS": (
        _scram("sha-1", is_plus=True),
        lambda settings: settings.channel_binding is not None and "sha-1" in settings.hashes,
    ),
    "SCRAM-SHA-256": (_scram("sha-256"), lambda settings: "sha-256" in settings.hashes),
    "SCRAM-SHA-1": (_scram("sha-1"), lambda settings: "sha-1" in settings.hashes),
    "PLAIN": (Plain, lambda settings: settings.is_encrypted),
}
"""Name -> how it is made, and when it is offered; the best one first."""


def offered_mechanisms(settings: SaslSettings) -> list[str]:
    """The mechanisms that a client of this stream can finish, the best one first."""
    return [name for name, (_, is_offered) in _MECHANISMS.items() if is_offered(settings)]


def start_mechanism(name: str, settings: SaslSettings) -> Mechanism | Failure:
    """The mechanism that the client chose, or why it may not choose it."""
    if name not in _MECHANISMS:
        return Failure(SaslCondition.INVALID_MECHANISM, "no such mechanism")
    make, is_offered = _MECHANISMS[name]
    if is_offered(settings):
        return make(settings)
    if name == "PLAIN":
        return Failure(SaslCondition.ENCRYPTION_REQUIRED, "a password is not sent in clear text")
    return Failure(SaslCondition.INVALID_MECHANISM, "this mechanism was not offered")


def decode_payload(text: str) -> bytes | None:
    """The payload of a SASL element: None when there is none, empty for ``=`` (RFC 6120, 6.4.2).

    Raises:
        ValueError: it is not base64 as RFC 4648, section 4 writes it (``incorrect-encoding``).
    """
    if not text:
        return None
    if text == "=":
        return b""
    decoded = b64decode(text, validate=True)
    if b64encode(decoded).decode() != text:
        raise ValueError("not canonical base64")
    return decoded


def encode_payload(data: bytes) -> str:
    """The payload of a SASL element."""
    return b64encode(data).decode()


def _decode(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError:
        raise _Refused(_MALFORMED, "not UTF-8") from None


def _decode_base64(text: str, condition: SaslCondition) -> bytes:
    try:
        return decode_payload(text) or b""
    except ValueError:
        raise _Refused(condition, "not base64") from None


def _decode_name(text: str) -> str:
    """A ``saslname``: ``=2C`` is a comma, ``=3D`` an equals sign, any other ``=`` is wrong (RFC 5802, 5.1)."""
    parts = re.split("(=2C|=3D)", text)
    if any("=" in part for part in parts[::2]):
        raise _Refused(_MALFORMED, "the name is not encoded as SCRAM wants it")
    return "".join([{"=2C": ",", "=3D": "="}.get(part, part) for part in parts])


def _own_account(name: str, domain: str) -> Jid:
    """The account of that name on the stream's domain."""
    # COMPAT: some clients (old Android ones, scripts) give the whole bare JID as the user name.
    try:
        account = Jid.parse(name if "@" in name else f"{name}@{domain}")
    except JidError:
        raise _Refused(_DENIED, "not the name of an account") from None
    if account.domain != domain or not account.local or account.resource:
        raise _Refused(_DENIED, "not the name of an account of this domain")
    return account


def _check_authzid(authzid: str, account: Jid) -> None:
    if not authzid:
        return
    try:
        wanted = Jid.parse(authzid)
    except JidError:
        wanted = None
    if wanted != account:
        raise _Refused(SaslCondition.INVALID_AUTHZID, "the authorization identity is not the own bare JID")
