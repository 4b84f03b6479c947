"""What a client stream is told, and what it tells: its options and its events."""

import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Literal

import msgspec

from engine.errors import StreamCondition
from engine.jid import Jid
from engine.limits import PING_AFTER_SECONDS, Limits
from engine.ports import Verifier
from engine.xmpp.sasl import SaslCondition
from engine.xmpp.scram import HASHES
from engine.xmpp.xml import Element


def random_token() -> str:
    """144 random bits as 24 letters: for stream ids (RFC 6120, 4.7.3), nonces and generated resources."""
    return secrets.token_urlsafe(18)


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What all streams of a listener share.

    Attributes:
        domains: that are served, prepared; may be a live view. A header without ``to`` means the only one.
        secret: of the server, the same over restarts; see `engine.xmpp.scram.fake_verifier`.
        limits: of the configuration.
        tls: ``required``: nothing but STARTTLS in clear text. ``optional``: SCRAM too, never PLAIN.
        extra_features: announced after login, beside binding.
        extensions: further elements, as (namespace, name), that may stand beside stanzas after login; they become
            `ExtensionReceived`.
        hashes: for which the accounts have verifiers.
        idle_seconds: after which the server asks a silent client for a sign of life (announced by XEP-0478).
        token: makes an unguessable text.
    """

    domains: Collection[str]
    secret: bytes
    limits: Limits = Limits()
    tls: Literal["required", "optional"] = "required"
    extra_features: Sequence[Element] = ()
    extensions: frozenset[tuple[str, str]] = frozenset()
    hashes: tuple[str, ...] = HASHES
    idle_seconds: int = int(PING_AFTER_SECONDS)
    token: Callable[[], str] = random_token


class StartTls(msgspec.Struct, frozen=True):
    """Send what there is, do the handshake, then call `ClientStream.tls_started`."""


class VerifierWanted(msgspec.Struct, frozen=True):
    """Look the account's verifier of this hash up; answer with `provide_verifier` or `refuse_login`.

    This is also the place to slow attempts on one account or from one address down: answer later.
    """

    account: Jid
    hash_name: str


class PasswordCheckWanted(msgspec.Struct, frozen=True):
    """Compute `engine.xmpp.scram.check_password` in a thread; answer with `password_checked` or `refuse_login`."""

    account: Jid
    verifier: Verifier
    password: str

    def __repr__(self) -> str:
        return f"PasswordCheckWanted({self.account})"  # a password belongs in no log


class LoginFailed(msgspec.Struct, frozen=True):
    """A login failed and the client was told so. `account`: whom it claimed to be, once known. `text`: for the log only."""

    account: Jid | None
    condition: SaslCondition
    text: str = ""


class LoggedIn(msgspec.Struct, frozen=True):
    """The client has proved to be this account; it opens its stream again next."""

    account: Jid


class BindRequested(msgspec.Struct, frozen=True):
    """The client wants a session; answer with `bound` or `bind_refused`.

    Attributes:
        account: bare JID.
        resource: prepared, and never empty: one that cannot be used was replaced.
        is_generated: the client left the choice to us, or its own one could not be used.
    """

    account: Jid
    resource: str
    is_generated: bool


class StanzaReceived(msgspec.Struct, frozen=True):
    """A message, presence or IQ of a bound session; its ``from``, if any, is right."""

    element: Element


class ExtensionReceived(msgspec.Struct, frozen=True):
    """One of `StreamOptions.extensions`. Before binding the stream waits for `resumed` or `extension_refused`."""

    element: Element


class StreamEnded(msgspec.Struct, frozen=True):
    """The stream is over: send what there is, then close the connection.

    Attributes:
        condition: why we ended it; None when the other side did.
        text: one line for the log.
    """

    condition: StreamCondition | None
    text: str = ""


Event = (
    StartTls
    | VerifierWanted
    | PasswordCheckWanted
    | LoginFailed
    | LoggedIn
    | BindRequested
    | StanzaReceived
    | ExtensionReceived
    | StreamEnded
)
