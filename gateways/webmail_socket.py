"""The webmail's socket, at `PATH` of the web port: one for each tab, attached to the browser session of its login.

What is said on it is `engine.webmail.frames`; who may open it: a page of this host, or of an origin that was allowed. A browser
that is not logged in is told so (``signed-out``) and no more.

Limits: a frame is no longer than a stanza. A tab that is silent for `SILENCE_SECONDS` is gone (pages ping); one that does
not read is not read either with `BACKPRESSURE_BYTES` waiting, and is cut with `OUTPUT_BYTES`; one that sends too fast is
read more slowly. What cannot be a frame ends the socket.
"""

import logging
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
import trio
import trio_websocket

from actors.seat import describe
from engine.limits import OUTPUT_BYTES
from engine.ports import StorageUnavailable
from engine.webmail import frames as f
from gateways.connection_base import BACKPRESSURE_BYTES
from gateways.deadlines import Deadline
from gateways.reception import Reception
from gateways.tap import Hold, Tap
from gateways.web import HEAD_SECONDS, Route, Visit
from gateways.web_socket import WebSocketTransport, is_origin_allowed
from gateways.webmail_login import WebmailLogins
from gateways.webmail_session import AGAIN, SIGNED_OUT, WebmailDesk, WebmailSession

log = logging.getLogger(__name__)

PATH: Final = "/ws"

FRAME_BYTES: Final = 262_144
"""Where no limit of stanzas is set."""

SILENCE_SECONDS: Final = 85.0
"""Pages ping every 30 seconds; browsers slow down the timers of hidden ones to once a minute."""

FLUSH_BYTES: Final = 262_144
"""Of frames that are sent in one turn: they are written together, but not more of them than this."""

RELOAD: Final = "reload"
MISUNDERSTOOD: Final = "misunderstood"


def route(reception: Reception, desk: WebmailDesk, logins: WebmailLogins, origins: frozenset[str]) -> Route:
    """The handler for `PATH`.

    Args:
        reception: what all connections share.
        desk: the browser sessions.
        logins: who is logged in.
        origins: other than the host's own whose pages may connect; normalised.
    """
    return partial(_serve, reception, desk, logins, origins)


async def _serve(
    reception: Reception, desk: WebmailDesk, logins: WebmailLogins, origins: frozenset[str], visit: Visit
) -> None:
    request = visit.request
    if request.method != "GET" or request.header("upgrade").lower() != "websocket":
        await visit.answer(HTTPStatus.UPGRADE_REQUIRED, "this is a web socket", {"upgrade": "websocket"})
        return
    if not is_origin_allowed(request, origins):
        await visit.answer(HTTPStatus.FORBIDDEN, "this page may not connect here")
        return
    try:
        login = await logins.find(request)
    except StorageUnavailable as error:
        log.warning("webmail: %s", error)
        await visit.answer(HTTPStatus.SERVICE_UNAVAILABLE)
        return
    async with trio.open_nursery() as nursery:
        limit = reception.limits.stanza_bytes or FRAME_BYTES
        with trio.fail_after(HEAD_SECONDS):
            asked = await trio_websocket.wrap_server_stream(nursery, visit.stream, max_message_size=limit)
            visit.stream.pause()
            socket = await asked.accept()
        transport = WebSocketTransport(reception, socket, visit.stream, request.peer, limit)
        tab = WebmailTab(reception, transport)
        transport.receiver = tab
        visit.on_shutdown = partial(tab.end, AGAIN)
        with reception.runtime.batch():
            if login is None:
                tab.end(SIGNED_OUT)
            else:
                tab.open(desk.open(login))
        await transport.run()
        nursery.cancel_scope.cancel()


class WebmailTab:
    """One socket.

    Args:
        reception: what all connections share.
        transport: carries the frames; its receiver is this.
    """

    def __init__(self, reception: Reception, transport: WebSocketTransport) -> None:
        self._reception = reception
        self._transport = transport
        self._session: WebmailSession | None = None
        self._number = 0
        self._is_welcome = False
        self._heard = trio.current_time()
        self._deadline: Deadline | None = None
        self._unflushed: list[bytes] = []
        self._unflushed_bytes = 0
        self._tap = Tap(transport, reception.deadlines, reception.limits)

    def open(self, session: WebmailSession) -> None:
        """Be a tab of this browser session."""
        if session.is_over:
            self.end(AGAIN)
            return
        self._session = session
        self._number = session.attach(self)
        self._deadline = self._reception.deadlines.add(SILENCE_SECONDS, self._look)
        self._tap.release(Hold.TURN)

    # -- for the browser session ---------------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """See `gateways.webmail_session.Tab.send`."""
        if not self._unflushed:
            self._reception.runtime.after_turn(self._flush)
        self._unflushed.append(text.encode())
        self._unflushed_bytes += len(text)
        if self._unflushed_bytes > FLUSH_BYTES:
            self._flush()

    def end(self, reason: str) -> None:
        """See `gateways.webmail_session.Tab.end`."""
        self._flush()
        self._transport.send([f.encode(f.Bye(reason))])
        self._tap.release_all()
        self._transport.close()

    def _flush(self) -> None:
        """Write what was sent in this turn: what comes together leaves together."""
        frames, self._unflushed, self._unflushed_bytes = self._unflushed, [], 0
        if frames:
            self._transport.send(frames)
        if self._transport.waiting > OUTPUT_BYTES:
            self._transport.abort()
        elif self._transport.waiting > BACKPRESSURE_BYTES:
            self._tap.hold(Hold.OUTPUT)

    # -- for the transport ---------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """A frame came."""
        self._heard = now = trio.current_time()
        self._tap.count_bytes(len(data), now)
        self._tap.count_stanzas(1, now)
        session = self._session
        if session is None:
            return
        try:
            frame = f.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.end(MISUNDERSTOOD)
            return
        if isinstance(frame, f.Hello):
            self._greet(session, frame)
        elif not self._is_welcome:
            self.end(MISUNDERSTOOD)
        elif isinstance(frame, f.Ping):
            self.send(f.encode(f.Pong()).decode())
        else:
            session.receive(self._number, frame)

    def secured(self) -> None:
        """There is no STARTTLS here."""

    def drained(self) -> None:
        """What waited has been written."""
        self._tap.release(Hold.OUTPUT)

    def lost(self, _reason: str) -> None:
        """The socket is no more."""
        if self._deadline is not None:
            self._deadline.cancel()
        session, self._session = self._session, None
        if session is not None:
            session.detach(self._number)

    def failed(self, error: Exception) -> None:
        """A frame could not be handled: a fault of ours, which ends this tab only."""
        log.error("webmail: a frame from %s failed: %s", self._transport.peer, describe(error))
        log.debug("webmail: a frame failed", exc_info=error)
        self._transport.abort()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _greet(self, session: WebmailSession, hello: f.Hello) -> None:
        if hello.v != f.VERSION:
            self.end(RELOAD)
        elif not self._is_welcome:
            self._is_welcome = True
            session.greet(self._number, hello)

    def _look(self) -> None:
        silence = trio.current_time() - self._heard
        if silence >= SILENCE_SECONDS:
            self._transport.abort()
        else:
            self._deadline = self._reception.deadlines.add(SILENCE_SECONDS - silence, self._look)
