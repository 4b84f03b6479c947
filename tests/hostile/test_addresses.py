"""Addresses that look alike, or are written in another way: one account has one address, whatever is typed.

Precedent: accounts of Spotify were taken over with names whose preparation, done twice, gave another name than done once
(2013).
"""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jid import Jid, JidError

SAME = [
    ("ALICE@EXAMPLE.COM", "alice@example.com"),
    ("\uff21lice@example.com", "alice@example.com"),  # fullwidth
    ("al\u00adice@example.com", "alice@example.com"),  # soft hyphen: nothing
    ("\u212aarl@example.com", "karl@example.com"),  # Kelvin sign
    ("stra\u00dfe@example.com", "strasse@example.com"),
    ("jose\u0301@example.com", "jos\u00e9@example.com"),
    ("alice@example.com.", "alice@example.com"),
    ("alice@example\uff0ecom", "alice@example.com"),
    ("\u1d2e\u1d35\u1d33@example.com", "big@example.com"),  # the superscripts of 2013
]
REFUSED = [
    "al ice@example.com",
    "al\u00a0ice@example.com",
    "a'b@example.com",
    'a"b@example.com',
    "a&b@example.com",
    "a<b@example.com",
    "a:b@example.com",
    "a@b@example.com",
    "\u202ealice@example.com",
    "alice\u200f@example.com",
    "alice@exa mple.com",
    "alice@",
    "alice@example.com..",
    "alice@example..com",
    "alice@.example.com",
    "alice@example.com\uff0e\uff0e",
    "@example.com",
    "alice@example.com/",
    "a\x00b@example.com",
    "a\ud800b@example.com",
    "x" * 1_024 + "@example.com",
]
DIFFERENT = [
    "\u0430lice@example.com",
    "al\u0131ce@example.com",
    "a1ice@example.com",
    "alice@examp1e.com",
    "alice@example.com.evil.example",
]


@pytest.mark.parametrize(("typed", "meant"), SAME)
def test_one_account_has_one_address(typed: str, meant: str):
    try:
        found = Jid.parse(typed)
    except JidError:
        return  # refused is as good: it is nobody's
    assert found == Jid.parse(meant)


@pytest.mark.parametrize("typed", REFUSED)
def test_what_is_no_address_is_refused(typed: str):
    with pytest.raises(JidError):
        Jid.parse(typed)


@pytest.mark.parametrize("typed", DIFFERENT)
def test_what_looks_alike_is_somebody_else(typed: str):
    """The server cannot see with a person's eyes, but it never takes one for the other."""
    assert Jid.parse(typed) != Jid.parse("alice@example.com")


STRETCHES = [
    (0x0, 0x250),
    (0x370, 0x590),
    (0x1D00, 0x1DC0),
    (0x1E00, 0x2000),
    (0x2070, 0x2190),
    (0xA640, 0xABFF),
    (0xFB00, 0xFFFF),
]
"""Where letters are that are mapped to others."""


def test_no_letter_is_prepared_to_something_that_is_prepared_again():
    for start, end in STRETCHES:
        for number in range(start, end):
            try:
                found = Jid.parse(f"{chr(number)}x@example.com/{chr(number)}")
            except JidError:
                continue
            assert Jid.parse(found.full) == found, f"U+{number:04X}"


@given(
    st.text(min_size=1, max_size=12),
    st.sampled_from(["@example.com", "@b\u00fccher.example", "@EXAMPLE.com/Res \u00c5"]),
)
def test_prepared_once_is_prepared(local: str, rest: str):
    try:
        found = Jid.parse(local + rest)
    except JidError:
        return
    assert Jid.parse(found.full) == found
    assert Jid.parse(found.full).full == found.full
    assert not set(found.bare) & set("\"&'/:<> \0")
    assert unicodedata.normalize("NFC", found.bare) == found.bare


@given(st.text(max_size=40))
def test_nothing_that_is_typed_breaks_it(text: str):
    try:
        found = Jid.parse(text)
    except JidError:
        return
    assert Jid.parse(found.full) == found
