"""What was measured, as values: one row for each step and server. JSON, tables, bars and plots are made from rows."""

import math
import statistics
from collections.abc import Sequence

import msgspec

from tests.load.bench import Round, Sample
from tests.load.server import Kind

QUANTILES = 200
"""Points of a latency distribution that are kept."""


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds."""

    p50: float
    p90: float
    p99: float
    worst: float


class Figures(msgspec.Struct, frozen=True):
    """One round."""

    units: int
    seconds: float
    cpu_us: float
    own_us: float
    latency: Latency | None


class Row(msgspec.Struct):
    """One step on one server.

    Attributes:
        server: name and version; backing: where it keeps things; kind: whose figures these are.
        step: key; title; unit: what is counted.
        outcome: empty, or why there are no figures.
        note: what else to know: the nearest feature that was used, what TLS.
        units: of all rounds.
        rate: units per second; cpu_us: of the server for each unit; own_us: of the harness; the median of the rounds.
        spread: lowest and highest `cpu_us` of a round.
        cpu_seconds: of the server in the median round.
        latency: of all rounds; distribution: its quantiles in ms, evenly spread.
        memory: most bytes that the server held; memory_each: bytes for each unit, where that is the question.
        rounds: each one; samples: of the last one.
    """

    server: str
    version: str
    backing: str
    kind: Kind
    step: str
    title: str
    unit: str
    outcome: str = ""
    note: str = ""
    units: int = 0
    rate: float = 0.0
    cpu_us: float = 0.0
    own_us: float = 0.0
    spread: tuple[float, float] = (0.0, 0.0)
    cpu_seconds: float = 0.0
    latency: Latency | None = None
    distribution: list[float] = []
    memory: int = 0
    memory_each: float = 0.0
    rounds: list[Figures] = []
    samples: list[Sample] = []

    def fill(self, rounds: Sequence[Round]) -> None:
        """With what was measured. A fault makes it a row without figures: what is wrong has no price."""
        faults = [fault for one in rounds for fault in one.faults]
        if faults:
            self.outcome = f"FAILED: {faults[0]}" + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "")
            return
        self.rounds = [_figures(one) for one in rounds]
        self.units = sum(one.units for one in rounds)
        self.rate = statistics.median(one.units / one.seconds for one in self.rounds)
        costs = [one.cpu_us for one in self.rounds]
        self.cpu_us, self.spread = statistics.median(costs), (min(costs), max(costs))
        self.own_us = statistics.median(one.own_us for one in self.rounds)
        self.cpu_seconds = statistics.median(one.cpu for one in rounds)
        latencies = sorted(value for one in rounds for value in one.latencies)
        self.latency = _latency(latencies)
        if latencies:
            self.distribution = [round(_quantile(latencies, n / QUANTILES) * 1e3, 4) for n in range(QUANTILES + 1)]
        self.samples = rounds[-1].samples
        self.memory = max(sample.memory for one in rounds for sample in one.samples)
        self.note = rounds[-1].note
        self.memory_each = statistics.median(one.memory_each for one in rounds)


def _figures(one: Round) -> Figures:
    units = one.units or 1
    return Figures(
        one.units, one.seconds, one.cpu / units * 1e6, one.own_cpu / units * 1e6, _latency(sorted(one.latencies))
    )


def _latency(ordered: Sequence[float]) -> Latency | None:
    if not ordered:
        return None
    p50, p90, p99 = (_quantile(ordered, q) * 1e3 for q in (0.5, 0.9, 0.99))
    return Latency(p50, p90, p99, ordered[-1] * 1e3)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so large a share does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
