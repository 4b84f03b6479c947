"""Archive ids as text."""

import pytest

from engine.jid import Jid
from engine.messages import Chat, parse_id

NOON = 1_700_000_000_000_000


@pytest.mark.parametrize("number", [0, 1, NOON, (1 << 63) - 1])
def test_an_archive_id_is_read_as_it_is_written(number):
    assert parse_id(Chat(sender=Jid("a@x.org", "r"), to=Jid("b@x.org"), id=number).id_text) == number


@pytest.mark.parametrize(
    "text", ["", "1", "8" + "0" * 15, "0" * 17, f"{NOON:016X}", " " + "0" * 15, "0" * 16 + "\n", "\u0660" * 16]
)
def test_what_is_no_archive_id(text):
    assert parse_id(text) is None
