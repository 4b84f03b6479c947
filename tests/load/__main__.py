"""``python -m tests.load``: see ``--help``, and docs/load.md."""

import sys
from pathlib import Path

import click
import msgspec

from tests.load import table
from tests.load.conductor import conduct
from tests.load.progress import Progress
from tests.load.rookery import Rookery
from tests.load.suite import STAGES, Scale


@click.command()
@click.argument("steps", nargs=-1)
@click.option("--users", default=200, show_default=True, help="Members of the office.")
@click.option("--seconds", default=3.0, show_default=True, help="Of a timed round.")
@click.option("--rounds", default=3, show_default=True, help="Of each step; the median is told.")
@click.option("--crowd", default=2_000, show_default=True, help="Members who log in at once.")
@click.option("--guests", default=5_000, show_default=True, help="Sessions that only stay.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures to this file.")
def main(
    steps: tuple[str, ...], users: int, seconds: float, rounds: int, crowd: int, guests: int, json_file: Path | None
) -> None:
    """Measure STEPS (all when none is named) on a Rookery that is started for it."""
    scale = Scale(users=users, seconds=seconds, rounds=rounds, crowd=crowd, guests=guests)
    rows = conduct(STAGES, Rookery, scale, Progress(), frozenset(steps))
    for line in table.lines(rows):
        click.echo(line)
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
    sys.exit(any(row.outcome.startswith("FAILED") for row in rows))


if __name__ == "__main__":
    main()
