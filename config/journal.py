"""The log: one line for each event, on standard error.

Owns how an event is written, not what is said: whoever logs says types, places and network addresses, never what somebody
wrote nor a secret. Two forms: ``text`` for people (time, level, place, message) and ``json`` for programs (one object in a
line, with the message's template beside it, by which events of one kind are found).

- **Nothing that somebody sends can begin a line of its own.** What cannot be printed (line breaks, control and direction
  characters) and the backslash are escaped as in Python. Tracebacks of ``--debug`` are in the line of their event.
- **A flood of one kind is cut short**: `FLOOD_LINES` in `FLOOD_SECONDS`; how many more there were is said by the next one
  that is written.
- Libraries are heard from `logging.INFO` on, also with ``--debug``: theirs below that may name what is under way.
- A log that cannot be written (a full disk, a closed pipe) is no reason to stop.
"""

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import msgspec

Form = Literal["text", "json"]

FLOOD_LINES: Final = 100
FLOOD_SECONDS: Final = 10.0
"""An operator reads none of 100 lines that say the same; a disk holds them for long."""

KINDS: Final = 1_000
"""Kinds of events that are told apart at a time; there are some hundred in the program."""

OURS: Final = ("actors", "config", "engine", "gateways", "index")


def set_up(form: Form, *, is_debugging: bool, stream: TextIO | None = None) -> None:
    """Log from here on, and nowhere else.

    Whoever has set logging up already (a test) keeps what he has, if no stream is given.
    """
    root = logging.getLogger()
    if root.handlers and stream is None:
        return
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_FORMATTERS[form]())
    handler.addFilter(Flood(time.monotonic))
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for package in OURS:
        logging.getLogger(package).setLevel(logging.DEBUG if is_debugging else logging.INFO)
    logging.raiseExceptions = False


def on_one_line(text: str) -> str:
    """What cannot be printed, and the backslash, escaped."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        "\\\\" if character == "\\" else character if character.isprintable() else repr(character)[1:-1]
        for character in text
    )


class TextFormatter(logging.Formatter):
    """``2026-11-25T17:30:00.123Z WARNING actors.archiver: archive: not written, 3 messages refused: disk full``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return f"{_time(record)} {record.levelname} {record.name}: {on_one_line(_message(record))}"


class JsonFormatter(logging.Formatter):
    """The same as an object."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        event = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "template": str(record.msg),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        # ASCII only: no line separator of Unicode in it, and no lone surrogate that could not be written.
        return msgspec.json.encode({key: _ascii(value) for key, value in event.items()}).decode()


class Flood(logging.Filter):
    """Cuts a flood of events of one kind short. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is written."""
        kind, now = (record.name, str(record.msg)), self._clock()
        began, count = self._kinds.get(kind, (now, 0))
        if now - began >= FLOOD_SECONDS:
            if count > FLOOD_LINES:
                record.msg = f"{record.getMessage()} (and {count - FLOOD_LINES} more like it before)"
                record.args = ()
            began, count = now, 0
        if kind not in self._kinds and len(self._kinds) >= KINDS:
            self._kinds.clear()
        self._kinds[kind] = began, count + 1
        return count < FLOOD_LINES


_FORMATTERS: Final[dict[Form, type[logging.Formatter]]] = {"text": TextFormatter, "json": JsonFormatter}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return record.getMessage()
    return f"{record.getMessage()}\n{logging.Formatter().formatException(record.exc_info)}"


def _ascii(text: str) -> str:
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode()
