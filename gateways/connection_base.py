"""What every connection of XMPP is, whatever is said over it: its life, its writing, its time.

Bytes that come are given to the stream, and what the stream makes of them to `_follow`. All plain functions.

Rules:

- **Messages that arrive together leave together.** What is delivered in one turn of the actors is written at its end, at once,
  behind what the sessions noted of it.
- **A slow reader harms himself only.** When more than `BACKPRESSURE_BYTES` wait for him, he is not read either; with more than
  `OUTPUT_BYTES` he is cut, without a word, because there is no place left to put one.
- **Liveness.** After `PING_AFTER_SECONDS` of silence he is pinged (XEP-0199), after `LIVENESS_SECONDS` he is dead.
- **Memory.** What he leaves unread, and what of a stanza he has sent so far, counts into `gateways.budget`.
- **Speed.** Over `Limits.bytes_per_second` or `Limits.stanzas_per_second` he is read more slowly: `gateways.tap`.
- **The end.** Whatever ends the connection, its session gets `Disconnect`, once; not if it was the session, by `close`. A
  stream that we end is given `CLOSE_SECONDS` to end from the other side, too. An exception is logged and ends this one only.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import trio

from actors.mailbox import MailboxFull
from actors.runtime import ActorDeadError, ActorRef
from actors.seat import describe
from engine import messages as m
from engine.errors import StreamCondition
from engine.limits import CLOSE_SECONDS, LIVENESS_SECONDS, LOGIN_SECONDS, OUTPUT_BYTES, PING_AFTER_SECONDS
from engine.ports import Burst
from engine.xmpp.client import XmppClient
from engine.xmpp.features.ping import PING
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_base import State
from engine.xmpp.xml import CLIENT, E, Element, serialise
from gateways.deadlines import Deadline
from gateways.reception import Reception
from gateways.tap import Hold, Tap
from gateways.transport import Transport

log = logging.getLogger(__name__)

BACKPRESSURE_BYTES: Final = 262_144
"""Who does not read the answers to what he asked is not asked for more."""

FLUSH_BYTES: Final = 1_048_576
"""Delivered in one turn before some of it is written, so that a turn that delivers much does not hold all of it."""

_ENDED: Final = frozenset({State.CLOSING, State.CLOSED})


class ConnectionBase(ABC):
    """One client, connected.

    Args:
        reception: what all connections share.
        transport: carries the bytes; its receiver is this connection.
        stream: fresh.
        on_end: called once when it is over, with this and the reason.
        channel_binding: ``tls-server-end-point`` of the transport's certificate, for STARTTLS.
        has_frames: the transport carries messages, not a stream of bytes.
    """

    __slots__ = (
        "__weakref__",
        "_budget",
        "_channel_binding",
        "_client",
        "_deadline",
        "_has_frames",
        "_is_counting",
        "_is_direct_tls",
        "_is_large",
        "_is_over",
        "_is_pinged",
        "_mux",
        "_on_end",
        "_reason",
        "_received",
        "_reception",
        "_session",
        "_stream",
        "_tap",
        "_told_count",
        "_transport",
        "_unflushed",
        "_when_written",
        "heard",
        "is_open",
    )

    def __init__(
        self,
        reception: Reception,
        transport: Transport,
        stream: ClientStream,
        on_end: "Callable[[Any, str], None]",
        *,
        channel_binding: bytes | None = None,
        has_frames: bool = False,
    ) -> None:
        self._reception = reception
        self._mux = reception.mux
        self._transport = transport
        self._stream = stream
        self._on_end = on_end
        self._channel_binding = channel_binding
        self._has_frames = has_frames
        self._client: XmppClient | None = None
        self.is_open = False  # somebody is there to be told
        self._session: ActorRef[Any] | None = None
        self._deadline: Deadline | None = None
        self._tap = Tap(transport, reception.deadlines, reception.limits)
        self._budget = None if has_frames else reception.budget  # a web socket counts for itself
        self._is_large = False
        self._unflushed = 0
        self._when_written: msgspec.Struct | None = None
        self._reason = ""
        self._is_pinged = False
        self._is_counting = False
        self._received = self._told_count = 0
        self._is_over = False
        self._is_direct_tls = False
        self.heard = trio.current_time()

    def open(self, *, direct_tls: bool = False) -> None:
        """Begin, after the time that this address has to wait.

        Args:
            direct_tls: the TLS handshake comes first (XEP-0368).
        """
        wait = self._reception.throttle.connection_delay(self._transport.peer, self.heard)
        self._reception.arrive(self)

        def begin() -> None:
            self.heard = trio.current_time()
            self._set_deadline(LOGIN_SECONDS, self._login_is_late)
            if direct_tls:
                self._transport.start_tls()
            self._tap.release(Hold.TURN)

        self._is_direct_tls = direct_tls
        if wait:
            self._set_deadline(wait, begin)
        else:
            begin()

    # -- what the transport says (Receiver) ----------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Bytes came."""
        self.heard = now = trio.current_time()
        self._is_pinged = False
        self._tap.count_bytes(len(data), now)
        found = self._stream.receive_data(data)
        if found:
            self._tap.count_stanzas(len(found), now)
        self._follow(found)
        self._count_memory()

    def secured(self) -> None:
        """The TLS handshake is done."""
        if self._is_direct_tls:  # the stream has known it from the start
            self._is_direct_tls = False
        else:
            self._follow(self._stream.tls_started(self._channel_binding))

    def drained(self) -> None:
        """What waited has been written."""
        self._tap.release(Hold.OUTPUT)
        self._count_memory()
        self._tell_written()

    def lost(self, reason: str) -> None:
        """The connection is no more."""
        if self._is_over:
            return
        self._is_over = True
        self._reason = self._reason or reason
        self._end_session()
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._reception.leave(self)
        self._reception.budget.hold(self, 0)
        self._stream.receive_eof()
        self._on_end(self, self._reason)

    def failed(self, error: Exception) -> None:
        """Something of ours failed: this connection ends, and no other."""
        log.error("connection from %s failed: %s", self._transport.peer, describe(error))
        log.debug("connection from %s failed", self._transport.peer, exc_info=error)
        try:
            self._close(StreamCondition.INTERNAL_SERVER_ERROR, "", "failed")
            self.flush()
        except Exception as again:  # noqa: BLE001 -- nothing is left to try
            log.error("connection from %s could not be closed: %s", self._transport.peer, describe(again))  # noqa: TRY400
            self._transport.abort()

    @abstractmethod
    def _follow(self, found: Sequence[Any]) -> None:
        """Do what the stream's events ask for, and write what it has to say."""

    @abstractmethod
    def deliver(self, event: msgspec.Struct) -> None:
        """See `engine.ports.Wire.deliver`."""

    # -- what the listener says (Guest) --------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """The server stops: say so, and go."""
        with self._reception.runtime.batch():
            self._close(StreamCondition.SYSTEM_SHUTDOWN, "", StreamCondition.SYSTEM_SHUTDOWN.value)

    def give_way(self) -> None:
        """There are too many that are not logged in."""
        self._close(StreamCondition.RESOURCE_CONSTRAINT, "too many connections wait for a login", "gave way")

    def give_up(self) -> None:
        """All clients together have too much in memory, and this one has most of it."""
        log.info("connection from %s: cut, it has most of what all clients may have in memory", self._transport.peer)
        self._reason = "too much in memory"
        self._transport.abort()

    def abort(self) -> None:
        """Go at once."""
        self._transport.abort()

    # -- writing -------------------------------------------------------------------------------------------------------

    def write(self, burst: Burst) -> None:
        """Have it written at the end of this turn."""
        self._stream.send_burst(burst)
        if not self._unflushed:
            self._flush_later()
        self._unflushed += len(burst.data)
        if self._unflushed > FLUSH_BYTES:
            self.flush()

    def tell_when_written(self, message: msgspec.Struct) -> None:
        """Tell the session this when everything before it is the kernel's."""
        self._when_written = message
        self._flush_later()

    def flush(self) -> None:
        """Write what there is. Called at the end of each turn in which there was something."""
        self._unflushed = 0
        if self._is_over:
            return
        if self._has_frames:
            output: list[bytes] = self._stream.frames_to_send()
        else:
            data = self._stream.data_to_send()
            output = [data] if data else []
        if output:
            self._reception.keep_sessions()
            self._transport.send(output)
            if self._transport.waiting > BACKPRESSURE_BYTES:
                self._bear_slowness()
            if self._transport.waiting or self._is_large:  # else it holds no more than when the last input was read
                self._count_memory()
        self._tell_written()

    def _count_memory(self) -> None:
        """Of those who are free nothing need be known."""
        if self._budget is None or self._is_over:
            return
        held = self._transport.waiting + self._stream.held_bytes
        is_large = held > self._budget.free
        if is_large or self._is_large:
            self._is_large = is_large
            self._budget.hold(self, held)

    def _tell_written(self) -> None:
        if self._when_written is not None and not self._transport.waiting:
            message, self._when_written = self._when_written, None
            self._tell(message)

    def _flush_later(self) -> None:
        if not self._unflushed:
            self._unflushed = 1
            self._reception.runtime.after_turn(self.flush)

    def _write(self, stanza: str | bytes) -> None:
        self.write(Burst(stanza if isinstance(stanza, bytes) else stanza.encode(), 1))

    def _bear_slowness(self) -> None:
        if self._transport.waiting > OUTPUT_BYTES:
            self._reason = "slow reader"
            log.info("connection from %s: cut, it does not read", self._transport.peer)
            self._transport.abort()
        elif self._stream.state is State.READY:
            self._tap.hold(Hold.OUTPUT)

    # -- the end -------------------------------------------------------------------------------------------------------

    def close(self, condition: StreamCondition | None, text: str) -> None:
        """Say goodbye and close. The session ends by itself and is told nothing more."""
        self._session = None
        self._close(condition, text, condition.value if condition else "closed by the session")

    def _close(self, condition: StreamCondition | None, text: str, reason: str, detail: Element | None = None) -> None:
        """End the stream from our side, and wait a little for the other side to do so."""
        if self._is_over:
            return
        self._reason = self._reason or reason
        self._end_session()
        if self._stream.state in _ENDED:
            return
        if self._is_direct_tls:  # in the middle of the handshake nothing can be said
            self._transport.abort()
            return
        has_session = self._stream.state is State.READY
        self._stream.close(condition, text, detail)
        self._set_deadline(CLOSE_SECONDS, self._transport.abort)
        self._tap.release_all()  # to see the other side's end
        if has_session:
            self._flush_later()
        else:  # nothing of its can be under way
            self.flush()
            self._transport.close()

    def _end_session(self, *, is_goodbye: bool = False) -> None:
        self._tell(m.Disconnect(is_goodbye, id(self)))
        self._session = None
        self._client = None
        self.is_open = False

    def _tell(self, command: Any) -> None:
        session = self._session
        if session is None:
            return
        try:
            session.tell(command)
        except (ActorDeadError, MailboxFull):
            return  # it ended a moment ago, and says so by `close`; its mailbox drops, it does not refuse

    # -- time ----------------------------------------------------------------------------------------------------------

    def _set_deadline(self, delay: float, callback: Callable[[], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._reception.deadlines.add(delay, callback)

    def _login_is_late(self) -> None:
        self._close(StreamCondition.CONNECTION_TIMEOUT, "the login took too long", "login took too long")

    def _look_after(self) -> None:
        """Is he still there?"""
        silence = trio.current_time() - self.heard
        if silence >= LIVENESS_SECONDS:
            self._close(StreamCondition.CONNECTION_TIMEOUT, "", StreamCondition.CONNECTION_TIMEOUT.value)
            return
        if silence >= PING_AFTER_SECONDS and not self._is_pinged:
            self._is_pinged = True
            if self._is_counting:  # what has no number needs no place among the others
                self.deliver(m.RequestAck())
            else:
                ping = E("iq", CLIENT, E("ping", PING), type="get", id="ping", from_=self._stream.domain)
                self._write(serialise(ping))
        next_look = LIVENESS_SECONDS if self._is_pinged else PING_AFTER_SECONDS
        self._set_deadline(next_look - silence, self._look_after)
