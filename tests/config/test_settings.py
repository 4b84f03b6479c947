"""The configuration file: what it may say, what it says when it says nothing, and a line for every mistake."""

import json
import tomllib
from pathlib import Path

import msgspec
import pytest

from config import settings as s
from engine.limits import Limits


def read(text):
    return s.read(tomllib.loads(text), Path("/srv/rookery.toml"))


def problems(text):
    with pytest.raises(s.SettingsError) as caught:
        read(text)
    assert all("\n" not in problem for problem in caught.value.problems)
    return caught.value.problems


def test_a_file_that_says_nothing_has_the_defaults():
    settings = read("")
    assert settings.data_dir == Path("/srv/data")
    assert settings.domains == ()
    assert settings.xmpp.listen == (s.Endpoint("127.0.0.1", 5222),)
    assert settings.xmpp.direct_tls_listen == (s.Endpoint("127.0.0.1", 5223),)
    assert settings.xmpp.tls == "required"
    assert settings.tls is None
    assert settings.web == s.WebSettings(
        listen=s.Endpoint("127.0.0.1", 8080), tls=False, url="", allowed_origins=(), frame_ancestors=(), sign_on_keys={}
    )


def test_the_defaults_of_limits_are_those_of_the_engine():
    assert s.defaults()["limits"] == msgspec.to_builtins(Limits())
    assert read("").limits == Limits()


def test_the_defaults_are_a_configuration_themselves():
    assert s.read(s.defaults(), Path("/srv/rookery.toml")) == read("")


def test_the_example_of_the_contract_is_read():
    settings = read("""
        data_dir = "/var/lib/rookery"
        domains = ["Example.com", "xn--mnchen-3ya.de"]
        [xmpp]
        listen = ["127.0.0.1:5222", "[::1]:5222", "0.0.0.0:0", "localhost:65535"]
        direct_tls_listen = []
        tls = "optional"
        [tls]
        certificate = "fullchain.pem"
        private_key = "/etc/privkey.pem"
        [web]
        listen = ""
        tls = true
        [limits]
        bytes_per_second = 0
        logins_per_minute = 0
        sessions_per_user = 0
        stanza_bytes = 262144
    """)
    assert settings.data_dir == Path("/var/lib/rookery")
    assert settings.domains == ("example.com", "münchen.de")
    assert [str(endpoint) for endpoint in settings.xmpp.listen] == [
        "127.0.0.1:5222",
        "[::1]:5222",
        "0.0.0.0:0",
        "localhost:65535",
    ]
    assert settings.xmpp.direct_tls_listen == ()
    assert settings.xmpp.tls == "optional"
    assert settings.tls == s.TlsSettings(certificate=Path("/srv/fullchain.pem"), private_key=Path("/etc/privkey.pem"))
    assert (settings.web.listen, settings.web.tls) == (None, True)
    assert settings.limits == Limits(bytes_per_second=0, logins_per_minute=0, sessions_per_user=0, stanza_bytes=262_144)
    assert [key for key, _ in settings.listeners()] == [f"xmpp.listen[{i}]" for i in range(4)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("archive = false", "archive: unknown key"),
        ("[xmpp]\nport = 1", "xmpp.port: unknown key"),
        ("[xmp]\nlisten = []", "xmp: unknown key"),
        ("[tls]\ncertificate='a'\nprivate_key='b'\nca = 'x'", "tls.ca: unknown key"),
        ("[limits]\nmessages = 1", "limits.messages: unknown key"),
        ("[xmpp]\ntls = 'none'", "xmpp.tls: must be 'required' or 'optional'"),
        ("[xmpp]\ntls = true", "xmpp.tls: must be 'required' or 'optional'"),
        ("xmpp = 1", "xmpp: must be a table, is a whole number"),
        ("web = []", "web: must be a table, is a list"),
        ("data_dir = 1", "data_dir: must be a path, is a whole number"),
        ("data_dir = ''", "data_dir: must be a path, is empty"),
        ("domains = 'a.example'", "domains: must be a list of strings, is a string"),
        ("domains = ['a.example', 1979-05-27]", "domains[1]: must be a string, is a date or time"),
        ("domains = ['ann@a.example']", "domains[0]: 'ann@a.example': not a domain"),
        ("domains = ['a.example', 'A.example']", "domains[1]: a.example is there twice"),
        ("[xmpp]\nlisten = '127.0.0.1:1'", "xmpp.listen: must be a list of strings, is a string"),
        ("[xmpp]\nlisten = [5222]", "xmpp.listen[0]: must be a string 'host:port', is a whole number"),
        ("[web]\ntls = 'yes'", "web.tls: must be true or false, is a string"),
        ("[tls]\ncertificate = 'x'", "tls.private_key: is missing"),
        ("[limits]\nsessions_per_user = true", "limits.sessions_per_user: must be a whole number, is true or false"),
        ("[limits]\nsessions_per_user = 1.5", "limits.sessions_per_user: must be a whole number, is a number"),
        ("[limits]\nlogins_per_minute = -1", "limits.logins_per_minute: must be between 0 (none) and 2^40"),
        ("[limits]\nstanza_bytes = 100", "limits.stanza_bytes: must be 0 (none) or at least 10000 (RFC 6120, 13.12)"),
        ("[web]\nsign_on_keys = 'key'", "web.sign_on_keys: must be a table, is a string"),
        ("[web]\nsign_on_keys = {'a.example' = 1}", "web.sign_on_keys.a.example: must be a path, is a whole number"),
        ("[web]\nsign_on_keys = {'a@b' = 'x'}", "web.sign_on_keys.a@b: 'a@b': not a domain"),
        ("[web]\nlisten = '127.0.0.1:5222'", "web.listen: 127.0.0.1:5222 is taken by xmpp.listen[0] already"),
        ("[web]\nlisten = '0.0.0.0:5223'", "web.listen: 0.0.0.0:5223 is taken by xmpp.direct_tls_listen[0] already"),
    ],
)
def test_a_mistake_is_told_by_its_key(text, problem):
    assert problems(text) == [f"rookery.toml: {problem}"]


