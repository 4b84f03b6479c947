"""What stays of a client from one login to the next."""

import pytest

from engine.clients import FAMILY_CHARACTERS, family_of

PIDGIN = "http://pidgin.im/"


@pytest.mark.parametrize(
    ("resource", "family"),
    [
        ("desk", "desk"),
        ("my-laptop", "my-laptop"),
        ("Home", "Home"),
        ("mcabber.7f3a9c01", "mcabber"),
        ("profanity.kX2f", "profanity"),
        ("gajim.4F8TQ1ZZ", "gajim"),
        ("Conversations.Ab1x", "Conversations"),
        ("dino.1a2b3c4d", "dino"),
        ("Alice's MacBook Pro", "Alice's MacBook Pro"),
        ("ubuntu-22", "ubuntu-22"),
        ("7f3a9c0111d0c2aa", PIDGIN),
    ],
)
def test_a_random_ending_goes(resource, family):
    assert family_of(resource, PIDGIN, is_generated=False) == family


def test_a_resource_that_the_server_chose_says_nothing():
    assert family_of("whatever", PIDGIN, is_generated=True) == PIDGIN
    assert family_of("whatever", "", is_generated=True) == ""


def test_a_family_is_bounded():
    assert len(family_of("x" * 1023, "", is_generated=False)) == FAMILY_CHARACTERS
    assert len(family_of("x", "n" * 5000, is_generated=True)) == FAMILY_CHARACTERS
