"""The server as its users have it: `rookery serve` in a process of its own, set up with the command line.

The domain is ``localhost``: its members' passwords are made by `password_of`.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

READY_SECONDS = 20.0
CONFIGURATION = """\
domains = ["localhost"]
[xmpp]
listen = ["127.0.0.1:0"]
direct_tls_listen = ["127.0.0.1:0"]
[web]
listen = ""
"""
PEOPLE = """\
address,name,title,department,phone,password
alice@localhost,Alice Arden,Head of Support,Support,+49 30 5550 101,alice-secret
bob@localhost,Bob Berger,Account Manager,Sales,,bob-secret
carol@localhost,Carol Chen,Head of Sales,Sales,,carol-secret
dan@localhost,Dan Dupont,Sales Engineer,Sales,,dan-secret
erin@localhost,Erin Evans,Developer,Engineering,,erin-secret
"""
ALIAS = ("salesteam@localhost", "bob@localhost", "carol@localhost", "dan@localhost", "--name", "Sales team")


class Server:
    """One server.

    Args:
        folder: with its configuration and data; empty: a new server.

    Attributes:
        port: with STARTTLS.
        direct_tls_port: with direct TLS.
        certificate: the self-signed one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config = folder / "rookery.toml"
        self._config.write_text(CONFIGURATION)
        self._said = folder / "said.txt"
        self._log = folder / "log.txt"
        self.certificate = folder / "data" / "tls" / "self-signed.pem"
        self.port = 0
        self.direct_tls_port = 0

    def command(self, *arguments: str) -> str:
        """What a command line prints; it must be done."""
        command = [*_rookery(), "--config", str(self._config), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=READY_SECONDS, check=False)
        assert done.returncode == 0, f"rookery {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The process, from ``rookery ready`` until it stopped in good order."""
        command = [*_rookery(), "serve", "--config", str(self._config)]
        with self._said.open("w") as said, self._log.open("w") as log:
            process = subprocess.Popen(command, stdout=said, stderr=log)
        try:
            self._read_ports(process)
            yield
            assert process.poll() is None, f"the server ended:\n{self._log.read_text()}"
            process.send_signal(signal.SIGTERM)
            assert process.wait(READY_SECONDS) == 0, self._log.read_text()
        finally:
            process.kill()
            process.wait()
        log_text = self._log.read_text()
        assert not any(word in log_text for word in (" ERROR ", " WARNING ", "Traceback")), log_text

    def _read_ports(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not (said := self._said.read_text()).endswith("\n"):
            assert process.poll() is None, f"the server did not start:\n{self._log.read_text()}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self._log.read_text()}"
            time.sleep(0.02)
        assert said.startswith("rookery ready: "), said
        listeners = dict(listener.split() for listener in said.removeprefix("rookery ready: ").split(", "))
        self.port, self.direct_tls_port = (int(listeners[name].rpartition(":")[2]) for name in ("xmpp", "xmpps"))


def found(folder: Path) -> None:
    """Make a data folder for five people and an alias with the command line, while no server runs."""
    server = Server(folder)
    people = folder / "people.csv"
    people.write_text(PEOPLE)
    server.command("user", "import", str(people))
    server.command("alias", "add", *ALIAS)


def password_of(name: str) -> str:
    """The password of a member."""
    return f"{name}-secret"


def _rookery() -> list[str]:
    return [str(Path(sys.executable).with_name("rookery"))]
