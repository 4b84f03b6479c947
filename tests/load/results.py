"""One run as a whole: when, on what, rows and verdicts; written as JSON and read again."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.load.bars import Verdict, judge
from tests.load.disk import Disk
from tests.load.rows import Row

ROOT = Path(__file__).parent.parent.parent


class Machine(msgspec.Struct, frozen=True):
    """What it was measured on."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    disk: Disk = Disk()

    def __str__(self) -> str:
        where = (
            f"{self.cores} cores of {self.processor}, {self.memory_gib:.0f} GiB, {self.system}, Python {self.python}"
        )
        return f"{where}; {self.disk}" if self.disk.p50_ms else where


class Results(msgspec.Struct, frozen=True):
    """A run."""

    made: str
    commit: str
    machine: Machine
    rows: list[Row]
    verdicts: list[Verdict]

    @classmethod
    def of(cls, rows: Sequence[Row], disk: Disk = Disk()) -> "Results":  # noqa: B008 -- a frozen value
        """What was measured just now, here."""
        made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return cls(made, _commit(), _machine(disk), list(rows), judge(rows))

    def write(self, file: Path) -> None:
        """As JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))

    @classmethod
    def read(cls, file: Path) -> "Results":
        """What was written."""
        return msgspec.json.decode(file.read_bytes(), type=cls)


def _machine(disk: Disk) -> Machine:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}"
    # What a distribution builds is built with optimisations that save a tenth.
    python = platform.python_version() + (" of the distribution" if sys.base_prefix == "/usr" else "")
    return Machine(model, os.cpu_count() or 1, memory, system, python, disk)


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
