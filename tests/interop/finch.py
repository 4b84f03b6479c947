"""Finch (libpurple, the library of Pidgin and Adium) in a terminal, with a configuration of its own.

The buddy list stands on the right and conversations on the left, so that neither covers the other. Offline buddies are shown.
"""

from pathlib import Path

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


class Finch:
    """One Finch that logs in by itself; use it in a ``with``.

    Args:
        home: an empty folder.
        server: where to log in.
        name: localpart.
        trusts: whether the server's certificate was accepted before; otherwise Finch asks.
    """

    def __init__(self, home: Path, server: Server, name: str, *, trusts: bool = True) -> None:
        accounts = ACCOUNTS.format(name=name, password=password_of(name), port=server.port)
        (home / "accounts.xml").write_text(accounts)
        (home / "prefs.xml").write_text(PREFERENCES)
        if trusts:
            peers = home / "certificates" / "x509" / "tls_peers"
            peers.mkdir(parents=True)
            (peers / "127.0.0.1").write_bytes(server.certificate.read_bytes())
        self.terminal = Terminal(["finch", "-c", str(home)], {"HOME": str(home)}, home)

    def __enter__(self) -> "Finch":
        self.terminal.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.terminal.__exit__(*exception)

    def sees(self, name: str, mark: str) -> None:
        """Wait until a buddy is on the list with this mark."""
        self.terminal.wait_for(rf"{mark} {name}")
