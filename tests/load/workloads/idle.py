"""Being there: what a session with its roster holds in memory, and whether connecting and leaving leaves anything behind."""

import statistics
import time

from tests.load.bench import Bench, Round, Watch

CHURNERS = 20
"""Sessions that come and go at the same time."""

LOOK_SECONDS = 1.0


def sessions(bench: Bench, *, count: int) -> Round:
    """So many log in and stay. Memory of each is what the server holds more than before."""
    bench.leave()
    bench.settle()
    watch = Watch(bench)
    before = bench.memory()
    bench.gather(count, watch)
    watch.stop_clock()
    finished = watch.finish()
    finished.memory_each = (bench.memory() - before) / count
    return finished


def churn(bench: Bench, *, seconds: float) -> Round:
    """Log in and leave, again and again. Memory of each is what a login leaves behind, by the second half of the time."""
    watch = Watch(bench)
    end = watch.began + seconds
    looks: list[tuple[int, int]] = []
    next_look = 0.0
    while (now := time.perf_counter()) < end:
        comers = bench.admit([bench.enter(a, "churn") for a in bench.accounts[:CHURNERS]], CHURNERS, watch)
        for session in comers:
            session.leave()
        if now >= next_look:
            looks.append((watch.units, bench.memory()))
            next_look = now + LOOK_SECONDS
    watch.stop_clock()
    late = looks[len(looks) // 2 :]
    finished = watch.finish()
    if len(late) > 1:
        finished.memory_each = statistics.linear_regression(*zip(*late, strict=True)).slope
    finished.note = f"{looks[0][1] / 2**20:.1f} MiB at first, {looks[-1][1] / 2**20:.1f} MiB at last"
    return finished
