"""A client over direct TLS with SCRAM: a `Player` that logs in by itself. Fast enough to be one of many.

What a password costs is paid once for each account, as clients do that keep their keys (RFC 5802, 3).
"""

import hashlib
import hmac
import secrets
import socket
from base64 import b64decode, b64encode
from functools import cache
from typing import Self
from xml.etree.ElementTree import Element, XMLPullParser

import trio

from tests.faults.server import Server
from tests.stage.player import Player
from tests.stage.socket_stage import BIND, OPENING, SocketLine

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
ROSTER = "{jabber:iq:roster}"


class HalfDeadTcp(trio.abc.Stream):
    """TCP that can still be read when it can no longer be written.

    A server that is killed has said things that are still to be read, while writing fails at once; `trio.SSLStream` gives up
    both directions when one fails.
    """

    def __init__(self, tcp: trio.SocketStream) -> None:
        self._tcp = tcp
        self._may_read = trio.Event()
        self._may_read.set()
        self.is_mute = False

    def stop_reading(self) -> None:
        """Read no more; what comes stays with the kernel, which has little room for it."""
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._may_read = trio.Event()

    @property
    def port(self) -> int:
        """Our end's."""
        return int(self._tcp.socket.getsockname()[1])

    def read_on(self) -> None:
        """Read again."""
        self._may_read.set()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or note that nobody is there any more."""
        try:
            await self._tcp.send_all(data)
        except trio.BrokenResourceError:
            self.is_mute = True

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self._tcp.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """See `trio.abc.ReceiveStream`."""
        await self._may_read.wait()
        return await self._tcp.receive_some(max_bytes)

    async def aclose(self) -> None:
        """See `trio.abc.AsyncResource`."""
        await self._tcp.aclose()


async def _connect(server: Server) -> tuple[HalfDeadTcp, SocketLine]:
    tcp = HalfDeadTcp(await server.connect("xmpps"))
    return tcp, SocketLine(trio.SSLStream(tcp, server.tls, server_hostname=server.name, https_compatible=True))


class Client(Player):
    """One session of one account.

    Attributes:
        is_mute: what it sends reaches nobody any more; what it was sent may still be on the way.
    """

    _tcp: HalfDeadTcp

    @property
    def is_mute(self) -> bool:
        return self.is_cut or self._tcp.is_mute

    @classmethod
    async def enter(cls, nursery: trio.Nursery, server: Server, jid: str, password: str) -> Self:
        """Connect, log in and bind this full JID; what comes is heard by a task of `nursery`."""
        tcp, line = await _connect(server)
        client = cls(jid, line)
        client._tcp = tcp
        try:
            await client.opens()
            nursery.start_soon(line.listen, client)
            await client.logs_in(password)
            await client.sends(BIND.format(jid.partition("/")[2]))
            bound = await client.hears(lambda e: e.get("id") == "bind", "its resource")
            assert bound.get("type") == "result", f"{jid}: not bound"
        except BaseException:
            await line.close()
            raise
        return client

    def stops_reading(self) -> None:
        """Hear nothing from now on, and say nothing by itself."""
        self._tcp.stop_reading()

    def reads_on(self) -> None:
        """Hear again."""
        self._tcp.read_on()

    @property
    def port(self) -> int:
        """Its own end of the connection."""
        return self._tcp.port

    async def connects_again(self, server: Server) -> None:
        """Another connection for the same client; a stream is not opened yet."""
        self._tcp, line = await _connect(server)
        self.begin_anew(line)

    async def opens(self) -> None:
        """Begin a stream; it is read from its first byte."""
        self._parser = XMLPullParser(["start", "end"])
        self._depth = 0
        await self.sends(OPENING.format(self.bare.partition("@")[2]))

    async def logs_in(self, password: str) -> None:
        """SCRAM-SHA-256 (RFC 5802, 3); ends with a new stream."""
        await self._hears_tag("features")
        bare_first = f"n={self.bare.partition('@')[0]},r={secrets.token_hex(9)}"
        first = b64encode(f"n,,{bare_first}".encode()).decode()
        await self.sends(f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>{first}</auth>")
        challenge = b64decode(_text(await self._hears_tag("challenge")))
        nonce, salt, iterations = (part[2:] for part in challenge.decode().split(","))
        client_key, server_key = _keys(password, b64decode(salt), int(iterations))
        without_proof = f"c=biws,r={nonce}"
        signed = f"{bare_first},{challenge.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()
        final = b64encode(f"{without_proof},p={proof}".encode()).decode()
        await self.sends(f"<response xmlns='{SASL}'>{final}</response>")
        verifier = b64decode(_text(await self._hears_tag("success")))[2:]
        assert b64decode(verifier) == hmac.digest(server_key, signed, "sha256"), "the server does not know the password"
        await self.opens()
        await self._hears_tag("features")

    async def fetches_roster(self, version: str = "") -> tuple[str, int]:
        """The roster, or what is new since a version: the version, and how many entries the answer has."""
        answer = await self.asks(f"<query xmlns='jabber:iq:roster' ver='{version}'/>")
        query = answer.find(f"{ROSTER}query")
        return ("", 0) if query is None else (query.get("ver", ""), len(query))

    async def hears_push(self, address: str) -> Element:
        """A roster push of this contact; its entry."""

        def item(element: Element) -> Element | None:
            return (
                element.find(f"{ROSTER}query/{ROSTER}item[@jid='{address}']") if element.get("type") == "set" else None
            )

        found = item(await self.hears(lambda e: item(e) is not None, f"a push of {address}"))
        assert found is not None
        return found

    async def _hears_tag(self, name: str) -> Element:
        endings = (f"}}{name}", "}failure", "}error")
        element = await self.hears(lambda e: e.tag.endswith(endings), f"<{name}/>")
        assert element.tag.endswith(endings[0]), f"{self.jid}: {[child.tag for child in element]} in place of {name}"
        return element


def _text(element: Element) -> str:
    return element.text or ""


@cache
def _keys(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")
