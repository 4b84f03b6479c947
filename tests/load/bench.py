"""The bench: a server, a population, the sessions that are online, and one measurement at a time.

What a measurement says: how many units of work there were, how long from the first to the last of them, what the server's
processes used from the first until they were quiet again (what a server does later for a message belongs to it), how long each
unit took, and what the harness itself used.
"""

import gc
import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from tests.load.browser import Browser, call_login, open_page
from tests.load.loop import Loop
from tests.load.processes import ProcessTree
from tests.load.progress import Progress
from tests.load.scout import explore
from tests.load.server import Server
from tests.load.session import Account, Session, SessionError, ignore, log_in
from tests.load.target import Offers, Security, Target

PASSWORD = "correct horse"
LOGINS_AT_ONCE = 16
LOGIN_SECONDS = 600.0
SAMPLE_SECONDS = 0.25
QUIET_SLICE_SECONDS = 0.1
QUIET_SHARE = 0.2
"""A server that uses less of a processor than this is quiet: who rests is woken twice a second, and on some virtual machines
that alone takes 10 ms. Whoever writes an index uses all of one."""

QUIET_SECONDS = 5.0
"""How long is waited for that."""

SESSIONS_AT_MOST = 20_000

BROWSING = {2, 3, 5}
"""Of six members in a mixed population, those who use the page: so each kind of pair is among them."""


