"""The server's side of one client stream (RFC 6120), as a state machine without I/O.

Spec. A client opens a stream to a domain and is told what it may do next. In clear text that is STARTTLS; what it sent
behind ``<starttls/>`` before TLS is forgotten (5.4.3.3). Then it logs in (SASL, 6), opens the stream again, binds a resource
(7), and from there on exchanges stanzas until one side ends its stream. `ClientStream.TABLE` says which element means what
in which state; anything else ends the stream with the condition in `_UNEXPECTED`.

How to drive it. Give `receive_data` what came, act on the events, and send what `data_to_send` gives, after each call
of any method. Some events are questions (`StartTls`, `VerifierWanted`, `PasswordCheckWanted`, `BindRequested`): until the
answer is given, further input waits unparsed, so what a client sends ahead is handled in order. Answers return events
too. Answers and stanzas to a stream that has ended meanwhile do nothing. Nothing here knows the time: whoever drives
enforces `LOGIN_SECONDS`, `CLOSE_SECONDS` and the liveness deadline with `close`.

Limits: `PRE_LOGIN_BYTES` and `PRE_LOGIN_STANZA_BYTES` before binding, `Limits.stanza_bytes` after, `LOGIN_ATTEMPTS`, and
those of `engine.xmpp.parser`; over any of them the stream ends with ``policy-violation``.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from engine.errors import Condition, StreamCondition
from engine.jid import Jid, JidError
from engine.limits import LOGIN_ATTEMPTS
from engine.ports import Verifier
from engine.xmpp.framing import Framing
from engine.xmpp.sasl import (
    Challenge,
    Failure,
    Mechanism,
    Outcome,
    SaslCondition,
    SaslSettings,
    Success,
    WantCheck,
    WantVerifier,
    decode_payload,
    start_mechanism,
)
from engine.xmpp.stream_base import State, Stream
from engine.xmpp.stream_elements import (
    BIND,
    SASL,
    TLS,
    bind_result,
    features_after_login,
    features_before_login,
    iq_error,
    sasl_failure,
    sasl_message,
)
from engine.xmpp.stream_events import (
    BindRequested,
    Event,
    ExtensionReceived,
    LoggedIn,
    LoginFailed,
    PasswordCheckWanted,
    StanzaReceived,
    StartTls,
    StreamEnded,
    StreamOptions,
    VerifierWanted,
)
from engine.xmpp.xml import CLIENT, E, Element

_UNLIMITED = 1 << 62


_STANZAS: Final = frozenset({"message", "presence", "iq"})


class ClientStream(Stream):
    """One client's stream, over all its restarts.

    Args:
        options: what all streams of the listener share.
        framing: TCP when None.
        is_encrypted: the transport is TLS already (direct TLS, WebSocket behind TLS).
        channel_binding: its ``tls-server-end-point`` data, where known.
        has_starttls: clear text can become TLS here; not so on WebSocket.

    Attributes:
        account: the bare JID, once logged in.
        jid: the full JID, once bound.
    """

    def __init__(
        self,
        options: StreamOptions,
        framing: Framing | None = None,
        *,
        is_encrypted: bool = False,
        channel_binding: bytes | None = None,
        has_starttls: bool = True,
    ) -> None:
        super().__init__(options, framing)
        self.account: Jid | None = None
        self.jid: Jid | None = None
        self._is_encrypted = is_encrypted
        self._has_starttls = has_starttls
        self._channel_binding = channel_binding
        self._failures = 0
        self._mechanism: Mechanism | None = None
        self._claimed: Jid | None = None  # whom the running login is for
        self._bind_id: str | None = None

    # -- answers to events ---------------------------------------------------------------------------------------------

    def tls_started(self, channel_binding: bytes | None) -> list[Event]:
        """The handshake is done. What came in clear text behind ``<starttls/>`` is forgotten."""
        if self._is_answer_late(State.TLS):
            return []
        self._is_encrypted, self._channel_binding = True, channel_binding
        self._framing.discard()
        self._await_header()
        return self._run()

    def provide_verifier(self, verifier: Verifier | None) -> list[Event]:
        """The verifier that was wanted; None when there is no such account, or it has none."""
        if self._is_answer_late(State.VERIFYING) or self._mechanism is None:
            return []
        self._take_outcome(self._mechanism.give_verifier(verifier))
        return self._run()

    def password_checked(self, is_right: bool) -> list[Event]:
        """What `check_password` said."""
        if self._is_answer_late(State.VERIFYING) or self._mechanism is None:
            return []
        self._take_outcome(self._mechanism.give_check(is_right))
        return self._run()

    def refuse_login(self, condition: SaslCondition, text: str = "") -> list[Event]:
        """The login fails for a reason of the caller's: ``temporary-auth-failure``, ``account-disabled``."""
        if self._is_answer_late(State.VERIFYING):
            return []
        self._take_outcome(Failure(condition, text))
        return self._run()

    def bound(self, jid: Jid) -> list[Event]:
        """The session has this full JID; stanzas flow from here on."""
        if self._is_answer_late(State.BINDING):
            return []
        self._write(bind_result(self._bind_id or "", jid))
        return self._take_stanzas(jid)

    def resumed(self, jid: Jid, answer: bytes) -> list[Event]:
        """The session of this full JID goes on here; answers `ExtensionReceived` in place of binding, with this element."""
        if self._is_answer_late(State.BINDING):
            return []
        self._output.append(self._framing.stanza(answer))
        return self._take_stanzas(jid)

    def _take_stanzas(self, jid: Jid) -> list[Event]:
        self.jid, self._bind_id = jid, None
        self.state = State.READY
        return self._run()

    def bind_refused(self, condition: Condition, text: str = "") -> list[Event]:
        """No session for now; the client may ask again."""
        if self._is_answer_late(State.BINDING):
            return []
        if self._bind_id is not None:
            self._write(iq_error(self._bind_id, condition, text))
        self.state, self._bind_id = State.AUTHENTICATED, None
        return self._run()

    def extension_refused(self, answer: bytes) -> list[Event]:
        """What came before binding leads to no session: this element says so, and the client may bind."""
        if self._is_answer_late(State.BINDING):
            return []
        self._output.append(self._framing.stanza(answer))
        self.state = State.AUTHENTICATED
        return self._run()

    # -- reading -------------------------------------------------------------------------------------------------------

    def _handle(self, element: Element) -> None:
        handler = self.TABLE[self.state].get((element.namespace, element.name))
        if (
            handler is None
            and (element.namespace, element.name) in self._options.extensions
            and self.account is not None
        ):
            self._extension(element)
        elif handler is None:
            self._unexpected(element)
        else:
            handler(self, element)

    def _unexpected(self, element: Element) -> None:
        condition, text = _UNEXPECTED.get(self.state, (None, ""))
        if condition is not None:
            is_foreign = element.name in _STANZAS and element.namespace != CLIENT and self.state is State.READY
            self._fail(StreamCondition.INVALID_NAMESPACE if is_foreign else condition, text)

    def _choose_domain(self, to: str) -> str:
        """The domain that the header means; empty when it is not served, or another one than before a login."""
        if not to:
            domains = self._options.domains
            return self.domain or (next(iter(domains)) if len(domains) == 1 else "")
        try:
            domain = Jid.parse(to).full
        except JidError:
            return ""
        is_changed = self.account is not None and domain != self.domain
        return domain if domain in self._options.domains and not is_changed else ""

    def _announce(self) -> None:
        if self.account is not None:
            self._write_rendered(features_after_login(self._options))
            self.state = State.AUTHENTICATED
            self._framing.be_fast(self._options.limits.stanza_bytes or _UNLIMITED)
        else:
            has_starttls = self._has_starttls and not self._is_encrypted
            self._write_rendered(features_before_login(self._options, self._sasl_settings(), has_starttls=has_starttls))
            self.state = State.NEGOTIATING

    # -- STARTTLS and login --------------------------------------------------------------------------------------------

    def _start_tls(self, _element: Element) -> None:
        """RFC 6120, 5.4.2."""
        if self._is_encrypted or not self._has_starttls:
            self._write(E("failure", TLS))
            self._write_end(None, "")
            self.state = State.CLOSED
            self._events.append(StreamEnded(None, "STARTTLS where it was not offered"))
            return
        self._write(E("proceed", TLS))
        self.state = State.TLS
        self._events.append(StartTls())

    def _sasl_settings(self) -> SaslSettings:
        return SaslSettings(
            domain=self.domain,
            secret=self._options.secret,
            nonce=self._options.token,
            is_encrypted=self._is_encrypted,
            channel_binding=self._channel_binding,
            hashes=self._options.hashes,
        )

    def _auth(self, element: Element) -> None:
        """The client chooses a mechanism, and may say its first words at once (RFC 6120, 6.4.2)."""
        if not self._is_encrypted and self._options.tls == "required":
            self._take_outcome(Failure(SaslCondition.ENCRYPTION_REQUIRED, "login without TLS"))
            return
        started = start_mechanism(element.get("mechanism"), self._sasl_settings())
        if isinstance(started, Failure):
            self._take_outcome(started)
            return
        self._mechanism = started
        self.state = State.AUTHENTICATING
        if element.text:
            self._respond(element)
        else:
            self._take_outcome(Challenge(b""))

    def _respond(self, element: Element) -> None:
        if self._mechanism is None:
            raise RuntimeError("no mechanism is running")
        try:
            message = decode_payload(element.text) or b""
        except ValueError as error:
            self._take_outcome(Failure(SaslCondition.INCORRECT_ENCODING, str(error)))
            return
        self._take_outcome(self._mechanism.respond(message))

    def _abort(self, _element: Element) -> None:
        self._take_outcome(Failure(SaslCondition.ABORTED, "aborted by the client"))

    def _interrupt(self, _element: Element) -> None:
        self._take_outcome(Failure(SaslCondition.MALFORMED_REQUEST, "a second login within the first"))

    def _take_outcome(self, outcome: Outcome) -> None:
        self._OUTCOMES[type(outcome)](self, outcome)

    def _challenge(self, outcome: Challenge) -> None:
        self._write(sasl_message("challenge", outcome.data))
        self.state = State.AUTHENTICATING

    def _want_verifier(self, outcome: WantVerifier) -> None:
        self.state, self._claimed = State.VERIFYING, outcome.account
        self._events.append(VerifierWanted(outcome.account, outcome.hash_name))

    def _want_check(self, outcome: WantCheck) -> None:
        self.state = State.VERIFYING
        self._events.append(PasswordCheckWanted(outcome.account, outcome.verifier, outcome.password))

    def _succeed(self, outcome: Success) -> None:
        self._write(sasl_message("success", outcome.data))
        self.account, self._mechanism, self._claimed = outcome.account, None, None
        self._framing.restart()
        self._await_header()
        self._events.append(LoggedIn(outcome.account))

    def _refuse(self, outcome: Failure) -> None:
        self._write(sasl_failure(outcome.condition))
        claimed = outcome.account or self._claimed
        self._mechanism = self._claimed = None
        self._failures += 1
        self.state = State.NEGOTIATING
        self._events.append(LoginFailed(claimed, outcome.condition, outcome.text))
        if self._failures >= LOGIN_ATTEMPTS:
            self._fail(StreamCondition.POLICY_VIOLATION, "too many failed logins")

    # -- after login ---------------------------------------------------------------------------------------------------

    def _bind(self, iq: Element) -> None:
        """RFC 6120, 7.6. No other stanza is allowed before (7.1)."""
        request = iq.find("bind", BIND)
        if self.account is None or request is None or iq.get("type") != "set":
            self._unexpected(iq)
        elif not self._is_own(iq.get("from")):
            self._fail(StreamCondition.INVALID_FROM, "not the own address")
        elif not iq.get("id"):
            self._write(iq_error("", Condition.BAD_REQUEST, "an IQ has an id"))
        else:
            wanted = _prepare_resource(request.find_text("resource", BIND))
            self._bind_id, self.state = iq.get("id"), State.BINDING
            self._events.append(BindRequested(self.account, wanted or self._options.token(), is_generated=not wanted))

    def _stanza(self, element: Element) -> None:
        if "from" in element.attributes and not self._is_own(element.attributes["from"]):
            self._fail(StreamCondition.INVALID_FROM, "not the own address")
        else:
            self._events.append(StanzaReceived(element))

    def _extension(self, element: Element) -> None:
        self._events.append(ExtensionReceived(element))
        if self.state is State.AUTHENTICATED:
            self.state = State.BINDING

    def _is_own(self, sender: str) -> bool:
        """Whether a ``from`` is absent, or the own bare or full JID (RFC 6120, 8.1.2.1)."""
        if not sender:
            return True
        try:
            address = Jid.parse(sender)
        except JidError:
            return False
        return address in (self.jid, self.account)

    # -- tables --------------------------------------------------------------------------------------------------------

    TABLE: ClassVar[dict[State, dict[tuple[str, str], Callable[["ClientStream", Element], None]]]] = {
        State.OPENING: {},
        State.NEGOTIATING: {(TLS, "starttls"): _start_tls, (SASL, "auth"): _auth},
        State.TLS: {},
        State.AUTHENTICATING: {
            (SASL, "response"): _respond,
            (SASL, "abort"): _abort,
            (SASL, "auth"): _interrupt,
        },
        State.VERIFYING: {},
        State.AUTHENTICATED: {(CLIENT, "iq"): _bind},
        State.BINDING: {},
        State.READY: {(CLIENT, "message"): _stanza, (CLIENT, "presence"): _stanza, (CLIENT, "iq"): _stanza},
        State.CLOSING: {},
        State.CLOSED: {},
    }
    """State -> element -> what is done. In states that wait for the caller nothing is read."""

    _OUTCOMES: ClassVar[dict[type[Outcome], Callable[["ClientStream", Any], None]]] = {
        Challenge: _challenge,
        WantVerifier: _want_verifier,
        WantCheck: _want_check,
        Success: _succeed,
        Failure: _refuse,
    }


_UNEXPECTED: Final[dict[State, tuple[StreamCondition, str]]] = {
    State.OPENING: (StreamCondition.BAD_FORMAT, "the stream is not open"),
    State.NEGOTIATING: (StreamCondition.NOT_AUTHORIZED, "log in first"),
    State.AUTHENTICATING: (StreamCondition.NOT_AUTHORIZED, "finish the login first"),
    State.AUTHENTICATED: (StreamCondition.NOT_AUTHORIZED, "bind a resource first"),
    State.READY: (StreamCondition.UNSUPPORTED_STANZA_TYPE, "neither message nor presence nor iq"),
}
"""State -> how the stream ends for any other element; while closing they are dropped."""


def _prepare_resource(text: str) -> str:
    """The resource as it will be; empty when the client left it to us or it cannot be used."""
    try:
        return Jid.parse(f"x/{text}").resource if text else ""
    except JidError:
        return ""
