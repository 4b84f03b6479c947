"""The configuration file: TOML in, frozen settings out, every mistake named by its key.

Owns what keys there are and what they may say. Defaults are those of ``defaults.toml`` beside this module and nowhere else.
Every key of the file is looked at and every mistake is reported, each in one line: ``rookery.toml: xmpp.tls: must be
'required' or 'optional'``. Unknown keys are mistakes.

Paths in the file are relative to its folder. Whether what they name can be used is asked in `config.inspection`.
"""

import tomllib
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from engine.admission import prepare_domain
from engine.errors import Refusal
from engine.limits import Limits

STANZA_BYTES_AT_LEAST: Final = 10_000
"""RFC 6120, 13.12: a smaller limit is not allowed."""

_HIGHEST_LIMIT: Final = 2**40
"""Of any number in the file: more is a slip of the finger."""

Table = dict[str, Any]


class SettingsError(Exception):
    """The file cannot be used. `problems`: one line for each mistake, each with file and key."""

    def __init__(self, problems: list[str]) -> None:
        more = f" (and {len(problems) - 1} more; see `rookery check`)" if len(problems) > 1 else ""
        super().__init__(problems[0] + more)
        self.problems = problems


class Endpoint(msgspec.Struct, frozen=True):
    """Where to listen. `host` is without brackets; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read ``host:port`` or ``[IPv6]:port``.

        Raises:
            ValueError: it is neither.
        """
        host, _, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            host = ""  # an IPv6 address without brackets: nobody can tell where the port begins
        if not host or host != host.strip() or not (port.isascii() and port.isdigit()) or int(port[:6]) > 65_535:
            raise ValueError(f"{text!r} is not an address of the form '127.0.0.1:5222' or '[::1]:5222'")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class XmppSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[xmpp]``: listeners with STARTTLS and with direct TLS, and whether clear text is accepted."""

    listen: tuple[Endpoint, ...]
    direct_tls_listen: tuple[Endpoint, ...]
    tls: Literal["required", "optional"]


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[tls]``: PEM files, absolute."""

    certificate: Path
    private_key: Path


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[web]``.

    Attributes:
        listen: None: no web server.
        tls: with the certificate of ``[tls]``.
        url: under which clients reach it; empty: by the host that they ask for.
        allowed_origins: of pages on other hosts that may open the web socket.
        frame_ancestors: origins of pages that may show the webmail chat in a frame.
        sign_on_keys: files with the keys that check sign-on tokens, by domain.
    """

    listen: Endpoint | None
    tls: bool
    url: str
    allowed_origins: tuple[str, ...]
    frame_ancestors: tuple[str, ...]
    sign_on_keys: dict[str, Path]


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[metrics]``. `listen`: where figures are told to whoever asks; None: nowhere."""

    listen: Endpoint | None


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[log]``. `format`: for people, or for programs."""

    format: Literal["text", "json"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file.

    Attributes:
        file: where it is.
        data_dir: absolute.
        domains: prepared, each once, in the order of the file.
        xmpp: ``[xmpp]``.
        tls: ``[tls]``; None: a self-signed certificate.
        web: ``[web]``.
        metrics: ``[metrics]``.
        log: ``[log]``.
        limits: ``[limits]``.
    """

    file: Path
    data_dir: Path
    domains: tuple[str, ...]
    xmpp: XmppSettings
    tls: TlsSettings | None
    web: WebSettings
    metrics: MetricsSettings
    log: LogSettings
    limits: Limits

    def listeners(self) -> list[tuple[str, Endpoint]]:
        """Every listener with its key."""
        found = [(f"xmpp.listen[{i}]", endpoint) for i, endpoint in enumerate(self.xmpp.listen)]
        found += [(f"xmpp.direct_tls_listen[{i}]", endpoint) for i, endpoint in enumerate(self.xmpp.direct_tls_listen)]
        if self.web.listen is not None:
            found.append(("web.listen", self.web.listen))
        if self.metrics.listen is not None:
            found.append(("metrics.listen", self.metrics.listen))
        return found


