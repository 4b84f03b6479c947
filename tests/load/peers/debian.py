"""Programs from Debian's packages: installed when they are missing, without their services being started."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.load.server import ServerError

INSTALL_SECONDS = 600.0
POLICY = Path("/usr/sbin/policy-rc.d")
"""What Debian's packages ask whether they may start their service; 101 says no."""


def need(programs: dict[str, str], *packages: str) -> None:
    """Install packages unless these programs (path to package, for the message) are there.

    Raises:
        ServerError: they are missing and cannot be installed.
    """
    missing = [
        package for program, package in programs.items() if not (shutil.which(program) or Path(program).exists())
    ]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerError(f"not installed: {', '.join(missing)} (apt-get install {' '.join(packages)})")
    is_ours = not POLICY.exists()
    if is_ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for arguments in (("update",), ("install", "--yes", "--no-install-recommends", *packages)):
            done = subprocess.run(
                ["apt-get", "-q", *arguments],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
            if done.returncode:
                raise ServerError(f"apt-get {' '.join(arguments)}: {done.stderr[-1000:]}")
    finally:
        if is_ours:
            POLICY.unlink()


def version(package: str) -> str:
    """Of an installed package."""
    done = subprocess.run(["dpkg-query", "-Wf", "${Version}", package], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"
