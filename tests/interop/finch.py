"""Finch (libpurple, the library of Pidgin and Adium) in a terminal, with a configuration of its own.

The buddy list stands on the right and conversations on the left, so that neither covers the other. Offline buddies are shown.
"""

import itertools
from pathlib import Path
from typing import Self

from tests.interop.server import Server, password_of
from tests.interop.terminal import Terminal

ACCOUNTS = """\
<?xml version='1.0' encoding='UTF-8' ?>
<account version='1.0'>
  <account>
    <protocol>prpl-jabber</protocol>
    <name>{name}@localhost/Finch</name>
    <password>{password}</password>
    <settings>
      <setting name='connect_server' type='string'>127.0.0.1</setting>
      <setting name='port' type='int'>{port}</setting>
      <setting name='connection_security' type='string'>require_tls</setting>
    </settings>
    <settings ui='gnt-purple'>
      <setting name='auto-login' type='bool'>1</setting>
    </settings>
  </account>
</account>
"""
PREFERENCES = """\
<?xml version='1.0' encoding='UTF-8' ?>
<pref version='1' name='/'>
  <pref name='finch'>
    <pref name='blist'>
      <pref name='size'>
        <pref name='width' type='int' value='40'/>
        <pref name='height' type='int' value='30'/>
      </pref>
      <pref name='position'>
        <pref name='x' type='int' value='95'/>
        <pref name='y' type='int' value='0'/>
      </pref>
      <pref name='showoffline' type='bool' value='1'/>
    </pref>
  </pref>
</pref>
"""
ONLINE, AWAY, OFFLINE = "◯", "⊖", "⊗"
BUDDY_ROWS = 15
"""More than the list has: so often Up is the top."""


class Finch:
    """One Finch that logs in by itself; use it in a ``with``.

    Args:
        home: an empty folder.
        server: where to log in.
        name: localpart.
        trusts: the server's certificate is among those that were accepted before; otherwise Finch asks, once.
    """

    def __init__(self, home: Path, server: Server, name: str, *, trusts: bool = True) -> None:
        accounts = ACCOUNTS.format(name=name, password=password_of(name), port=server.port)
        (home / "accounts.xml").write_text(accounts)
        (home / "prefs.xml").write_text(PREFERENCES)
        if trusts:
            peers = home / "certificates" / "x509" / "tls_peers"
            peers.mkdir(parents=True, exist_ok=True)
            (peers / "127.0.0.1").write_bytes(server.certificate.read_bytes())
        self.terminal = Terminal(["finch", "-c", str(home)], {"HOME": str(home)}, home)

    def __enter__(self) -> Self:
        self.terminal.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.terminal.__exit__(*exception)

    def accept_certificate(self) -> str:
        """Answer the question that comes at the first login; returns the screen that asks."""
        self._focus("SSL Certificate Verification")
        question = self.terminal.wait_for(r"^│Accept certificate for 127\.0\.0\.1\?")
        self.terminal.press("Enter")
        self.terminal.wait_until(lambda screen: "SSL Certificate Verification" not in screen, "the dialog gone")
        return question

    def sees(self, name: str, mark: str) -> str:
        """The screen once a buddy is on the list with this mark."""
        return self.terminal.wait_for(rf"{mark} {name} ")

    def hears(self, name: str, text: str) -> Terminal:
        """Go to the conversation with somebody, and wait for what he says."""
        self._focus(f"{name} (")
        self.terminal.wait_for(rf"^┌─+┤{name} \(")
        self.terminal.wait_for(rf"\) {name}: {text} ")
        return self.terminal

    def opens(self, address: str, name: str) -> Terminal:
        """Open a conversation from the buddy list."""
        self._focus_list()
        keys = itertools.cycle([["Up"] * BUDDY_ROWS, *[["Down"]] * BUDDY_ROWS])
        self.terminal.try_until(lambda: self.terminal.press(*next(keys)), f"┤{address}├", seconds=0.5)
        self.terminal.press("Enter")
        self.terminal.wait_for(rf"^┌─+┤{name} \(")
        return self.terminal

    def goes_away(self, message: str) -> None:
        """Choose Away at the foot of the buddy list."""
        self._focus_list()
        self.terminal.press("Tab")
        self.terminal.press("Down")
        self.terminal.wait_for(r"│Invisible")
        self.terminal.press("Down", "Enter")
        self.terminal.wait_for(r"│Away ")
        self.terminal.type(message)

    def _focus_list(self) -> None:
        self._focus("Buddy List")

    def _focus(self, title: str) -> None:
        """Go to the window whose title begins so, by its place in the list of windows at the foot of the screen."""
        screen = self.terminal.wait_until(lambda screen: _place_of(title, screen) > 0, f"a window {title!r}")
        self.terminal.press(f"M-{_place_of(title, screen)}")


def _place_of(title: str, screen: str) -> int:
    """From 1; 0: there is none."""
    titles = screen.rstrip("\n").rpartition("\n")[2].split("│")
    return next((place for place, shown in enumerate(titles, 1) if shown.startswith(title)), 0)
