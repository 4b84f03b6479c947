"""The command line. Every command works while the server runs and while it does not; see `config.operation`."""

import logging
from pathlib import Path

import click
import trio

from config import backup, commands, demo, history, journal, tracing
from config.context import Guard, config_file, config_option, debug_option, is_debugging, settings
from config.inspection import inspect
from config.operation import perform
from config.settings import Settings, SettingsError, load
from config.terminal import Failed, one_line, print_json
from engine import administration as a

log = logging.getLogger(__name__)


@click.group(cls=Guard, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@debug_option
@click.version_option(package_name="rookery", prog_name="rookery", message="%(prog)s %(version)s")
def main() -> None:
    """Rookery: presence and chat for mail domains, over XMPP and the web.

    Every member and alias of a domain is a contact of all its members. `rookery demo` shows it; `rookery serve` runs it.
    Changes of domains, users and aliases reach a running server at once.
    """


main.add_command(commands.domain)
main.add_command(commands.user)
main.add_command(commands.alias)
main.add_command(history.history)
main.add_command(backup.backup)
main.add_command(tracing.trace)


@main.command()
@config_option
@debug_option
def serve() -> None:
    """Run the server until it is stopped (SIGTERM, Ctrl-C)."""
    run_server(settings())


@main.command("demo")
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("rookery-demo"),
    show_default=True,
    metavar="DIR",
    help="Folder that keeps everything of the demo.",
)
@click.option("--password", metavar="PW", help="Password of all demo users; without it, one is made for each and kept.")
@debug_option
def run_demo(folder: Path, password: str | None) -> None:
    """Run a server on loopback for the domain localhost, with five users and an alias."""
    prepared = demo.prepare(folder, password)
    for line in demo.describe(prepared):
        click.echo(line)
    run_server(prepared.settings)


@main.command()
@config_option
def check() -> None:
    """Validate configuration and data; every problem names its key or file."""
    try:
        loaded = load(config_file())
        problems = inspect(loaded)
    except SettingsError as error:
        problems = error.problems
    for problem in problems[:-1]:
        click.echo(f"rookery: {problem}", err=True)
    if problems:
        raise Failed(problems[-1])
    click.echo("no problems found")


@main.command()
@config_option
def verify() -> None:
    """Check archive, accounts and search index for integrity; prints a line for each fault."""
    result = perform(settings(), a.Verify())
    if isinstance(result, a.Inspected) and result.problems:
        for problem in result.problems:
            click.echo(problem)
        raise Failed(f"{len(result.problems)} faults found")
    click.echo("no faults found")


@main.command()
@config_option
def reindex() -> None:
    """Make both search indexes again from the databases."""
    commands.tell(perform(settings(), a.Reindex()))


@main.command()
@commands.json_option
@config_option
def status(*, as_json: bool) -> None:
    """Show sessions, queues, archive lag and memory."""
    result = perform(settings(), a.ShowStatus())
    if not isinstance(result, a.StatusShown):
        return
    if as_json:
        print_json(result.figures)
        return
    width = max((len(name) for name in result.figures), default=0)
    for name, figure in result.figures.items():
        click.echo(f"{name.replace('_', ' '):{width}}  {figure}")


def run_server(loaded: Settings) -> None:
    """Serve until stopped.

    Raises:
        Failed: it cannot start, or cannot go on.
    """
    from config.assemble import serve as serve_forever  # noqa: PLC0415 -- the other commands start without it

    journal.set_up(loaded.log.format, is_debugging=is_debugging())

    async def run() -> None:
        await serve_forever(loaded, ready=click.echo)

    try:
        trio.run(run)
    except KeyboardInterrupt:
        log.info("stopped from the keyboard")
    except BaseExceptionGroup as errors:
        _, others = errors.split(KeyboardInterrupt)
        if others is not None:
            raise _failure(others) from errors
        log.info("stopped from the keyboard")
    except Exception as error:
        raise _failure(error) from error


def _failure(error: BaseException) -> BaseException:
    """What ended the server, in one line; our own errors say all of it themselves. With ``--debug``: as it is."""
    while isinstance(error, BaseExceptionGroup) and not is_debugging():
        error = error.exceptions[0]
    if is_debugging():
        return error
    is_ours = type(error).__module__.partition(".")[0] in {"actors", "config", "engine", "gateways", "index"}
    return Failed(str(error) if is_ours and str(error) else one_line(error))
