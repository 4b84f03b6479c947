"""The web port: one address for pages and sockets.

Owns a web connection from accept to the moment somebody else takes it over: TLS if the port has it, the head of one request,
and who answers it. A route is a path and a coroutine that gets the request and the stream, with nothing of it read away; the
handler answers and returns, then the connection is closed. A route whose path ends with a slash takes every path below it.
Every other path gets 404.

Limits: `HEAD_BYTES` and `HEAD_SECONDS` for the head of a request, `BODY_SECONDS` for its body, `ANSWER_SECONDS` until the
answer is taken; `CONNECTIONS` at once. Who is slower is closed: a connection that says little is as cheap for him as dear
for others. A connection costs a task here: what stays is web sockets, and their library wants tasks anyway.
"""

import ipaddress
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import h11
import msgspec
import trio

from actors.runtime import ActorRef
from actors.seat import describe
from gateways.listener import Address, Door, open_sockets
from gateways.reception import Reception
from gateways.socket_stream import SocketStream
from gateways.web_stream import WebStream
from gateways.xmpp_tcp import Encryption, Listening, keep

log = logging.getLogger(__name__)

HEAD_BYTES: Final = 16_384
"""Of the head of a request, cookies and all; browsers send a tenth. More: 431."""

HEAD_SECONDS: Final = 15.0
"""From accept to the end of the head, TLS included. Later: closed."""

BODY_SECONDS: Final = 15.0
"""For the body of a request; the largest has 4 KiB. Later: closed."""

ANSWER_SECONDS: Final = 30.0
"""Until the network has taken an answer; the largest has some 100 KiB. Later: closed."""

CONNECTIONS: Final = 20_000
"""Of the web port at once. More: closed at once."""

FINISH_SECONDS: Final = 2.0
"""For the client to have read the answer."""


FAILED: Final = "failed"
"""Reason of an end that is our fault, and logged."""


class Request(msgspec.Struct, frozen=True):
    """The head of a request.

    Attributes:
        method: such as GET.
        path: without the query, as it was sent.
        query: what follows the question mark.
        headers: names in lower case; of repeated ones all values, in order.
        peer: the client's network address; behind a proxy on this machine, what the proxy says.
        is_secure: encrypted all the way: here, or by a proxy on this machine that says so.
    """

    method: str
    path: str
    query: str
    headers: dict[str, tuple[str, ...]]
    peer: str
    is_secure: bool

    def header(self, name: str) -> str:
        """The first value of this header; empty if there is none."""
        return self.headers.get(name, ("",))[0]


