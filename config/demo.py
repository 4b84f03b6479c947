"""`rookery demo`: a server on loopback that shows what it is about, kept in one folder.

The folder has ``rookery.toml``, which may be edited, ``passwords.txt`` (mode 0600), and the data. What is there already is
kept: a second start changes nothing, and a user that was removed comes back.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import trio

from config import demo_history, demo_pictures
from config.operation import ask, perform
from config.settings import Settings, SettingsError, load
from config.terminal import Failed
from engine import administration as a
from engine.ports import StorageUnavailable
from engine.xmpp.scram import BadPasswordError, make_verifiers
from gateways.control import FolderError, claim
from index.migrations import DatabaseRefused

USERS: Final = (
    a.NewUser(
        address="alice@localhost",
        name="Alice Arden",
        title="Head of Support",
        department="Support",
        phone="+49 30 5550 101",
    ),
    a.NewUser(
        address="bob@localhost",
        name="Bob Berger",
        title="Account Manager",
        department="Sales",
        phone="+49 30 5550 102",
    ),
    a.NewUser(
        address="carol@localhost",
        name="Carol Chen",
        title="Head of Sales",
        department="Sales",
        phone="+49 30 5550 103",
    ),
    a.NewUser(
        address="dan@localhost",
        name="Dan Dupont",
        title="Sales Engineer",
        department="Sales",
        phone="+49 30 5550 104",
    ),
    a.NewUser(
        address="erin@localhost",
        name="Erin Evans",
        title="Developer",
        department="Engineering",
        phone="+49 30 5550 105",
    ),
)
ALIAS: Final = a.AddAlias("salesteam@localhost", ("bob@localhost", "carol@localhost", "dan@localhost"), "Sales team")

CONFIGURATION: Final = """\
# The demo of Rookery. Edit it as you like; all keys are explained in the README.
data_dir = "data"
domains = ["localhost"]

[xmpp]
listen = ["127.0.0.1:5222"]             # STARTTLS
direct_tls_listen = ["127.0.0.1:5223"]
tls = "required"

[web]
listen = "127.0.0.1:8080"
tls = false
"""

_CONFIGURATION_FILE: Final = "rookery.toml"
_PASSWORDS_FILE: Final = "passwords.txt"


class Demo(msgspec.Struct, frozen=True):
    """A demo that is ready to serve: its settings, and the password of each user."""

    settings: Settings
    passwords: Mapping[str, str]


def prepare(folder: Path, password: str | None) -> Demo:
    """Make what is missing in the folder.

    Args:
        folder: of the demo.
        password: of all users from now on; None: those that are kept, and new ones for who has none.

    Raises:
        Failed: the folder or something in it cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        configuration = folder / _CONFIGURATION_FILE
        if not configuration.exists():
            configuration.write_text(CONFIGURATION, encoding="utf-8")
        kept = _read_passwords(folder / _PASSWORDS_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"the demo's folder {folder} cannot be used: {error}") from error
    try:
        settings = load(configuration)
    except SettingsError as error:
        raise Failed(str(error)) from error
    passwords = {user.address: password or kept.get(user.address) or secrets.token_hex(6) for user in USERS}
    _seed(settings, kept, passwords)
    if passwords != kept:
        try:
            _write_passwords(folder / _PASSWORDS_FILE, passwords)
        except OSError as error:
            raise Failed(f"the demo's folder {folder} cannot be used: {error}") from error
    return Demo(settings, passwords)


def _seed(settings: Settings, kept: Mapping[str, str], passwords: Mapping[str, str]) -> None:
    there = _addresses(settings, a.ListUsers())
    for user in USERS:
        address, password = user.address, passwords[user.address]
        try:
            if address not in there:
                verifiers = make_verifiers(password)
                perform(settings, a.AddUser(msgspec.structs.replace(user, verifiers=verifiers)))
            elif kept.get(address) != password:
                perform(settings, a.SetPassword(address, make_verifiers(password)))
        except BadPasswordError as error:
            raise Failed(f"--password: {error}") from error
    if ALIAS.address not in _addresses(settings, a.ListAliases()):
        perform(settings, ALIAS)
    with contextlib.suppress(FolderError, StorageUnavailable, DatabaseRefused), claim(settings.data_dir):
        trio.run(_write, settings)  # a demo that runs already has its own


async def _write(settings: Settings) -> None:
    await demo_history.write(settings)
    await demo_pictures.write_faces(settings, [user.address for user in USERS])


def _addresses(settings: Settings, command: a.ListUsers | a.ListAliases) -> set[str]:
    result = ask(settings, command)
    if isinstance(result, a.Refused):
        raise Failed(result.text)
    return {contact.address for contact in result.contacts} if isinstance(result, a.ContactsListed) else set()


def describe(demo: Demo) -> Iterator[str]:
    """Where to go and who to be, line by line."""
    settings = demo.settings
    yield "Rookery demo: the domain localhost, on this machine only."
    yield ""
    for endpoint in settings.xmpp.listen:
        yield f"  XMPP with STARTTLS    {endpoint}"
    for endpoint in settings.xmpp.direct_tls_listen:
        yield f"  XMPP with direct TLS  {endpoint}"
    if settings.web.listen is not None:
        scheme = "https" if settings.web.tls else "http"
        yield f"  Webmail chat          {scheme}://{settings.web.listen}/   <- open this in a browser"
    yield ""
    for user in USERS:
        yield f"  {user.address:20}  password {demo.passwords[user.address]}  ({user.name})"
    yield f"  {ALIAS.address:20}  alias of {', '.join(member.partition('@')[0] for member in ALIAS.members)}"
    yield ""
    yield f"  Everything is kept in {settings.file.parent}"
    yield "  The certificate is self-signed: clients ask once whether to trust it."
    yield ""


def _read_passwords(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    lines = (line.partition(" ") for line in file.read_text(encoding="utf-8").splitlines())
    return {address: password for address, _, password in lines if password}


def _write_passwords(file: Path, passwords: Mapping[str, str]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.writelines(f"{address} {password}\n" for address, password in passwords.items())
