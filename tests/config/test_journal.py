"""The log: a line for each event, whatever is in it.

A line that somebody else wrote, or one that looks otherwise than it is, would mislead whoever looks for an attack.
"""

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import journal
from config.journal import FLOOD_LINES, FLOOD_SECONDS, Flood, on_one_line


@pytest.fixture
def log():
    """Sets the log up and gives what it writes to; afterwards all is as it was."""
    root = logging.getLogger()
    before = root.level, list(root.handlers), logging.raiseExceptions
    levels = {name: logging.getLogger(name).level for name in journal.OURS}
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)

    def set_up(form, *, is_debugging=False):
        journal.set_up(form, is_debugging=is_debugging, stream=stream)
        return lambda: stream.buffer.getvalue().decode()

    yield set_up
    root.level, root.handlers[:], logging.raiseExceptions = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


HOSTILE = "x\n2026-01-01 ERROR forged: \r\x1b[2J\u2028\u202e\udc80\0\\n"


def test_nothing_begins_a_line_of_its_own(log):
    written = log("text")
    logging.getLogger("gateways.web").warning("path %s", HOSTILE)
    (line,) = written().splitlines()
    assert line.endswith(r"WARNING gateways.web: path x\n2026-01-01 ERROR forged: \r\x1b[2J\u2028\u202e\udc80\x00\\n")
    assert line[10] == "T"
    assert line.split()[0].endswith("Z")


def test_an_event_is_an_object(log):
    written = log("json")
    logging.getLogger("gateways.web").warning("path %s", HOSTILE)
    (line,) = written().splitlines()
    event = json.loads(line)
    assert {key: event[key] for key in ("level", "logger", "template")} == {
        "level": "warning",
        "logger": "gateways.web",
        "template": "path %s",
    }
    assert event["message"].startswith("path x\n2026")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_is_in_the_line_of_its_event(log, form):
    written = log(form, is_debugging=True)
    try:
        int("a\nb")
    except ValueError:
        logging.getLogger("actors.x").debug("it failed", exc_info=True)
    (line,) = written().splitlines()
    assert "ValueError: invalid literal" in line


def test_libraries_are_not_asked_what_they_do(log):
    written = log("text", is_debugging=True)
    logging.getLogger("aiosqlite").debug("executing INSERT %s", "a secret")
    logging.getLogger("trio-websocket").debug("received %s", "a secret")
    assert written() == ""


def test_a_flood_of_one_kind_is_cut_short_and_counted():
    now = [0.0]
    flood = Flood(lambda: now[0])

    def record(number, message="said %d"):
        return logging.LogRecord("x", logging.INFO, "", 0, message, (number,), None)

    assert sum(flood.filter(record(number)) for number in range(1_000)) == FLOOD_LINES
    assert flood.filter(record(1, "another %d"))
    now[0] += FLOOD_SECONDS
    last = record(7)
    assert flood.filter(last)
    assert last.getMessage() == f"said 7 (and {1_000 - FLOOD_LINES} more like it before)"


def test_the_kinds_that_are_told_apart_are_bounded():
    flood = Flood(lambda: 0.0)
    for number in range(journal.KINDS * 3):
        assert flood.filter(logging.LogRecord("x", logging.INFO, "", 0, f"kind {number}", (), None))
    assert len(flood._kinds) <= journal.KINDS


@given(st.text())
def test_a_line_is_one_line_and_says_all(text):
    line = on_one_line(text)
    assert line.isprintable()
    assert line.replace('"', '\\"').encode("latin-1", "backslashreplace").decode("unicode_escape").encode(
        "utf-16", "surrogatepass"
    ).decode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(st.text(), st.text())
def test_two_texts_never_look_the_same(one, other):
    assert (one == other) == (on_one_line(one) == on_one_line(other))
