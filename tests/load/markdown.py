"""A run as Markdown, to be kept beside the sources: bars, then every step with ours, the peers' and the ratio."""

from collections.abc import Iterable

from tests.load.results import Results
from tests.load.rows import Row


def lines(results: Results) -> Iterable[str]:
    """The document."""
    yield f"Measured {results.made}, commit {results.commit}, {results.machine}."
    yield ""
    yield "| bar | limit | measured | |"
    yield "|---|---|---|---|"
    for one in results.verdicts:
        figure = "" if one.figure is None else f"{one.figure:.2f} {one.unit}"
        yield f"| {one.text.strip()} | {one.bar} | {figure} | {one.verdict} |"
    yield ""
    yield "| work | server | per second | CPU | times ours | p50 | p99 | |"
    yield "|---|---|---|---|---|---|---|---|"
    for step in dict.fromkeys(row.step for row in results.rows):
        same = [row for row in results.rows if row.step == step]
        ours = next((row for row in same if row.kind == "ours" and not row.outcome), None)
        for place, row in enumerate(same):
            yield _line(row, ours, "" if place else row.title)


def _line(row: Row, ours: Row | None, title: str) -> str:
    name = f"{row.server} {row.version}, {row.backing}"
    if row.outcome:
        return f"| {title} | {name} | | | | | | {row.outcome} |"
    times = "" if ours is None or row is ours else f"{row.cpu_us / ours.cpu_us:.1f}"
    late = ("", "") if row.latency is None else (f"{row.latency.p50:.2f} ms", f"{row.latency.p99:.2f} ms")
    held = f"{row.memory_each / 1024:.1f} KB each; " if row.memory_each else ""
    return f"| {title} | {name} | {row.rate:.3g} | {row.cpu_us:.3g} us | {times} | {late[0]} | {late[1]} | {held}{row.note} |"
