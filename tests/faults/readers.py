"""Clients that do not read, and clients that are not there any more though nobody said so.

*Slow*: Bob stops reading while Alice floods him; the server may keep `OUTPUT_BYTES` for him, then he is cut, and Frank sees him
go. What waits in the server is what was told to him, less what the kernels on both sides have. *Half-open*: the network
between Bob and the server is cut, and nobody says so (`tests.faults.network`; where there is none, Bob is silent and reads
nothing): the server must notice by itself, and Frank must see it. Whatever was said is in Bob's
history, and a Bob whose client counts (XEP-0198) is shown all of it when he is back.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import trio

from engine.limits import OUTPUT_BYTES
from tests.faults.bystanders import BAR_MS, SHORT_BAR_MS, Bystanders
from tests.faults.network import Host, Network, missing
from tests.faults.outcome import Outcome, Scale
from tests.faults.peers import beside_peers, enter_peer
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, HOME, PEOPLE, Talk, Talker, enter, look, prepare, until
from tests.load.peers.peer import Peer
from tests.stage.player import C

FRANK = f"frank@{HOME}"
"""Looks on: he sees who comes and goes."""

READERS = tuple(f"reader{number}@{HOME}" for number in range(4))
"""One for each scene, for whom nothing waits when it begins."""

MESSAGE = "x" * 3_000
FLOOD = 4_000
"""Messages; 12 MB, more than what the server and both kernels keep."""

SOME = 20
ESTABLISHED = "01"
"""In ``/proc/net/tcp``."""

AHEAD = 100
CUT_SECONDS, NOTICE_SECONDS = 60.0, 90.0
SLACK_BYTES = 512 * 1024
"""One turn's messages come on top before it is looked at, and what is told and read is looked at at different moments."""

SAMPLE_SECONDS = 0.02
SILENCE_SECONDS = 0.3


class Backlog:
    """The most bytes for a client that waited in the server: those that it was told, less what the two kernels had of them.

    Args:
        bob: who does not read; port: of the server; size: of one message on the wire.
    """

    def __init__(self, bob: Talker, port: int, size: int) -> None:
        self._talk = bob.talk
        self._ends = {(bob.port, port), (port, bob.port)}
        self._size = size
        self._before = len(bob.talk.acknowledged)
        self.most = 0

    def _with_kernels(self) -> int | None:
        """None: the connection is gone."""
        queues: list[int] = []
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            local, remote = (int(words[place].rpartition(":")[2], 16) for place in (1, 2))
            if (local, remote) in self._ends:
                queues += [int(queue, 16) for queue in words[4].split(":")]
        return sum(queues) if len(queues) == 2 * len(self._ends) else None

    async def watch(self) -> None:
        """Look again and again, as long as the connection is there."""
        while (kernels := self._with_kernels()) is not None:
            told = (len(self._talk.acknowledged) - self._before) * self._size
            self.most = max(self.most, told - kernels)
            await trio.sleep(SAMPLE_SECONDS)


async def flood(alice: Talker, to: str, count: int, is_over: Callable[[], bool]) -> None:
    """So many large messages, not too far ahead of the server."""
    talk = alice.talk
    for _ in range(count):
        if is_over():
            break
        await alice.talks(to, 1, MESSAGE)
        await until(lambda: len(talk.sent) - len(talk.acknowledged) < AHEAD)
    await alice.asks_to_acknowledge()
    await until(lambda: len(talk.acknowledged) == len(talk.sent))


async def has_fallen_silent(bob: Talker) -> int:
    """What had waited for him has come; how many bytes he heard until now."""
    before = -1
    while before < bob.heard_bytes:
        before = bob.heard_bytes
        await trio.sleep(SILENCE_SECONDS)
    return before


def has_connection(port: int, server_port: int) -> bool:
    """The server's end of this client's connection is there, and nobody has ended it."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        local, remote = (int(words[place].rpartition(":")[2], 16) for place in (1, 2))
        if (local, remote) == (server_port, port) and words[3] == ESTABLISHED:
            return True
    return False


class Watching:
    """Frank, and what he sees of Bob's device."""

    def __init__(self, frank: Talker) -> None:
        self._frank = frank

    def sees_gone(self, jid: str) -> bool:
        """He was told that it is gone."""
        heard = self._frank.heard
        return any(e.tag == f"{C}presence" and e.get("from") == jid and e.get("type") == "unavailable" for e in heard)


