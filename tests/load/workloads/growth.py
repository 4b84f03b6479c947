"""Starting with much: a large domain and a long history. Only for servers that we start and whose archive we can fill."""

from pathlib import Path

from tests.load.bench import Bench, Round, Watch
from tests.load.filling import fill

INDEXING_SECONDS = 600.0
"""How long the server may work on its indexes after the archive was filled; a start comes after that."""

QUIET_SLICES = 30
"""Indexing pauses; it is over when nothing happens for three seconds."""


def start(bench: Bench, *, messages: int, times: int) -> Round:
    """Fill the archive, let the server take note of it, and start it so many times.

    A latency is from the command to `ready`; the CPU is that of the new process until it is quiet.
    """
    data: Path = bench.server.data
    members = [account.bare for account in bench.accounts]
    bench.restart(lambda: fill(data, members, messages))
    bench.settle(INDEXING_SECONDS, QUIET_SLICES)
    watch = Watch(bench)
    cpu = 0.0
    for _ in range(times):
        bench.restart()
        watch.units += 1
        watch.latencies.append(bench.server.start_seconds)
        bench.settle(INDEXING_SECONDS, QUIET_SLICES)
        cpu += bench.cpu()
    watch.stop_clock()
    watch.note = f"{messages:,} messages, {len(bench.accounts) + bench.population.bystanders:,} members"
    finished = watch.finish()
    finished.cpu = cpu
    return finished