def test_origins():
    text = (
        "[web]\nurl = 'https://chat.example.net/'\nallowed_origins = ['https://mail.example.com', 'http://[::1]:8080']"
    )
    web = read(text).web
    assert web.url == "https://chat.example.net"
    assert web.allowed_origins == ("https://mail.example.com", "http://[::1]:8080")


@pytest.mark.parametrize(
    "origin",
    [
        "mail.example.com",
        "*",
        "null",
        "ftp://a.example",
        "https://",
        "https://a.example/mail",
        "https://a.example?",
        "https://a.example:0",
        "https://a.example:99999",
        "https://me@a.example",
        "https://[::1",
        "https://a.example\t",
    ],
)
def test_what_is_no_origin_is_told(origin):
    for key, text in (
        ("web.url", f"url = {json.dumps(origin)}"),
        ("web.allowed_origins[0]", f"allowed_origins = [{json.dumps(origin)}]"),
    ):
        assert problems(f"[web]\n{text}") == [
            f"rookery.toml: {key}: must be like 'https://mail.example.com', is {origin!r}"
        ]


@pytest.mark.parametrize(
    "address",
    [
        "5222",
        "127.0.0.1",
        ":5222",
        "::1:5222",
        "127.0.0.1:",
        "a:b",
        "a:-1",
        "a:65536",
        "a:٣",
        " a:1",
        "[]:1",
        "a:1" * 9,
    ],
)
def test_what_is_no_address_is_told(address):
    (problem,) = problems(f"[web]\nlisten = '{address}'")
    assert problem.startswith(f"rookery.toml: web.listen: '{address}' is not an address")


def test_listeners_that_do_not_meet_are_no_duplicates():
    read("[xmpp]\nlisten=['127.0.0.1:0', '127.0.0.1:0', '[::]:5222', '127.0.0.1:5222', '0.0.0.0:5224']")


def test_every_mistake_is_told_at_once_and_the_error_is_one_line():
    found = problems("a = 1\nb = 2\n[xmpp]\ntls = 3")
    assert sorted(found) == [
        "rookery.toml: a: unknown key",
        "rookery.toml: b: unknown key",
        "rookery.toml: xmpp.tls: must be 'required' or 'optional'",
    ]
    assert str(s.SettingsError(found)) == f"{found[0]} (and 2 more; see `rookery check`)"


def load_problem(file):
    with pytest.raises(s.SettingsError) as caught:
        s.load(file)
    (problem,) = caught.value.problems
    return problem


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    file = tmp_path / "rookery.toml"
    assert load_problem(file) == f"{file}: cannot be read: No such file or directory"
    assert load_problem(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    file.write_bytes(b"domains = ['\xff']")
    assert load_problem(file) == "rookery.toml: is not UTF-8 text (byte 12)"
    file.write_text("domains = [\n1 2")
    assert load_problem(file).startswith("rookery.toml: is not TOML: ")
    file.write_text("x = " + "[" * 10_000)
    assert load_problem(file).startswith("rookery.toml: is not TOML: ")


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "rookery.toml").write_text("\ufeffdata_dir = '../data'", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert s.load(Path("etc/rookery.toml")).data_dir.resolve() == tmp_path / "data"
