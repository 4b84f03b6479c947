"""A server process for each test, and the programs that the tests drive."""

import os
import shutil
import subprocess

import pytest

from tests.interop.display import display
from tests.interop.server import Server, found

TERMINAL_PACKAGES = {"tmux": "tmux", "profanity": "profanity", "finch": "finch"}
"""Program -> Debian package."""

DESKTOP_PACKAGES = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "dbus-daemon": "dbus-daemon",
    "gdbus": "libglib2.0-bin",
    "gajim": "gajim",
    "dino-im": "dino-im",
    "update-ca-certificates": "ca-certificates",
}

INSTALL_SECONDS = 300.0


@pytest.fixture(scope="session")
def programs():
    """The clients for terminals are there."""
    _install(TERMINAL_PACKAGES)


@pytest.fixture(scope="session")
def desktop_programs():
    """The clients with windows are there, and what makes windows."""
    _install(DESKTOP_PACKAGES)


def _install(packages):
    """What is missing is installed. A test that cannot have its client fails, it is not skipped."""
    missing = [package for program, package in packages.items() if shutil.which(program) is None]
    if not missing:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    steps = (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *missing])
    for step in steps:
        try:
            done = subprocess.run(
                step, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            pytest.fail(f"needs the packages {' '.join(missing)}: {' '.join(step)}: {error}", pytrace=False)
        if done.returncode:
            why = (done.stderr.strip() or done.stdout.strip() or "failed").splitlines()[-1]
            pytest.fail(f"needs the packages {' '.join(missing)}: {' '.join(step)}: {why}", pytrace=False)


@pytest.fixture(scope="session")
def screen(tmp_path_factory, desktop_programs):
    """The name of a display that nobody looks at."""
    with display(tmp_path_factory.mktemp("display")) as name:
        yield name


@pytest.fixture(scope="session")
def founded(tmp_path_factory):
    """The folder of a server that never ran: each test's server starts from a copy."""
    folder = tmp_path_factory.mktemp("founded")
    found(folder)
    return folder


@pytest.fixture
def server(tmp_path, founded):
    """A running server for the people of `tests.interop.server.PEOPLE`."""
    folder = tmp_path / "server"
    shutil.copytree(founded, folder)
    server = Server(folder)
    with server.running():
        yield server