class Scene:
    """One server, flood after flood."""

    def __init__(self, server: Server, bar_ms: float) -> None:
        self.server = server
        self.bar_ms = bar_ms
        self.talks: list[Talk] = []
        self.problems: list[str] = []
        self.figures: list[str] = []

    async def is_slow(self, count: int, *, counts: bool) -> None:
        """Bob does not read."""
        what = "slow reader that counts" if counts else "slow reader"
        address = READERS[len(self.talks)]
        talk = self._new_talk()
        bystanders = Bystanders(self.server, self.bar_ms)
        async with trio.open_nursery() as nursery:
            frank = await enter(nursery, self.server, Talk(), FRANK)
            alice = await enter(nursery, self.server, talk, ALICE, counts=True)
            bob = await enter(nursery, self.server, talk, address, counts=counts)
            await frank.hears_presence(bob.jid)
            watching = Watching(frank)
            before = await has_fallen_silent(bob)
            await flood(alice, address, SOME, lambda: False)
            await until(talk.is_settled)
            backlog = Backlog(bob, self.server.ports["xmpps"], (bob.heard_bytes - before) // SOME)
            bob.stops_reading()
            began = time.monotonic()
            async with bystanders.around():
                nursery.start_soon(backlog.watch)
                await flood(alice, address, count, lambda: watching.sees_gone(bob.jid))
                is_gone = await until(lambda: watching.sees_gone(bob.jid), CUT_SECONDS)
            took = time.monotonic() - began
            if not is_gone or took > CUT_SECONDS:
                self.problems.append(f"{what}: not cut within {CUT_SECONDS:.0f} s")
            if backlog.most > OUTPUT_BYTES + SLACK_BYTES:
                self.problems.append(f"{what}: {backlog.most / 2**20:.1f} MiB waited for it")
            if backlog.most < OUTPUT_BYTES // 4:
                self.problems.append(
                    f"{what}: only {backlog.most / 2**20:.1f} MiB waited for it: the fault did not bite"
                )
            self.problems += [f"{what}: {problem}" for problem in bystanders.verdict()]
            await bob.is_cut_off()
            await self._is_all_there(nursery, self.server, talk, what, bob.jid, has_counted=counts)
            for client in (alice, frank):
                await client.leaves()
            nursery.cancel_scope.cancel()
        self.figures.append(
            f"{what}: cut after {took:.1f} s and {len(talk.sent)} messages, {backlog.most / 2**20:.1f} MiB waited for it, "
            f"others' p99 {bystanders.words()}"
        )

    async def is_half_open(self, network: Network | None) -> None:
        """Two readers are not there any more, and nobody said so; one of them counts (XEP-0198)."""
        what = "half-open"
        plain, counting = READERS[len(self.talks) : len(self.talks) + 2]
        talks = [self._new_talk(), self._new_talk()]
        far = near = self.server
        if network is not None:
            far, near = (cast("Server", Host(self.server, network, end)) for end in ("far", "near"))
        bystanders = Bystanders(near, self.bar_ms)
        async with trio.open_nursery() as nursery:
            frank = await enter(nursery, near, Talk(), FRANK)
            senders = [
                await enter(nursery, near, talk, sender, counts=True)
                for talk, sender in zip(talks, (ALICE, BOB), strict=True)
            ]
            bob = await enter(nursery, far, talks[0], plain)
            ben = await enter(nursery, far, talks[1], counting, counts=True)
            await frank.hears_presence(bob.jid)
            watching = Watching(frank)
            for sender, address in zip(senders, (plain, counting), strict=True):
                await sender.talks(address)
            if not await until(lambda: all(talk.is_settled() for talk in talks)):
                self.problems.append(f"{what}: messages were not shown before the cut")
            if network is not None:
                network.cut()
            bob.stops_reading()
            ben.stops_reading()
            began = time.monotonic()
            async with bystanders.around():
                with trio.move_on_after(NOTICE_SECONDS + 10):
                    while not watching.sees_gone(bob.jid):
                        for sender, address in zip(senders, (plain, counting), strict=True):
                            await sender.talks(address)
                        await trio.sleep(1.0)
                        await frank.asks("<ping xmlns='urn:xmpp:ping'/>")
            took = time.monotonic() - began
            self._judge_half_open(took, talks, bystanders)
            for talk, reader in zip(talks, (bob, ben), strict=True):
                await self._is_all_there(nursery, near, talk, what, reader.jid, has_counted=reader is ben)
            for client in (*senders, frank):
                await client.leaves()
            nursery.cancel_scope.cancel()
        kind = "a network that was cut" if network else "a client that is silent"
        self.figures.append(f"{what} ({kind}): noticed after {took:.1f} s, others' p99 {bystanders.words()}")

    def _judge_half_open(self, took: float, talks: list[Talk], bystanders: Bystanders) -> None:
        if took > NOTICE_SECONDS:
            self.problems.append(f"half-open: noticed after {took:.1f} s")
        if all(talk.is_settled() for talk in talks):
            self.problems.append("half-open: everything was shown: the fault did not bite")
        self.problems += [f"half-open: {problem}" for problem in bystanders.verdict()]

    async def _is_all_there(
        self, nursery: trio.Nursery, server: Server, talk: Talk, what: str, jid: str, *, has_counted: bool
    ) -> None:
        """Bob is back."""
        address, _, device = jid.partition("/")
        bob = await enter(nursery, server, talk, address, device=device)
        if has_counted and not await until(talk.is_settled):
            missing = talk.sent.keys() - talk.shown.get(address, {}).keys()
            self.problems.append(f"{what}: back again, Bob is not shown {len(missing)} of {len(talk.sent)}")
        await bob.leaves()

    def _new_talk(self) -> Talk:
        self.talks.append(Talk())
        return self.talks[-1]


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Slow ones, and such as are gone."""
    outcome = Outcome(
        name="readers",
        fault="a client stops reading while it is flooded; a client is gone without a word",
        bar=f"at most {OUTPUT_BYTES // 2**20} MiB for it, cut within {CUT_SECONDS:.0f} s; half-open noticed within "
        f"{NOTICE_SECONDS:.0f} s; everything retrievable; nobody else slower",
    )
    bar_ms = BAR_MS if scale == "long" else SHORT_BAR_MS
    scenes = [await slow_readers(bar_ms, show)]
    if scale == "long":
        scenes.append(await half_open(bar_ms, show))
    else:
        outcome.note = "the half-open connection takes 90 s and is in the long form only"
    outcome.counts = {"messages": sum(len(talk.sent) for scene in scenes for talk in scene.talks)}
    outcome.figure = "; ".join(figure for scene in scenes for figure in scene.figures)
    outcome.problems = [problem for scene in scenes for problem in scene.problems]
    if scale == "long":
        await beside_peers(outcome, ask_peer, show, people=(ALICE, READERS[0]))
    return outcome


async def slow_readers(bar_ms: float, show: Callable[[str], None]) -> Scene:
    """One after the other."""
    with TemporaryDirectory(prefix="rookery-readers-") as name:
        server = await prepare(Path(name), (*PEOPLE, FRANK, *READERS))
        scene = Scene(server, bar_ms)
        async with server:
            for counts in (False, True):
                await scene.is_slow(FLOOD, counts=counts)
                show(scene.figures[-1])
            scene.problems += await look(server, scene.talks)
        scene.problems += server.errors
    return scene


async def half_open(bar_ms: float, show: Callable[[str], None]) -> Scene:
    """With a network that is cut, where the kernel has such."""
    why_not = missing()
    with ExitStack() as stack:
        network = None if why_not else stack.enter_context(Network())
        if why_not:
            show(f"only a silent client, as there is no network to cut: {why_not}")
        name = stack.enter_context(TemporaryDirectory(prefix="rookery-readers-"))
        server = await prepare(Path(name), (*PEOPLE, FRANK, *READERS))
        text = server.config.read_text()
        server.config.write_text(
            text.replace('direct_tls_listen = ["127.0.0.1:0"]', 'direct_tls_listen = ["0.0.0.0:0"]')
        )
        server.wrapping = () if network is None else network.wrapping
        scene = Scene(server, bar_ms)
        async with server:
            await scene.is_half_open(network)
            show(scene.figures[-1])
            scene.problems += await look(server, scene.talks)
        scene.problems += server.errors
    return scene


async def ask_peer(peer: Peer) -> str:
    """A slow reader: whether he is cut within the time of the bar, and what the flood did to the memory."""
    talk = Talk()
    async with trio.open_nursery() as nursery:
        bob = await enter_peer(nursery, peer, talk, READERS[0])
        alice = await enter_peer(nursery, peer, talk, ALICE, counts=True)
        await has_fallen_silent(bob)
        before = most = peer.tree.resident_bytes()
        bob.stops_reading()
        began = time.monotonic()
        with trio.move_on_after(CUT_SECONDS):
            for _ in range(FLOOD):
                await alice.talks(READERS[0], 1, MESSAGE)
                most = max(most, peer.tree.resident_bytes())
                await until(lambda: len(talk.sent) - len(talk.acknowledged) < AHEAD)
        is_cut = False
        while time.monotonic() < began + CUT_SECONDS and not is_cut:
            most = max(most, peer.tree.resident_bytes())
            is_cut = not has_connection(bob.port, peer.ports["tls"])
            await trio.sleep(0.5)
        took = time.monotonic() - began
        nursery.cancel_scope.cancel()
    end = f"cut after {took:.0f} s" if is_cut else f"not cut in {took:.0f} s"
    return f"{end}, {len(talk.sent):,} messages of {len(MESSAGE) // 1_000} kB, memory {(most - before) / 2**20:.0f} MiB more"
