"""Our server as a process of its own in a temporary folder: `rookery serve` with its defaults, only the limits are off.

Clear text is allowed beside TLS (``tls = "optional"``), so that both can be measured on one server.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from tests.load.processes import ProcessTree
from tests.load.server import START_SECONDS, Kind, ServerError, end
from tests.load.session import Account
from tests.load.target import Security, Target

ROOT = Path(__file__).parent.parent.parent
ROOKERY = (sys.executable, "-c", "from config.cli import main; main()")
ALIAS = "everyone@load.example"
IMPORT_SECONDS = 3_600.0
LOG_SHOWN = 2_000

CONFIGURATION = """\
data_dir = "data"
domains = [{}]
[xmpp]
listen = ["127.0.0.1:0"]
direct_tls_listen = ["127.0.0.1:0"]
tls = "optional"
[web]
listen = "127.0.0.1:0"
[limits]
bytes_per_second = 0
stanzas_per_second = 0
logins_per_minute = 0
sessions_per_user = 0
"""

WEB_PATHS: dict[Security, str] = {"web": "/xmpp-websocket", "page": "/ws"}

_LISTENERS: dict[Security, str] = {"none": "xmpp", "starttls": "xmpp", "direct": "xmpps", "web": "web", "page": "web"}


class Rookery:
    """One data folder, and from `start` to `stop` the process that serves it.

    Args:
        domains: that it serves.
        command: that runs Python, for profilers; our own interpreter when empty.
    """

    name = "Rookery"
    backing = "SQLite, fsynced"
    kind: Kind = "ours"
    alias = ALIAS

    def __init__(self, domains: tuple[str, ...], command: tuple[str, ...] = ()) -> None:
        self.domains = domains
        self._command = command or (sys.executable,)
        self._temporary = tempfile.TemporaryDirectory(prefix="rookery-load-")
        self.folder = Path(self._temporary.name)
        self.data = self.folder / "data"
        self._config = self.folder / "rookery.toml"
        self._config.write_text(CONFIGURATION.format(", ".join(f'"{domain}"' for domain in domains)))
        self._process: subprocess.Popen[str] | None = None
        self._ports: dict[str, int] = {}
        self.start_seconds = 0.0

    @cached_property
    def version(self) -> str:
        """As it says itself."""
        return self._run("--version").split()[-1]

    @property
    def tree(self) -> ProcessTree:
        """Its processes."""
        assert self._process is not None, "the server does not run"
        return ProcessTree(self._process.pid)

    def provide(self, accounts: Iterable[Account], aliases: Mapping[str, Iterable[str]] | None = None) -> None:
        """Add members, and aliases with their members. Those with an empty password cannot log in, and cost little to add."""
        file = self.folder / "members.csv"
        with file.open("w") as csv:
            csv.write("address,name,password\n")
            csv.writelines(f"{a.bare},{a.local.title()},{a.password}\n" for a in accounts)
        self._run("--config", str(self._config), "user", "import", str(file))
        for address, members in (aliases or {}).items():
            self._run("--config", str(self._config), "alias", "add", address, *members)

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start, and wait until every listener is open.

        Raises:
            ServerError: it did not come up.
        """
        began = time.perf_counter()
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, *ROOKERY[1:], "serve", "--config", str(self._config)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        alarm = threading.Timer(seconds, self._process.kill)  # what is read below ends then, too
        alarm.start()
        try:
            for line in self._process.stdout:
                if line.startswith("rookery ready"):
                    self.start_seconds = time.perf_counter() - began
                    words = line.partition(":")[2].split(",")
                    self._ports = {name: int(address.rpartition(":")[2]) for name, address in map(str.split, words)}
                    return
        finally:
            alarm.cancel()
        log_text = (self.folder / "server.log").read_text()[-LOG_SHOWN:]
        self.stop()
        raise ServerError(f"rookery serve did not start:\n{log_text}")

    def target(self, security: Security) -> Target:
        """The listener for this kind of connection."""
        return Target(
            "127.0.0.1", self._ports[_LISTENERS[security]], security, self.domains[0], path=WEB_PATHS.get(security, "")
        )

    def stop(self) -> None:
        """End it; its data stay until `remove`."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def remove(self) -> None:
        """End it and remove its data."""
        self.stop()
        self._temporary.cleanup()

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*ROOKERY, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False
        )
        if done.returncode:
            raise ServerError(f"rookery {' '.join(arguments)[:200]}: {done.stderr[-LOG_SHOWN:]}")
        return done.stdout
