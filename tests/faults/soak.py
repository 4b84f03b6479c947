"""Tens of thousands come and go, or fail to log in: memory and descriptors of the server are as they were before.

Three kinds of visitors, sixty-four at a time: *leave* open a stream and break the connection, *fail* go through SCRAM with a
proof that is wrong (random bytes: to the server it is as any wrong password, to the visitor it is cheap), *enter* log in, bind
a resource, and break the connection. Each comes from an address of its own (127.0.0.0/8), or the server would let those who
fail wait. The memory from before is that after a first crowd, which has filled the tables that remember who failed
(`gateways.throttle.KEYS` entries each): what grows after that grows for ever. Only the second crowd is counted.

Peers get the same visitors, fewer of them.
"""

import base64
import hashlib
import hmac
import itertools
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from gateways.throttle import KEYS
from tests.faults.client import SASL
from tests.faults.limits import descriptors, status
from tests.faults.outcome import Outcome, Scale, has_time, part_of, too_few
from tests.faults.peers import beside_peers
from tests.faults.talk import ALICE, HOME, PASSWORD, PEOPLE, Talk, enter, prepare
from tests.load.peers.peer import Peer
from tests.stage.socket_stage import BIND, OPENING

CROWD = 64
FIRST = {"leave": 2_000, "fail": KEYS, "enter": 4_000}
SECOND = {"leave": 100_000, "fail": 100_000, "enter": 20_000}
"""So many of each kind, in the long form."""

