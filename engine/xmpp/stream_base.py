"""What any stream of the server does: open, restart, read in order, end (RFC 6120, 4). No I/O.

`Stream` owns the states, the loop over the input, both headers, errors and end tags, and what waits to be written. What the
elements mean is its subclass's: `engine.xmpp.stream`. While the caller owes an answer (`WAITING`) no input is parsed;
what may wait is bounded by `PRE_LOGIN_BYTES`, as all such questions come before the session.
"""

from abc import ABC, abstractmethod
from enum import Enum
from typing import Final

from engine.errors import StreamCondition
from engine.limits import PRE_LOGIN_BYTES, PRE_LOGIN_STANZA_BYTES
from engine.ports import Burst
from engine.xmpp.framing import Framing, Header, TcpFraming
from engine.xmpp.parser import Closing
from engine.xmpp.stream_elements import stream_error
from engine.xmpp.stream_events import Event, StreamEnded, StreamOptions
from engine.xmpp.xml import Element, StreamError, serialise


class State(Enum):
    """Where a stream stands; the docstring says what it waits for."""

    OPENING = "the client's stream header, first or again"
    NEGOTIATING = "STARTTLS or a login"
    TLS = "the caller's handshake"
    AUTHENTICATING = "the client's next SASL message"
    VERIFYING = "the caller's answer about an account"
    AUTHENTICATED = "the client's wish to bind"
    BINDING = "the caller's answer about the session"
    READY = "stanzas"
    CLOSING = "the client's end tag; ours is sent"
    CLOSED = "nothing more"

    __hash__ = object.__hash__  # Enum's own one is slow, and each stanza looks its state up


WAITING: Final = frozenset({State.TLS, State.VERIFYING, State.BINDING, State.CLOSED})
ENDED: Final = frozenset({State.CLOSING, State.CLOSED})


