"""How long the disk alone takes until something is on it: no server that syncs before it delivers is faster than that."""

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

WRITES: Final = 900
PER_SECOND: Final = 300
"""As many as the slower of the paced steps has messages."""

WRITE_BYTES: Final = 16_384
"""About what a commit of one message writes."""


class Disk(msgspec.Struct, frozen=True):
    """Milliseconds of a write that is synced (fdatasync), of three seconds' worth; 0: it was not measured."""

    p50_ms: float = 0.0
    p99_ms: float = 0.0

    def __str__(self) -> str:
        size = WRITE_BYTES // 1024
        return f"a synced write of {size} KiB takes its disk {self.p50_ms:.2f} ms (p50), {self.p99_ms:.2f} ms (p99)"


def measure() -> Disk:
    """In the folder where servers are started."""
    took = []
    with tempfile.TemporaryDirectory(prefix="rookery-load-") as folder:
        file = os.open(Path(folder) / "written", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            began = time.perf_counter()
            for number in range(WRITES):
                time.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
                before = time.perf_counter()
                os.write(file, bytes(WRITE_BYTES))
                os.fdatasync(file)
                took.append((time.perf_counter() - before) * 1000)
        finally:
            os.close(file)
    parts = statistics.quantiles(took, n=100)
    return Disk(parts[49], parts[98])
