"""A run as one page that needs nothing else: bars, figures, and for each step how late units were and what went on over time.

The plots are SVG within the page, drawn by matplotlib.
"""

import io
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tests.load.bench import SAMPLE_SECONDS, Sample
from tests.load.results import Results
from tests.load.rows import QUANTILES, Row

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
td.text { text-align: left; color: #555 }
.MISSED { color: #b00020; font-weight: bold } .ok { color: #1b7a2f }
svg { max-width: 100%; height: auto }
@media (prefers-color-scheme: dark) { body { background: #fff } }
"""
RC = {"svg.fonttype": "none", "svg.hashsalt": "rookery", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
SMALLEST_MS = 1e-3
PLAIN = FuncFormatter(lambda value, _place: f"{value:g}")


def page(results: Results) -> str:
    """The whole page."""
    body = "".join(_parts(results))
    head = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Rookery under load</title><style>{STYLE}</style>"
    )
    return f"{head}<body>{body}</body></html>\n"


def _parts(results: Results) -> Iterable[str]:
    yield "<h1>Rookery under load</h1>"
    yield f"<p>{escape(results.made)}, commit {escape(results.commit)}, {escape(str(results.machine))}.</p>"
    yield "<h2>Bars</h2>"
    yield _table(
        ("bar", "limit", "measured", ""),
        [
            (v.text, v.bar, "" if v.figure is None else f"{v.figure:.2f} {v.unit}", v.verdict)
            for v in results.verdicts
        ],
    )  # fmt: skip
    for step in dict.fromkeys(row.step for row in results.rows):
        same = [row for row in results.rows if row.step == step]
        yield f"<h2 id='{escape(step)}'>{escape(same[0].title)}</h2>"
        yield _figures(same)
        measured = [row for row in same if not row.outcome]
        if measured:
            yield _plots(measured)


def _figures(rows: Sequence[Row]) -> str:
    ours = next((row for row in rows if row.kind == "ours" and not row.outcome), None)
    unit = rows[0].unit
    head = ("server", f"{unit} each second", "CPU us each", "times ours", "p50 ms", "p99 ms", "worst ms", "MiB", "")
    body = []
    for row in rows:
        name = f"{row.server} {row.version} ({row.backing})"
        if row.outcome:
            body.append((name, "", "", "", "", "", "", "", row.outcome))
            continue
        late = row.latency
        body.append(
            (
                name,
                f"{row.rate:,.0f}" if row.rate >= 10 else f"{row.rate:.2f}",
                f"{row.cpu_us:,.1f} ({row.spread[0]:,.0f} to {row.spread[1]:,.0f})",
                "" if ours is None or ours is row else f"{row.cpu_us / ours.cpu_us:.1f}",
                *((f"{value:,.2f}" for value in (late.p50, late.p99, late.worst)) if late else ("", "", "")),
                f"{row.memory / 2**20:,.0f}",
                row.note + (f"; {row.memory_each / 1024:.1f} KB each" if row.memory_each else ""),
            )
        )
    return _table(head, body)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    rows = "".join("<tr>" + "".join(map(_cell, row, range(len(row)))) + "</tr>" for row in body)
    return f"<table><tr>{cells}</tr>{rows}</table>"


def _cell(text: str, place: int) -> str:
    if text in {"ok", "MISSED"}:
        return f"<td class='{text}'>{text}</td>"
    return f"<td>{escape(text)}</td>" if place != 8 else f"<td class='text'>{escape(text)}</td>"


def _plots(rows: Sequence[Row]) -> str:
    with rc_context(RC):
        figure = Figure(figsize=(11, 3.2), layout="constrained")
        axes = figure.subplots(1, 3)
        _plot_latency(axes[0], rows)
        _plot_rate(axes[1], rows)
        _plot_cpu(axes[2], rows)
        if len(rows) > 1:
            handles, labels = axes[1].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue().partition("<svg")[2].join(("<svg", ""))


def _plot_latency(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set(title="latency", xlabel="percent of all", ylabel="ms", yscale="log")
    for row in rows:
        if row.distribution:
            shares = [100.0 * n / QUANTILES for n in range(QUANTILES + 1)]
            axes.plot(shares, [max(value, SMALLEST_MS) for value in row.distribution], label=_name(row))
    axes.yaxis.set_major_formatter(PLAIN)
    axes.yaxis.set_minor_formatter(PLAIN)


def _plot_rate(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set(title=f"{rows[0].unit} each second", xlabel="s", yscale="log" if len(rows) > 1 else "linear")
    for row in rows:
        steps = _steps(row)
        rates = [max((b.units - a.units) / (b.at - a.at), 0.1) for a, b in steps]
        axes.plot([b.at for _, b in steps], rates, label=_name(row), marker=".")
    if len(rows) == 1:
        axes.set_ylim(bottom=0)
    else:
        axes.yaxis.set_major_formatter(PLAIN)


def _plot_cpu(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set(title="processors used by the server", xlabel="s")
    for row in rows:
        steps = _steps(row)
        axes.plot([b.at for _, b in steps], [(b.cpu - a.cpu) / (b.at - a.at) for a, b in steps], marker=".")
    axes.set_ylim(bottom=0)


def _steps(row: Row) -> list[tuple[Sample, Sample]]:
    """Looks that follow each other, far enough apart."""
    return [(a, b) for a, b in pairwise(row.samples) if b.at - a.at > SAMPLE_SECONDS / 2]


def _name(row: Row) -> str:
    return f"{row.server} ({row.backing})"