class Population(msgspec.Struct, frozen=True):
    """Who there is.

    Attributes:
        users: members that log in, over all domains.
        devices: sessions of each.
        domains: names; members are spread over them.
        bystanders: members of the first domain that never log in.
        has_roster: sessions ask for the roster, as clients do.
    """

    users: int = 200
    devices: int = 1
    domains: tuple[str, ...] = ("load.example",)
    bystanders: int = 0
    has_roster: bool = True

    def accounts(self) -> list[Account]:
        """Those who log in; neighbours in this list are of one domain."""
        count = len(self.domains)
        return [Account(f"u{number:05}", self.domains[number // 2 % count], PASSWORD) for number in range(self.users)]

    def others(self) -> list[Account]:
        """Those who never do."""
        return [Account(f"b{number:06}", self.domains[0], "") for number in range(self.bystanders)]


class Sample(msgspec.Struct, frozen=True):
    """One look while it runs: seconds since the start, units until then, processor seconds of server and harness, memory."""

    at: float
    units: int
    cpu: float
    own_cpu: float
    memory: int


class Round(msgspec.Struct):
    """One measurement.

    Attributes:
        units: of work done.
        seconds: from the first to the last.
        cpu: processor seconds of the server, until it was quiet.
        own_cpu: of the harness.
        latencies: seconds, in any order; empty where there is none.
        samples: looks while it ran.
        memory_each: bytes for each unit, where that is the question.
        note: what else to know.
        faults: what was wrong; such a round proves nothing.
    """

    units: int
    seconds: float
    cpu: float
    own_cpu: float
    latencies: "array[float]"
    samples: list[Sample]
    faults: list[str]
    memory_each: float = 0.0
    note: str = ""


class Watch:
    """A measurement that runs. Workloads add to `units`, and to `latencies` what took how long."""

    def __init__(self, bench: "Bench") -> None:
        self.units = 0
        self.latencies: array[float] = array("d")
        self.faults: list[str] = []
        self.note = ""
        self._bench = bench
        self._samples: list[Sample] = []
        self._is_running = True
        bench.observer(True)
        self._cpu, self._own = bench.cpu(), time.process_time()
        self.began = time.perf_counter()
        self._ended = 0.0
        gc.collect()
        gc.disable()  # the harness makes no cycles while it measures, and must not pause
        self._look()
        bench.loop.every(SAMPLE_SECONDS, self._look)

    def stop_clock(self) -> None:
        """The last unit is done; the processors are watched on until the server is quiet."""
        self._ended = time.perf_counter()

    def finish(self) -> Round:
        """Wait until the server is quiet; what was measured."""
        self._ended = self._ended or time.perf_counter()
        own = time.process_time() - self._own
        self._look()
        self._is_running = False
        gc.enable()
        self._bench.settle()
        cpu = self._bench.cpu() - self._cpu
        self._bench.observer(False)
        self.faults += self._bench.failures()
        seconds = self._ended - self.began
        return Round(self.units, seconds, cpu, own, self.latencies, self._samples, self.faults, note=self.note)

    def _look(self) -> bool:
        if self._is_running:
            now = time.perf_counter() - self.began
            cpu, own = self._bench.cpu() - self._cpu, time.process_time() - self._own
            self._samples.append(Sample(now, self.units, cpu, own, self._bench.resident()))
            self._bench.progress.show(now, self.units, cpu, self.latencies)
        return self._is_running


class Bench:
    """One server under load.

    Args:
        server: that runs.
        population: that it has.
        security: of the connections.
        progress: where it is told what happens.
        has_acks: stream management is switched on where it is offered; carbons are, too.

    Attributes:
        memo: what workloads remember from one round to the next, such as rooms that are made.
        observer: is told when a measurement begins and ends; profilers are.
    """

    def __init__(
        self, server: Server, population: Population, security: Security, progress: Progress, *, has_acks: bool = True
    ) -> None:
        self.server = server
        self.population = population
        self.progress = progress
        self.loop = Loop()
        self.accounts = population.accounts()
        self.sessions: list[Session] = []
        self.memo: dict[str, object] = {}
        self._cookies: dict[tuple[Account, str], str] = {}
        self.observer: Callable[[bool], None] = lambda _is_beginning: None
        self._security: Security = security
        self._has_acks = has_acks
        self._attach(Offers())
        self._attach(self._scout())

    def _attach(self, offers: Offers) -> None:
        """Know where it is and what it can do."""
        self._tree: ProcessTree | None = self.server.tree
        has_pages = self._security in {"page", "mixed"}
        self._pages = self.server.target("page") if has_pages else None
        target = self.server.target("none" if has_pages else self._security)
        self.target: Target = msgspec.structs.replace(target, offers=offers, wants_acks=self._has_acks)

    def restart(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Stop the server, do something, start it again. Nobody is online then."""
        self.leave()
        self.server.stop()
        meanwhile()
        self.server.start()
        self._attach(self.target.offers)

    # -- what it costs -------------------------------------------------------------------------------------------------

    def cpu(self) -> float:
        """Processor seconds of the server until now; 0 where it cannot be seen."""
        return 0.0 if self._tree is None else self._tree.cpu_seconds()

    def memory(self) -> int:
        """Bytes that the server holds; 0 where it cannot be seen."""
        return 0 if self._tree is None else self._tree.memory_bytes()

    def resident(self) -> int:
        """About the same, and cheap to ask for."""
        return 0 if self._tree is None else self._tree.resident_bytes()

    def settle(self, seconds: float = QUIET_SECONDS, slices: int = 1) -> None:
        """Wait until the server is quiet, for so many slices of time on end; but not longer than that."""
        end, quiet = time.perf_counter() + seconds, 0
        while time.perf_counter() < end:
            before, began = self.cpu(), time.perf_counter()
            self.loop.run_for(QUIET_SLICE_SECONDS)
            is_quiet = self.cpu() - before < QUIET_SHARE * (time.perf_counter() - began)
            quiet = quiet + 1 if is_quiet else 0
            if quiet >= slices:
                return

    def failures(self) -> list[str]:
        """Sessions that should be there and are not."""
        return [
            f"{session.jid or session.account.bare}: {session.failure}" for session in self.sessions if session.failure
        ]

    # -- who is there --------------------------------------------------------------------------------------------------

    def gather(self, count: int, watch: Watch | None = None) -> list[Session]:
        """So many sessions online, one for each account, then the second device of each, and so on."""
        devices = self.devices(range(len(self.sessions), count))
        for account, resource in devices if self._pages is not None else ():
            # Calls wait for their answer, and nobody else is heard meanwhile: so all of them come first.
            if self._is_browsing(account) and (account, resource) not in self._cookies:
                self._cookies[account, resource] = call_login(self._pages, account)
        entered = [self.enter(*device) for device in devices]
        if entered:
            self.sessions += self.admit(entered, watch=watch)
            self.settle()
        for session in self.sessions:
            session.on_chunk = ignore
        return self.sessions[:count]

    def devices(self, places: range) -> list[tuple[Account, str]]:
        """Accounts and resources, in the order in which they come."""
        if places.stop > min(SESSIONS_AT_MOST, len(self.accounts) * self.population.devices):
            raise ValueError(f"{places.stop} sessions are more than there are devices, or more than {SESSIONS_AT_MOST}")
        count = len(self.accounts)
        return [(self.accounts[place % count], f"device{place // count}") for place in places]

    def enter(self, account: Account, resource: str) -> Callable[[], Session]:
        """A session that begins when it is called."""

        def begin() -> Session:
            if self._pages is not None and self._is_browsing(account):
                cookie = self._cookies[account, resource]
                browser = Browser(self.loop, self._pages, account, resource, cookie)
                browser.play(open_page(browser))
                return browser
            return self._log_in(account, resource)

        return begin

    def _is_browsing(self, account: Account) -> bool:
        return self._security == "page" or int(account.local[1:]) % 6 in BROWSING

    def _log_in(self, account: Account, resource: str) -> Session:
        session = Session(self.loop, self.target, account, resource)
        session.play(log_in(session, has_roster=self.population.has_roster))
        return session

    def admit(
        self, waiting: Sequence[Callable[[], Session]], at_once: int = LOGINS_AT_ONCE, watch: Watch | None = None
    ) -> list[Session]:
        """Let sessions log in, so many at a time. To `watch`, each is a unit.

        Raises:
            SessionError: one of them could not.
        """
        admitted: list[Session] = []
        queue = list(reversed(waiting))
        pending: dict[Session, float] = {}

        def is_done() -> bool:
            for session in [session for session in pending if session.is_ready or session.failure]:
                began = pending.pop(session)
                if watch is not None:
                    watch.units += 1
                    watch.latencies.append(time.perf_counter() - began)
            while queue and len(pending) < at_once:
                session = queue.pop()()
                admitted.append(session)
                pending[session] = time.perf_counter()
            return not pending

        if watch is None:
            self.progress.say(f"{len(waiting)} logins")
        is_in_time = self.loop.run_until(is_done, LOGIN_SECONDS)
        failed = [session for session in admitted if session.failure]
        if failed or not is_in_time:
            raise SessionError(failed[0].failure if failed else "logins take too long")
        return admitted

    def leave(self) -> None:
        """Everyone goes."""
        for session in self.sessions:
            session.leave()
        self.sessions.clear()

    def close(self) -> None:
        """The end."""
        self.leave()
        self.loop.close()

    # -- what it can do ------------------------------------------------------------------------------------------------

    def _scout(self) -> Offers:
        """Log in once and ask."""
        session = self.admit([partial(self._log_in, self.accounts[0], "scout")])[0]
        found: list[Offers] = []
        session.play(explore(session, found.append))
        self.loop.run_until(lambda: bool(found or session.failure), LOGIN_SECONDS)
        if not found:
            raise SessionError(session.failure or "the scout heard nothing")
        session.leave()
        self.settle()
        return found[0]
