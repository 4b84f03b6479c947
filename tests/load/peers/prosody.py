"""Prosody: its default store is files that are not synced; with SQLite it has one database for everything."""

import os
from collections.abc import Mapping, Sequence

from tests.load.peers.debian import need
from tests.load.peers.peer import Peer

MODULES = (
    "disco", "roster", "saslauth", "tls", "carbons", "smacks", "mam", "groups", "register_ibr", "ping", "posix",
)  # fmt: skip


class Prosody(Peer):
    """Prosody in the foreground."""

    name = "Prosody"
    package = "prosody"

    def install(self) -> None:
        """Prosody with the driver for SQLite."""
        need({"prosody": "prosody", "/usr/share/doc/lua-dbi-sqlite3": "lua-dbi-sqlite3"}, "lua-event")

    def configure(self) -> None:
        """Configuration, and the group that everyone is in."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        groups = self.folder / "groups.txt"
        with groups.open("w") as text:
            for domain in self.domains:
                text.write(f"[{domain}]\n")
                text.writelines(f"{account.bare}\n" for account in self.accounts if account.domain == domain)
        settings = {
            "run_as_root": os.geteuid() == 0,
            "pidfile": str(self.folder / "prosody.pid"),
            "data_path": str(data),
            "interfaces": ["127.0.0.1"],
            "local_interfaces": ["127.0.0.1"],
            "c2s_ports": [self.ports["plain"]],
            "c2s_direct_tls_ports": [self.ports["tls"]],
            "c2s_require_encryption": False,
            "modules_enabled": list(MODULES),
            "modules_disabled": ["s2s"],
            "http_ports": [],
            "https_ports": [],
            "authentication": "internal_hashed",
            "allow_registration": True,
            "registration_throttle_max": 0,
            "groups_file": str(groups),
            "archive_expires_after": "never",
            "default_archive_policy": True,
        }
        lines = [f"{name} = {_lua(value)}" for name, value in settings.items()]
        lines.append(
            f"ssl = {{ certificate = {_lua(str(self.certificate.chain_file))}; key = {_lua(str(self.certificate.key_file))} }}"
        )
        lines.append(f"log = {{ warn = {_lua(str(self.folder / 'prosody.log'))} }}")
        if self.kind == "sqlite":
            lines.append('storage = "sql"')
            lines.append('sql = { driver = "SQLite3"; database = "prosody.sqlite" }')
        lines += [f"VirtualHost {_lua(domain)}" for domain in self.domains]
        lines.append(f'Component {_lua("rooms." + self.domains[0])} "muc"')
        lines.append('  modules_enabled = { "muc_mam" }')
        lines.append("  muc_log_by_default = true")
        (self.folder / "prosody.cfg.lua").write_text("\n".join(lines) + "\n")

    def command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        """In the foreground."""
        configuration = str(self.folder / "prosody.cfg.lua")
        return ("prosody", "-F", "--config", configuration), {**os.environ, "PROSODY_CONFIG": configuration}


def _lua(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "{ " + "; ".join(map(_lua, value)) + " }"
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
