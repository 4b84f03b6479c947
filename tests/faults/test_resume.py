"""Every session goes on when the server is killed, in short; the long form is ``make resume``. ROOKERY_SEED repeats a run."""

import os
import random

import trio

from tests.faults.resume import play


def test_every_session_goes_on():
    seed = int(os.environ.get("ROOKERY_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
    lines: list[str] = []
    figures, faults = trio.run(play, 4, seed, lines.append)
    assert faults == [], f"ROOKERY_SEED={seed}: {lines}"
    assert figures["kills"] + figures["breaks"] == 4
    assert figures["messages"] > 100
