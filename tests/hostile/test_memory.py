"""What the process needs while clients do their worst, in short; the long form is ``make hostile-memory``."""

import subprocess
import sys

import pytest

from tests.faults.server import ROOT

pytestmark = pytest.mark.alone


def test_memory_is_bounded_whatever_clients_do():
    command = [sys.executable, "-m", "tests.hostile.memory", "--sessions", "14", "--seconds", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    assert "peak_mib" in done.stdout
