"""What a row of the fault table found, as a value; and the table, as text, Markdown and JSON.

A row that misses its bar is a row like any other: it says *missed*, and what was seen.
"""

import platform
import shlex
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

PROBLEMS_SHOWN = 5
"""Of one row; the JSON file has them all."""

Scale = Literal["short", "long"]


_share = [1.0]


def do_a_share(share: float) -> None:
    """Of rounds, cuts, trials and points in the long form, do only so many: 0.1 is a tenth."""
    _share[0] = share


def part_of(count: int) -> int:
    """How many of so many are to be done; one at least."""
    return max(1, round(count * _share[0]))


_end = [float("inf")]


def end_after(seconds: float) -> None:
    """Rows that count are to begin nothing new after so many seconds from now."""
    _end[0] = time.monotonic() + seconds


def has_time() -> bool:
    """There is time for one more."""
    return time.monotonic() < _end[0]


_keepers: list[Callable[["Outcome"], None]] = []


def keep_meanwhile_with(keep: Callable[["Outcome"], None]) -> None:
    """Where rows put what they have found until now."""
    _keepers[:] = [keep]


def keep_meanwhile(outcome: "Outcome") -> None:
    """Our own figure is there, and the row goes on: who ends it now has that."""
    for keep in _keepers:
        keep(outcome)


def too_few(done: int, count: int, what: str) -> list[str]:
    """A problem, if the time was over before all was done."""
    return [f"the time was over after {done:,} of {count:,} {what}"] if done < count else []


def stride() -> int:
    """Every how manieth point is to be done."""
    return max(1, round(1 / _share[0]))


class Outcome(msgspec.Struct, kw_only=True):
    """One row.

    Attributes:
        name: by which it is asked for.
        fault: what is done to the server.
        bar: what must hold.
        figure: what was found, with its numbers.
        problems: whatever does not fit, in words; any of them misses the bar.
        peers: name -> what the same fault did to somebody else's server.
        counts: what was counted: messages, crash points, cuts.
        note: what else to know.
        skipped: why it could not be run here; it is then neither met nor missed.
        seed: repeats it, as far as it can be repeated; command: what runs it alone.
        seconds: that it took.
    """

    name: str
    fault: str
    bar: str
    figure: str = ""
    problems: list[str] = msgspec.field(default_factory=list)
    peers: dict[str, str] = msgspec.field(default_factory=dict)
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    note: str = ""
    skipped: str = ""
    seed: int = 0
    command: str = ""
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """met, missed or skipped."""
        return "skipped" if self.skipped else "missed" if self.problems else "met"


def counted(counts: Mapping[str, int]) -> str:
    """The counts as a phrase."""
    return ", ".join(f"{number:,} {what}" for what, number in counts.items())


def text(outcome: Outcome) -> str:
    """A row for a terminal."""
    lines = [
        f"{outcome.name}: {outcome.verdict.upper()} ({outcome.seconds:.0f} s, seed {outcome.seed})",
        f"  fault: {outcome.fault}",
        f"  bar:   {outcome.bar}",
        f"  found: {outcome.skipped or outcome.figure}",
    ]
    if outcome.counts:
        lines.append(f"  count: {counted(outcome.counts)}")
    lines += [f"  {peer}: {figure}" for peer, figure in outcome.peers.items()]
    lines += [f"  ! {problem[:600]}" for problem in outcome.problems[:PROBLEMS_SHOWN]]
    if len(outcome.problems) > PROBLEMS_SHOWN:
        lines.append(f"  ! and {len(outcome.problems) - PROBLEMS_SHOWN} more")
    if outcome.note:
        lines.append(f"  note:  {outcome.note}")
    return "\n".join(lines)


def markdown(outcomes: Iterable[Outcome]) -> str:
    """The table, for `docs/faults.md`."""
    rows = [
        "| fault | bar | Rookery | | peers | counted | seed | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in outcomes:
        verdict = f"**{each.verdict}**" if each.problems else each.verdict
        found = "<br>".join([each.skipped or each.figure, *each.problems[:PROBLEMS_SHOWN], each.note]).strip("<br>")
        peers = "<br>".join(f"{peer}: {figure}" for peer, figure in each.peers.items())
        cells = (
            each.fault,
            each.bar,
            found,
            verdict,
            peers,
            counted(each.counts),
            str(each.seed),
            f"{each.seconds:.0f}",
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def machine() -> str:
    """What it ran on, for below the table."""
    return f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, Linux {platform.release()}"


def command_of(name: str, seed: int, scale: Scale) -> str:
    """What runs one row again."""
    words = ["python", "-m", "tests.faults", "--row", name, "--seed", str(seed)]
    return shlex.join([*words, "--short"] if scale == "short" else words)
