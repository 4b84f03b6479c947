"""The server as a process of its own: `rookery serve` on free ports, and the other commands beside it."""

import os
import ssl
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Self

import trio

from tests.faults import spawner

ROOT = Path(__file__).parent.parent.parent
ROOKERY = (sys.executable, "-c", "from config.cli import main; main()")
READY = b"\nrookery ready"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
COMMAND_SECONDS = 600.0

CONFIGURATION = """\
data_dir = "data"
domains = [{}]
[xmpp]
listen = ["127.0.0.1:0"]
direct_tls_listen = ["127.0.0.1:0"]
[web]
listen = "127.0.0.1:0"
[limits]
logins_per_minute = 0
sessions_per_user = 0
bytes_per_second = 0
stanzas_per_second = 0
"""


class Server:
    """One data folder and, from `start` to `stop` or `kill`, the process that serves it.

    Args:
        folder: for configuration, data and log; made if it is not there.
        domains: that it serves.

    Attributes:
        name: in its certificate; domains that are added later may not be there.
        program: what `rookery` is; serving: its arguments; wrapping: what stands before it.
        environment: that it has beside the usual one.
        is_forked: its process has the program loaded when it begins (`tests.faults.spawner`); the commands beside it as well.
    """

    def __init__(self, folder: Path, *domains: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = domains[0]
        self.config = folder / "rookery.toml"
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.serving: tuple[str, ...] = ("--config", str(self.config), "serve")
        self.program: tuple[str, ...] = ROOKERY
        self.wrapping: tuple[str, ...] = ()
        self.environment: dict[str, str] = {}
        self.is_forked = False
        self.ports: dict[str, int] = {}
        self._process: trio.Process | spawner.Forked | None = None
        self.config.write_text(CONFIGURATION.format(", ".join(f'"{domain}"' for domain in domains)))

    @property
    def process(self) -> "trio.Process | spawner.Forked":
        """The process that runs."""
        assert self._process is not None, "the server does not run"
        return self._process

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What a client trusts; the certificate is made at the first start."""
        return ssl.create_default_context(cafile=str(self.data / "tls" / "self-signed.pem"))

    @property
    def errors(self) -> list[str]:
        """What it logged as an error."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if " ERROR " in line or line.startswith("Traceback")]

    async def launch(self) -> None:
        """Begin to start."""
        with self.log.open("ab") as log:
            if self.is_forked:
                self._process = spawner.Forked(self.serving, self.environment, log.fileno())
                return
            self._process = await trio.lowlevel.open_process(
                [*self.wrapping, *self.program, *self.serving],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self.environment},
            )

    async def start(self) -> None:
        """Start, and wait until every listener is open."""
        await self.launch()
        assert self.process.stdout is not None
        said = b"\n"
        with trio.fail_after(START_SECONDS):
            while not (said.endswith(b"\n") and READY in said):
                more = await self.process.stdout.receive_some()
                assert more, f"the server did not start:\n{self.log.read_text()[-4000:]}"
                said += more
        words = said.partition(READY)[2].decode().strip(": \n").split(", ")
        self.ports = {name: int(address.rpartition(":")[2]) for name, address in map(str.split, words)}

    async def connect(self, listener: str) -> trio.SocketStream:
        """A connection to one of its listeners."""
        return await trio.open_tcp_stream("127.0.0.1", self.ports[listener])

    async def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        await self.ended()

    async def stop(self) -> int:
        """End it in good order; its exit status. One that does not run stays as it is."""
        if self._process is None:
            return 0
        self._process.terminate()
        with trio.move_on_after(STOP_SECONDS), trio.CancelScope(shield=True):
            return await self.ended()
        await self.kill()
        raise AssertionError(f"the server did not stop within {STOP_SECONDS} s")

    async def ended(self) -> int:
        """Wait for its end, which is near; its exit status."""
        with trio.CancelScope(shield=True):
            status = await self.process.wait()
            if self.process.stdout is not None:
                await self.process.stdout.aclose()
            self._process = None
        return status

    async def command(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run `rookery` with the configuration of this server; whether it runs or not."""
        with trio.fail_after(COMMAND_SECONDS):
            if self.is_forked and not stdin:
                return await spawner.run(["--config", str(self.config), *arguments])
            return await trio.run_process(
                [*ROOKERY, "--config", str(self.config), *arguments],
                cwd=ROOT,
                stdin=stdin,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )

    async def does(self, *arguments: str, stdin: bytes = b"") -> str:
        """Standard output of a command that is done."""
        result = await self.command(*arguments, stdin=stdin)
        assert result.returncode == 0, (arguments, result.returncode, result.stdout[-2000:], result.stderr[-2000:])
        return result.stdout.decode()

    def cpu_seconds(self) -> float:
        """What the process used until now, to the microsecond: its own clock, see clock_getcpuclockid(3)."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
