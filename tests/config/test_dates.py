"""Dates and times as an operator types them."""

from datetime import UTC, datetime

import click
import pytest

from config.dates import Date, from_microseconds

DAY = 86_400_000_000


def read(text):
    return Date().convert(text, None, None)


def moment(*fields):
    return int(datetime(*fields, tzinfo=UTC).timestamp()) * 1_000_000


def test_a_date_is_a_day_of_utc():
    span = read("2026-11-25")
    assert (span.first, span.last) == (moment(2026, 11, 25), moment(2026, 11, 26) - 1)
    assert read("2024-02-29").last - read("2024-02-29").first == DAY - 1


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-25T17:30:00Z", moment(2026, 11, 25, 17, 30)),
        ("2026-11-25t17:30:00z", moment(2026, 11, 25, 17, 30)),
        ("2026-11-25 17:30:00+01:00", moment(2026, 11, 25, 16, 30)),
        ("2026-11-25T00:30:00-05:30", moment(2026, 11, 25, 6)),
        ("2026-11-25T17:30:00.123456Z", moment(2026, 11, 25, 17, 30) + 123_456),
        ("2026-11-25T17:30:00.1Z", moment(2026, 11, 25, 17, 30) + 100_000),
    ],
)
def test_a_time_is_one_moment(text, at):
    span = read(text)
    assert (span.first, span.last) == (at, at)
    assert from_microseconds(at).timestamp() * 1_000_000 == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026",
        "2026-11",
        "20261125",
        "2026-W48-3",
        "25.11.2026",
        "2026-02-30",
        "2026-13-01",
        "2026-11-25T17:30",
        "2026-11-25T17:30:00",
        "2026-11-25T25:00:00Z",
        "2026-11-25T17:30:00+25:00",
        "2026-11-25T17:30:00Z ",
        "\uff12\uff10\uff12\uff16-11-25",
        "-2026-11-25",
    ],
)
def test_what_is_no_date_is_told(text):
    with pytest.raises(click.BadParameter, match="is neither a date like 2026-11-25 nor a time"):
        read(text)
