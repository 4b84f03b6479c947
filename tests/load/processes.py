"""What a server costs, from the kernel: processor time and memory of a process with all that it started.

Processor time is read with the clock that each process has (`clock_getcpuclockid(3)`), which counts in nanoseconds where
`/proc/PID/stat` counts in hundredths of a second. What a process used that has ended stays counted, up to the last look.
"""

import os
import time
from pathlib import Path

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessTree:
    """A process and its descendants."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._seen: dict[int, float] = {}

    def cpu_seconds(self) -> float:
        """Used by all of them until now."""
        for pid in self.pids():
            try:
                self._seen[pid] = time.clock_gettime(~pid << 3 | 2)
            except OSError:  # it ended between two looks
                continue
        return sum(self._seen.values())

    def memory_bytes(self) -> int:
        """Held in memory by all of them; what several share is counted once (PSS). Takes milliseconds."""
        return sum(map(_proportional, self.pids()))

    def resident_bytes(self) -> int:
        """The same at a glance; what several share is counted by each (RSS)."""
        return sum(map(_resident, self.pids()))

    def pids(self) -> list[int]:
        """All that live."""
        found = [self.pid]
        for pid in found:
            found += _children(pid)
        return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            children += map(int, (task / "children").read_text().split())
    except OSError:
        pass
    return children


def _proportional(pid: int) -> int:
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _resident(pid)


def _resident(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def listener(port: int) -> int | None:
    """The process that listens on this TCP port, the oldest where several share it; None where that cannot be seen."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    owners = []
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            try:
                if any(str(link.readlink()) in inodes for link in (folder / "fd").iterdir()):
                    owners.append(int(folder.name))
            except OSError:
                continue
    return min(owners, default=None)
