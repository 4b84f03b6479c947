"""The clock of a process under libfaketime is what the row needs: the time of day moves, and nothing else changes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.clock import HOUR, YEARS, library, moved_by

HELD_SECONDS = 0.2
PROGRAM = f"""
import ctypes, json, select, threading, time
offset = __import__("pathlib").Path(__import__("sys").argv[1])
keeping = ctypes.PyDLL(None)  # a call through it does not let go of the interpreter
is_over = False
def wants_a_turn():
    while not is_over:
        select.select([], [], [], 0.001)
said = []
for jump in {(0, HOUR, -HOUR, YEARS, -YEARS)}:
    day, steady = time.time(), time.monotonic()
    before = int(offset.read_text())
    offset.write_text(f"{{jump:+d}}")
    went = time.time() - day, time.monotonic() - steady
    is_over, thread = False, threading.Thread(target=wants_a_turn)
    thread.start()
    used = time.process_time()
    keeping.usleep({int(HELD_SECONDS * 1e6)})
    used = time.process_time() - used
    is_over = True
    thread.join()
    said.append([jump - before, *went, used])
print(json.dumps(said))
"""


def test_the_time_of_day_jumps_and_who_waits_for_a_turn_does_not_compute(tmp_path: Path):
    faketime = library()
    if not faketime:
        pytest.skip("libfaketime cannot be had")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    program = [sys.executable, "-c", PROGRAM, str(offset)]
    said = json.loads(subprocess.check_output(program, env={**os.environ, **moved_by(offset, faketime)}))
    assert len(said) == 5
    for jump, day, steady, used in said:
        assert abs(day - jump) < 60, "the time of day did not jump"
        assert 0 <= steady < 60, "what measures how long something takes did"
        assert used < HELD_SECONDS / 2, "one thread kept the interpreter, asleep; the other computed until it had it"
