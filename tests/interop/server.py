"""The server as its users have it: `rookery serve` in a process of its own, set up with the command line.

The domain is ``localhost``: its members' passwords are made by `password_of`.
"""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

READY_SECONDS = 60.0
CONFIGURATION = """\
domains = ["localhost"]
[xmpp]
listen = ["127.0.0.1:0"]
direct_tls_listen = ["127.0.0.1:0"]
[web]
listen = "127.0.0.1:0"
tls = {}
"""
PEOPLE = """\
address,name,title,department,phone,password
alice@localhost,Alice Arden,Head of Support,Support,+49 30 5550 101,alice-secret
bob@localhost,Bob Berger,Account Manager,Sales,,bob-secret
carol@localhost,Carol Chen,Head of Sales,Sales,,carol-secret
dan@localhost,Dan Dupont,Sales Engineer,Sales,,dan-secret
erin@localhost,Erin Evans,Developer,Engineering,,erin-secret
"""
MISSING = """
    SELECT count(*) FROM entry WHERE role = 2 AND owner = (SELECT id FROM address WHERE jid = :owner) AND entry.id >
        ifnull((SELECT delivered FROM client WHERE client.owner = entry.owner AND family = :resource), 0)
"""
ALIAS = ("salesteam@localhost", "bob@localhost", "carol@localhost", "dan@localhost", "--name", "Sales team")


class Server:
    """One server.

    Args:
        folder: with its configuration and data; empty: a new server.
        has_web_tls: the web port, too.

    Attributes:
        port: with STARTTLS.
        direct_tls_port: with direct TLS.
        web_port: of the pages.
        certificate: the self-signed one.
    """

    def __init__(self, folder: Path, *, has_web_tls: bool = False) -> None:
        self._folder = folder
        self._config = folder / "rookery.toml"
        self._config.write_text(CONFIGURATION.format(str(has_web_tls).lower()))
        self._said = folder / "said.txt"
        self._log = folder / "log.txt"
        self.certificate = folder / "data" / "tls" / "self-signed.pem"
        self._process: subprocess.Popen[bytes]
        self.port = 0
        self.direct_tls_port = 0
        self.web_port = 0

    def command(self, *arguments: str) -> str:
        """What a command line prints; it must be done."""
        command = [*_rookery(), "--config", str(self._config), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=READY_SECONDS, check=False)
        assert done.returncode == 0, f"rookery {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The process, from ``rookery ready`` until it stopped in good order."""
        self._said.write_text("")
        self._log.write_text("")
        try:
            self._start()
            yield
            assert self._process.poll() is None, f"the server ended:\n{self._log.read_text()}"
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(READY_SECONDS) == 0, self._log.read_text()
        finally:
            self._process.kill()
            self._process.wait()
        log_text = self._log.read_text()
        assert not any(word in log_text for word in (" ERROR ", " WARNING ", "Traceback")), log_text

    def is_killed(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.wait()

    def starts_again(self) -> None:
        """After `is_killed`; on other ports."""
        self._said.write_text("")
        self._start()

    def _start(self) -> None:
        command = [*_rookery(), "serve", "--config", str(self._config)]
        with self._said.open("a") as said, self._log.open("a") as log:
            self._process = subprocess.Popen(command, stdout=said, stderr=log)
        self._read_ports(self._process)

    def wait_until_got(self, owner: str, resource: str) -> None:
        """Wait until it is noted that a client has everything that its account was sent: it is asked a second later."""
        archive = sqlite3.connect(f"file:{self._folder / 'data' / 'archive.sqlite'}?mode=ro", uri=True)
        deadline = time.monotonic() + READY_SECONDS
        try:
            while archive.execute(MISSING, {"owner": owner, "resource": resource}).fetchone() != (0,):
                assert time.monotonic() < deadline, f"{owner}/{resource} has not acknowledged what it got"
                time.sleep(0.05)
        finally:
            archive.close()

    def _read_ports(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not (said := self._said.read_text()).endswith("\n"):
            assert process.poll() is None, f"the server did not start:\n{self._log.read_text()}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self._log.read_text()}"
            time.sleep(0.02)
        assert said.startswith("rookery ready: "), said
        listeners = dict(listener.split() for listener in said.removeprefix("rookery ready: ").split(", "))
        self.port, self.direct_tls_port, self.web_port = (
            int(listeners[name].rpartition(":")[2]) for name in ("xmpp", "xmpps", "web")
        )


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
