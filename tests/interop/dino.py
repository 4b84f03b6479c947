"""Dino on a display that nobody looks at, in a world of its own (`tests.interop.burrow`).

Its account is written into its database before it starts, and what it has of the conversations is read from there. It is typed
into as a person would; the rest (whether it resumed) is in its log of stanzas.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sized
from pathlib import Path
from typing import NamedTuple, Self

from tests.interop.cable import Cable
from tests.interop.server import Server, password_of

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 25.0
LOOK_AGAIN_SECONDS = 0.05
END_SECONDS = 10.0
NAMESPACES = ("unshare", "--user", "--map-root-user")
ACCOUNT = """
    CREATE TABLE account (
        id INTEGER PRIMARY KEY AUTOINCREMENT, bare_jid TEXT NOT NULL UNIQUE, resourcepart TEXT, password TEXT, alias TEXT,
        enabled INTEGER, roster_version TEXT, mam_earliest_synced INTEGER
    )
"""
SENT = 1


class Kept(NamedTuple):
    """A chat as it is in the database; `stanza_id`: the archive's id, "" if it has none."""

    contact: str
    body: str
    is_own: bool
    stanza_id: str


class Dino:
    """One Dino that logs in by itself; use it in a ``with``.

    Args:
        home: a folder that is empty or was this Dino's before: then it knows what it knew.
        display: where to show windows.
        server: where to log in.
        name: localpart.

    Attributes:
        cable: between it and the server.
    """

    def __init__(self, home: Path, display: str, server: Server, name: str) -> None:
        self.address = f"{name}@localhost"
        self._home = home
        self._certificate = server.certificate
        self._log = home / "log.txt"
        self._read_up_to = 0
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "DISPLAY": display,
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={home / 'bus'}",
            "GSK_RENDERER": "cairo",
            "GTK_A11Y": "none",
            "PYTHONPATH": str(ROOT),
        }
        self._database = home / "dino" / "dino.db"
        (home / "server").unlink(missing_ok=True)
        self.cable = Cable(server.port, home / "server")
        if not self._database.exists():
            self._database.parent.mkdir()
            database = sqlite3.connect(self._database)
            database.execute(ACCOUNT)
            row = (self.address, "dino", password_of(name))
            database.execute("INSERT INTO account VALUES (1, ?, ?, ?, '', 1, '', 0)", row)
            database.commit()
            database.close()

    # -- life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.cable.__enter__()
        ends = (str(self._certificate), str(self._home / "server"), str(self._home / "bus"))
        world = (*NAMESPACES, "--net", "--mount")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*world, sys.executable, "-m", "tests.interop.burrow", *ends],
                env=self._environment,
                cwd=self._home,
                stdout=log,
                stderr=log,
            )
        try:
            self.logs("urn:xmpp:sm:3}:enabled")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self.cable.__exit__()
            (self._home / "bus").unlink(missing_ok=True)

    # -- what it does and knows ----------------------------------------------------------------------------------------

    def says(self, to: str, text: str) -> None:
        """Open the conversation, as a link on a page does, and type."""
        self._run(*NAMESPACES, "dino-im", f"xmpp:{to}?message")
        window = self._run("xdotool", "search", "--sync", "--onlyvisible", "--class", "dino").split()[-1]
        self._run("xdotool", "windowfocus", "--sync", window)
        self._wait(lambda: self._is_typed(to, text), f"{text!r} is typed to {to}")

    def _is_typed(self, to: str, text: str) -> bool:
        self._run("xdotool", "key", "ctrl+a", "type", text)
        self._run("xdotool", "key", "Return")
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            if any((kept.contact, kept.body, kept.is_own) == (to, text, True) for kept in self.kept()):
                return True
            time.sleep(LOOK_AGAIN_SECONDS)
        return False

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=END_SECONDS, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def knows(self, contacts: dict[str, str]) -> None:
        """Wait until these are on the list, and nobody else: address and name."""
        self._wait(lambda: dict(self._select("SELECT jid, name FROM roster")) == contacts, f"it knows {contacts}")

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
        rows = self._select(
            "SELECT jid.bare_jid, body, direction, ifnull(server_id, '') FROM message JOIN jid ON jid.id = counterpart_id"
            " ORDER BY time, message.id"
        )
        return [Kept(contact, body, direction == SENT, stanza_id) for contact, body, direction, stanza_id in rows]

    def _select(self, sql: str) -> list[tuple]:
        database = sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def logs(self, text: str) -> None:
        """Wait until this is in its log, behind what was found there before."""
        place = -1

        def is_there() -> bool:
            nonlocal place
            place = self._log.read_text(errors="replace").find(text, self._read_up_to)
            return place >= 0

        self._wait(is_there, f"{text!r} in its log")
        self._read_up_to = place + len(text)

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert self._process.poll() is None, f"Dino ended:\n{self._tail()}"
            assert time.monotonic() < deadline, f"Dino of {self.address}: not so: {what}\n{self._tail()}"
            time.sleep(LOOK_AGAIN_SECONDS)

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-6000:]
