"""``python -m tests.load``: see ``--help``, and docs/load.md."""

import resource
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from tests.load import bars, disk, gate, html, markdown, table
from tests.load import profile as profiling
from tests.load.bench import Population
from tests.load.conductor import conduct, observe
from tests.load.foreign import Foreign
from tests.load.peers.ejabberd import Ejabberd
from tests.load.peers.prosody import Prosody
from tests.load.progress import Progress
from tests.load.results import Results
from tests.load.rookery import Rookery
from tests.load.rows import Row
from tests.load.server import Kind
from tests.load.suite import STAGES, Scale, Step, once

DEFAULTS = Scale()
PEERS_AT_MOST = {"seconds": 1.2, "rounds": 2, "guests": 200}
"""Peers get shorter rounds and fewer of them, so that a comparison takes minutes."""

KINDS: tuple[Kind, ...] = ("sqlite", "default")
STEPS = [step.key for stage in STAGES for step in stage.steps]


def sizes(command: Callable[..., None]) -> Callable[..., None]:
    """How much of everything."""
    for option in (
        click.option(
            "--users",
            type=click.IntRange(2, 20000),
            default=DEFAULTS.users,
            show_default=True,
            help="Members of the office.",
        ),
        click.option(
            "--devices",
            type=click.IntRange(1, 20),
            default=DEFAULTS.devices,
            show_default=True,
            help="Sessions of each of them.",
        ),
        click.option(
            "--domains",
            type=click.IntRange(1, 1000),
            default=1,
            show_default=True,
            help="Domains that they are spread over.",
        ),
        click.option(
            "--crowd",
            type=click.IntRange(2, 20000),
            default=DEFAULTS.crowd,
            show_default=True,
            help="Members who log in at once.",
        ),
        click.option(
            "--guests",
            type=click.IntRange(2, 20000),
            default=DEFAULTS.guests,
            show_default=True,
            help="Sessions that only stay.",
        ),
        click.option(
            "--members",
            type=click.IntRange(20, 1000000),
            default=DEFAULTS.members,
            show_default=True,
            help="Of a large domain.",
        ),
        click.option(
            "--archived",
            type=click.IntRange(100, 10000000),
            default=DEFAULTS.archived,
            show_default=True,
            help="Messages of a long history.",
        ),
        click.option(
            "--seconds",
            type=click.FloatRange(0.1, 600.0),
            default=DEFAULTS.seconds,
            show_default=True,
            help="Of a timed round.",
        ),
        click.option(
            "--rounds",
            type=click.IntRange(1, 100),
            default=DEFAULTS.rounds,
            show_default=True,
            help="Of each step; the median is told.",
        ),
    ):
        command = option(command)
    return command


def outputs(command: Callable[..., None]) -> Callable[..., None]:
    """What is measured, and where it is told."""
    for option in (
        click.argument("steps", nargs=-1, type=click.Choice(STEPS), metavar="[STEP]..."),
        click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures to this file."),
        click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write a page with plots."),
        click.option("--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write tables as Markdown."),
    ):
        command = option(command)
    return command


def scale_of(domains: int, **given: Any) -> Scale:
    """The options as a scale."""
    names = (*DEFAULTS.domains, *(f"load{number}.example" for number in range(2, domains + 1)))
    return Scale(domains=names, **given)


@click.group()
def main() -> None:
    """Measure what an XMPP server on this machine needs for each unit of work."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is ended


@main.command()
@outputs
@sizes
def run(steps, json_file, html_file, markdown_file, **given: Any) -> None:
    """Measure a Rookery that is started for it: all steps, or those that are named."""
    scale = scale_of(**given)
    rows = conduct(STAGES, Rookery, scale, Progress(), lambda step: not steps or step.key in steps)
    tell(rows, json_file, html_file, markdown_file)


@main.command()
@outputs
@sizes
def peers(steps, json_file, html_file, markdown_file, **given: Any) -> None:
    """The same, and then the same work on Debian's Prosody and ejabberd (installed when missing; needs root for that)."""
    scale = scale_of(**given)
    progress = Progress()
    rows = conduct(STAGES, Rookery, scale, progress, lambda step: not steps or step.key in steps)
    shorter = msgspec.structs.replace(
        scale, **{name: min(limit, getattr(scale, name)) for name, limit in PEERS_AT_MOST.items()}
    )

    def is_wanted(step: Step) -> bool:
        return step.is_for_peers and (not steps or step.key in steps)

    for peer in (Prosody, Ejabberd):
        for kind in KINDS:
            stages = [once(stage) for stage in STAGES]
            rows += conduct(stages, partial(peer, kind=kind), shorter, progress, is_wanted)
    tell(rows, json_file, html_file, markdown_file)


