"""A terminal that a test types into and reads: tmux, with a server of its own for each terminal.

Nothing here sleeps for a fixed time: `wait_for` looks again and again until a deadline.
"""

import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

PATIENCE_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 0.05
TMUX_SECONDS = 20.0
COLUMNS, ROWS = 140, 45

_CONFIGURATION = """\
set -g default-terminal screen-256color
set -g status off
set -s escape-time 0
set -g remain-on-exit on
"""
_numbers = itertools.count(1)


class Terminal:
    """One program on a screen of its own; use it in a ``with``.

    Args:
        command: the program with its arguments.
        environment: its variables beside `PATH` and the locale; none is inherited.
        folder: where it starts, and where the terminal keeps its files.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._command = command
        self._environment = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], **environment}
        self._folder = folder
        self._process = 0
        self._socket_file = ""
        self._socket = f"rookery-{os.getpid()}-{next(_numbers)}"

    def __enter__(self) -> Self:
        configuration = self._folder / "tmux.conf"
        configuration.write_text(_CONFIGURATION)
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        start = ("new-session", "-d", *size, "-c", str(self._folder), "--", *self._command)
        self._tmux("-f", str(configuration), *start)
        process, self._socket_file = self._tmux("display-message", "-p", "#{pane_pid} #{socket_path}").split()
        self._process = int(process)
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")  # which hangs up on the program
        Path(self._socket_file).unlink(missing_ok=True)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _runs(self._process):
            if time.monotonic() > deadline:
                os.kill(self._process, signal.SIGKILL)
                raise AssertionError(f"{self._command[0]} did not end when its terminal was closed")
            time.sleep(LOOK_AGAIN_SECONDS)

    def type(self, text: str) -> None:
        """Type a line and press Enter."""
        self._tmux("send-keys", "-l", "--", text)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: ``Enter``, ``M-n``, ``Down``."""
        self._tmux("send-keys", *keys)

    def screen(self) -> str:
        """What is on the screen now, without trailing blanks."""
        return self._tmux("capture-pane", "-p")

    def shows(self, pattern: str) -> bool:
        """Whether a regular expression is on the screen now."""
        return re.search(pattern, self.screen(), re.MULTILINE) is not None

    def wait_for(self, pattern: str) -> str:
        """The screen once this regular expression is on it.

        Raises:
            AssertionError: it did not come; with the screen.
        """
        return self.wait_until(lambda screen: re.search(pattern, screen, re.MULTILINE) is not None, repr(pattern))

    def wait_until(self, is_right: Callable[[str], bool], what: str) -> str:
        """The screen once it is right.

        Raises:
            AssertionError: it never was; with `what` and the screen.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_right(screen := self.screen()):
            assert time.monotonic() < deadline, f"{self._command[0]} does not show {what}:\n{screen}"
            time.sleep(LOOK_AGAIN_SECONDS)
        return screen

    def try_until(self, act: Callable[[], None], pattern: str, seconds: float = 1.0) -> str:
        """Act, again after each `seconds`, until the pattern shows: for keys that a program swallows while it is busy."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            act()
            again = time.monotonic() + seconds
            while time.monotonic() < again:
                if self.shows(pattern):
                    return self.screen()
                time.sleep(LOOK_AGAIN_SECONDS)
            assert time.monotonic() < deadline, f"{self._command[0]} does not show {pattern!r}:\n{self.screen()}"

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=TMUX_SECONDS, check=False
        )
        assert done.returncode == 0, f"tmux {arguments[0]}: {done.stderr}"
        return done.stdout


def _runs(process: int) -> bool:
    """Whether a process is there and no zombie: it is not ours to wait for."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
