"""XMPP over TCP, on real sockets."""

import errno
import ssl

import pytest
import trio

from engine.errors import Condition
from engine.xmpp.stream_events import StreamOptions
from gateways import listener as listeners
from gateways import xmpp_tcp
from gateways.listener import CloseGateway, FetchStatus, GatewayStatus
from tests.gateways.house import DOMAIN, OPEN, PLAIN, Client, encryption, enter, open_house

STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
AUTH = f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{PLAIN}</auth>"


async def status_of(listening: xmpp_tcp.Listening) -> GatewayStatus:
    return await listening.gateway.ask(FetchStatus(), block=False).wait()


async def test_a_client_logs_in_over_starttls_and_is_echoed():
    async with open_house() as house:
        listening = await house.listen()
        client = await Client.connect(listening.ports[0])
        await client.send(OPEN)
        await client.hears("<starttls[^>]*><required/></starttls>.*</stream:features>")
        await client.send(STARTTLS)
        await client.hears("<proceed[^>]*>")
        await client.start_tls()
        await client.login()
        await client.echoes("hello")
        assert [session.jid.full for session in house.sessions] == [f"alice@{DOMAIN}/r"]


async def test_a_client_logs_in_over_direct_tls_and_is_echoed():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        client = await enter(listening.ports[0])
        await client.echoes("hello")
        await client.send("</stream:stream>")
        assert "</stream:stream>" in await client.hears_end()
        await house.gone()
        assert house.disconnects == [f"alice@{DOMAIN}/r"]


async def test_alpn_names_the_protocol():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["xmpp-client"])
        stream = trio.SSLStream(await trio.open_tcp_stream("127.0.0.1", listening.ports[0]), context)
        await stream.do_handshake()
        assert stream.selected_alpn_protocol() == "xmpp-client"
        await stream.aclose()


async def test_clear_text_sent_ahead_of_tls_is_discarded():
    async with open_house() as house:
        listening = await house.listen()
        client = await Client.connect(listening.ports[0])
        await client.send(f"{OPEN}{STARTTLS}{OPEN}{AUTH}")
        await client.hears("<proceed[^>]*>")
        await client.start_tls()
        await client.send(OPEN)
        await client.hears("<mechanisms")
        assert "success" not in client.heard
        assert house.accounts.looked_up == []


async def test_clear_text_in_place_of_the_handshake_ends_the_connection():
    async with open_house() as house:
        listening = await house.listen()
        client = await Client.connect(listening.ports[0])
        await client.send(f"{OPEN}{STARTTLS}")
        await client.hears("<proceed[^>]*>")
        await client.send(f"{OPEN}{AUTH}")
        await client.hears_end()
        assert house.accounts.looked_up == []


async def test_byte_at_a_time():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        client = await enter(listening.ports[0])
        for byte in f"<message to='bob@{DOMAIN}' type='chat' id='1'><body>slowly, ö</body></message>".encode():
            await client.stream.send_all(bytes([byte]))
        await client.hears("<body>slowly, ö</body>")


async def test_records_of_every_size_over_tls():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        client = await enter(listening.ports[0])
        for size in (1, 16_200, 16_384, 16_385, 40_000, 100_000):
            await client.echoes("x" * size)
        text = "".join(f"<message to='bob@{DOMAIN}' type='chat'><body>{n}</body></message>" for n in range(500))
        await client.send(text)
        for number in range(500):
            await client.hears(f"<body>{number}</body>")


async def test_the_last_words_reach_a_client_that_is_still_talking():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        client = await enter(listening.ports[0])
        await client.send("<message></wrong>" + "x" * 200_000)
        await client.hears("<not-well-formed[^>]*>.*</stream:stream>")
        await client.hears_end()
        await house.gone()


