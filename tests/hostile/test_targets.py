"""Whatever reads bytes of strangers, with bytes of any kind; ``make fuzz-coverage`` does the same with an eye on coverage."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.targets import TARGETS, corpus

CORPORA = {name: corpus(name, 80) for name in TARGETS}


def mutated(data: bytes, dice: random.Random) -> bytes:
    """A few bytes of it changed, doubled, cut, or taken from elsewhere."""
    for _ in range(dice.randrange(4)):
        at, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
        piece = dice.choice(
            (b"", b"\0", b"\xff", b"<", b">", b"'", b"&#x0;", b"{", b"=", b",", data[at:end], dice.randbytes(3))
        )
        data = data[:at] + piece + data[dice.choice((at, end)) :]
    return data[:8_192]


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary(max_size=300))
def test_any_bytes(name: str, data: bytes):
    TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=200)
@given(dice=st.randoms(use_true_random=False))
def test_bytes_that_are_nearly_right(name: str, dice: random.Random):
    TARGETS[name](mutated(dice.choice(CORPORA[name]), dice))
