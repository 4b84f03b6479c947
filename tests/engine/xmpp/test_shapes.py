"""Shapes that several features share."""

import pytest

from engine.xmpp.shapes import microseconds, submitted, submitted_values, utc_text
from tests.engine.xmpp.play import xml


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2010-06-07T00:00:00Z", 1_275_868_800),
        ("2010-06-07T02:00:00+02:00", 1_275_868_800),
        ("2010-06-06T19:30:00-04:30", 1_275_868_800),
        ("2010-06-07T00:00:00.5Z", 1_275_868_800.5),
        ("2010-06-07T00:00:00.1234567Z", 1_275_868_800.123456),
        ("1969-12-31T23:59:59Z", -1),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ],
)
def test_a_time(text, seconds):
    assert microseconds(text) == round(seconds * 1_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2010-06-07",
        "2010-06-07T00:00:00",
        "2010-13-07T00:00:00Z",
        "2010-06-07T24:00:00Z",
        "2010-06-07T00:00:61Z",
        "20100607T000000Z",
        "2010-W01-1T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2010-06-07T00:00:00Z\n",
        "2010-06-07T00:00:00.Z",
        "2010-06-07T00:00:00+25:00",
        "\u0662010-06-07T00:00:00Z",
    ],
)
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match=r"time|isoformat|month|hour|second|year|offset|range"):
        microseconds(text)


@pytest.mark.parametrize("number", [0, 1, 1_700_000_000_123_456, 253_402_300_799_999_999])
def test_a_time_is_read_as_it_is_written(number):
    assert microseconds(utc_text(number)) == number


def test_what_a_form_says():
    form = xml(
        "<x xmlns='jabber:x:data' type='submit'><field var='a'><value> 1 </value><value>2</value><value/></field>"
        "<field var='b'><value/></field><field var='c'/><field><value>3</value></field>"
        "<field var='a'><value>4</value></field></x>"
    )
    assert submitted_values(form) == {"a": ["1", "2"], "b": [], "c": []}
    assert submitted(form) == {"a": "1"}
