"""Searches find what a plain scan finds, in short; the long form is ``make search``. ROOKERY_SEED repeats a run."""

import os
import random

import pytest
import trio

from tests.search.oracle import is_found, play, words


def test_searches_find_what_a_scan_finds():
    seed = int(os.environ.get("ROOKERY_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
    one = trio.run(play, 1_600, 400, seed)
    assert one.faults == [], f"ROOKERY_SEED={seed}"
    assert one.queries == 400
    assert one.hits > 400


@pytest.mark.parametrize(
    ("typed", "said", "is_one"),
    [
        ("hel", "Hello", True),
        ("ello", "Hello", False),
        ("京都", "東京都", True),
        ("東都", "東京都", False),
        ("MÜL", "muller", True),
    ],
)
def test_the_scan_is_not_blind(typed, said, is_one):
    [typed_word], [said_word] = words(typed), words(said)
    assert is_found(typed_word, said_word) == is_one
