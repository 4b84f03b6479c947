"""The bad streams of `tests.engine.xmpp.test_bad_streams` over real sockets: the same conditions, and nobody else notices.

Beside the culprit two others are logged in, one of them as the same account; when it is over they are still heard.
"""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from engine.xmpp.stream_events import StreamOptions
from tests.engine.xmpp import test_bad_streams as cases
from tests.engine.xmpp.client import DOMAIN, ScramClient, auth
from tests.gateways.house import DOMAIN as HOME
from tests.gateways.house import OPEN, PASSWORD, Client, open_house

HEADER = OPEN.replace(HOME, DOMAIN)
BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>"
TOKEN = "token2"
"""One of the cases answers a challenge in advance: it has to know the server's part of the nonce."""

STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"


async def new(_: Client) -> None:
    """Nothing was sent yet."""


async def opened(client: Client) -> None:
    await client.send(HEADER)
    await client.hears("</stream:features>")


async def secured(client: Client) -> None:
    await opened(client)
    await client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    await client.hears("<proceed[^>]*>")
    await client.start_tls()
    await opened(client)


async def challenged(client: Client) -> None:
    await secured(client)
    await client.send(auth("SCRAM-SHA-256", ScramClient().first()).decode())
    await client.hears("</challenge>")


async def accepted(client: Client, name: str = "alice") -> None:
    await secured(client)
    await client.send(cases.plain(user=name, password=PASSWORD).decode())
    await client.hears("<success[^>]*>")


async def logged_in(client: Client, name: str = "alice") -> None:
    await accepted(client, name)
    await opened(client)


async def bound(client: Client, resource: str = "desk", name: str = "alice") -> None:
    await logged_in(client, name)
    await client.send(BIND.format(resource))
    await client.hears("<jid>[^<]*</jid></bind></iq>")


STAGES: dict[str, Callable[[Client], Awaitable[None]]] = {
    stage.__name__: stage for stage in (new, opened, secured, challenged, accepted, logged_in, bound)
}


async def says(client: Client, data: bytes) -> None:
    """All of it, unless the server hangs up before."""
    try:
        await client.stream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        client.is_cut = False  # what the server said is still to be read


@asynccontextmanager
async def witnesses():
    """A listener, a culprit that is connected, and two who must not notice anything."""
    async with open_house(domains=(DOMAIN,)) as house:
        options = StreamOptions(domains=(DOMAIN,), secret=b"s" * 32, limits=house.limits, token=lambda: TOKEN)
        port = (await house.listen(options=options)).ports[0]
        same, other = await Client.connect(port), await Client.connect(port)
        await bound(same, "phone")
        await bound(other, "desk", "bob")
        culprit = await Client.connect(port)
        yield culprit
        for number, witness in enumerate((same, other)):
            await witness.send(f"<message to='bob@{DOMAIN}' type='chat'><body>still here {number}</body></message>")
            await witness.hears(f"<body>still here {number}</body>")
        assert set(house.disconnects) <= {f"alice@{DOMAIN}/desk"}
        alive = [session.jid.full for session in house.sessions if session.actor_ref.is_alive()]
        assert alive[:2] == [f"alice@{DOMAIN}/phone", f"bob@{DOMAIN}/desk"]


@pytest.mark.parametrize(
    ("stage", "data", "condition"),
    [(stage.__name__, data, condition) for _, stage, data, condition in cases.STREAM_CASES],
    ids=[case[0] for case in cases.STREAM_CASES],
)
async def test_a_bad_stream_ends_and_harms_nobody(stage, data, condition):
    async with witnesses() as culprit:
        await STAGES[stage](culprit)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(says, culprit, data)
            heard = await culprit.hears_end()
        assert f"<{condition.value} xmlns='{STREAMS}'/>" in heard
        assert heard.count("<stream:error>") == 1
        assert heard.endswith("</stream:stream>")


@pytest.mark.parametrize(
    ("stage", "data", "condition"),
    [(stage.__name__, data, condition) for _, stage, data, condition in cases.LOGIN_CASES],
    ids=[case[0] for case in cases.LOGIN_CASES],
)
async def test_a_bad_login_fails_and_harms_nobody(stage, data, condition):
    async with witnesses() as culprit:
        await STAGES[stage](culprit)
        await culprit.send(data.decode())
        failure = await culprit.hears("<failure.*</failure>")
        assert f"<{condition.value}/>" in failure