@main.command()
@click.argument("address", metavar="HOST:PORT")
@click.option("--domain", required=True, help="That it serves.")
@click.option("--security", type=click.Choice(["none", "starttls", "direct"]), default="starttls", show_default=True)
@click.option("--pid", default=0, help="Of the server's process, if it is not whoever listens there.")
@click.option("--alias", default="", help="Address that reaches all of them; a room is used when there is none.")
@click.option(
    "--register", is_flag=True, help="The members register themselves (XEP-0077). Else they must be there: `members`."
)
@outputs
@sizes
def attach(
    address, domain, security, pid, alias, register, steps, json_file, html_file, markdown_file, **given: Any
) -> None:
    """Measure a server that runs on this machine already. Limits of its own should be off."""
    host, _, port = address.rpartition(":")
    try:
        server = Foreign(host.strip("[]"), int(port), security, domain, pid=pid, alias=alias, registers=register)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
    scale = msgspec.structs.replace(scale_of(**given), domains=(domain,))

    def is_wanted(step: Step) -> bool:
        return step.security == "none" and (not steps or step.key in steps)  # the others differ in TLS only

    tell(
        conduct(STAGES[:1], lambda _domains: server, scale, Progress(), is_wanted), json_file, html_file, markdown_file
    )


@main.command()
@click.option("--domain", required=True, help="Of the members.")
@click.option("--users", default=DEFAULTS.users, show_default=True, help="So many.")
def members(domain: str, users: int) -> None:
    """Print the members that `attach` logs in as, as a CSV file for `rookery user import`."""
    click.echo("address,name,password")
    for account in Population(users=users, domains=(domain,)).accounts():
        click.echo(f"{account.bare},{account.local},{account.password}")


@main.command("list")
def list_steps() -> None:
    """Every step, with its stage."""
    for stage in STAGES:
        for step in stage.steps:
            click.echo(f"{step.key:16}{stage.key:10}{step.title} (each: {step.unit})")


@main.command()
@click.argument("json_file", type=click.Path(exists=True, path_type=Path))
@click.argument("html_file", type=click.Path(path_type=Path))
def page(json_file: Path, html_file: Path) -> None:
    """Make the page of an older run from its JSON."""
    html_file.write_text(html.page(Results.read(json_file)))


@main.command()
@click.argument("step", type=click.Choice(STEPS))
@click.option("--top", default=30, show_default=True, help="So many functions.")
@sizes
def profile(step: str, top: int, **given: Any) -> None:
    """Measure STEP once while py-spy looks where the server's time goes: per stop of a message's road, and per function."""
    measured, seen = observe(STAGES, step, scale_of(**given), Progress())
    cost = measured.cpu / measured.units * 1e6
    click.echo(f"{step}: {measured.units} units, {cost:.1f} us CPU each, {seen.looks} looks\n")
    for line in profiling.lines(seen, top, cost):
        click.echo(line)


@main.command("gate")
@click.option("--accept", is_flag=True, help="Take today's figures as the new baseline.")
@click.option("--only", multiple=True, help="Only these figures.")
def hold(accept: bool, only: tuple[str, ...]) -> None:
    """Count instructions with callgrind, and compare them with the accepted ones; exit status 1 if a figure is above."""
    now = gate.measure(Progress(), frozenset(only))
    if accept:
        gate.BASELINE.write_bytes(msgspec.json.format(msgspec.json.encode(now)) + b"\n")
    before = msgspec.json.decode(gate.BASELINE.read_bytes(), type=gate.Baseline)
    judged = list(gate.judge(now, before))
    for line, _ in judged:
        click.echo(line)
    sys.exit(not all(is_good for _, is_good in judged))


def tell(rows: Sequence[Row], json_file: Path | None, html_file: Path | None, markdown_file: Path | None) -> None:
    """On the terminal and in files; exit status 1 if a step failed."""
    results = Results.of(rows, disk.measure())
    for line in (*table.lines(rows), "", *bars.lines(results.verdicts)):
        click.echo(line)
    if json_file is not None:
        results.write(json_file)
    if html_file is not None:
        html_file.parent.mkdir(parents=True, exist_ok=True)
        html_file.write_text(html.page(results))
    if markdown_file is not None:
        markdown_file.parent.mkdir(parents=True, exist_ok=True)
        markdown_file.write_text("\n".join(markdown.lines(results)) + "\n")
    sys.exit(any(row.outcome.startswith("FAILED") for row in rows))


if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
