"""One processor for the threads that take turns anyway.

Python's lock lets one thread of the process compute at a time. On several processors it goes to and fro between their caches,
and whoever gets it was asleep: on two processors that nothing else used, a message cost 250 us of processor time, on one of
them 177, and at 3,000 a second half of the messages came in 6 ms, not 13. So the threads that stay, the loop's and those of the
databases, share a processor, and the scheduler hands it on without a detour. All others are free: what searches and writes the
index computes without the lock.

**Where.** The processor that had most time to spare. When others use it, too, another one may be better; when all are crowded,
the scheduler decides, and everything may run everywhere.

**Limits.** Linux only; elsewhere, on a single processor, and where it is not allowed, everything stays as it is. It looks every
`LOOK_SECONDS`, so a new thread may be in the wrong place for so long.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25
"""Costs some 0.1 ms each time; the kernel counts in hundredths of a second."""

OTHERS_SHARE: Final = 0.2
"""Of the time since the last look, used by others on our processor: then another one may be better."""

ROOM_SHARE: Final = 0.5
"""Of that time, to spare on a processor: then it has room for us."""

_STAT: Final = Path("/proc/stat")
_TASKS: Final = Path("/proc/self/task")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


async def share_one_processor() -> None:
    """Keep the threads together until cancelled; then they may run everywhere again."""
    allowed = os.sched_getaffinity(0) if sys.platform == "linux" else set()
    if len(allowed) < 2:
        return
    chosen: int | None = None
    idle, used, looked = _idle_seconds(allowed), time.process_time(), time.monotonic()
    try:
        while True:
            await trio.sleep(LOOK_SECONDS)
            before = idle, used, looked
            idle, used, looked = _idle_seconds(allowed), time.process_time(), time.monotonic()
            seconds = looked - before[2]
            spare = {processor: (idle[processor] - before[0][processor]) / seconds for processor in allowed}
            chosen = choose(chosen, spare, (used - before[1]) / seconds)
            place(chosen, allowed)
    except OSError as error:
        log.info("processors: not chosen: %s", error.strerror)
    finally:
        with suppress(OSError):
            place(None, allowed)


def choose(chosen: int | None, spare: Mapping[int, float], used: float) -> int | None:
    """The processor for the next while; None: any.

    Args:
        chosen: the one until now.
        spare: of each, the share of the time in which it had nothing to do.
        used: the share of a processor that we used.
    """
    if chosen is not None and 1 - spare[chosen] - used <= OTHERS_SHARE:
        return chosen
    best = max(spare, key=spare.__getitem__)
    return best if spare[best] > ROOM_SHARE else None


def place(chosen: int | None, allowed: Collection[int]) -> None:
    """Put each thread where it belongs: those that take turns on the chosen processor, if there is one.

    Raises:
        OSError: the kernel does not let us.
    """
    together = set() if chosen is None else {thread.native_id for thread in threading.enumerate() if not thread.daemon}
    for thread in [int(task.name) for task in _TASKS.iterdir()]:
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(thread, allowed if chosen is None or thread not in together else {chosen})


def _idle_seconds(processors: Collection[int]) -> dict[int, float]:
    """How long each processor had nothing to do since the machine was started."""
    found = dict.fromkeys(processors, 0.0)
    for line in _STAT.read_text(encoding="ascii").splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in found:
            found[int(name[3:])] = (int(ticks[3]) + int(ticks[4])) / _TICKS  # idle, and idle while a disk works
    return found
