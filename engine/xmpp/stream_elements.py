"""What the stream itself says: features, SASL's answers, binding, errors.

Features (RFC 6120, 4.3.2) name only what this client can do now, in this state. In clear text: STARTTLS, and where it is
optional the mechanisms too. Over TLS: the mechanisms, with the types of channel binding (XEP-0440 1.0) beside them. After
login: binding, the session that clients older than RFC 6120 still ask for, and what the caller adds. Always: the limits
of the state (XEP-0478 0.2).
"""

from collections.abc import Callable
from typing import Final

from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.limits import PRE_LOGIN_STANZA_BYTES
from engine.xmpp.patterns import Recent
from engine.xmpp.sasl import END_POINT, SaslCondition, SaslSettings, encode_payload, offered_mechanisms
from engine.xmpp.stream_events import StreamOptions
from engine.xmpp.xml import CLIENT, STANZA_ERRORS, STREAM_ERRORS, STREAMS, E, Element, clean_text, serialise

TLS: Final = "urn:ietf:params:xml:ns:xmpp-tls"
SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
SESSION: Final = "urn:ietf:params:xml:ns:xmpp-session"
CHANNEL_BINDING: Final = "urn:xmpp:sasl-cb:0"
STREAM_LIMITS: Final = "urn:xmpp:stream-limits:0"


OPTIONS_KEPT: Final = 16
"""Listeners, and for each of them states of a stream and certificates, whose features are kept as they are written."""

_FEATURES: Final[Recent[dict[object, str]]] = Recent(OPTIONS_KEPT)


def features_before_login(options: StreamOptions, settings: SaslSettings, *, has_starttls: bool) -> str:
    """What a client may do that has not logged in, written."""
    key = has_starttls, settings.is_encrypted, settings.channel_binding
    return _written(options, key, lambda: _before_login(options, settings, has_starttls=has_starttls))


def features_after_login(options: StreamOptions) -> str:
    """What a client may do that has logged in and has no session yet, written."""
    return _written(options, None, lambda: _after_login(options))


def _written(options: StreamOptions, key: object, make: Callable[[], Element]) -> str:
    kept = _FEATURES.get(options, lambda _: {})
    text = kept.get(key)
    if text is None:
        if len(kept) >= OPTIONS_KEPT:
            kept.clear()
        text = kept[key] = serialise(make())
    return text


def _before_login(options: StreamOptions, settings: SaslSettings, *, has_starttls: bool) -> Element:
    offered: list[Element] = []
    if has_starttls:
        offered.append(E("starttls", TLS, E("required", TLS) if options.tls == "required" else None))
    if settings.is_encrypted or options.tls == "optional":
        names = offered_mechanisms(settings)
        offered.append(E("mechanisms", SASL, *[E("mechanism", SASL, name) for name in names]))
        if settings.channel_binding is not None:
            types = E("channel-binding", CHANNEL_BINDING, type=END_POINT)
            offered.append(E("sasl-channel-binding", CHANNEL_BINDING, types))
    return E("features", STREAMS, *offered, _limits(options, PRE_LOGIN_STANZA_BYTES))


def _after_login(options: StreamOptions) -> Element:
    # COMPAT: libpurple (Pidgin, Finch) before 2.10 and others of its age want to establish a session (RFC 3921, 3);
    # <optional/> spares all newer ones the round trip.
    session = E("session", SESSION, E("optional", SESSION))
    limits = _limits(options, options.limits.stanza_bytes)
    return E("features", STREAMS, E("bind", BIND), session, limits, *options.extra_features)


def sasl_message(name: str, data: bytes) -> Element:
    """A ``challenge``, or a ``success`` with or without last words (RFC 6120, 6.4)."""
    return E(name, SASL, encode_payload(data))


def sasl_failure(condition: SaslCondition) -> Element:
    """A failed login; the reason stays ours (RFC 6120, 6.5)."""
    return E("failure", SASL, E(condition.value, SASL))


def bind_result(request_id: str, jid: Jid) -> Element:
    """The session's full JID (RFC 6120, 7.6.1)."""
    return E("iq", CLIENT, E("bind", BIND, E("jid", BIND, jid.full)), type="result", id=request_id)


def iq_error(request_id: str, condition: Condition, text: str = "") -> Element:
    """The refusal of an IQ to the stream itself (RFC 6120, 8.3)."""
    error = E("error", CLIENT, E(condition.value, STANZA_ERRORS), _text(STANZA_ERRORS, text), type=condition.error_type)
    return E("iq", CLIENT, error, type="error", id=request_id or None)


def stream_error(condition: StreamCondition, text: str, detail: Element | None = None) -> Element:
    """The last element of a stream that is cut (RFC 6120, 4.9). `detail`: an application-specific condition (4.9.4)."""
    return E("error", STREAMS, E(condition.value, STREAM_ERRORS), _text(STREAM_ERRORS, text), detail)


def _text(namespace: str, text: str) -> Element | None:
    return E("text", namespace, clean_text(text), attributes={"xml:lang": "en"}) if text else None


def _limits(options: StreamOptions, stanza_bytes: int) -> Element:
    size = E("max-bytes", STREAM_LIMITS, str(stanza_bytes)) if stanza_bytes else None
    return E("limits", STREAM_LIMITS, size, E("idle-seconds", STREAM_LIMITS, str(options.idle_seconds)))
