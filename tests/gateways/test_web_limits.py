"""Who is slow at the web port, and sockets that never end.

Precedent: CVE-2018-12122, Node.js waited for headers for ever; bodies, answers that nobody takes and goodbyes that nobody
returns hold a connection as well. Time stands still until a test moves it, so that nothing here waits.
"""

from typing import Any

import pytest
import trio
import trio_websocket
from trio.testing import MockClock, wait_all_tasks_blocked

from engine.limits import CLOSE_SECONDS
from gateways import web, webmail_socket
from gateways.listener import FetchStatus
from gateways.webmail_session import WebmailDesk
from tests.gateways.house import Client, House, open_house

BIG = b"x" * 16_000_000


async def read(visit: web.Visit) -> None:
    body = await visit.read_body(1_000)
    await visit.answer(web.HTTPStatus.OK, f"{len(body or b'')} bytes")


async def write(visit: web.Visit) -> None:
    await visit.respond(web.HTTPStatus.OK, BIG, {})


class NoLogins:
    """Nobody is logged in."""

    async def find(self, request: web.Request) -> None:
        return None


async def open_web(house: House) -> Any:
    desk = WebmailDesk(house, house.reception.deadlines, house.reception.clock)  # type: ignore[arg-type]
    socket = webmail_socket.route(house.reception, desk, NoLogins(), frozenset())  # type: ignore[arg-type]
    routes = {"/read": read, "/write": write, webmail_socket.PATH: socket}
    return await house.nursery.start(
        lambda task_status: web.serve(house.reception, [("127.0.0.1", 0)], routes, None, task_status=task_status)
    )


async def ended(listening: Any) -> dict[str, int]:
    status = await listening.gateway.ask(FetchStatus(), block=False).wait()
    assert status.open == 0
    return status.ended


async def wait_until_gone(listening: Any) -> None:
    while (await listening.gateway.ask(FetchStatus(), block=False).wait()).open:
        await wait_all_tasks_blocked()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", web.HEAD_SECONDS),
        ("GET /read HTTP/1.1\r\nhost: a\r\nx: ", web.HEAD_SECONDS),
        ("POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc", web.BODY_SECONDS),
        ("POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", web.BODY_SECONDS),
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk"],
)
async def test_a_request_that_does_not_come_is_given_up(mock_clock: MockClock, said: str, seconds: float):
    async with open_house() as house:
        listening = await open_web(house)
        client = await Client.connect(listening.ports[0])
        await client.send(said)
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(seconds - 1)
        await client.send("y")  # one byte now and then buys no time
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(1)
        await client.hears_end()
        assert await ended(listening) == {"too slow": 1}


async def test_an_answer_that_is_not_taken_is_given_up(mock_clock: MockClock):
    async with open_house() as house:
        listening = await open_web(house)
        client = await Client.connect(listening.ports[0])
        await client.send("GET /write HTTP/1.1\r\nhost: a\r\n\r\n")
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(web.ANSWER_SECONDS)
        await wait_until_gone(listening)
        assert await ended(listening) == {"too slow": 1}


async def test_a_socket_without_a_login_ends_though_its_client_says_nothing(mock_clock: MockClock):
    async with open_house() as house:
        listening = await open_web(house)
        client = await Client.connect(listening.ports[0])
        async with trio.open_nursery() as nursery:
            await trio_websocket.wrap_client_stream(nursery, client.stream, "127.0.0.1", "/ws")
            nursery.cancel_scope.cancel()  # from here on nobody answers its goodbye
        await wait_all_tasks_blocked(0.05)
        mock_clock.jump(CLOSE_SECONDS)
        await wait_until_gone(listening)
