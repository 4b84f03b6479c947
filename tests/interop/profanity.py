"""Profanity in a terminal, with a home of its own.

Screens are windows by number: 1 is the console, which says who comes and goes and shows the roster; each conversation gets
the next one.
"""

from pathlib import Path
from typing import Self

from tests.interop.server import Server, password_of
from tests.interop.terminal import Terminal

CONFIGURATION = """\
[ui]
splash=false
roster.by=group
"""


class Profanity:
    """One Profanity; use it in a ``with``.

    Args:
        home: an empty folder.
    """

    def __init__(self, home: Path) -> None:
        settings = home / "config" / "profanity"
        settings.mkdir(parents=True)
        (settings / "profrc").write_text(CONFIGURATION)
        self._log = home / "log.txt"
        environment = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
        }
        self.terminal = Terminal(["profanity", "-l", "DEBUG", "-f", str(self._log)], environment, home)

    def __enter__(self) -> Self:
        self.terminal.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.terminal.__exit__(*exception)

    def connect(self, server: Server, name: str) -> None:
        """Log in as a user does: the command of the README, and the password at the prompt."""
        self.terminal.wait_for(r"Type '/help'")
        self.terminal.type(f"/connect {name}@localhost server 127.0.0.1 port {server.port} tls trust")
        self.terminal.wait_for("Enter password:")
        self.terminal.type(password_of(name))
        self.terminal.wait_for(r"logged in successfully, online")

    def console(self) -> Terminal:
        """Go to the console."""
        self.terminal.type("/win 1")
        self.terminal.wait_for(r"^ Profanity\.")
        return self.terminal

    def conversation(self, address: str, title: str) -> Terminal:
        """Go to the conversation with somebody; `title` is the name in the roster."""
        self.terminal.type(f"/msg {address}")
        self.terminal.wait_for(rf"^ {title}")
        return self.terminal

    def complaints(self) -> list[str]:
        """What it logged as wrong about the server's stanzas."""
        log = self._log.read_text(errors="replace")
        return [line for line in log.splitlines() if "prof: ERR" in line or "xmpp: ERR" in line or "xmpp: WRN" in line]
