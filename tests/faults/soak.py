"""Tens of thousands come and go, or fail to log in: memory and descriptors of the server are as they were before.

Three kinds of visitors, sixty-four at a time: *leave* open a stream and break the connection, *fail* give a wrong password,
*enter* log in, bind a resource, and break the connection. Each comes from an address of its own (127.0.0.0/8), or the server
would let those who fail wait. The memory from before is that after a first crowd, which has filled the tables that remember who
failed (`gateways.throttle.KEYS` entries each): what grows after that grows for ever.
"""

import base64
import hashlib
import hmac
import itertools
import secrets
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from gateways.throttle import KEYS
from tests.faults.client import SASL
from tests.faults.limits import descriptors, status
from tests.faults.outcome import Outcome, Scale, part_of
from tests.faults.server import Server
from tests.faults.talk import ALICE, HOME, PASSWORD, PEOPLE, Talk, enter, prepare
from tests.stage.socket_stage import BIND, OPENING

CROWD = 64
COUNT, SHORT_COUNT = 20_000, 300
"""Of each kind. What one connection leaves behind for ever shows in 60,000 as in 200,000."""

GROWN_BYTES = 24 * 1024 * 1024
"""400 bytes for each. What of a session is in circles waits for the collector, which looks after 50,000 new objects: some 2,000
sessions, 15 MiB."""

DESCRIPTORS_MORE = 2
SETTLE_SECONDS, SHORT_SETTLE_SECONDS = 8.0, 1.0
PATIENCE_SECONDS = 30.0
KINDS = ("leave", "fail", "enter")


class Visitor:
    """One connection in clear text."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._heard = b""

    async def says(self, text: str, end: bytes) -> bytes:
        """Say it, and read until this end."""
        await self._stream.send_all(text.encode())
        while end not in self._heard:
            more = await self._stream.receive_some()
            if not more:
                raise ConnectionError(f"the server ended it: {self._heard[-300:]!r}")
            self._heard += more
        found, _, self._heard = self._heard.partition(end)
        return found

    async def opens(self) -> None:
        """A stream, up to its features."""
        await self.says(OPENING.format(HOME), b"features>")

    async def logs_in(self, address: str, password: str) -> bool:
        """SCRAM-SHA-256 (RFC 5802, 3); whether it was let in."""
        first = f"n={address.partition('@')[0]},r={secrets.token_hex(9)}"
        said = base64.b64encode(f"n,,{first}".encode()).decode()
        answer = await self.says(f"<auth xmlns='{SASL}' mechanism='SCRAM-SHA-256'>{said}</auth>", b"</challenge>")
        challenge = base64.b64decode(answer.rpartition(b">")[2]).decode()
        nonce, salt, iterations = (part[2:] for part in challenge.split(","))
        without_proof = f"c=biws,r={nonce}"
        key = _client_key(password, salt, int(iterations))
        signature = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{without_proof}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        final = base64.b64encode(f"{without_proof},p={proof}".encode()).decode()
        await self.says(f"<response xmlns='{SASL}'>{final}</response>", b">")
        while b"</failure>" not in self._heard and b"</success>" not in self._heard:
            more = await self._stream.receive_some()
            if not more:
                raise ConnectionError("the server ended it")
            self._heard += more
        is_in = b"</success>" in self._heard
        self._heard = b""
        return is_in


_KEYS: dict[tuple[str, str], bytes] = {}


def _client_key(password: str, salt: str, iterations: int) -> bytes:
    key = _KEYS.get((password, salt))
    if key is None:
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), iterations)
        key = _KEYS[password, salt] = hmac.digest(salted, b"Client Key", "sha256")
        if len(_KEYS) > KEYS:
            _KEYS.clear()
    return key


class Crowd:
    """Visitors, one after the other, many at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._addresses = itertools.count(2)
        self.came: Counter[str] = Counter()
        self.problems: list[str] = []

    async def visit(self, kind: str, count: int) -> None:
        """So many of this kind."""
        left = iter(range(count))

        async def one_by_one() -> None:
            for number in left:
                await self._come(kind, number)

        async with trio.open_nursery() as nursery:
            for _ in range(CROWD):
                nursery.start_soon(one_by_one)

    async def _come(self, kind: str, number: int) -> None:
        sock = trio.socket.socket()
        place = next(self._addresses) % 0xFFFFFF
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                await sock.bind((f"127.{place >> 16}.{place >> 8 & 255}.{place & 255 or 1}", 0))
                await sock.connect(("127.0.0.1", self._server.ports["xmpp"]))
                visitor = Visitor(trio.SocketStream(sock))
                await visitor.opens()
                if kind != "leave":
                    await self._tries(visitor, kind, number)
            self.came[kind] += 1
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            self.problems.append(f"{kind}: {error!r}")
        finally:
            sock.close()

    async def _tries(self, visitor: Visitor, kind: str, number: int) -> None:
        address = PEOPLE[number % len(PEOPLE)] if kind == "enter" else f"nobody{number}@{HOME}"
        if await visitor.logs_in(address, PASSWORD) != (kind == "enter"):
            self.problems.append(f"{kind}: {address} was {'refused' if kind == 'enter' else 'let in'}")
        elif kind == "enter":
            await visitor.opens()
            await visitor.says(BIND.format(f"soak{number}"), b"</iq>")


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """A first crowd, a look; a second crowd, a look."""
    count, settle = (part_of(COUNT), SETTLE_SECONDS) if scale == "long" else (SHORT_COUNT, SHORT_SETTLE_SECONDS)
    outcome = Outcome(
        name="soak",
        fault=f"{count:,} connections that break, {count:,} failed logins, {count:,} sessions that break, after as many before",
        bar=f"memory within {GROWN_BYTES >> 20} MiB of what it was before them, descriptors as before; others log in and talk",
    )
    with TemporaryDirectory(prefix="rookery-soak-") as name:
        server = await prepare(Path(name))
        server.config.write_text(server.config.read_text().replace("[xmpp]\n", '[xmpp]\ntls = "optional"\n'))
        async with server:
            crowd = Crowd(server)
            looks = []
            for turn in range(2):
                for kind in KINDS:
                    await crowd.visit(kind, count)
                    show(
                        f"{turn}: {kind}: {status(server.process.pid, 'VmRSS') / 2**20:.1f} MiB, {len(crowd.problems)} problems"
                    )
                await trio.sleep(settle)
                looks.append((status(server.process.pid, "VmRSS"), descriptors(server)))
            async with trio.open_nursery() as nursery:
                alice = await enter(nursery, server, Talk(), ALICE)
                await alice.leaves()
                nursery.cancel_scope.cancel()
        outcome.problems += crowd.problems + server.errors
    (before, had), (after, has) = looks
    grown = after - before
    if grown > GROWN_BYTES:
        outcome.problems.append(f"memory grew by {grown / 2**20:.1f} MiB")
    if has > had + DESCRIPTORS_MORE:
        outcome.problems.append(f"{has} descriptors are open, {had} were")
    if sum(crowd.came.values()) != 6 * count:
        outcome.problems.append(f"only {dict(crowd.came)} came")
    outcome.counts = {f"{kind}": number for kind, number in crowd.came.items()}
    outcome.figure = (
        f"{before / 2**20:.1f} MiB and {had} descriptors before, {after / 2**20:.1f} MiB and {has} after: "
        f"{grown / (3 * count):.0f} bytes for each"
    )
    return outcome
