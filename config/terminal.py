"""What the command line says and how: one line for a refusal, tables, passwords.

Exit statuses: 0 done, 1 refused (one line on standard error), 2 wrong usage (click's own). `Failed` is the only way to 1.
"""

import errno
import sys
import unicodedata
from collections.abc import Sequence
from typing import IO, Any, Self

import click
import msgspec

from engine.administration import Verifiers
from engine.xmpp.scram import BadPasswordError, make_verifiers


class Failed(click.ClickException):
    """The command was refused. The text is one line."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line on standard error."""
        click.echo(f"rookery: {self.message}", file=file, err=file is None)


def one_line(error: BaseException) -> str:
    """Why something failed, for a person."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if error.filename else ""
        return f"{file}{error.strerror}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def is_broken_pipe(error: BaseException) -> bool:
    """Whoever read our output has seen enough (``| head``)."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def printable(text: str) -> str:
    """What somebody else chose, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def print_json(value: Any) -> None:
    """One JSON value, indented, on standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns as wide as they need to be."""
    widths = [max(map(_width, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _width(text: str) -> int:
    """Columns of a terminal."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
        for character in text
    )


def read_password(*, from_stdin: bool, is_needed: bool) -> Verifiers:
    """Verifiers of a password from the first line of standard input, or asked for at the terminal.

    Args:
        from_stdin: ``--password-stdin`` was given.
        is_needed: without one there is nothing to do. Otherwise, where there is no terminal, there is no password.

    Raises:
        Failed: the password cannot be one.
    """
    if from_stdin:
        password = _first_line()
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    elif is_needed:
        raise click.UsageError("no terminal to ask for the password; use --password-stdin")
    else:
        return {}
    try:
        return make_verifiers(password)
    except BadPasswordError as error:
        raise Failed(str(error)) from error


def _first_line() -> str:
    try:
        data = sys.stdin.buffer.readline(4096)
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Failed("the password on standard input is not UTF-8 text") from error


class Progress:
    """How far a long command is, on standard error; silent where that is no terminal."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._shown = -1
        self._is_shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown and self._shown >= 0:
            click.echo(err=True)

    def show(self, done: int) -> None:
        """So many are done."""
        percent = done * 100 // max(self._total, 1)
        if self._is_shown and percent != self._shown:
            self._shown = percent
            click.echo(f"\r{self._what}: {done} of {self._total} ({percent} %)", nl=False, err=True)
