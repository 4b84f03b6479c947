"""What happens, while it happens: one line on standard error that is written over, or a line now and then where it is no
terminal."""

import sys
import time
from collections.abc import Sequence

QUIET_SECONDS = 10.0
"""Between two lines where nothing can be written over."""

LATENCIES_LOOKED_AT = 500


class Progress:
    """Where it is told. `is_silent`: nowhere."""

    def __init__(self, *, is_silent: bool = False) -> None:
        self.title = ""
        self._is_silent = is_silent
        self._is_terminal = sys.stderr.isatty()
        self._told = 0.0

    def begin(self, title: str) -> None:
        """Something else is measured from here on."""
        self.title = title
        self._told = 0.0
        self._write(title, is_kept=True)

    def say(self, text: str) -> None:
        """One thing."""
        self._write(f"{self.title}: {text}")

    def show(self, seconds: float, units: int, cpu: float, latencies: Sequence[float]) -> None:
        """How far a measurement is."""
        each = f", {cpu / units * 1e6:.0f} us CPU each" if units and cpu else ""
        newest = sorted(latencies[-LATENCIES_LOOKED_AT:])
        late = f", p50 {newest[len(newest) // 2] * 1e3:.2f} ms" if newest else ""
        self._write(f"{self.title}: {seconds:.0f} s, {units} done, {units / (seconds or 1):.0f}/s{each}{late}")

    def end(self) -> None:
        """Leave a clean line."""
        if self._is_terminal and not self._is_silent:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _write(self, text: str, *, is_kept: bool = False) -> None:
        if self._is_silent:
            return
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[K{text[:150]}")
        elif is_kept or time.monotonic() - self._told > QUIET_SECONDS:
            self._told = time.monotonic()
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
