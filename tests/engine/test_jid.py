"""One account is never reachable under two spellings, nor two accounts under one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jid import Jid, JidError


@pytest.mark.parametrize(
    ("text", "bare", "resource"),
    [
        ("Alice@Example.COM/Phone", "alice@example.com", "Phone"),
        ("a@xn--mnchen-3ya.de", "a@münchen.de", ""),
        ("a@MÜNCHEN.de", "a@münchen.de", ""),
        ("STRASSE@x", "strasse@x", ""),
        ("straße@x", "strasse@x", ""),
        ("\N{LATIN SMALL LETTER LONG S}@x", "s@x", ""),
        ("a@example.com.", "a@example.com", ""),
        ("example.com", "example.com", ""),
        ("a@b/c/d@e", "a@b", "c/d@e"),
        ("a@[::1]", "a@[::1]", ""),
    ],
)
def test_prepared(text, bare, resource):
    assert (Jid.parse(text).bare, Jid.parse(text).resource) == (bare, resource)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@b",
        "a@",
        "a@b/",
        "/r",
        "a b@c",
        "a@b@c",
        "a@b/\N{GRINNING FACE}",
        "a\0@b",
        "a@b c",
        "x" * 1024 + "@b",
        "a@@b",
    ],
)
def test_refused(text):
    with pytest.raises(JidError):
        Jid.parse(text)


@given(st.text(max_size=40))
def test_anything_is_refused_or_stays_what_it_is_when_prepared_again(text):
    try:
        jid = Jid.parse(text)
    except JidError:
        return
    assert Jid.parse(jid.full) == jid
    assert jid.with_resource("r").to_bare() == jid.to_bare()


def test_parts():
    jid = Jid.parse("alice@example.com/desk")
    assert (jid.local, jid.domain, jid.full, jid.is_bare) == ("alice", "example.com", "alice@example.com/desk", False)
    assert (Jid("example.com").local, Jid("example.com").domain) == ("", "example.com")
