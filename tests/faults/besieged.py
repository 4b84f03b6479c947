"""More connections that do not log in than the server keeps: who gives way, what he hears, and who gets in all the same.

Thousands open a stream in clear text and then say nothing. The server keeps `HALF_OPEN` of them; the oldest that has been
silent for `GIVE_WAY_SECONDS` gives way to a new one. Meanwhile clients with a password log in one after the other, and those
who were there before ask for a sign of life all the time.
"""

import itertools
import resource
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from gateways.reception import GIVE_WAY_SECONDS, HALF_OPEN
from tests.faults.outcome import Outcome
from tests.faults.server import Server
from tests.faults.talk import ALICE, BOB, HOME, Talk, Talker, enter, prepare, until
from tests.stage.socket_stage import OPENING

MORE = 1_000
"""Silent connections, beyond what the server keeps."""

STAYING, NEWCOMERS = 20, 20
SHED = b"resource-constraint"
PATIENCE_SECONDS = 60.0
PING_SECONDS = 0.05
DESCRIPTORS = 16_384


class Siege:
    """The silent ones."""

    def __init__(self, server: Server) -> None:
        self._port = server.ports["xmpp"]
        self._numbers = itertools.count()
        self.is_over = False
        self.open = 0
        self.ended: Counter[str] = Counter()
        """How they ended: the condition that they heard."""

    async def connect(self) -> None:
        """One of them, until it is cut."""
        sock = trio.socket.socket()
        heard = b""
        try:
            number = next(self._numbers)
            await sock.bind((f"127.9.{number // 200}.{number % 200 + 1}", 0))
            await sock.connect(("127.0.0.1", self._port))
            await sock.send(OPENING.format(HOME).encode())
            self.open += 1
            while more := await sock.recv(4_096):
                heard = (heard + more)[-600:]
        except OSError as error:
            heard = heard or repr(error).encode()
        finally:
            sock.close()
        if not self.is_over:
            self.ended[SHED.decode() if SHED in heard else f"without a word: {heard[-100:]!r}"] += 1


async def watch(staying: list[Talker], took: list[float]) -> None:
    """They ask, one after the other, for ever."""
    for talker in itertools.cycle(staying):
        began = time.perf_counter()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await talker.asks("<ping xmlns='urn:xmpp:ping'/>")
            took.append((time.perf_counter() - began) * 1_000)
        talker.forget()
        await trio.sleep(PING_SECONDS)


async def play(outcome: Outcome, show: Callable[[str], None]) -> None:
    """Add to the row what was found."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, DESCRIPTORS)), hard))
    count = HALF_OPEN + MORE
    entered: list[float] = []
    took: list[float] = []
    with TemporaryDirectory(prefix="rookery-siege-") as name:
        server = await prepare(Path(name))
        server.config.write_text(server.config.read_text().replace("[xmpp]\n", '[xmpp]\ntls = "optional"\n'))
        async with server, trio.open_nursery() as nursery:
            siege = Siege(server)
            staying = [await enter(nursery, server, Talk(), ALICE, device=f"d{number}") for number in range(STAYING)]
            nursery.start_soon(watch, staying, took)
            for _ in range(count):
                nursery.start_soon(siege.connect)
                if siege.open % 50 == 0:
                    await trio.sleep(0.01)
            for number in range(NEWCOMERS):
                began = time.perf_counter()
                with trio.move_on_after(PATIENCE_SECONDS):
                    await enter(nursery, server, Talk(), BOB, device=f"n{number}")
                    entered.append(time.perf_counter() - began)
            await until(lambda: siege.open == count and siege.ended.total() >= count - HALF_OPEN, PATIENCE_SECONDS)
            shed, dropped = siege.ended.copy(), sum(talker.is_cut for talker in staying)
            siege.is_over = True
            nursery.cancel_scope.cancel()
        outcome.problems += server.errors
    p99 = sorted(took)[int(0.99 * (len(took) - 1))] if took else 0.0
    told = (
        f"{count:,} more that open a stream and say nothing: {shed.total():,} had to go, {shed[SHED.decode()]:,} of them heard "
        f"{SHED.decode()}; {len(entered)} of {NEWCOMERS} logins meanwhile, {max(entered, default=0.0):.1f} s at most; "
        f"{dropped} of {STAYING} established sessions dropped, their questions p99 {p99:.0f} ms"
    )
    show(told)
    outcome.figure += f". {told}"
    outcome.counts["silent connections"], outcome.counts["shed"] = count, shed.total()
    outcome.problems += [f"{number} had to go {why}" for why, number in shed.items() if why != SHED.decode()]
    if shed.total() < MORE:
        outcome.problems.append(f"only {shed.total()} had to go after {GIVE_WAY_SECONDS:.0f} s of silence")
    if dropped:
        outcome.problems.append(f"besieged: {dropped} established sessions were dropped")
    if len(entered) < NEWCOMERS:
        outcome.problems.append(f"besieged: only {len(entered)} of {NEWCOMERS} could log in")
