"""Random stories of one conversation on three devices, in short (``make devices`` is long). ROOKERY_SEED repeats a run."""

import os
import random

from tests.properties.devices import tell

STORIES = 300


def test_every_device_has_the_whole_conversation():
    seed = int(os.environ.get("ROOKERY_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
    wrong = {}
    writes = 0
    for number in range(STORIES):
        figures, faults = tell(f"{seed}.{number}")
        writes += figures["writes"]
        if faults:
            wrong[f"{seed}.{number}"] = faults
    assert not wrong, f"ROOKERY_SEED={seed}"
    assert writes > STORIES
