"""Rows as a table for a terminal."""

from collections.abc import Iterable, Sequence

from tests.load.rows import Row

COLUMNS = (
    ("", 40),
    ("units", 9),
    ("per s", 9),
    ("CPU us", 10),
    ("low-high", 15),
    ("p50 ms", 9),
    ("p99 ms", 9),
    ("worst", 9),
    ("MiB", 7),
    ("own us", 8),
)


def lines(rows: Sequence[Row]) -> Iterable[str]:
    """One line for each row, those of one step together."""
    yield "".join(f"{name:>{width}}" if place else f"{name:{width}}" for place, (name, width) in enumerate(COLUMNS))
    for step in dict.fromkeys(row.step for row in rows):
        same = [row for row in rows if row.step == step]
        yield f"{same[0].title} (each: {same[0].unit})"
        for row in same:
            yield _line(row)
            if row.note:
                yield f"{'':6}{row.note}"


def _line(row: Row) -> str:
    name = f"  {row.server} ({row.backing})"
    if row.outcome:
        return f"{name:39} {row.outcome}"
    late = row.latency
    cells = (
        f"{row.units}",
        f"{row.rate:.0f}" if row.rate >= 10 else f"{row.rate:.2f}",
        f"{row.cpu_us:.1f}",
        f"{row.spread[0]:.0f}-{row.spread[1]:.0f}",
        *((f"{value:.2f}" for value in (late.p50, late.p99, late.worst)) if late else ("", "", "")),
        f"{row.memory / 2**20:.0f}",
        f"{row.own_us:.1f}",
    )
    widths = [width for _, width in COLUMNS[1:]]
    return f"{name:39} " + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
