"""What every command of the command line shares: the configuration file, and what becomes of an error.

``--config FILE`` may stand before the command or behind it. An error that nobody foresaw ends in one line and status 1; with
``--debug`` its traceback comes along.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from config.settings import Settings, SettingsError, load
from config.terminal import Failed, is_broken_pipe, one_line

_CONFIG: Final = "rookery.config"
_DEBUG: Final = "rookery.debug"


def _keep_config(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.meta[_CONFIG] = value  # shared by all contexts of one call


def _keep_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    context.meta[_DEBUG] = value or is_debugging(context)


def config_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--config FILE``, on the group and on each of its commands."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        callback=_keep_config,
        expose_value=False,
        metavar="FILE",
        help="The configuration file (TOML).",
    )(function)


def debug_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--debug``."""
    return click.option(
        "--debug",
        is_flag=True,
        callback=_keep_debug,
        expose_value=False,
        is_eager=True,
        help="Show tracebacks and log more.",
    )(function)


def is_debugging(context: click.Context | None = None) -> bool:
    """Whether ``--debug`` was given."""
    return bool((context or click.get_current_context()).meta.get(_DEBUG))


def settings() -> Settings:
    """The settings of the file that was named.

    Raises:
        click.UsageError: none was named.
        Failed: something in it cannot be.
    """
    try:
        return load(config_file())
    except SettingsError as error:
        raise Failed(str(error)) from error


def config_file() -> Path:
    """The file that was named.

    Raises:
        click.UsageError: none was.
    """
    file = click.get_current_context().meta.get(_CONFIG)
    if not isinstance(file, Path):
        raise click.UsageError("--config FILE is missing")
    return file


class Guard(click.Group):
    """A group in which no error reaches the operator as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if is_broken_pipe(error):
                raise  # click ends quietly
            if is_debugging(ctx):
                click.echo("".join(traceback.format_exception(error)), err=True)
            raise Failed(one_line(error)) from error
