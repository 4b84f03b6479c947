"""What a server is to the harness: something that has members, ways in, and processes whose cost can be read."""

import signal
import subprocess
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from tests.load.processes import ProcessTree
from tests.load.session import Account
from tests.load.target import Security, Target

Kind = Literal["ours", "sqlite", "default", "foreign"]
"""Whose figures these are: ours, a peer's on SQLite, a peer's with its default store, or those of a server that was there."""

START_SECONDS = 60.0
STOP_SECONDS = 20.0


class ServerError(Exception):
    """It does not run, or a command failed."""


class Server(Protocol):
    """One server.

    Attributes:
        name: for tables.
        backing: where it keeps things, for tables.
        kind: whose figures these are.
        alias: one message to it reaches every member of the first domain; empty where a room has to do.
        domains: that it serves; the first one is where most happens.
    """

    name: str
    backing: str
    kind: Kind
    alias: str
    domains: tuple[str, ...]

    @property
    def version(self) -> str: ...

    @property
    def tree(self) -> ProcessTree | None:
        """Its processes; None where they cannot be seen."""
        ...

    def provide(self, accounts: Iterable[Account], aliases: Mapping[str, Iterable[str]] | None = None) -> None:
        """Add members and aliases."""
        ...

    def start(self) -> None: ...

    def target(self, security: Security) -> Target: ...

    def stop(self) -> None: ...

    def remove(self) -> None:
        """Stop, and remove what was made for it."""
        ...


def end(process: subprocess.Popen[str]) -> None:
    """End a process that we started: in good order, or else not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
