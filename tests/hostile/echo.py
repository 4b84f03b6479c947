"""The web port with an echo, for conformance tests of its sockets: ``python -m tests.hostile.echo 9001``.

Everything up to the message is the server's own (`gateways.web`, `gateways.web_stream`, `gateways.web_socket`); what the
chat would do with a message, this sends back.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio
import trio_websocket

from gateways import web
from gateways.budget import Budget
from gateways.reception import Reception
from gateways.web_socket import WebSocketTransport
from tests.gateways.house import open_house

MESSAGE_BYTES = 32 * 1024 * 1024
"""Autobahn's largest has 16 MiB."""


class EchoTransport(WebSocketTransport):
    """The transport of every socket; but what is binary, and ends those, is sent back here."""

    async def _read(self) -> None:
        while True:
            await self._to_read.wait()
            try:
                message = await self._socket.get_message()
                if isinstance(message, bytes):
                    await self._socket.send_message(message)
                else:
                    self._take(message.encode())
            except trio_websocket.ConnectionClosed:
                return


class Echo:
    """Sends back what it receives."""

    def __init__(self, transport: WebSocketTransport) -> None:
        self._transport = transport

    def receive(self, data: bytes) -> None:
        self._transport.send([data])

    def secured(self) -> None:
        raise AssertionError("there is no STARTTLS here")

    def drained(self) -> None:
        pass

    def lost(self, reason: str) -> None:
        pass

    def failed(self, error: Exception) -> None:
        raise error


async def echo(reception: Reception, visit: web.Visit) -> None:
    """Send back what comes, until the other side closes."""
    async with trio.open_nursery() as nursery:
        asked = await trio_websocket.wrap_server_stream(nursery, visit.stream, max_message_size=MESSAGE_BYTES)
        visit.stream.pause()
        socket = await asked.accept()
        transport = EchoTransport(reception, socket, visit.stream, visit.request.peer, MESSAGE_BYTES)
        transport.receiver = Echo(transport)
        transport.resume()
        await transport.run()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def echoing(port: int = 0) -> AsyncIterator[int]:
    """The port of the echo, at `/`."""
    async with open_house(budget=Budget(shared=1 << 40)) as house:
        listening = await house.nursery.start(
            lambda task_status: web.serve(
                house.reception,
                [("127.0.0.1", port)],
                {"/": partial(echo, house.reception)},
                None,
                task_status=task_status,
            )
        )
        yield listening.ports[0]


async def main() -> None:
    async with echoing(int(sys.argv[1])):
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
