"""Programs from Debian's packages: installed when they are missing, without their services being started.

One process installs at a time on a machine: the others wait for it, and then find what they need.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.load.server import ServerError

INSTALL_SECONDS = 600.0
LOCK = Path(tempfile.gettempdir()) / "rookery-debian.lock"
POLICY = Path("/usr/sbin/policy-rc.d")
"""What Debian's packages ask whether they may start their service; 101 says no."""


def need(programs: Mapping[str, str], *more: str) -> None:
    """Install the packages of these programs (name or path -> package) unless all are there; `more`: packages beside them.

    Raises:
        ServerError: they are missing and cannot be installed.
    """
    if not _missing(programs):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        packages = " ".join([*_missing(programs), *more])
        raise ServerError(f"not installed: {', '.join(_missing(programs))} (apt-get install {packages})")
    with _alone():
        if missing := _missing(programs):
            _install(*missing, *more)


def _missing(programs: Mapping[str, str]) -> list[str]:
    """Packages."""
    return [package for program, package in programs.items() if not (shutil.which(program) or Path(program).exists())]


@contextmanager
def _alone() -> Iterator[None]:
    """As long as this lasts, no other process of the tests installs anything. The lock ends with the process."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(*packages: str) -> None:
    is_ours = not POLICY.exists()
    if is_ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for arguments in (("update",), ("install", "--yes", "--no-install-recommends", *packages)):
            try:
                done = subprocess.run(
                    ["apt-get", "-q", *arguments],
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    capture_output=True,
                    text=True,
                    timeout=INSTALL_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise ServerError(f"apt-get {' '.join(arguments)}: {error}") from error
            if done.returncode:
                raise ServerError(f"apt-get {' '.join(arguments)}: {done.stderr[-1000:]}")
    finally:
        if is_ours:
            POLICY.unlink()


def version(package: str) -> str:
    """Of an installed package."""
    done = subprocess.run(["dpkg-query", "-Wf", "${Version}", package], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"
