"""Gajim on a display that nobody looks at, set up through its own files and driven over D-Bus.

What it has of the conversations is read from its database, what it thinks of its contacts is asked over D-Bus, and the rest
(whether it resumed) is in its log.

Gajim will not run as root, and tests often do: then it gets a user namespace of its own in which it is somebody else.
"""

import json
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence, Sized
from pathlib import Path
from typing import NamedTuple, Self

from tests.interop.server import Server, password_of

PATIENCE_SECONDS = 25.0
"""It takes calls over D-Bus 5 s after its start, and connects again 3 s after it was cut off."""

LOOK_AGAIN_SECONDS = 0.05
END_SECONDS = 10.0
NOBODY = "1000"
RECEIVED, SENT = 4, 6  # its KindConstant
DATABASE = """
    CREATE TABLE settings (name TEXT UNIQUE, settings TEXT);
    CREATE TABLE account_settings (account TEXT UNIQUE, settings TEXT);
    PRAGMA user_version = 5;
"""
SETTINGS = {
    "app": {"use_keyring": False, "remote_control": True, "sounds_on": False, "check_for_update": False},
    "soundevents": {},
    "status_presets": {},
    "proxies": {},
    "plugins": {},
    "workspaces": {"0a9e6c9e-5a1e-4c6e-8a5b-5f0f1b8f0d11": {"name": "Work", "color": "rgb(9,9,9)", "chats": []}},
}
OBJECT = ("--dest", "org.gajim.Gajim", "--object-path", "/org/gajim/dbus/RemoteObject")


class Kept(NamedTuple):
    """A chat as it is in the database; `is_own`: sent by this account. `stanza_id`: the archive's id, "" if it has none."""

    contact: str
    body: str
    is_own: bool
    stanza_id: str