SHORT_COUNT, PEERS_COUNT = 300, 3_000
GROWN_BYTES = 24 * 1024 * 1024
"""114 bytes for each. What of a session is in circles waits for the collector, which looks after 50,000 new objects: some 2,000
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

    async def says(self, text: str, *ends: bytes) -> bytes:
        """Say it, and read until one of these ends."""
        await self._stream.send_all(text.encode())
        while not any(end in self._heard for end in ends):
            more = await self._stream.receive_some()
            if not more:
                raise ConnectionError(f"the server ended it: {self._heard[-300:]!r}")
            self._heard += more
        end = next(end for end in ends if end in self._heard)
        found, _, self._heard = self._heard.partition(end)
        return found

    async def opens(self) -> None:
        """A stream, up to its features."""
        await self.says(OPENING.format(HOME), b"</stream:features>")

    async def logs_in(self, address: str, password: str, hash_name: str = "SHA-256") -> bool:
        """SCRAM (RFC 5802, 3); whether it was let in. Without a password: with a proof that is wrong."""
        name = hash_name.replace("-", "").lower()
        first = f"n={address.partition('@')[0]},r={secrets.token_hex(9)}"
        said = base64.b64encode(f"n,,{first}".encode()).decode()
        begin = f"<auth xmlns='{SASL}' mechanism='SCRAM-{hash_name}'>{said}</auth>"
        answer = await self.says(begin, b"</challenge>", b"</failure>")
        if b"<failure" in answer:
            return False  # some tell at once that there is no such account
        challenge = base64.b64decode(answer.rpartition(b">")[2]).decode()
        nonce, salt, iterations = (part[2:] for part in challenge.split(","))
        without_proof = f"c=biws,r={nonce}"
        key = _client_key(password, salt, int(iterations), name) if password else secrets.token_bytes(32)
        signed = f"{first},{challenge},{without_proof}".encode()
        signature = hmac.digest(hashlib.new(name, key).digest(), signed, name)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=False))).decode()
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


@cache
def _client_key(password: str, salt: str, iterations: int, name: str) -> bytes:
    salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(salt), iterations)
    return hmac.digest(salted, b"Client Key", name)


class Crowd:
    """Visitors of the server at this port, one after the other, many at a time."""

    def __init__(self, port: int, hash_name: str = "SHA-256") -> None:
        self._port, self._hash_name = port, hash_name
        self._addresses = itertools.count(2)
        self.came: Counter[str] = Counter()
        self.problems: list[str] = []

    async def visit(self, kind: str, count: int) -> None:
        """So many of this kind."""
        left = iter(range(count))

        async def one_by_one() -> None:
            for number in left:
                if has_time():
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
                await sock.connect(("127.0.0.1", self._port))
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
        password = PASSWORD if kind == "enter" else ""
        if await visitor.logs_in(address, password, self._hash_name) != (kind == "enter"):
            self.problems.append(f"{kind}: {address} was {'refused' if kind == 'enter' else 'let in'}")
        elif kind == "enter":
            await visitor.opens()
            await visitor.says(BIND.format(f"soak{number}"), b"</iq>")


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """A first crowd, a look; a second crowd, a look."""
    settle = SETTLE_SECONDS if scale == "long" else SHORT_SETTLE_SECONDS
    crowds = [
        {kind: part_of(count) if scale == "long" else SHORT_COUNT for kind, count in crowd.items()}
        for crowd in (FIRST, SECOND)
    ]
    outcome = Outcome(
        name="soak",
        fault="{leave:,} connections that break, {fail:,} failed logins, {enter:,} sessions that break".format(
            **crowds[1]
        )
        + f", after {sum(crowds[0].values()):,} of all kinds",
        bar=f"memory within {GROWN_BYTES >> 20} MiB of what it was before them, descriptors as before; others log in and talk",
    )
    with TemporaryDirectory(prefix="rookery-soak-") as name:
        server = await prepare(Path(name))
        server.config.write_text(server.config.read_text().replace("[xmpp]\n", '[xmpp]\ntls = "optional"\n'))
        async with server:
            crowd = Crowd(server.ports["xmpp"])
            looks = []
            for turn, counts in enumerate(crowds):
                crowd.came.clear()
                for kind, count in counts.items():
                    began = time.monotonic()
                    await crowd.visit(kind, count)
                    memory = status(server.process.pid, "VmRSS") / 2**20
                    took = time.monotonic() - began
                    show(f"{turn}: {count:,} {kind} in {took:.0f} s: {memory:.1f} MiB, {len(crowd.problems)} problems")
                await trio.sleep(settle)
                looks.append((status(server.process.pid, "VmRSS"), descriptors(server)))
            async with trio.open_nursery() as nursery:
                alice = await enter(nursery, server, Talk(), ALICE)
                await alice.leaves()
                nursery.cancel_scope.cancel()
        outcome.problems += crowd.problems + server.errors
    (before, had), (after, has) = looks
    grown, total = after - before, sum(crowds[1].values())
    if grown > GROWN_BYTES:
        outcome.problems.append(f"memory grew by {grown / 2**20:.1f} MiB")
    if has > had + DESCRIPTORS_MORE:
        outcome.problems.append(f"{has} descriptors are open, {had} were")
    outcome.problems += too_few(sum(crowd.came.values()), total, "visitors")
    outcome.counts = dict(crowd.came)
    outcome.figure = (
        f"{before / 2**20:.1f} MiB and {had} descriptors before, {after / 2**20:.1f} MiB and {has} after: "
        f"{grown / total:.0f} bytes for each"
    )
    if scale == "long" and has_time():
        await beside_peers(outcome, ask_peer, show)
    return outcome


async def ask_peer(peer: Peer) -> str:
    """The same crowds, smaller; the memory and the descriptors of all its processes."""
    counts: Mapping[str, int] = dict.fromkeys(KINDS, part_of(PEERS_COUNT))
    crowd = Crowd(peer.ports["plain"], "SHA-1")
    looks = []
    for _ in range(2):
        crowd.came.clear()
        for kind, count in counts.items():
            await crowd.visit(kind, count)
        await trio.sleep(SETTLE_SECONDS)
        looks.append(peer.tree.resident_bytes())
    before, after = (look / 2**20 for look in looks)
    came, due = crowd.came.total(), sum(counts.values())
    odd = f"; {due - came} did not come: {crowd.problems[0][:120]}" if came < due and crowd.problems else ""
    each = (after - before) * 2**20 / max(1, came)
    return f"{before:.1f} MiB before, {after:.1f} MiB after {came:,}: {each:.0f} bytes for each{odd}"