class Stream(ABC):
    """One stream, over all its restarts.

    Attributes:
        state: where it stands.
        domain: that the client's header meant; empty before.
    """

    def __init__(self, options: StreamOptions, framing: Framing | None) -> None:
        self.state = State.OPENING
        self.domain = ""
        self._options = options
        self._framing: Framing = framing or TcpFraming(PRE_LOGIN_STANZA_BYTES)
        self._is_open = False  # our header of the current stream is written
        self._output: list[bytes] = []
        self._events: list[Event] = []
        self._login_bytes = 0

    # -- driven by the transport ---------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> list[Event]:
        """Take input (on WebSocket one message) and say what it means, in order."""
        if self.state in (State.TLS, State.CLOSED):
            return []
        if self.state is not State.READY and not self._is_within_login_bytes(len(data)):
            return self._take_events()
        self._framing.receive(data)
        return self._run()

    def receive_eof(self) -> list[Event]:
        """The connection is gone."""
        self._framing.end()
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self._events.append(StreamEnded(None, "the connection was lost"))
        return self._take_events()

    @property
    def held_bytes(self) -> int:
        """What input that is not a whole stanza yet takes in memory, about."""
        return self._framing.held_bytes

    @property
    def has_output(self) -> bool:
        """There is something to be written."""
        return bool(self._output)

    def data_to_send(self) -> bytes:
        """Take what is to be written."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def frames_to_send(self) -> list[bytes]:
        """Take what is to be written, one WebSocket message each."""
        frames, self._output = self._output, []
        return frames

    # -- driven by the session -----------------------------------------------------------------------------------------

    def send(self, xml: str | bytes) -> None:
        """Write one rendered element (namespace ``jabber:client``); dropped once the stream has ended."""
        if self.state is State.READY:
            self._output.append(self._framing.stanza(xml))
        elif self.state not in ENDED:
            raise RuntimeError("no session is bound to the stream")

    def send_burst(self, burst: Burst) -> None:
        """Write rendered stanzas, as `send` does one."""
        if self.state is State.READY:
            self._output += self._framing.burst(burst)
        elif self.state not in ENDED:
            raise RuntimeError("no session is bound to the stream")

    def close(self, condition: StreamCondition | None = None, text: str = "", detail: Element | None = None) -> None:
        """End the stream; with a condition, as an error. `StreamEnded` comes when the other side has ended it too.

        Stanzas that still come in are dropped: their session is gone. `detail`: an application-specific condition.
        """
        if self.state in ENDED:
            return
        if self.state is State.TLS:  # the other side waits for a handshake, not for XML
            self.state = State.CLOSED
            return
        self._write_end(condition, text, detail)
        self.state = State.CLOSING

    def _is_answer_late(self, expected: State) -> bool:
        """Whether the stream ended while the caller was looking for the answer."""
        if self.state is expected:
            return False
        if self.state in ENDED:
            return True
        raise RuntimeError(f"an answer for {expected.name} in state {self.state.name}")

    # -- reading -------------------------------------------------------------------------------------------------------

    def _run(self) -> list[Event]:
        """Handle the input until it is used up or the caller must answer first."""
        while self.state not in WAITING:
            try:
                item = self._framing.next_item()
            except StreamError as error:
                self._fail(error.condition, error.text)
                break
            if item is None:
                break
            if isinstance(item, Element):
                self._handle(item)
            elif isinstance(item, Closing):
                self._closed_by_peer()
            elif self.state is State.OPENING:
                self._opened(item)
            elif self.state is not State.CLOSING:  # there it crossed our goodbye
                self._fail(StreamCondition.BAD_FORMAT, "the stream is open already")
        return self._take_events()

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    @abstractmethod
    def _handle(self, element: Element) -> None:
        """An element of the open stream."""

    @abstractmethod
    def _choose_domain(self, to: str) -> str:
        """The domain that a header means; empty when it is not served."""

    @abstractmethod
    def _announce(self) -> None:
        """The stream is open: write the features and go to the state that they are for."""

    # -- opening and ending --------------------------------------------------------------------------------------------

    def _opened(self, header: Header) -> None:
        """RFC 6120, 4.7."""
        domain = self._choose_domain(header.to)
        self._write_header(domain or header.to, header.sender)
        if not _is_supported(header.version):
            self._fail(StreamCondition.UNSUPPORTED_VERSION, "only XMPP 1.0 is spoken here")
        elif not domain:
            self._fail(StreamCondition.HOST_UNKNOWN, "this domain is not served here")
        else:
            self.domain = domain
            self._announce()

    def _await_header(self) -> None:
        self._is_open = False
        self.state = State.OPENING

    def _closed_by_peer(self) -> None:
        if self.state is not State.CLOSING:
            self._write_end(None, "")
        self.state = State.CLOSED
        self._events.append(StreamEnded(None, "closed by the client"))

    def _fail(self, condition: StreamCondition, text: str) -> None:
        """End the stream for what the other side did; nothing that follows is read."""
        if self.state is not State.CLOSING:
            self._write_end(condition, text)
        self.state = State.CLOSED
        self._events.append(StreamEnded(condition, text))

    def _is_within_login_bytes(self, count: int) -> bool:
        self._login_bytes += count
        if self._login_bytes > PRE_LOGIN_BYTES and self.state is not State.CLOSING:
            self._fail(StreamCondition.POLICY_VIOLATION, f"more than {PRE_LOGIN_BYTES} bytes before the session")
            return False
        return True

    # -- writing -------------------------------------------------------------------------------------------------------

    def _write(self, element: Element) -> None:
        self._write_rendered(serialise(element))

    def _write_rendered(self, xml: str) -> None:
        self._output.append(self._framing.stanza(xml))

    def _write_header(self, domain: str, to: str) -> None:
        attributes = {"from": domain, "id": self._options.token(), "to": to}
        self._output.append(self._framing.opening({key: value for key, value in attributes.items() if value}))
        self._is_open = True

    def _write_end(self, condition: StreamCondition | None, text: str, detail: Element | None = None) -> None:
        """End tag, and what was wrong before it; an error needs an open stream, even to say that none opens (4.9.1.1)."""
        if not self._is_open:
            self._write_header(self.domain, "")
        if condition is not None:
            self._write(stream_error(condition, text, detail))
        self._output.append(self._framing.closing())


def _is_supported(version: str) -> bool:
    """``major.minor`` with a major number of at least 1; we answer 1.0 to all of them (RFC 6120, 4.7.5)."""
    major, dot, minor = version.partition(".")
    return (
        bool(dot)
        and (major + minor).isascii()
        and major.isdigit()
        and minor.isdigit()
        and len(version) < 16
        and int(major) >= 1
    )
