"""The fault table: ``python -m tests.faults`` (long, `make faults`), ``python -m tests.faults --short --row crash-points``.

Runs the rows (`tests.faults.schedule` says when), prints each with its figure, the peers' and the bar, and all of them at the
end; exit 1 when a bar is missed. Every row is a module with a coroutine ``play(seed, scale, show)`` that returns an `Outcome`.
They need Linux; some need root (strace, a small file system, a network namespace), and say so when they cannot be run.
"""

import secrets
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
import msgspec
import trio

from tests.faults import (
    actors,
    both_kinds,
    clock,
    crash_points,
    damage,
    limits,
    power,
    readers,
    rounds,
    soak,
    storage,
    storm,
)
from tests.faults.outcome import (
    Outcome,
    Scale,
    command_of,
    do_a_share,
    end_after,
    keep_meanwhile_with,
    machine,
    markdown,
    text,
)
from tests.faults.schedule import MINUTES, Plan

Play = Callable[[int, Scale, Callable[[str], None]], Awaitable[Outcome]]

ROWS: dict[str, Play] = {
    "kill": rounds.play_kill,
    "kill-web": both_kinds.play,
    "resume": rounds.play_resume,
    "crash-points": crash_points.play,
    "power": power.play,
    "storage": storage.play,
    "clock": clock.play,
    "readers": readers.play,
    "storm": storm.play,
    "limits": limits.play,
    "actors": actors.play,
    "damage": damage.play,
    "soak": soak.play,
}


def run(
    name: str,
    seed: int,
    scale: Scale,
    show: Callable[[str], None],
    keep: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """One row; one that fails by itself has missed. `keep` is given what it has found, while it goes on."""
    began = time.monotonic()

    def finish(outcome: Outcome, began: float) -> Outcome:
        outcome.seed, outcome.seconds = seed, time.monotonic() - began
        outcome.command = command_of(name, seed, scale)
        return outcome

    keep_meanwhile_with(lambda outcome: keep(finish(outcome, began)))
    try:
        outcome = trio.run(ROWS[name], seed, scale, show)
    except BaseException as error:  # the rows after it are still to be run
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        told = "".join(traceback.format_exception(error)).strip()
        show(told)
        outcome = Outcome(
            name=name, fault=f"({name})", bar="", figure="the row itself failed", problems=[told[-2_000:]]
        )
    return finish(outcome, began)


def read(file: Path | None) -> dict[str, Outcome]:
    """The rows of an earlier run."""
    if file is None or not file.exists():
        return {}
    return {each.name: each for each in msgspec.json.decode(file.read_bytes(), type=list[Outcome])}


@click.command()
@click.option("--short", is_flag=True, help="Seconds for each row; what `make test` runs.")
@click.option("--row", "names", multiple=True, type=click.Choice(list(ROWS)), help="Only these.")
@click.option("--seed", default=lambda: 1 + secrets.randbelow(999_999), type=int, help="A random one if not given.")
@click.option(
    "--share", default=1.0, show_default=True, help="Of the long form: so many of its rounds, cuts and points."
)
@click.option("--seconds", default=0.0, help="Begin nothing new after so many, in rows that count; 0: go on.")
@click.option("--minutes", default=MINUTES, show_default=True, help="For the whole table; then it ends.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--markdown", "markdown_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--add", is_flag=True, help="Keep the rows of the JSON file that are not run now.")
def main(
    short: bool,
    names: tuple[str, ...],
    seed: int,
    share: float,
    seconds: float,
    minutes: float,
    json_file: Path | None,
    markdown_file: Path | None,
    add: bool,
) -> None:
    """Harm the server in every way, and see what is lost."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is taken away then, too
    scale: Scale = "short" if short else "long"
    do_a_share(share)
    outcomes = read(json_file) if add else {}
    click.echo(f"seed {seed}, {scale}, {machine()}")
    if seconds:
        end_after(seconds)
    wanted = names or tuple(ROWS)
    began = time.monotonic()
    now: list[Outcome] = []

    def write(outcome: Outcome) -> None:
        outcomes[outcome.name] = outcome
        table = sorted(outcomes.values(), key=lambda each: list(ROWS).index(each.name))
        if json_file is not None:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_bytes(msgspec.json.format(msgspec.json.encode(table)))
        if markdown_file is not None:
            markdown_file.parent.mkdir(parents=True, exist_ok=True)
            markdown_file.write_text(markdown(table))

    def keep(outcome: Outcome) -> None:
        now.append(outcome)
        write(outcome)
        if len(wanted) > 1:
            click.echo(text(outcome))

    if len(wanted) > 1 and not short:
        plan = Plan(wanted, ("--share", str(share)), seed, minutes, click.echo, keep)
        trio.run(plan.play)
        click.echo("")
    else:
        for name in wanted:
            keep(run(name, seed, scale, lambda said, name=name: click.echo(f"  {name}: {said}", err=True), write))
    now.sort(key=lambda each: list(ROWS).index(each.name))
    for outcome in now:
        click.echo(text(outcome))
    missed = [each.name for each in now if each.verdict == "missed"]
    took = (time.monotonic() - began) / 60
    click.echo(f"{len(now)} rows in {took:.1f} minutes, missed: {', '.join(missed) or 'none'}; seed {seed}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