class Visit:
    """One request and the connection that it came on.

    Attributes:
        request: its head.
        stream: begins with the request, nothing of it was read away.
        on_shutdown: may be set by a handler that stays: called when the server stops, in place of cutting the connection.
    """

    def __init__(self, request: Request, stream: WebStream) -> None:
        self.request = request
        self.stream = stream
        self.on_shutdown: Callable[[], None] | None = None

    async def respond(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        """Answer with this body; the connection closes after it."""
        await _send(self.stream, full_answer(status, body, headers, has_body=self.request.method != "HEAD"))

    async def read_body(self, limit: int) -> bytes | None:
        """The body of the request, once; None: it has more than `limit` bytes.

        Raises:
            trio.BrokenResourceError: it is not what its head says.
            trio.TooSlowError: it does not come.
        """
        with trio.fail_after(BODY_SECONDS):
            return await self._read_body(limit)

    async def _read_body(self, limit: int) -> bytes | None:
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        body = b""
        try:
            while len(body) <= limit:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    parser.receive_data(await self.stream.receive_some())
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    return body
                elif not isinstance(event, h11.Request):
                    break
        except h11.RemoteProtocolError as error:
            raise trio.BrokenResourceError("the request is none") from error
        return None

    async def body(self, stall_seconds: float) -> AsyncGenerator[bytes, None]:
        """The body of the request, once, piece by piece; a client that waits to be told to send it is told.

        Args:
            stall_seconds: for each piece to arrive.

        Raises:
            trio.BrokenResourceError: it is not what its head says, or ends too early.
            trio.TooSlowError: the client stalls.
        """
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        try:
            while True:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    if parser.they_are_waiting_for_100_continue:
                        go_on = h11.InformationalResponse(
                            status_code=HTTPStatus.CONTINUE, headers=[], reason=b"Continue"
                        )
                        await self.stream.send_all(parser.send(go_on) or b"")
                    with trio.fail_after(stall_seconds):
                        parser.receive_data(await self.stream.receive_some())
                elif isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif not isinstance(event, h11.Request):
                    return
        except h11.RemoteProtocolError as error:
            raise trio.BrokenResourceError("the request is none") from error

    async def answer(self, status: HTTPStatus, text: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Answer with a line of plain text, or whatever `headers` say that it is; the connection closes after it."""
        answer = plain_answer(status, text or status.phrase, headers or {}, has_body=self.request.method != "HEAD")
        await _send(self.stream, answer)


Route = Callable[[Visit], Awaitable[None]]


class WebGuest:
    """A web connection, as its listener sees it."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.visit: Visit | None = None

    def shut_down(self) -> None:
        """The server stops."""
        if self.visit is not None and self.visit.on_shutdown is not None:
            self.visit.on_shutdown()
        else:
            self.scope.cancel()

    def abort(self) -> None:
        """Go at once."""
        self.scope.cancel()


async def serve(
    reception: Reception,
    addresses: Sequence[Address],
    routes: Mapping[str, Route],
    encryption: Encryption | None,
    *,
    name: str = "web",
    owner: ActorRef[Any] | None = None,
    task_status: trio.TaskStatus[Listening] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen until the gateway is told `CloseGateway` or this is cancelled; arguments as in `gateways.xmpp_tcp.serve`.

    Args:
        reception: runs already.
        addresses: host and port of each.
        routes: by path.
        encryption: None: clear text, for loopback or behind a proxy.
        name: of the gateway.
        owner: of the gateway actor.
        task_status: gets what was opened.
    """
    door = Door(name, await open_sockets(addresses))
    await keep(door, reception, _Entrance(reception, door, routes, encryption).admit, owner, task_status)


class _Entrance:
    """Makes a task of each accepted socket."""

    def __init__(
        self, reception: Reception, door: Door, routes: Mapping[str, Route], encryption: Encryption | None
    ) -> None:
        self._reception = reception
        self._door = door
        self._routes = routes
        self._encryption = encryption

    def admit(self, sock: socket.socket, peer: str) -> None:
        """A client connected."""
        door = self._door
        if len(door.guests) >= CONNECTIONS:
            door.refused["too many connections"] += 1
            sock.close()
            return
        stream = WebStream(SocketStream(sock, peer))
        guest = WebGuest()
        door.enter(guest)
        self._reception.spawn(_attend, door, guest, stream, self._routes, self._encryption)


async def _attend(
    door: Door, guest: WebGuest, stream: WebStream, routes: Mapping[str, Route], encryption: Encryption | None
) -> None:
    """One connection, from its first byte to its last; must not raise."""
    reason = "done"
    try:
        with guest.scope:
            await _serve_request(guest, stream, routes, encryption)
    except Exception as error:
        reason = _reason_of(error)
        if reason is FAILED:
            log.error("web connection from %s failed: %s", stream.peer, describe(error))  # noqa: TRY400
            log.debug("web connection from %s failed", stream.peer, exc_info=True)
    finally:
        stream.close()
        door.leave(guest, reason)


def _reason_of(error: Exception) -> str:
    """Why a connection ended; a nursery wraps what its tasks raise."""
    if isinstance(error, ExceptionGroup):
        reasons = {_reason_of(one) for one in error.exceptions}
        return FAILED if FAILED in reasons else reasons.pop()
    if isinstance(error, trio.BrokenResourceError | trio.ClosedResourceError):
        return "closed by the other side"
    return "too slow" if isinstance(error, trio.TooSlowError) else FAILED


async def _serve_request(
    guest: WebGuest, stream: WebStream, routes: Mapping[str, Route], encryption: Encryption | None
) -> None:
    with trio.fail_after(HEAD_SECONDS):
        if encryption is not None:
            await stream.start_tls(encryption.context)
        request = await read_head(stream)
    if isinstance(request, HTTPStatus):
        await _send(stream, plain_answer(request, request.phrase, {}))
    else:
        guest.visit = visit = Visit(request, stream)
        route = routes.get(request.path) or routes.get(_folder_of(request.path))
        if route is None:
            await visit.answer(HTTPStatus.NOT_FOUND)
        else:
            await route(visit)
    await stream.finish(FINISH_SECONDS)


async def _send(stream: WebStream, answer: bytes) -> None:
    with trio.fail_after(ANSWER_SECONDS):
        await stream.send_all(answer)


def _folder_of(path: str) -> str:
    """``/files/`` of ``/files/a/b``; empty for a path without a folder."""
    first, slash, _ = path[1:].partition("/")
    return f"/{first}/" if slash else ""


async def read_head(stream: WebStream) -> Request | HTTPStatus:
    """The head of the request, which is then put back; a status if it is none."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    raw = b""
    while True:
        data = await stream.receive_some()
        raw += data
        try:
            parser.receive_data(data)
            event = parser.next_event()
        except h11.RemoteProtocolError as error:
            return HTTPStatus(error.error_status_hint)
        if len(raw) - len(parser.trailing_data[0]) > HEAD_BYTES:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if event is h11.NEED_DATA:
            continue
        if not isinstance(event, h11.Request):
            raise trio.BrokenResourceError("closed before it asked for anything")
        stream.unread(raw, is_more=bool(parser.trailing_data[0]))
        headers: dict[str, tuple[str, ...]] = {}
        for key, value in event.headers:
            name = key.decode("ascii")
            headers[name] = (*headers.get(name, ()), value.decode("latin-1"))
        path, _, query = event.target.decode("ascii").partition("?")
        peer = _client_of(stream.peer, headers)
        is_secure = stream.is_tls or _said_by_proxy(stream.peer, headers, "x-forwarded-proto").lower() == "https"
        return Request(event.method.decode("ascii"), path, query, headers, peer, is_secure)


def _client_of(peer: str, headers: Mapping[str, Sequence[str]]) -> str:
    """The client's address: behind a proxy on this machine, what that says."""
    claimed = _said_by_proxy(peer, headers, "x-forwarded-for")
    try:
        return str(ipaddress.ip_address(claimed)) if claimed else peer
    except ValueError:
        return peer


def _said_by_proxy(peer: str, headers: Mapping[str, Sequence[str]], name: str) -> str:
    """What a proxy on this machine says in a header; nobody else is believed. Empty: nothing."""
    values = headers.get(name)
    try:
        is_believed = bool(values) and ipaddress.ip_address(peer).is_loopback
    except ValueError:
        is_believed = False
    # The last value is the proxy's own; those before are anybody's.
    return values[-1].rpartition(",")[2].strip() if values and is_believed else ""


def plain_answer(status: HTTPStatus, text: str, headers: Mapping[str, str], *, has_body: bool = True) -> bytes:
    """An answer with a line of text, after which the connection closes. `has_body`: False for a HEAD request."""
    fields = {"content-type": "text/plain; charset=utf-8", **headers}
    return full_answer(status, f"{text}\n".encode(), fields, has_body=has_body)


def full_answer(status: HTTPStatus, body: bytes, headers: Mapping[str, str], *, has_body: bool = True) -> bytes:
    """An answer after which the connection closes; not to be kept by anybody, unless `headers` say otherwise."""
    connection = h11.Connection(h11.SERVER)
    fields = {
        "content-length": str(len(body)),
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "connection": "close",
        **headers,
    }
    head = connection.send(h11.Response(status_code=status, reason=status.phrase, headers=list(fields.items())))
    return (head or b"") + ((connection.send(h11.Data(data=body)) or b"") if has_body else b"")
