"""The web port with an echo, for conformance tests of its sockets: ``python -m tests.hostile.echo 9001``.

Everything up to the message is the server's own (`gateways.web`, `gateways.web_stream`, the library's upgrade); what the
chat would do with a message, this sends back, text and binary.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio_websocket

from gateways import web
from tests.gateways.house import open_house

MESSAGE_BYTES = 32 * 1024 * 1024
"""Autobahn's largest has 16 MiB."""


async def echo(visit: web.Visit) -> None:
    """Send back what comes, until the other side closes."""
    async with trio.open_nursery() as nursery:
        asked = await trio_websocket.wrap_server_stream(nursery, visit.stream, max_message_size=MESSAGE_BYTES)
        socket = await asked.accept()
        try:
            while True:
                await socket.send_message(await socket.get_message())
        except trio_websocket.ConnectionClosed:
            pass
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def echoing(port: int = 0) -> AsyncIterator[int]:
    """The port of the echo, at `/`."""
    async with open_house() as house:
        listening = await house.nursery.start(
            lambda task_status: web.serve(
                house.reception, [("127.0.0.1", port)], {"/": echo}, None, task_status=task_status
            )
        )
        yield listening.ports[0]


async def main() -> None:
    async with echoing(int(sys.argv[1])):
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
