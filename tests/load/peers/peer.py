"""What the peers have in common: a folder, a process, a certificate, ports, accounts that register themselves (XEP-0077)."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from gateways import tls
from tests.load.loop import Loop
from tests.load.processes import ProcessTree
from tests.load.registration import register
from tests.load.server import START_SECONDS, Kind, ServerError, end
from tests.load.session import Account
from tests.load.target import Security, Target

LOG_SHOWN = 2_000
_PORTS: dict[Security, str] = {"none": "plain", "starttls": "plain", "direct": "tls", "web": "web"}


class Peer:
    """A server of somebody else. A subclass says how it is configured and run.

    Args:
        domains: that it serves.
        kind: `sqlite`, or `default` for its own store.
    """

    name = ""
    package = ""
    alias = ""
    ports_needed: tuple[str, ...] = ("plain", "tls")

    def __init__(self, domains: tuple[str, ...], kind: Kind) -> None:
        self.install()
        self.domains = domains
        self.kind = kind
        self.accounts: list[Account] = []
        self._temporary = tempfile.TemporaryDirectory(prefix="rookery-load-peer-")
        self.folder = Path(self._temporary.name)
        self.ports = free_ports(self.ports_needed)
        self.certificate = tls.ensure_self_signed(self.folder / "tls", list(domains))
        self._process: subprocess.Popen[str] | None = None

    # -- for subclasses ------------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Install it if need be."""
        raise NotImplementedError

    def configure(self) -> None:
        """Write its configuration."""
        raise NotImplementedError

    def command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        """What runs it in the foreground, and its environment."""
        raise NotImplementedError

    def enroll(self) -> None:
        """Make the accounts; it runs."""
        loop = Loop()
        try:
            register(loop, [self._target(account) for account in self.accounts], self.accounts)
        finally:
            loop.close()

    # -- a server ------------------------------------------------------------------------------------------------------

    @property
    def backing(self) -> str:
        """For tables."""
        return "SQLite" if self.kind == "sqlite" else "default store"

    @property
    def version(self) -> str:
        """Of Debian's package."""
        from tests.load.peers.debian import version

        return version(self.package)

    @property
    def tree(self) -> ProcessTree:
        """Its processes."""
        assert self._process is not None, "the server does not run"
        return ProcessTree(self._process.pid)

    def provide(self, accounts: Iterable[Account], aliases: Mapping[str, Iterable[str]] | None = None) -> None:
        """Members; they register when it runs. Aliases it has none."""
        self.accounts += accounts

    def start(self) -> None:
        """Start, wait until it listens, and make the accounts.

        Raises:
            ServerError: it did not come up.
        """
        self.configure()
        command, environment = self.command()
        log = self.folder / "output.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command), cwd=self.folder, env=dict(environment), stdout=output, stderr=output, text=True,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        end_of_patience = time.monotonic() + START_SECONDS
        while not all(map(listens, self.ports.values())):
            if time.monotonic() > end_of_patience or self._process.poll() is not None:
                raise ServerError(f"{self.name} did not start:\n{log.read_text(errors='replace')[-LOG_SHOWN:]}")
            time.sleep(0.1)
        self.enroll()

    def target(self, security: Security) -> Target:
        """The listener for this kind of connection."""
        return Target("127.0.0.1", self.ports[_PORTS[security]], security, self.domains[0])

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def remove(self) -> None:
        """End it and remove its folder."""
        self.stop()
        self._temporary.cleanup()

    def _target(self, account: Account) -> Target:
        return Target("127.0.0.1", self.ports["plain"], "none", account.domain)


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """Ports of loopback that nobody has just now."""
    with ExitStack() as stack:
        ports = {}
        for name in names:
            taken = stack.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            ports[name] = taken.getsockname()[1]
        return ports


def listens(port: int) -> bool:
    """Somebody does."""
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0
