"""The webmail's socket over loopback: the login as a page does it, and a web socket for each tab."""

import json
from collections.abc import Mapping

import h11
import trio
import trio_websocket

from tests.stage.web_player import WebPlayer

HOST = "127.0.0.1"


async def call(
    port: int, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    fields = {"host": f"{HOST}:{port}", "content-length": str(len(body)), **(headers or {})}
    connection = h11.Connection(h11.CLIENT)
    stream = await trio.open_tcp_stream(HOST, port)
    answer: h11.Response | None = None
    content = b""
    async with stream:
        request = h11.Request(method=method, target=target, headers=list(fields.items()))
        await stream.send_all((connection.send(request) or b"") + (connection.send(h11.Data(data=body)) or b""))
        connection.send(h11.EndOfMessage())
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.Data):
                content += event.data
    assert answer is not None
    return answer.status_code, {key.decode(): value.decode() for key, value in answer.headers}, content


async def log_in(port: int, address: str, password: str) -> str:
    """The cookie of a new login."""
    body = json.dumps({"address": address, "password": password}).encode()
    status, headers, answer = await call(port, "POST", "/api/login", body, {"content-type": "application/json"})
    assert status == 200, answer
    return headers["set-cookie"].partition(";")[0]


class SocketWebLine:
    """A player's web socket."""

    def __init__(self, socket: trio_websocket.WebSocketConnection) -> None:
        self.socket = socket

    @classmethod
    async def open(cls, port: int, player: WebPlayer, nursery: trio.Nursery) -> "SocketWebLine":
        headers = [("cookie", player.key), ("origin", f"http://{HOST}:{port}")]
        socket = await trio_websocket.connect_websocket(
            nursery, HOST, port, "/ws", use_ssl=False, extra_headers=headers
        )
        line = player.line = cls(socket)
        player.is_cut = False
        nursery.start_soon(line.listen, player)
        return line

    async def send(self, text: str) -> None:
        await self.socket.send_message(text)

    async def close(self) -> None:
        await trio.aclose_forcefully(self.socket._stream)

    async def listen(self, player: WebPlayer) -> None:
        """Let the player hear everything from now on."""
        try:
            while True:
                player.hear(await self.socket.get_message())
        except trio_websocket.ConnectionClosed:
            if player.line is self:
                player.hear_end()
