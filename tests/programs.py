"""Debian's programs that the tests drive, as ``program -> package``: `need` installs them, once, whoever asks first.

``python -m tests.programs`` installs whatever is missing in one go, as `make test` does before it begins: a test that waits for
packages while others run would wait for as long as they allow one test. Where nothing can be installed it says so and goes on;
the tests that need a program say it then.
"""

import sys

from tests.load.peers.debian import need
from tests.load.server import ServerError

CHROMIUM = "/usr/bin/chromium"

TERMINALS = {"tmux": "tmux", "profanity": "profanity", "finch": "finch"}
"""The clients for terminals, and a terminal."""

DESKTOPS = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "dbus-daemon": "dbus-daemon",
    "gdbus": "libglib2.0-bin",
    "gajim": "gajim",
    "dino-im": "dino-im",
    "update-ca-certificates": "ca-certificates",
}
"""The clients with windows, and what makes windows."""

BROWSERS = {CHROMIUM: "chromium"}
SCANNERS = {"sslscan": "sslscan"}
TRACERS = {"strace": "strace"}
CLOCKS = {"faketime": "faketime"}
ALL = TERMINALS | DESKTOPS | BROWSERS | SCANNERS | TRACERS | CLOCKS


def main() -> None:
    """Install what is missing, where that is possible."""
    try:
        need(ALL)
    except ServerError as error:
        sys.stderr.write(f"{error}\n")


if __name__ == "__main__":
    main()
