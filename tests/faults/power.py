"""The power fails: two hundred times, between any two system calls of one recorded talk, on ours and on the peers' disks.

Every call that changes the data folder is written down while Alice talks to Bob, from the start of the server to its end; then
`tests.faults.disk` says what a disk has after a cut at any moment, and the oracle reads it. What a client knew before that
moment must be there. The clients' clock is the recorder's; a call is written down before it is done, so that what was known
before its time was known before it happened.

A replay, and not a file system of ours under the server: it needs no FUSE, takes the peers as they are, and one recording gives
a cut at every call, with the same clients. With some cuts the server is started on what is left.

Peers: a message counts as kept when its text is anywhere in their files, which is more than they would show.
"""

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from config.upkeep import JOURNAL
from tests.faults import tracing
from tests.faults.disk import TRACED, Call, Disk, Mode, calls
from tests.faults.oracle import RECEIVED, integrity, read_archive
from tests.faults.outcome import Outcome, Scale
from tests.faults.peers import accounts, beside_peers, enter_peer, kept_texts
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, Talk, Talker, enter, prepare, until
from tests.load.peers.peer import Peer

MESSAGES = 100
CUTS = 200
STARTED = 20
"""Of the cuts; a start and a login each."""

MODES: tuple[Mode, ...] = ("strict", "journal", "torn")
SECONDS_FOR_PEERS = 5.0
WIRE_SECONDS = 0.25
"""What was written to a client's socket before the cut is on its way to him; he may note it a moment later."""

SOCKETS = shutil.ignore_patterns("*.sock")


async def talk_for_a_while(dice: random.Random, messages: int, alice: Talker, talk: Talk, patience: float) -> None:
    """One message after the other, now and then some at once."""
    while len(talk.sent) < messages:
        for _ in range(1 if dice.random() < 0.7 else dice.randint(2, 5)):
            await alice.talks(BOB, 1, "x" * dice.choice((1, 50, 400, 3_000)))
        await until(talk.is_settled, patience)
    await alice.asks_to_acknowledge()
    await until(lambda: len(talk.acknowledged) == len(talk.sent), patience)


class Recording:
    """A folder from before, the calls, and what the clients knew when."""

    def __init__(self, root: Path, before: Path, recorded: list[Call], talk: Talk) -> None:
        self.root, self.before, self.recorded, self.talk = root, before, recorded, talk

    def cuts(self, count: int, dice: random.Random, scratch: Path) -> Iterator[tuple[float, Mode, Path]]:
        """Moment, mode and folder of so many cuts, from the first message on; the folder is gone afterwards."""
        known = [*self.talk.acknowledged.values(), *(t for shown in self.talk.shown.values() for t in shown.values())]
        first = min(known, default=0.0)
        moments = [moment for moment in Disk(self.root, self.before).replay(self.recorded) if moment > first]
        chosen = Counter(dice.choice(range(len(moments))) for _ in range(count)) if moments else Counter()
        place = -1
        disk = Disk(self.root, self.before)
        for moment in disk.replay(self.recorded):
            if moment <= first:
                continue
            place += 1
            for number in range(chosen[place]):
                target = scratch / f"{place}-{number}"
                mode = dice.choice(MODES)
                disk.restore(target, mode, dice)
                yield moment, mode, target
                shutil.rmtree(target)

    @property
    def moments(self) -> int:
        """How many there are at which a cut differs from the one before."""
        return sum(1 for _ in Disk(self.root, self.before).replay(self.recorded))


async def record_ours(folder: Path, dice: random.Random, messages: int) -> tuple[Server, Recording]:
    """Our server, from its start to its end."""
    server = await prepare(folder / "ours", (ALICE, BOB))
    await server.start()  # certificate and folders are made
    await server.stop()
    before = folder / "before"
    shutil.copytree(server.data, before, ignore=SOCKETS)
    prefix = folder / "trace" / "call"
    prefix.parent.mkdir()
    server.wrapping = tracing.recording(prefix, TRACED)
    talk = Talk()
    await server.start()
    async with trio.open_nursery() as nursery:
        bob = await enter(nursery, server, talk, BOB)
        alice = await enter(nursery, server, talk, ALICE, counts=True)
        await talk_for_a_while(dice, messages, alice, talk, 10.0)
        await trio.sleep(1.5)  # cursors and the index
        for client in (alice, bob):
            await client.leaves()
        nursery.cancel_scope.cancel()
    await server.stop()
    server.wrapping = ()
    await trio.sleep(0.2)  # strace writes its last lines
    return server, Recording(server.data, before, calls(prefix, Path.cwd()), talk)


async def record_peer(peer: Peer, folder: Path, dice: random.Random, messages: int) -> Recording:
    """A peer, from its start to its end."""
    before, prefix = folder / "before", folder / "trace" / "call"
    prefix.parent.mkdir(parents=True)
    plain = peer.command

    def command() -> tuple[tuple[str, ...], dict[str, str]]:
        shutil.copytree(peer.folder, before, ignore=SOCKETS)  # it is configured
        words, environment = plain()
        return (*tracing.recording(prefix, TRACED), *words), dict(environment)

    peer.command = command  # type: ignore[method-assign]
    peer.provide(accounts((ALICE, BOB)))
    await trio.to_thread.run_sync(peer.start)
    talk = Talk()
    try:
        async with trio.open_nursery() as nursery:
            talkers = [
                await enter_peer(nursery, peer, talk, address, counts=counts)
                for address, counts in ((BOB, False), (ALICE, True))
            ]
            await talk_for_a_while(dice, messages, talkers[1], talk, SECONDS_FOR_PEERS)
            await trio.sleep(1.5)
            for talker in talkers:
                await talker.leaves()
            nursery.cancel_scope.cancel()
    finally:
        await trio.to_thread.run_sync(peer.stop)
    await trio.sleep(0.5)
    return Recording(peer.folder, before, calls(prefix, peer.folder), talk)