def load(file: Path) -> Settings:
    """Read a configuration file.

    Raises:
        SettingsError: it cannot be read, or something in it cannot be.
    """
    name = file.name
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise SettingsError([f"{file}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{name}: is not UTF-8 text (byte {error.start})"]) from error
    try:
        table = tomllib.loads(text.removeprefix("\N{BYTE ORDER MARK}"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError([f"{name}: is not TOML: {error}"]) from error
    return read(table, file.absolute())


def read(table: Table, file: Path) -> Settings:
    """Make settings of a table that was read from `file`.

    Raises:
        SettingsError: something in it cannot be.
    """
    reader = _Reader(file)
    settings = reader.settings(table)
    problems = reader.problems or _listener_problems(settings)
    if problems:
        raise SettingsError([f"{file.name}: {problem}" for problem in problems])
    return settings


@cache
def defaults() -> Table:
    """The tables of ``defaults.toml``; not to be changed."""
    return tomllib.loads((resources.files("config") / "defaults.toml").read_text("utf-8"))


class _Reader:
    """Takes tables apart. A mistake is noted, and the default stands in for what cannot be used."""

    def __init__(self, file: Path) -> None:
        self.folder = file.parent
        self.file = file
        self.problems: list[str] = []

    def settings(self, table: Table) -> Settings:
        """The whole file."""
        keys = {**defaults(), "tls": {}}
        top = self.known("", table, keys)
        tables = ("xmpp", "web", "metrics", "log", "limits")
        xmpp, web, metrics, log, limits = (self.table(name, top, defaults()[name]) for name in tables)
        return Settings(
            file=self.file,
            data_dir=self.path("data_dir", top["data_dir"]),
            domains=self.domains(top["domains"]),
            xmpp=XmppSettings(
                listen=self.endpoints("xmpp.listen", xmpp["listen"]),
                direct_tls_listen=self.endpoints("xmpp.direct_tls_listen", xmpp["direct_tls_listen"]),
                tls=self.tls_mode(xmpp["tls"]),
            ),
            tls=self.tls(top["tls"]) if "tls" in table else None,
            web=self.web(web),
            metrics=MetricsSettings(listen=self.endpoint_or_none("metrics.listen", metrics["listen"])),
            log=LogSettings(format=self.log_format(log["format"])),
            limits=Limits(**{name: self.limit(name, value) for name, value in limits.items()}),
        )

    def note(self, key: str, problem: str) -> None:
        self.problems.append(f"{key}: {problem}")

    def known(self, prefix: str, given: Table, keys: Table) -> Table:
        """The defaults in `keys` with what was given over them, without keys that do not exist."""
        for key in given.keys() - keys.keys():
            self.note(prefix + key, "unknown key")
        return {key: given.get(key, default) for key, default in keys.items()}

    def table(self, name: str, top: Table, keys: Table) -> Table:
        given = top[name]
        if not isinstance(given, dict):
            self.note(name, f"must be a table, is {_kind(given)}")
            return keys
        return self.known(f"{name}.", given, keys)

    def path(self, key: str, value: Any) -> Path:
        if isinstance(value, str) and value and "\0" not in value:
            return (self.folder / Path(value).expanduser()).absolute()
        self.note(key, f"must be a path, is {_kind(value)}")
        return self.folder

    def boolean(self, key: str, value: Any) -> bool:
        if not isinstance(value, bool):
            self.note(key, f"must be true or false, is {_kind(value)}")
        return bool(value)

    def limit(self, name: str, value: Any) -> int:
        key = f"limits.{name}"
        if not isinstance(value, int) or isinstance(value, bool):
            self.note(key, f"must be a whole number, is {_kind(value)}")
            return 0
        if not 0 <= value <= _HIGHEST_LIMIT:
            self.note(key, "must be between 0 (none) and 2^40")
        elif name == "stanza_bytes" and 0 < value < STANZA_BYTES_AT_LEAST:
            self.note(key, f"must be 0 (none) or at least {STANZA_BYTES_AT_LEAST} (RFC 6120, 13.12)")
        return value

    def tls_mode(self, value: Any) -> Literal["required", "optional"]:
        if value == "optional":
            return "optional"
        if value != "required":
            self.note("xmpp.tls", "must be 'required' or 'optional'")
        return "required"

    def log_format(self, value: Any) -> Literal["text", "json"]:
        if value == "json":
            return "json"
        if value != "text":
            self.note("log.format", "must be 'text' or 'json'")
        return "text"

    def tls(self, value: Any) -> TlsSettings:
        keys = {"certificate": None, "private_key": None}
        table = self.table("tls", {"tls": value}, keys)
        paths = dict.fromkeys(keys, self.folder)
        for key in keys:
            if table[key] is None:
                self.note(f"tls.{key}", "is missing")
            else:
                paths[key] = self.path(f"tls.{key}", table[key])
        return TlsSettings(certificate=paths["certificate"], private_key=paths["private_key"])

    def web(self, table: Table) -> WebSettings:
        return WebSettings(
            listen=self.endpoint_or_none("web.listen", table["listen"]),
            tls=self.boolean("web.tls", table["tls"]),
            url="" if table["url"] == "" else self.origin("web.url", table["url"]),
            allowed_origins=tuple(self.items("web.allowed_origins", table["allowed_origins"], self.origin)),
            frame_ancestors=tuple(self.items("web.frame_ancestors", table["frame_ancestors"], self.origin)),
            sign_on_keys=self.sign_on_keys(table["sign_on_keys"]),
        )

    def sign_on_keys(self, value: Any) -> dict[str, Path]:
        if not isinstance(value, dict):
            self.note("web.sign_on_keys", f"must be a table, is {_kind(value)}")
            return {}
        keys = {name: f"web.sign_on_keys.{name}" for name in value}
        return {self.domain(keys[name], name): self.path(keys[name], file) for name, file in value.items()}

    def origin(self, key: str, value: Any) -> str:
        """``https://host`` or ``http://host:port``, without a path."""
        try:
            parts = urlsplit(value) if isinstance(value, str) and not set(value) & set(" \t\r\n@") else None
            if parts and parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
                origin = f"{parts.scheme}://{parts.netloc}"
                if value in {origin, f"{origin}/"}:
                    return origin
        except ValueError:
            pass  # a port or an IPv6 address that is none
        self.note(key, f"must be like 'https://mail.example.com', is {value!r}")
        return ""

    def endpoints(self, key: str, value: Any) -> tuple[Endpoint, ...]:
        found = self.items(key, value, self.endpoint)
        return tuple(endpoint for endpoint in found if endpoint is not None)

    def endpoint_or_none(self, key: str, value: Any) -> Endpoint | None:
        return None if value == "" else self.endpoint(key, value)

    def endpoint(self, key: str, value: Any) -> Endpoint | None:
        if not isinstance(value, str):
            self.note(key, f"must be a string 'host:port', is {_kind(value)}")
            return None
        try:
            return Endpoint.parse(value)
        except ValueError as error:
            self.note(key, str(error))
            return None

    def domains(self, value: Any) -> tuple[str, ...]:
        domains: list[str] = []
        for i, domain in enumerate(self.items("domains", value, self.domain)):
            if domain in domains:
                self.note(f"domains[{i}]", f"{domain} is there twice")
            elif domain:
                domains.append(domain)
        return tuple(domains)

    def domain(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            self.note(key, f"must be a string, is {_kind(value)}")
            return ""
        try:
            return prepare_domain(value)
        except Refusal as refusal:
            self.note(key, refusal.text)
            return ""

    def items(self, key: str, value: Any, read_item: Callable[[str, Any], Any]) -> list[Any]:
        if not isinstance(value, list):
            self.note(key, f"must be a list of strings, is {_kind(value)}")
            return []
        return [read_item(f"{key}[{i}]", item) for i, item in enumerate(value)]


_WILDCARDS: Final = {"0.0.0.0": False, "::": True}  # noqa: S104 -- compared with, not bound to


def _listener_problems(settings: Settings) -> list[str]:
    """Two listeners on one address, or one on all addresses and one on one of them."""
    problems = []
    listeners = [(key, endpoint) for key, endpoint in settings.listeners() if endpoint.port]
    for i, (key, endpoint) in enumerate(listeners):
        for other_key, other in listeners[:i]:
            if endpoint.port == other.port and _overlap(endpoint.host, other.host):
                problems.append(f"{key}: {endpoint} is taken by {other_key} already")
                break
    return problems


def _overlap(one: str, other: str) -> bool:
    if one == other:
        return True
    wildcard, single = (one, other) if one in _WILDCARDS else (other, one)
    return wildcard in _WILDCARDS and (":" in single) == _WILDCARDS[wildcard]


_KINDS: Final[dict[type, str]] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def _kind(value: Any) -> str:
    """What a value of TOML is, in words."""
    if value == "":
        return "empty"
    return _KINDS.get(type(value), "a date or time")
