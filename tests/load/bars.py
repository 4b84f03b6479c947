"""The bars: what a unit of work may cost, and how much cheaper than elsewhere it has to be. Every run says which are kept.

A bar looks at the rows of one run. Where a row is missing or has no figures, the bar is not measured, which is not: kept.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from tests.load.rows import Row
from tests.load.server import Kind

Figure = Callable[[Sequence[Row]], float | None]
"""Finds a figure in the rows of a run; None: it was not measured."""

PEERS: frozenset[Kind] = frozenset({"sqlite", "default"})
SQLITE: frozenset[Kind] = frozenset({"sqlite"})
DEFAULT: frozenset[Kind] = frozenset({"default"})


class Bar(msgspec.Struct, frozen=True):
    """One bar.

    Attributes:
        text: what it is about.
        unit: of limit and figure.
        limit: at most; where `is_floor`, at least.
        figure: how it is found.
    """

    text: str
    unit: str
    limit: float
    figure: Figure
    is_floor: bool = False


class Verdict(msgspec.Struct, frozen=True):
    """A bar and what came of it; `figure` is None when it was not measured."""

    text: str
    bar: str
    figure: float | None
    unit: str
    verdict: str


def judge(rows: Sequence[Row]) -> list[Verdict]:
    """All bars."""
    return [_judge(bar, bar.figure(rows)) for bar in BARS]


def lines(verdicts: Iterable[Verdict]) -> Iterable[str]:
    """For a terminal."""
    yield f"{'bar':64}{'':>16}{'measured':>16}"
    for one in verdicts:
        figure = "" if one.figure is None else f"{one.figure:.2f} {one.unit}"
        yield f"{one.text:64}{one.bar:>16}{figure:>16}  {one.verdict}"


def _judge(bar: Bar, figure: float | None) -> Verdict:
    limit = f"{'>=' if bar.is_floor else '<='} {bar.limit:g} {bar.unit}"
    if figure is None:
        verdict = "not measured"
    else:
        verdict = "ok" if (figure >= bar.limit if bar.is_floor else figure <= bar.limit) else "MISSED"
    return Verdict(bar.text, limit, figure, bar.unit, verdict)


# -- how figures are found -------------------------------------------------------------------------------------------------


def _rows(rows: Sequence[Row], step: str, kinds: frozenset[Kind]) -> list[Row]:
    return [row for row in rows if row.step == step and row.kind in kinds and not row.outcome]


def _ours(rows: Sequence[Row], step: str) -> Row | None:
    return next(iter(_rows(rows, step, frozenset({"ours"}))), None)


def cost(step: str, scale: float = 1.0) -> Figure:
    """Our CPU for each unit, microseconds times `scale`."""

    def figure(rows: Sequence[Row]) -> float | None:
        row = _ours(rows, step)
        return None if row is None else row.cpu_us * scale

    return figure


def cheaper(step: str, kinds: frozenset[Kind]) -> Figure:
    """How many times our CPU the cheapest of others uses for each unit."""

    def figure(rows: Sequence[Row]) -> float | None:
        row, others = _ours(rows, step), _rows(rows, step, kinds)
        return min(other.cpu_us for other in others) / row.cpu_us if row and others else None

    return figure


def faster(steps: Sequence[str], kinds: frozenset[Kind]) -> Figure:
    """How many times as many units a second we do as the best of others; each with the step that suits it best."""

    def figure(rows: Sequence[Row]) -> float | None:
        mine = [row.rate for step in steps for row in _rows(rows, step, frozenset({"ours"}))]
        theirs = [row.rate for step in steps for row in _rows(rows, step, kinds)]
        return max(mine) / max(theirs) if mine and theirs else None

    return figure


def late(step: str, name: str = "p99", scale: float = 1.0) -> Figure:
    """One of our latencies, ms times `scale`."""

    def figure(rows: Sequence[Row]) -> float | None:
        row = _ours(rows, step)
        return getattr(row.latency, name) * scale if row and row.latency else None

    return figure


def total(step: str) -> Figure:
    """Our CPU for the whole round, seconds."""

    def figure(rows: Sequence[Row]) -> float | None:
        row = _ours(rows, step)
        return None if row is None else row.cpu_seconds

    return figure


def held(step: str) -> Figure:
    """Our memory for each unit, KB."""

    def figure(rows: Sequence[Row]) -> float | None:
        row = _ours(rows, step)
        return None if row is None else row.memory_each / 1024

    return figure


def growth(small: str, large: str) -> Figure:
    """What a unit costs of the large compared with the small."""

    def figure(rows: Sequence[Row]) -> float | None:
        one, other = _ours(rows, small), _ours(rows, large)
        return other.cpu_us / one.cpu_us if one and other else None

    return figure


BARS = (
    Bar("1:1 message, window 1: CPU", "us", 80, cost("message-1")),
    Bar("  times cheaper than the cheapest peer on SQLite", "x", 15, cheaper("message-1", SQLITE), is_floor=True),
    Bar("  times cheaper than any peer with its default store", "x", 7, cheaper("message-1", DEFAULT), is_floor=True),
    Bar("1:1 message, window 1, TLS 1.3: CPU", "us", 110, cost("message-1-tls")),
    Bar("messages per second, times the best SQLite peer", "x", 10, faster(("message-1", "message-8"), SQLITE), is_floor=True),
    Bar("latency at 300/s, p99", "ms", 2, late("paced-300")),
    Bar("latency at 3,000/s, p99", "ms", 8, late("paced-3000")),
    Bar("presence told (20 change at once): CPU", "us", 3, cost("presence")),
    Bar("  times cheaper than the best peer", "x", 8, cheaper("presence", PEERS), is_floor=True),
    Bar("login with roster and presence of all: CPU", "ms", 2, cost("login", 1e-3)),
    Bar("mass login of 2,000 on one domain: CPU", "s", 40, total("mass-login")),
    Bar("alias of 200: CPU for each delivery", "us", 12, cost("alias")),
    Bar("  times cheaper than the best peer's room", "x", 2.5, cheaper("alias", PEERS), is_floor=True),
    Bar("alias of 2,000: until the last member has it, p50", "ms", 50, late("crowd-alias", "p50")),
    Bar("memory of a TLS session with its roster", "KB", 45, held("memory")),
    Bar("what a connect and disconnect leaves behind", "KB", 0.1, held("churn")),
    Bar("message between two browsers: CPU", "us", 150, cost("web-message")),
    Bar("message between two browsers, 300/s, p99", "ms", 20, late("web-paced")),
    Bar("start with 100,000 accounts and 1,000,000 messages", "s", 2, late("start", "p50", 1e-3)),
    Bar("message at 5,000 sessions, times that at 200", "x", 1.3, growth("few-sessions", "many-sessions")),
    Bar("message at 100,000 members, times that at 10", "x", 1.3, growth("few-members", "many-members")),
    Bar("message at 1,000,000 archived, times that at none", "x", 1.3, growth("many-members", "full-archive")),
)  # fmt: skip
"""Costs and ratios are of one run: a machine that is slow today is slow for everybody."""
