"""The webmail's socket over loopback: the login as a page does it, and a web socket for each tab."""

import json

import h11
import trio
import trio_websocket

from tests.stage.web_player import WebPlayer

HOST = "127.0.0.1"


async def log_in(port: int, address: str, password: str) -> str:
    """The cookie of a new login."""
    body = json.dumps({"address": address, "password": password}).encode()
    headers = {"host": f"{HOST}:{port}", "content-type": "application/json", "content-length": str(len(body))}
    connection = h11.Connection(h11.CLIENT)
    stream = await trio.open_tcp_stream(HOST, port)
    async with stream:
        request = h11.Request(method="POST", target="/api/login", headers=list(headers.items()))
        await stream.send_all((connection.send(request) or b"") + (connection.send(h11.Data(data=body)) or b""))
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some())
    assert isinstance(event, h11.Response)
    assert event.status_code == 200, event
    return dict(event.headers)[b"set-cookie"].decode().partition(";")[0]


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
