"""One client's connection: the stream of XMPP between a transport and a session.

What the stream says becomes commands, told to the session's actor; what the session is told goes out as the `Wire` that this
is. The one thing that waits is a login, in a task of the reception. What holds for every connection is in
`gateways.connection_base`.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from engine import messages as m
from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.limits import CLOSE_SECONDS, PING_AFTER_SECONDS
from engine.ports import Burst
from engine.xmpp import stream_events as events
from engine.xmpp.client import XmppClient
from engine.xmpp.features import stream_management
from engine.xmpp.mux import Reply
from engine.xmpp.sasl import SaslCondition
from engine.xmpp.stream_base import State
from engine.xmpp.xml import Element
from gateways.connection_base import ConnectionBase
from gateways.tap import Hold


class Connection(ConnectionBase):
    """One client, connected; see `ConnectionBase`."""

    __slots__ = ()

    # -- what the session says (Wire) ----------------------------------------------------------------------------------

    def deliver(self, event: msgspec.Struct) -> None:
        """Render the event and have it written at the end of this turn."""
        answer = self._answers.get(type(event))
        if answer is not None:
            answer(self, event)
        elif self._stream.state is State.READY:
            burst = self.render(event)
            if burst is not None:
                self.write(burst)

    def render(self, event: msgspec.Struct) -> Burst | None:
        """The event as this client is told of it."""
        client = self._client
        return None if client is None else self._mux.render(event, client.recipient)

    # -- events of the stream ------------------------------------------------------------------------------------------

    def _follow(self, found: Sequence[Any]) -> None:
        """Do what the stream's events ask for, and write what it has to say."""
        for event in found:
            self._handlers[type(event)](self, event)
        if self._is_counting:
            self._tell_count()
        if self._stream.has_output:
            self._flush_later()

    def _tell_count(self) -> None:
        """How many stanzas have come, unless a chat has said so."""
        if self._told_count != self._received:
            self._told_count = self._received
            self._tell(m.StanzasReceived(self._received))

    def _stanza(self, event: events.StanzaReceived) -> None:
        client = self._client
        if client is None:
            return  # its session is gone
        self._received += 1
        for outcome in client.receive(event.element, self._reception.clock()):
            if type(outcome) is m.SendChat and self._is_counting:
                self._told_count = self._received
                self._tell(m.SendChat(outcome.chat, self._received))
            elif type(outcome) is not Reply:
                self._tell(outcome)
            elif self._is_counting:  # in its place among all that is counted
                self._tell(m.Answer(outcome.data))
            else:
                self._write(outcome.data)

    def _extension(self, event: events.ExtensionReceived) -> None:
        client, element = self._client, event.element
        if client is None:
            self._before_session(element)
            return
        if (element.namespace, element.name) == stream_management.ENABLE and not self._is_counting:
            self._is_counting, self._received, self._told_count = True, 0, 0
        elif self._is_counting:
            self._tell_count()
        for outcome in client.receive(element, self._reception.clock()):
            if type(outcome) is Reply:
                self._write(outcome.data)
            else:
                self._tell(outcome)

    def _before_session(self, element: Element) -> None:
        """A client that has logged in may want to go on with a session that it had."""
        wish = None
        if (element.namespace, element.name) == stream_management.RESUME:
            wish = stream_management.read_resume(element)
        account = self._stream.account
        if wish is None or account is None:
            self._follow(self._stream.extension_refused(stream_management.failed(Condition.UNEXPECTED_REQUEST)))
        else:
            self._session = self._reception.resume_session(account, wish.token, wish.handled, self)

    def _start_tls(self, _: events.StartTls) -> None:
        self.flush()
        self._transport.start_tls()

    def _login(self, event: events.VerifierWanted | events.PasswordCheckWanted) -> None:
        self._tap.hold(Hold.LOGIN)
        self._reception.spawn(self._answer_login, event)

    async def _answer_login(self, event: events.VerifierWanted | events.PasswordCheckWanted) -> None:
        """Find the answer and give it; in a task of the reception, which must not fail."""
        answer = await self._reception.logins.find_answer(self._transport.peer, event, self._stream)
        with self._reception.runtime.batch():
            if self._is_over:
                return
            try:
                # Released first: the next step of the login may hold it again.
                self._tap.release(Hold.LOGIN)
                self._follow(answer())
            except Exception as error:  # noqa: BLE001 -- ends this connection only
                self.failed(error)

    def _login_failed(self, event: events.LoginFailed) -> None:
        if event.condition is not SaslCondition.TEMPORARY_AUTH_FAILURE:
            self._reception.logins.failed(self._transport.peer, event.account)

    def _logged_in(self, event: events.LoggedIn) -> None:
        self._reception.logins.succeeded(self._transport.peer, event.account)

    def _bind(self, event: events.BindRequested) -> None:
        jid = event.account.with_resource(event.resource)
        self._session = self._reception.start_session(jid, self, is_generated=event.is_generated)

    def _ended(self, event: events.StreamEnded) -> None:
        """The stream is over: write what is left, then end the connection."""
        self._reason = self._reason or (event.condition.value if event.condition else "closed by the client")
        self._end_session(is_goodbye=True)
        self.flush()
        self._set_deadline(CLOSE_SECONDS, self._transport.abort)
        self._transport.close()

    # -- answers of the session ----------------------------------------------------------------------------------------

    def _opened(self, event: m.SessionOpened) -> None:
        if self._stream.state is not State.BINDING:
            return  # its user began anew; the client knows already
        self._take_session(event.session)
        self._follow(self._stream.bound(event.session))

    def _resumed(self, event: m.SessionResumed) -> None:
        self._take_session(event.session)
        self._is_counting, self._received, self._told_count = True, event.handled, event.handled
        self._follow(self._stream.resumed(event.session, stream_management.resumed(event)))

    def _take_session(self, jid: Jid) -> None:
        self._client = XmppClient(jid, self._mux)
        self.is_open = True
        self._reception.leave(self)
        self._set_deadline(PING_AFTER_SECONDS, self._look_after)

    def _resume_refused(self, event: m.ResumeRefused) -> None:
        self._session = None
        if self._stream.state is State.BINDING:
            self._follow(self._stream.extension_refused(stream_management.failed(event.condition)))

    def _acked_too_much(self, event: m.AckedTooMuch) -> None:
        self._end_session(is_goodbye=True)
        text = f"{event.handled} stanzas acknowledged, {event.sent} sent"
        self._close(
            StreamCondition.UNDEFINED_CONDITION, text, "acknowledged too much", stream_management.too_high(event)
        )

    def _refused(self, event: m.SessionRefused) -> None:
        self._session = None
        if self._stream.state is State.BINDING:
            self._follow(self._stream.bind_refused(event.condition))
        else:  # an account that was there a moment ago
            self._close(StreamCondition.NOT_AUTHORIZED, "", "session refused")

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        events.StanzaReceived: _stanza,
        events.ExtensionReceived: _extension,
        events.StartTls: _start_tls,
        events.VerifierWanted: _login,
        events.PasswordCheckWanted: _login,
        events.LoginFailed: _login_failed,
        events.LoggedIn: _logged_in,
        events.BindRequested: _bind,
        events.StreamEnded: _ended,
    }

    _answers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.SessionOpened: _opened,
        m.SessionRefused: _refused,
        m.SessionResumed: _resumed,
        m.ResumeRefused: _resume_refused,
        m.AckedTooMuch: _acked_too_much,
    }
