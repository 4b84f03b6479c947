"""`rookery check`: what is wrong with configuration and data, each in one line that names the key or the file.

`config.settings` has found what the file itself says wrong; here is asked whether what it names can be used: addresses,
certificate, data folder, databases, aliases. Nothing is changed or made.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from config.operation import ask
from config.settings import Settings
from config.upkeep import ACCOUNTS, ARCHIVE
from engine import administration as a
from gateways import sign_on, tls
from gateways.control import is_served
from gateways.probe import try_to_listen


def inspect(settings: Settings) -> list[str]:
    """All problems."""
    name = settings.file.name
    problems = [*_certificate_problems(settings), *_sign_on_problems(settings)]
    folder_problem = _folder_problem(settings.data_dir)
    if folder_problem:
        return [f"{name}: {problem}" for problem in (*problems, folder_problem)]
    is_running = is_served(settings.data_dir)
    if not is_running:
        problems += _listener_problems(settings)
    problems = [f"{name}: {problem}" for problem in problems]
    # A look at databases that are not there would make them.
    if is_running or (settings.data_dir / ACCOUNTS).exists() or (settings.data_dir / ARCHIVE).exists():
        problems += _database_problems(settings)
    return problems


def _certificate_problems(settings: Settings) -> list[str]:
    if settings.tls is None:
        return []
    try:
        certificate = tls.load(settings.tls.certificate, settings.tls.private_key)
    except tls.CertificateError as error:
        key = "private_key" if str(error).startswith(str(settings.tls.private_key)) else "certificate"
        return [f"tls.{key}: {error}"]
    found = tls.problems(certificate, settings.domains, datetime.now(UTC))
    return [f"tls.certificate: {problem}" for problem in found]


def _sign_on_problems(settings: Settings) -> list[str]:
    problems = []
    for domain, file in settings.web.sign_on_keys.items():
        try:
            sign_on.load_key(file)
        except sign_on.KeyRefused as error:
            problems.append(f"web.sign_on_keys.{domain}: {error}")
    return problems


def _folder_problem(data_dir: Path) -> str | None:
    existing = data_dir
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return f"data_dir: {existing} is not a folder"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"data_dir: {existing} is not writable"
    return None


def _listener_problems(settings: Settings) -> list[str]:
    """Addresses on which this machine cannot listen, tried out."""
    problems = []
    for key, endpoint in settings.listeners():
        try:
            try_to_listen(endpoint.host, endpoint.port)
        except OSError as error:
            problems.append(f"{key}: cannot listen on {endpoint}: {error.strerror}")
    return problems


def _database_problems(settings: Settings) -> list[str]:
    result = ask(settings, a.CheckAccounts())
    if isinstance(result, a.Inspected):
        return list(result.problems)
    return [result.text] if isinstance(result, a.Refused) else []
