"""When each row is played: those that measure times alone, then those that only count, in lanes side by side.

Each row is a process of its own (``python -m tests.faults --row NAME --json FILE``), so that one that hangs or breaks harms no
other. Its result is kept as soon as it is there: who ends the whole has the table until then. When the time is over, rows that
are under way are asked to end, which takes away what they started; what was not finished has missed, and says so.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from signal import SIGINT
from subprocess import PIPE, STDOUT
from tempfile import TemporaryDirectory

import msgspec
import trio

from tests.faults.outcome import Outcome

ROOT = Path(__file__).parent.parent.parent
ALONE = ("storage", "readers", "storm", "limits", "clock", "actors")
"""They measure how long something takes."""

BESIDE = ("crash-points", "power", "damage", "kill-web", "resume", "soak", "kill")
"""They count. The last ones are those of which a part says something too, if the time should be over."""

LANES = 2
MINUTES = 85.0
"""Of the whole: the bar is 90."""

ROUND_OFF_SECONDS = 90.0
"""Rows that can, end by themselves so long before the time is over, and judge what they did."""

GOODBYE_SECONDS = 40.0
SHOW_SECONDS = 10.0
"""Of one row's progress, a line so often."""


class Plan:
    """All rows of a table.

    Args:
        names: which; words: of the command line, for each; seed: of each.
        minutes: after which everything ends.
        show: where progress is told; keep: is given each result when it is there.
    """

    def __init__(
        self,
        names: Iterable[str],
        words: Sequence[str],
        seed: int,
        minutes: float,
        show: Callable[[str], None],
        keep: Callable[[Outcome], None],
    ) -> None:
        wanted = set(names)
        self._alone = [name for name in ALONE if name in wanted]
        self._beside = [name for name in BESIDE if name in wanted]
        self._words, self._seed = list(words), seed
        self._began = time.monotonic()
        self._end = self._began + minutes * 60
        self._show, self._keep = show, keep

    async def play(self) -> None:
        """Everything, one after the other and then side by side."""
        with TemporaryDirectory(prefix="rookery-faults-") as folder:
            for name in self._alone:
                await self._row(name, Path(folder))
            async with trio.open_nursery() as lanes:
                for _ in range(LANES):
                    lanes.start_soon(self._lane, Path(folder))

    async def _lane(self, folder: Path) -> None:
        while self._beside:
            await self._row(self._beside.pop(0), folder)

    async def _row(self, name: str, folder: Path) -> None:
        began = time.monotonic()
        file = folder / f"{name}.json"
        left = self._end - began
        why = "the time was over before it began"
        if left > ROUND_OFF_SECONDS:
            self._tell(f"{name}: begins")
            why = await self._run(name, file, left)
        if file.exists():
            (outcome,) = msgspec.json.decode(file.read_bytes(), type=list[Outcome])
            outcome.note = f"{outcome.note} {why}".strip()
            outcome.problems += [why] if why and not outcome.problems else []
        else:
            why = why or "no result"
            outcome = Outcome(name=name, fault=f"({name})", bar="", figure=why, problems=[why], seed=self._seed)
            outcome.seconds = time.monotonic() - began
        self._tell(f"{name}: {outcome.verdict} after {outcome.seconds:.0f} s")
        self._keep(outcome)

    async def _run(self, name: str, file: Path, left: float) -> str:
        """Play one row; why there is no result, if there is none."""
        words = [sys.executable, "-m", "tests.faults", "--row", name, "--seed", str(self._seed), "--json", str(file)]
        words += [*self._words, "--seconds", f"{left - ROUND_OFF_SECONDS:.0f}"]
        process = await trio.lowlevel.open_process(words, cwd=ROOT, stdout=PIPE, stderr=STDOUT)
        last = [""]
        why = ""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, name, process, last)
            try:
                with trio.move_on_after(left) as patience:
                    await process.wait()
                if patience.cancelled_caught:
                    why = "not finished when the time was over"
            finally:
                with trio.CancelScope(shield=True):
                    await _end(process)
                nursery.cancel_scope.cancel()
        if process.returncode in {0, 1} and not why:
            return ""
        return why or f"no result, status {process.returncode}: {last[0]}"

    async def _listen(self, name: str, process: trio.Process, last: list[str]) -> None:
        assert process.stdout is not None
        shown, rest = 0.0, b""
        async with process.stdout:
            async for data in process.stdout:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    last[0] = line.decode(errors="replace").strip()
                    if line.startswith(f"  {name}: ".encode()) and time.monotonic() > shown + SHOW_SECONDS:
                        shown = time.monotonic()
                        self._tell(last[0])

    def _tell(self, said: str) -> None:
        self._show(f"{(time.monotonic() - self._began) / 60:5.1f} min  {said}")


async def _end(process: trio.Process) -> None:
    """As with Ctrl-C: it takes away what it started; or else it is killed."""
    if process.poll() is None:
        process.send_signal(SIGINT)
        with trio.move_on_after(GOODBYE_SECONDS):
            await process.wait()
        process.kill()
        await process.wait()
