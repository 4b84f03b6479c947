"""Runs stages on servers: starts, measures, stops. What goes wrong in one step is told in its row; the others go on."""

from collections.abc import Callable, Sequence

from tests.load.bench import Bench, Round
from tests.load.profile import Profile, Profiler
from tests.load.progress import Progress
from tests.load.rookery import Rookery
from tests.load.rows import Row
from tests.load.server import Server, ServerError
from tests.load.session import SessionError
from tests.load.suite import Scale, Stage, Step
from tests.load.target import Security

Begin = Callable[[tuple[str, ...]], Server]
"""Makes a server for these domains; it does not run yet."""


def conduct(
    stages: Sequence[Stage], begin: Begin, scale: Scale, progress: Progress, is_wanted: Callable[[Step], bool]
) -> list[Row]:
    """Everything on one server, a fresh one for each stage."""
    rows: list[Row] = []
    for stage in stages:
        steps = [step for step in stage.steps if is_wanted(step)]
        if steps:
            rows += _Performance(stage, begin, scale, progress).play(steps)
    return rows


def observe(stages: Sequence[Stage], key: str, scale: Scale, progress: Progress) -> tuple[Round, Profile]:
    """One round of one step on a Rookery, with a profiler that looks at what is measured."""
    stage, step = next((stage, step) for stage in stages for step in stage.steps if step.key == key)
    population = stage.population(scale)
    server = Rookery(population.domains)
    profiles: list[Profile] = []
    try:
        server.provide(population.accounts() + population.others(), stage.aliases(population))
        server.start()
        bench = Bench(server, population, step.security, progress)
        profiler = Profiler(server.tree.pid)

        def look(is_beginning: bool) -> None:
            if is_beginning:
                profiler.begin()
            else:
                profiles.append(profiler.end())

        bench.gather(len(bench.accounts) * population.devices)
        bench.observer = look
        progress.begin(f"{server.name}: {step.title}, looked at")
        measured = step.play(bench, scale)
        bench.observer = lambda _is_beginning: None
        bench.close()
    finally:
        server.remove()
        progress.end()
    if measured.faults:
        raise ServerError(measured.faults[0])
    return measured, profiles[-1]


class _Performance:
    """One stage on one server."""

    def __init__(self, stage: Stage, begin: Begin, scale: Scale, progress: Progress) -> None:
        self._stage = stage
        self._scale = scale
        self._progress = progress
        self._population = stage.population(scale)
        self._server = begin(self._population.domains)
        self._bench: Bench | None = None
        self._security: Security | None = None

    def play(self, steps: Sequence[Step]) -> list[Row]:
        """Its steps; their rows."""
        server = self._server
        try:
            self._progress.begin(f"{server.name}: {self._stage.key}")
            self._progress.say("members")
            accounts = self._population.accounts() + self._population.others()
            server.provide(accounts, self._stage.aliases(self._population))
            self._progress.say("start")
            server.start()
            return [self._measure(step) for step in steps]
        finally:
            self._leave()
            server.remove()
            self._progress.end()

    def _measure(self, step: Step) -> Row:
        server = self._server
        row = Row(server.name, server.version, server.backing, server.kind, step.key, step.title, step.unit)
        self._progress.begin(f"{server.name}: {step.title}")
        try:
            bench = self._enter(step.security)
            row.outcome = step.lacks(bench)
            if not row.outcome:
                rounds: list[Round] = []
                for _ in range(step.rounds or self._scale.rounds):
                    rounds.append(step.play(bench, self._scale))
                    if rounds[-1].faults:
                        break
                row.fill(rounds)
        except (SessionError, ServerError) as error:
            row.outcome = f"FAILED: {error}"
        if row.outcome.startswith("FAILED"):
            self._leave()  # who knows in which state its sessions are
        return row

    def _enter(self, security: Security) -> Bench:
        if self._bench is None or self._security != security:
            self._leave()
            self._bench = Bench(self._server, self._population, security, self._progress)
            self._security = security
        return self._bench

    def _leave(self) -> None:
        if self._bench is not None:
            self._bench.close()
            self._bench = None