class Gajim:
    """One Gajim that logs in by itself; use it in a ``with``.

    Args:
        home: a folder that is empty or was this Gajim's before: then it knows what it knew.
        display: where to show windows.
        server: where to log in; its certificate is among those that were accepted before.
        name: localpart.
        port: another one than the server's, where it can be reached as well.
        direct_tls: rather than STARTTLS.
    """

    def __init__(
        self, home: Path, display: str, server: Server, name: str, *, port: int = 0, direct_tls: bool = False
    ) -> None:
        self.address = f"{name}@localhost"
        self._name = name
        self._home = home
        self._config = home / "gajim"
        self._log = home / "log.txt"
        self._bus = f"unix:path={home / 'bus'}"
        self._read_up_to = 0
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "DISPLAY": display,
            "DBUS_SESSION_BUS_ADDRESS": self._bus,
            "NO_AT_BRIDGE": "1",
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        if not self._config.exists():
            port = port or (server.direct_tls_port if direct_tls else server.port)
            self._write_settings(port, "DIRECT TLS" if direct_tls else "START TLS")
            accepted = self._config / "cert_store"
            accepted.mkdir()
            (accepted / "server.pem").write_bytes(server.certificate.read_bytes())

    def _write_settings(self, port: int, encryption: str) -> None:
        self._config.mkdir()
        account = {
            "active": True,
            "account_label": self._name,
            "name": self._name,
            "hostname": "localhost",
            "password": password_of(self._name),
            "resource": "gajim",
            "use_custom_host": True,
            "custom_host": "127.0.0.1",
            "custom_port": port,
            "custom_type": encryption,
        }
        database = sqlite3.connect(self._config / "settings.sqlite")
        database.executescript(DATABASE)
        rows = [(name, json.dumps(value)) for name, value in SETTINGS.items()]
        database.executemany("INSERT INTO settings VALUES (?, ?)", rows)
        settings = {"account": account, "contact": {}, "group_chat": {}}
        database.execute("INSERT INTO account_settings VALUES (?, ?)", (self._name, json.dumps(settings)))
        database.commit()
        database.close()

    # -- life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._start(["dbus-daemon", "--session", "--nofork", f"--address={self._bus}"])
            self._wait((self._home / "bus").exists, "a session bus")
            self._start(["gajim", "--config-path", str(self._config), "--verbose"])
            self.logs("Raise event: signed-in")
        except BaseException as error:
            self.__exit__(error)
            raise
        return self

    def __exit__(self, kind: object = None, *_: object) -> None:
        try:
            if kind is None:  # it says goodbye
                self._wait(lambda: self._call("change_status", "offline", "", self._name) != "", "it takes calls")
                self.logs("Raise event: account-disconnected")
        finally:
            for process in reversed(self._processes):
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            self._processes.clear()
            (self._home / "bus").unlink(missing_ok=True)

    def _start(self, command: Sequence[str]) -> None:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [*_as_nobody(), *command], env=self._environment, cwd=self._home, stdout=log, stderr=log
            )
        self._processes.append(process)

    # -- what it does and knows ----------------------------------------------------------------------------------------

    def says(self, to: str, text: str) -> None:
        """Send a chat."""
        self._wait(lambda: self._call("send_chat_message", to, text, self._name).startswith("(true"), "it takes a chat")

    def sees(self, address: str, show: str) -> None:
        """Wait until a contact is shown like this."""
        self._wait(lambda: self.contacts().get(address, ("", ""))[1] == show, f"{address} is {show}")

    def contacts(self) -> dict[str, tuple[str, str]]:
        """Name and show of everyone on the list."""
        listed = self._call("list_contacts", self._name)
        entries = re.findall(r"'name': <'([^']*)'>, 'show': <'([^']*)'>, 'jid': <'([^']*)'>", listed)
        return {address: (name, show) for name, show, address in entries}

    def keeps(self, body: str) -> Kept:
        """The chat with this text, once it is in the database; there is exactly one."""
        self._wait(lambda: any(kept.body == body for kept in self.kept()), f"{body!r} is kept")
        (found,) = (kept for kept in self.kept() if kept.body == body)
        return found

    def keeps_as_much_as(self, said: Sized) -> None:
        """Wait until so many chats are in the database."""
        self._wait(lambda: len(self.kept()) >= len(said), f"{len(said)} chats are kept")

    def kept(self) -> list[Kept]:
        """All chats in the database, in the order of their time."""
        database = sqlite3.connect(f"file:{self._config / 'logs.db'}?mode=ro", uri=True)
        try:
            rows = database.execute(
                "SELECT jid, message, kind, ifnull(stanza_id, '') FROM logs JOIN jids USING (jid_id)"
                " WHERE kind IN (?, ?) ORDER BY time, log_line_id",
                (RECEIVED, SENT),
            ).fetchall()
        finally:
            database.close()
        return [Kept(contact, body, kind == SENT, stanza_id) for contact, body, kind, stanza_id in rows]

    def connects_now(self) -> None:
        """Do not wait for the time of the next attempt."""
        self._call("change_status", "online", "", self._name)

    def logs(self, text: str) -> None:
        """Wait until this is in its log, behind what was found there before."""
        place = -1

        def is_there() -> bool:
            nonlocal place
            place = self._log.read_text(errors="replace").find(text, self._read_up_to)
            return place >= 0

        self._wait(is_there, f"{text!r} in its log")
        self._read_up_to = place + len(text)

    def complaints(self) -> list[str]:
        """Warnings and errors that it logged about what the server sent."""
        log = self._log.read_text(errors="replace")
        return re.findall(r"\((?:W|E)\) (?:nbxmpp|gajim\.c\.m|gajim\.client)\S* +\| +(.*)", log)

    def _call(self, method: str, *arguments: str) -> str:
        """What a method returns, as text; empty while Gajim does not listen yet."""
        call = ["gdbus", "call", "--session", *OBJECT, "--method", f"org.gajim.dbus.RemoteInterface.{method}"]
        command = [*_as_nobody(), *call, *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=END_SECONDS, check=False
        ).stdout

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert all(process.poll() is None for process in self._processes), f"Gajim ended:\n{self._tail()}"
            assert time.monotonic() < deadline, f"Gajim of {self.address}: not so: {what}\n{self._tail()}"
            time.sleep(LOOK_AGAIN_SECONDS)

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-6000:]


def _as_nobody() -> list[str]:
    if os.geteuid():
        return []
    return ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