async def try_peer(peer: Peer, seed: int, messages: int, cuts: int) -> str:
    """The same on somebody else's disk, in words."""
    dice = random.Random(seed)
    with TemporaryDirectory(prefix="rookery-power-") as folder:
        try:
            recording = await record_peer(peer, Path(folder), dice, messages)
            lost: Counter[str] = Counter()
            for moment, _, target in recording.cuts(cuts, dice, Path(folder) / "cut"):
                text = kept_texts(target)
                promised = recording.talk.promised(moment)
                missing = [origin for origin in promised if f"{origin}w" not in text]
                lost += Counter(cuts=1, known=len(promised), lost=len(missing), bad=bool(missing))
        finally:
            peer.stop()
    return f"{lost['lost']:,} of {lost['known']:,} known messages lost, in {lost['bad']} of {lost['cuts']} cuts"


async def start_on(server: Server, data: Path, talk: Talk, moment: float) -> list[str]:
    """The server starts on what is left, says that all is well, and Bob is shown all that he has not got."""
    shutil.rmtree(server.data)
    shutil.copytree(data, server.data)
    (server.data / JOURNAL).unlink(missing_ok=True)  # it is of another boot then, and of no use
    rows = [row for row in read_archive(server.data / "archive.sqlite", 0) if row.origin in talk.sent]
    after = Talk()
    after.sent = talk.sent
    await server.start()
    found = []
    async with trio.open_nursery() as nursery:
        bob = await enter(nursery, server, after, BOB)
        asked = await bob.asks("<query xmlns='urn:xmpp:mam:2'/>", "set")
        if asked.get("type") != "result":
            found.append(f"no history: {asked.attrib}")
        known = {origin for origin, when in talk.shown.get(BOB, {}).items() if when < moment + WIRE_SECONDS}
        due = {row.origin for row in rows if (BOB, RECEIVED) in row.entries} - known
        if not await until(lambda: due <= after.shown.get(BOB, {}).keys()):
            found.append(f"Bob was not shown {sorted(due - after.shown.get(BOB, {}).keys())}")
        await bob.leaves()
        nursery.cancel_scope.cancel()
    verified = await server.command("verify")
    if verified.returncode:
        found.append(f"verify: {verified.stdout!r} {verified.stderr!r}")
    await server.stop()
    return found + server.errors


async def play(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Cut, and cut again."""
    messages, cuts, started = (MESSAGES, CUTS, STARTED) if scale == "long" else (30, 25, 2)
    outcome = Outcome(
        name="power",
        fault="power cut between any two system calls; what was not fsynced is gone (strictly by POSIX; with a journal for "
        "names; torn into sectors)",
        bar=f"0 acknowledged or shown messages lost in {CUTS} cuts",
    )
    outcome.skipped = tracing.missing()
    if outcome.skipped:
        return outcome
    dice = random.Random(seed)
    with TemporaryDirectory(prefix="rookery-power-") as name:
        folder = Path(name)
        server, recording = await record_ours(folder, dice, messages)
        show(f"{recording.moments} moments, {len(recording.talk.sent)} messages recorded")
        lost: Counter[str] = Counter()
        every = cuts // started
        try:
            for moment, mode, target in recording.cuts(cuts, dice, folder / "cut"):
                archive = target / "archive.sqlite"
                where = f"cut at {moment:.6f}, {mode}"
                lost["cuts"] += 1
                lost["known"] += len(recording.talk.promised(moment))
                try:
                    faults = recording.talk.judge(read_archive(archive, 0), moment)
                    opinion = integrity(archive)
                except sqlite3.DatabaseError as error:
                    faults, opinion = [f"lost: the archive cannot be read: {error}"], "ok"
                lost["lost"] += sum(fault.startswith("lost") for fault in faults)
                outcome.problems += [f"{where}: {fault}" for fault in faults]
                outcome.problems += [f"{where}: SQLite: {opinion}"] if opinion != "ok" else []
                if lost["cuts"] % every == 0:
                    lost["started"] += 1
                    outcome.problems += [
                        f"{where}: {fault}" for fault in await start_on(server, target, recording.talk, moment)
                    ]
                    show(f"{lost['cuts']} cuts, {len(outcome.problems)} problems")
        finally:
            await server.stop()
        outcome.counts = {
            "messages": len(recording.talk.sent),
            "possible cut points": recording.moments,
            "cuts": lost["cuts"],
            "restarts on what was left": lost["started"],
        }
    outcome.figure = f"{lost['lost']:,} of {lost['known']:,} known messages lost, in {lost['cuts']} cuts"
    if not lost["known"]:
        outcome.problems.append("nothing was known at any cut")
    if scale == "long":
        await beside_peers(outcome, lambda peer: try_peer(peer, seed, messages, cuts), show, is_running=False)
    return outcome