async def test_shutdown_sends_everyone_away_politely():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        clients = [await enter(listening.ports[0], f"r{number}") for number in range(3)]
        quiet = await Client.connect(listening.ports[0])  # has not even done its handshake
        listening.gateway.tell(CloseGateway())
        for client in clients:
            await client.hears("<system-shutdown[^>]*>.*</stream:stream>")
            await client.send("</stream:stream>")
            await client.hears_end()
        await quiet.hears_end()
        await house.gone(3)
        with pytest.raises(OSError, match=r"."):
            await trio.open_tcp_stream("127.0.0.1", listening.ports[0])


async def test_half_open_and_broken_connections_trouble_nobody():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        client = await enter(listening.ports[0])
        crowd = [await Client.connect(listening.ports[0]) for _ in range(50)]
        for number, one in enumerate(crowd):
            await one.send("\x16\x03\x01" if number % 2 else "GET / HTTP/1.1\r\n\r\n")
            if number % 3 == 0:
                await one.stream.aclose()
        await client.echoes("still here")


async def test_the_one_who_is_silent_for_longest_gives_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateways.reception.GIVE_WAY_SECONDS", 0.0)
    async with open_house(half_open=3) as house:
        listening = await house.listen()
        crowd = [await Client.connect(listening.ports[0]) for _ in range(5)]
        await crowd[4].send(OPEN)
        await crowd[4].hears("<starttls")
        await crowd[0].hears_end()
        assert house.reception.visitors <= 3


async def test_counters():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        client = await enter(listening.ports[0])
        other = await enter(listening.ports[0], "other")
        await other.send("</stream:stream>")
        await other.hears_end()
        status = await status_of(listening)
        assert (status.accepted, status.name) == (2, "xmpp")
        assert status.addresses == (f"127.0.0.1:{listening.ports[0]}",)
        await client.echoes("x")


async def test_out_of_descriptors_sheds_the_new_and_keeps_the_old(monkeypatch: pytest.MonkeyPatch):
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        client = await enter(listening.ports[0])
        real, failures = listeners.accept, [errno.EMFILE]

        def accept(sock: object) -> object:
            if failures:
                raise OSError(failures.pop(), "Too many open files")
            return real(sock)  # type: ignore[arg-type]

        monkeypatch.setattr(listeners, "PAUSE_SECONDS", 0.0)
        monkeypatch.setattr(listeners, "accept", accept)
        turned_away = await trio.open_tcp_stream("127.0.0.1", listening.ports[0])
        # The listener waits for the first connection with the real `accept`; the second one meets the failure for certain.
        await turned_away.aclose()
        await client.echoes("still here")
        await (await enter(listening.ports[0], "later")).echoes("and so am I")
        assert (await status_of(listening)).refused == {"out of descriptors or memory": 1}


async def test_a_port_in_use_is_named():
    async with open_house() as house:
        listening = await house.listen()
        port = listening.ports[0]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            await listeners.open_sockets([("127.0.0.1", 0), ("127.0.0.1", port)])


async def test_ipv6_and_ipv4_side_by_side():
    sockets = await listeners.open_sockets([("127.0.0.1", 0), ("::1", 0)])
    assert [sock.getsockname()[0] for sock in sockets] == ["127.0.0.1", "::1"]
    for sock in sockets:
        sock.close()


async def test_a_refused_session_may_ask_again():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        house.refuses = Condition.RESOURCE_CONSTRAINT
        client = await Client.connect(listening.ports[0], tls=True)
        await client.send(f"{OPEN}{AUTH}")
        await client.hears("<success[^>]*>")
        bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        await client.send(f"{OPEN}{bind}")
        await client.hears("<resource-constraint[^>]*>")
        house.refuses = None
        await client.send(bind)
        await client.hears("<jid>")


async def test_optional_tls_offers_a_login_in_clear_text_but_never_plain():
    async with open_house() as house:
        options = StreamOptions(domains=(DOMAIN,), secret=b"s" * 32, limits=house.limits, tls="optional")
        listening = await house.listen(options=options)
        client = await Client.connect(listening.ports[0])
        await client.send(OPEN)
        features = await client.hears("<stream:features>.*</stream:features>")
        assert "SCRAM-SHA-256" in features
        assert "PLAIN" not in features


def test_direct_tls_has_a_certificate():
    assert encryption().end_point
