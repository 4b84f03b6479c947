"""A server that runs already, on this machine: it is driven and watched, not started and not stopped."""

from collections.abc import Iterable, Mapping

from tests.load.loop import Loop
from tests.load.processes import ProcessTree, listener
from tests.load.registration import register
from tests.load.server import Kind
from tests.load.session import Account
from tests.load.target import Security, Target


class Foreign:
    """Whatever listens there.

    Args:
        host, port, security: one way into it.
        domain: that it serves.
        pid: of its process; 0: whoever listens there, which needs the same user or root to be seen.
        alias: that reaches all members of the population; empty: a room is used.
        registers: the members register themselves (XEP-0077); otherwise they are there already.
    """

    name = "server"
    version = ""
    kind: Kind = "foreign"

    def __init__(
        self, host: str, port: int, security: Security, domain: str, *, pid: int, alias: str, registers: bool
    ) -> None:
        self._target = Target(host, port, security, domain)
        self._registers = registers
        pid = pid or listener(port) or 0
        self.tree = ProcessTree(pid) if pid else None
        self.backing = f"{host}:{port}, {security if security != 'none' else 'no TLS'}" + (
            "" if pid else ", CPU unseen"
        )
        self.domains = (domain,)
        self.alias = alias

    def provide(self, accounts: Iterable[Account], aliases: Mapping[str, Iterable[str]] | None = None) -> None:
        """Members, if they are to register."""
        if self._registers:
            loop = Loop()
            try:
                wanted = list(accounts)
                register(loop, [self._target] * len(wanted), wanted)
            finally:
                loop.close()

    def target(self, _security: Security) -> Target:
        """The one way into it."""
        return self._target

    def start(self) -> None:
        """It runs."""

    def stop(self) -> None:
        """It goes on."""

    def remove(self) -> None:
        """It stays."""
