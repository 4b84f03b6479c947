"""One processor for the threads that take turns anyway.

Python's lock lets one thread of the process compute at a time. On several processors it goes to and fro between their caches,
and whoever gets it was asleep: on two processors that nothing else used, a message cost 250 us of processor time, on one of
them 177, and at 3,000 a second half of the messages came in 6 ms, not 13. So the threads that stay, the loop's and those of the
databases, share a processor, and the scheduler hands it on without a detour. All others are free: what searches and writes the
index computes without the lock.

**Where.** The processor that had most time to spare. When others use it, too, another one may be better; when all are crowded,
the scheduler decides, and everything may run everywhere.

**Limits.** Linux only; elsewhere, on a single processor, and where it is not allowed, everything stays as it is. It looks every
`LOOK_SECONDS` while there is something to do, so a new thread may be in the wrong place for so long, and every `REST_SECONDS`
while there is not: to wake up an idle process costs more than the look.
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
"""The kernel counts in hundredths of a second."""

REST_SECONDS: Final = 2.0
"""Between two looks while less than `BUSY_SHARE` is used."""

BUSY_SHARE: Final = 0.1
"""Of a processor, used by us: it matters where."""

OTHERS_SHARE: Final = 0.2
"""Of the time since the last look, used by others on our processor: then another one may be better."""

ROOM_SHARE: Final = 0.5
"""Of that time, to spare on a processor: then it has room for us."""

_STAT: Final = Path("/proc/stat")
_TASKS: Final = "/proc/self/task"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


async def share_one_processor() -> None:
    """Keep the threads together until cancelled; then they may run everywhere again."""
    allowed = os.sched_getaffinity(0) if sys.platform == "linux" else set()
    if len(allowed) < 2:
        return
    chosen: int | None = None
    idle, used, looked = _idle_seconds(allowed), time.process_time(), time.monotonic()
    rest, places = LOOK_SECONDS, Places(allowed)
    try:
        while True:
            await trio.sleep(rest)
            before = idle, used, looked
            idle, used, looked = _idle_seconds(allowed), time.process_time(), time.monotonic()
            seconds = looked - before[2]
            spare = {processor: (idle[processor] - before[0][processor]) / seconds for processor in allowed}
            share = (used - before[1]) / seconds
            rest = LOOK_SECONDS if share > BUSY_SHARE else REST_SECONDS
            chosen = choose(chosen, spare, share)
            places.put(chosen)
    except OSError as error:
        log.info("processors: not chosen: %s", error.strerror)
    finally:
        with suppress(OSError):
            Places(allowed).put(None)  # whatever was decided elsewhere


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


class Places:
    """Where each thread may run, as far as it was decided here.

    Args:
        allowed: the processors of the process.
    """

    def __init__(self, allowed: Collection[int]) -> None:
        self._allowed = frozenset(allowed)
        self._of_thread: dict[int, frozenset[int]] = {}

    def put(self, chosen: int | None) -> None:
        """Put each thread where it belongs: those that take turns on the chosen processor, if there is one.

        Raises:
            OSError: the kernel does not let us.
        """
        everywhere = self._allowed
        one = everywhere if chosen is None else frozenset((chosen,))
        together = {thread.native_id for thread in threading.enumerate() if not thread.daemon}
        before, self._of_thread = self._of_thread, {}
        for thread in map(int, os.listdir(_TASKS)):  # noqa: PTH208 -- names alone
            place = one if thread in together else everywhere
            if before.get(thread) != place:
                with suppress(ProcessLookupError):  # it has just ended
                    os.sched_setaffinity(thread, place)
            self._of_thread[thread] = place


def _idle_seconds(processors: Collection[int]) -> dict[int, float]:
    """How long each processor had nothing to do since the machine was started."""
    found = dict.fromkeys(processors, 0.0)
    with _STAT.open(encoding="ascii") as lines:
        next(lines)  # of all together
        for line in lines:
            if not line.startswith("cpu"):  # behind these come thousands of numbers of interrupts
                break
            name, *ticks = line.split()
            if int(name[3:]) in found:
                found[int(name[3:])] = (int(ticks[3]) + int(ticks[4])) / _TICKS  # idle, and idle while a disk works
    return found
