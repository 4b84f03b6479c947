"""ejabberd: its default store is Mnesia, which writes to disk later; with SQLite it has one database for each domain.

It runs as one Erlang node without a name, so that nothing else (epmd) is started beside it. Its schedulers do not spin while
they wait (``+sbwt none``): what is spun would be counted as work.
"""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path

from tests.load.peers.debian import need
from tests.load.peers.peer import Peer
from tests.load.server import ServerError

LIBRARIES = Path("/usr/lib/x86_64-linux-gnu") if Path("/usr/lib/x86_64-linux-gnu").exists() else Path("/usr/lib")
SCHEMA = Path("/usr/share/ejabberd/sql/lite.sql")
GROUP = "everyone"
SPINLESS = ("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")
COMMANDS = ("register", "srg_create", "srg_user_add")


class Ejabberd(Peer):
    """ejabberd in the foreground."""

    name = "ejabberd"
    package = "ejabberd"
    ports_needed = ("plain", "tls", "commands")

    def install(self) -> None:
        """ejabberd with the driver for SQLite."""
        need({"ejabberdctl": "ejabberd"}, "erlang-p1-sqlite3")

    def configure(self) -> None:
        """Configuration, which is YAML and thus may be JSON."""
        pem = self.folder / "both.pem"
        pem.write_bytes(self.certificate.chain_file.read_bytes() + self.certificate.key_file.read_bytes())
        xmpp = {
            "ip": "127.0.0.1",
            "module": "ejabberd_c2s",
            "shaper": "none",
            "access": "all",
            "max_stanza_size": 262144,
        }
        settings: dict[str, object] = {
            "hosts": list(self.domains),
            "loglevel": "error",
            "certfiles": [str(pem)],
            "listen": [
                {**xmpp, "port": self.ports["plain"], "starttls": True},
                {**xmpp, "port": self.ports["tls"], "tls": True},
                {
                    "ip": "127.0.0.1",
                    "port": self.ports["commands"],
                    "module": "ejabberd_http",
                    "request_handlers": {"/api": "mod_http_api"},
                },
            ],
            "api_permissions": {
                "harness": {"from": ["mod_http_api"], "who": {"ip": "127.0.0.1/8"}, "what": list(COMMANDS)}
            },
            "auth_method": ["internal"],
            "auth_password_format": "scram",
            "shaper": {},
            "modules": {
                "mod_admin_extra": {},
                "mod_carboncopy": {},
                "mod_disco": {},
                "mod_http_api": {},
                "mod_mam": {"default": "always", "assume_mam_usage": True},
                "mod_muc": {
                    "host": "rooms.@HOST@",
                    "access": "all",
                    "max_users": 5000,
                    "default_room_options": {"mam": True},
                },
                "mod_ping": {},
                "mod_roster": {},
                "mod_shared_roster": {},
                "mod_stream_mgmt": {},
            },
        }
        if self.kind == "sqlite":
            settings["auth_method"] = ["sql"]
            settings["default_db"] = "sql"
            settings["host_config"] = {domain: self._database(domain) for domain in self.domains}
        (self.folder / "ejabberd.yml").write_text(json.dumps(settings, indent=1))

    def _database(self, domain: str) -> dict[str, str]:
        file = self.folder / f"{domain}.sqlite"
        database = sqlite3.connect(file)
        database.executescript(SCHEMA.read_text())
        database.close()
        return {"sql_type": "sqlite", "sql_database": str(file)}

    def command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        """An Erlang node without a name."""
        environment = {
            **os.environ,
            "ERL_LIBS": str(LIBRARIES),
            "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "ERL_CRASH_DUMP": str(self.folder / "crash.dump"),
            "ERL_MAX_PORTS": "32000",
            "HOME": str(self.folder),
        }
        mnesia = json.dumps(str(self.folder / "mnesia"))
        node = ("erl", "+K", "true", "+P", "250000", *SPINLESS, "-noinput", "-noshell", "-mnesia", "dir", mnesia)
        return (*node, "-s", "ejabberd"), environment

    def enroll(self) -> None:
        """Accounts by its own command, and one group of everyone for each domain."""
        connection = HTTPConnection("127.0.0.1", self.ports["commands"], timeout=60.0)
        for account in self.accounts:
            who = {"user": account.local, "host": account.domain, "password": account.password or "unused"}
            self._call(connection, "register", who)
        for domain in self.domains:
            group = {"group": GROUP, "host": domain, "description": "", "display": GROUP}
            self._call(connection, "srg_create", {**group, "label": GROUP})
            self._call(
                connection, "srg_user_add", {"user": "@all@", "host": domain, "group": GROUP, "grouphost": domain}
            )
        connection.close()

    @staticmethod
    def _call(connection: HTTPConnection, command: str, arguments: Mapping[str, str]) -> None:
        connection.request("POST", f"/api/{command}", json.dumps(arguments), {"Content-Type": "application/json"})
        response = connection.getresponse()
        said = response.read()
        if response.status != 200:
            raise ServerError(f"ejabberd: {command} {dict(arguments)}: {response.status} {said[:300]!r}")
