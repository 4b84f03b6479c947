"""One processor for the threads that take turns anyway.

Python's lock lets one thread of the process compute at a time. On several processors it goes to and fro between their caches,
and whoever gets it was asleep: on two processors that nothing else used, a message cost 250 us of processor time, on one of
them 177, and at 3,000 a second half of the messages came in 6 ms, not 13. So the threads that stay, the loop's and those of the
databases, share a processor, and the scheduler hands it on without a detour. All others are free: what searches and writes the
index computes without the lock.

**Where.** The processor that had most time to spare. When others use it, too, the next look may find a better one.

**Limits.** Linux only; elsewhere, on a single processor, and where it is not allowed, everything stays as it is. It looks every
`LOOK_SECONDS`, so a new thread may be in the wrong place for so long.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""Costs some 0.1 ms each time."""

OTHERS_SHARE: Final = 0.2
"""Of the time since the last look, used by others on our processor: then another one may be better."""

_STAT: Final = Path("/proc/stat")
_TASKS: Final = Path("/proc/self/task")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


async def share_one_processor() -> None:
    """Keep the threads together until cancelled; then they may run everywhere again."""
    allowed = os.sched_getaffinity(0) if sys.platform == "linux" else set()
    if len(allowed) < 2:
        return
    tenancy = _Tenancy(allowed)
    try:
        while True:
            tenancy.look()
            await trio.sleep(LOOK_SECONDS)
    except OSError as error:
        log.info("processors: not chosen: %s", error.strerror)
    finally:
        tenancy.end()


class _Tenancy:
    """Which threads are where.

    Args:
        allowed: processors that the process may use.
    """

    def __init__(self, allowed: Collection[int]) -> None:
        self._allowed = frozenset(allowed)
        self._chosen = -1
        self._idle = dict.fromkeys(allowed, 0.0)
        self._used = self._looked = 0.0

    def look(self) -> None:
        """Choose, if need be, and put every thread in its place.

        Raises:
            OSError: the kernel does not let us.
        """
        idle, used, now = _idle_seconds(self._allowed), time.process_time(), time.monotonic()
        spare = {processor: idle[processor] - self._idle[processor] for processor in self._allowed}
        if self._chosen < 0:
            self._chosen = max(spare, key=spare.__getitem__)
        else:
            seconds = now - self._looked
            by_others = seconds - spare[self._chosen] - (used - self._used)
            if by_others > OTHERS_SHARE * seconds:
                self._chosen = max(spare, key=spare.__getitem__)
        self._idle, self._used, self._looked = idle, used, now
        together = {thread.native_id for thread in threading.enumerate() if not thread.daemon}
        for thread in _threads():
            _put(thread, {self._chosen} if thread in together else self._allowed)

    def end(self) -> None:
        """Everything may run everywhere again."""
        with suppress(OSError):
            for thread in _threads():
                _put(thread, self._allowed)


def _put(thread: int, processors: Collection[int]) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.sched_setaffinity(thread, processors)


def _threads() -> list[int]:
    return [int(task.name) for task in _TASKS.iterdir()]


def _idle_seconds(processors: Collection[int]) -> dict[int, float]:
    """How long each processor had nothing to do since the machine was started."""
    found = dict.fromkeys(processors, 0.0)
    for line in _STAT.read_text(encoding="ascii").splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in found:
            found[int(name[3:])] = (int(ticks[3]) + int(ticks[4])) / _TICKS  # idle, and idle while a disk works
    return found
