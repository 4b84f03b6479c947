"""Every command of the contract, with the server running and stopped."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
import trio

from config import cli
from engine.xmpp.scram import check_password
from gateways import control, tls
from index.accounts import SqliteAccounts
from index.asyncio_island import Island

ROOT = Path(__file__).parent.parent.parent

CONTRACT = {
    "demo": {"--data", "--password"},
    "serve": {"--config"},
    "check": set(),
    "domain add": {"DOMAIN"},
    "domain remove": {"DOMAIN"},
    "domain list": set(),
    "user add": {"ADDRESS", "--name", "--title", "--department", "--phone", "--password-stdin"},
    "user remove": {"ADDRESS"},
    "user passwd": {"ADDRESS", "--password-stdin"},
    "user list": {"--json"},
    "user import": {"FILE.csv"},
    "alias add": {"ADDRESS", "MEMBER..."},
    "alias remove": {"ADDRESS"},
    "alias list": {"--json"},
    "history export": {"ADDRESS", "--with", "--from", "--to", "--output", "--format"},
    "history purge": {"--before", "--dry-run"},
    "trace": {"STANZA-ID", "--json"},
    "backup": {"DIR"},
    "verify": set(),
    "reindex": set(),
    "status": {"--json"},
}


def commands(group=cli.main, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


async def stored_verifier(shell, address):
    async with Island() as island, SqliteAccounts(island, shell.data / "accounts.sqlite") as accounts:
        return await accounts.verifier(address, "sha-256")


# -- what there is ------------------------------------------------------------------------------------------------------


def test_every_command_of_the_contract_is_there_with_its_options():
    there = {
        " ".join(path): {name for option in command.params for name in option.opts if name.startswith("-")}
        | {
            option.make_metavar(click.Context(command))
            for option in command.params
            if isinstance(option, click.Argument)
        }
        for path, command in commands()
    }
    missing = {
        name: sorted(options - there.get(name, set()))
        for name, options in CONTRACT.items()
        if not options <= there.get(name, set())
    }
    assert missing == {}


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_every_command_explains_itself(shell, path):
    result = shell.run(*path, "--help", config=False)
    assert result.exit_code == 0
    assert "Usage: " in result.stdout
    assert result.stdout.strip().splitlines()[2].strip()


def test_the_version_is_that_of_the_package(shell):
    assert shell.run("--version", config=False).stdout == "rookery 0.1.0\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["user"],
        ["user", "add"],
        ["user", "list", "--nonsense"],
        ["alias", "add", "x@a.example"],
        ["domain", "add"],
    ],
)
def test_wrong_usage_is_told_with_status_2(shell, arguments):
    result = shell.run(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_a_command_without_a_configuration_is_wrong_usage(shell):
    result = shell.run("user", "list", config=False)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: --config FILE is missing")


def test_the_configuration_may_stand_behind_the_command(shell):
    assert shell.run("domain", "list", "--config", str(shell.config), config=False).stdout == "a.example\n"


# -- domains, users, aliases --------------------------------------------------------------------------------------------


def test_domains(anyhow):
    assert anyhow.does("domain", "list") == "a.example\n"
    assert anyhow.does("domain", "add", "B.example") == "domain b.example added\n"
    assert json.loads(anyhow.does("domain", "list", "--json")) == ["a.example", "b.example"]
    assert anyhow.refuses("domain", "add", "b.example") == "domain b.example is served already"
    assert anyhow.refuses("domain", "add", "x@b.example") == "'x@b.example': not a domain"
    assert "is in the configuration file" in anyhow.refuses("domain", "remove", "a.example")
    anyhow.does("user", "add", "x@b.example", stdin="")
    assert "still has 1 members" in anyhow.refuses("domain", "remove", "b.example")
    anyhow.does("user", "remove", "x@b.example")
    assert anyhow.does("domain", "remove", "b.example") == "domain b.example removed\n"


def test_users(anyhow):
    details = ("--name", "Ann Ärden", "--title", "Boss", "--department", "Sales", "--phone", "+1")
    assert anyhow.does("user", "add", "Ann@a.example", *details, "--password-stdin", stdin="secret\n") == (
        "user ann@a.example added\n"
    )
    assert "no password" in anyhow.does("user", "add", "ben@a.example", stdin="")
    assert json.loads(anyhow.does("user", "list", "--json")) == [
        {"address": "ann@a.example", "name": "Ann Ärden", "title": "Boss", "department": "Sales", "phone": "+1"},
        {"address": "ben@a.example", "name": "", "title": "", "department": "", "phone": ""},
    ]
    assert anyhow.does("user", "list") == (
        "ADDRESS        NAME       TITLE  DEPARTMENT  PHONE\n"
        "ann@a.example  Ann Ärden  Boss   Sales       +1\n"
        "ben@a.example\n"
    )
    assert anyhow.does("user", "change", "ann@a.example", "--title", "") == "user ann@a.example changed\n"
    assert anyhow.does("user", "remove", "ben@a.example") == "user ben@a.example removed\n"
    assert anyhow.refuses("user", "remove", "ben@a.example") == "there is no member ben@a.example"
    assert anyhow.refuses("user", "add", "ann@a.example", stdin="") == "ann@a.example exists already, as a member"
    assert (
        anyhow.refuses("user", "add", "ann@b.example", stdin="")
        == "ann@b.example: the domain b.example is not served here"
    )
    assert anyhow.refuses("user", "add", "eve@a.example", "--name", "x\n", "--phone", "a\nb", stdin="") == (
        "eve@a.example: phone has a control character (U+000A)"
    )
    assert anyhow.refuses("user", "list", "b.example") == "there is no domain b.example"


def test_passwords(anyhow):
    anyhow.does("user", "add", "ann@a.example", "--password-stdin", stdin="first\n")
    assert anyhow.does("user", "passwd", "ann@a.example", "--password-stdin", stdin="zweites pässwort\r\nrest") == (
        "password of ann@a.example set\n"
    )
    assert anyhow.refuses("user", "passwd", "ben@a.example", "--password-stdin", stdin="x") == (
        "there is no member ben@a.example"
    )
    assert anyhow.refuses("user", "passwd", "ann@a.example", "--password-stdin", stdin="\n") == "the password is empty"
    assert "forbids" in anyhow.refuses("user", "passwd", "ann@a.example", "--password-stdin", stdin="a\0b")
    assert "not UTF-8" in anyhow.refuses("user", "passwd", "ann@a.example", "--password-stdin", stdin=b"\xff\n")
    result = anyhow.run("user", "passwd", "ann@a.example", stdin="x")
    assert (result.exit_code, "use --password-stdin" in result.stderr) == (2, True)


def test_a_password_is_kept_as_a_verifier_only(shell):
    shell.does("user", "add", "ann@a.example", "--password-stdin", stdin="hush-hush\n")
    assert check_password(trio.run(stored_verifier, shell, "ann@a.example"), "hush-hush")
    assert b"hush-hush" not in b"".join(file.read_bytes() for file in shell.data.iterdir() if file.is_file())


def test_aliases(anyhow):
    for name in ("ann", "ben"):
        anyhow.does("user", "add", f"{name}@a.example", stdin="")
    assert anyhow.does("alias", "add", "team@a.example", "ann@a.example", "ben@a.example", "--name", "Team") == (
        "alias team@a.example added\n"
    )
    assert json.loads(anyhow.does("alias", "list", "--json")) == [
        {"address": "team@a.example", "name": "Team", "members": ["ann@a.example", "ben@a.example"]}
    ]
    assert anyhow.does("alias", "list").splitlines()[1] == "team@a.example  Team  ann@a.example ben@a.example"
    assert anyhow.refuses("alias", "add", "x@a.example", "zoe@a.example") == "there is no member or alias zoe@a.example"
    assert anyhow.does("alias", "change", "team@a.example", "ben@a.example") == "alias team@a.example changed\n"
    assert anyhow.does("user", "remove", "ben@a.example") == (
        "user ben@a.example removed\nalias team@a.example removed: it had no other member\n"
    )
    assert anyhow.refuses("alias", "remove", "team@a.example") == "there is no alias team@a.example"


def test_import(anyhow, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("address,name,password,department\nann@a.example,Ann,one,Sales\nben@a.example,Ben,,\n")
    assert anyhow.does("user", "import", str(file)) == "2 users imported\n"
    assert [user["department"] for user in json.loads(anyhow.does("user", "list", "--json"))] == ["Sales", ""]


def test_an_import_with_faulty_rows_changes_nothing(anyhow, tmp_path):
    anyhow.does("user", "add", "ann@a.example", stdin="")
    file = tmp_path / "users.csv"
    file.write_text(
        "address,name,password\ncyd@a.example,,x\nann@a.example,,x\nshort\ncyd@a.example,,\n@,,\nx@a.example,,\x07\n"
    )
    result = anyhow.run("user", "import", str(file))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{file}:3: ann@a.example exists already, as a member",
        f"{file}:4: 1 fields, but 3 columns",
        f"{file}:5: cyd@a.example is there twice",
        f"{file}:6: '@': not a valid address",
        f"{file}:7: x@a.example: the password has a character that SASLprep forbids",
        f"rookery: {file}: 5 faulty rows; nothing was imported",
    ]
    assert len(json.loads(anyhow.does("user", "list", "--json"))) == 1
    assert anyhow.refuses("user", "import", str(tmp_path / "none.csv")).endswith(
        "cannot be read: No such file or directory"
    )


# -- looking after it ---------------------------------------------------------------------------------------------------


def test_verify_reindex_status(anyhow):
    anyhow.does("user", "add", "ann@a.example", stdin="")
    assert anyhow.does("verify") == "no faults found\n"
    assert anyhow.does("reindex") == "1 contacts and 0 messages indexed again\n"
    figures = json.loads(anyhow.does("status", "--json"))
    assert figures["server"] in {"running", "stopped"}
    assert anyhow.does("status").startswith("server ")


def test_check_finds_nothing(anyhow):
    assert anyhow.does("check") == "no problems found\n"


def test_check_makes_nothing(shell):
    shell.does("check")
    assert not shell.data.exists()


def test_check_tells_every_mistake_of_the_file(shell):
    shell.config.write_text("nonsense = 1\n[xmpp]\ntls = 'no'\n")
    result = shell.run("check")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "rookery: rookery.toml: nonsense: unknown key",
        "rookery: rookery.toml: xmpp.tls: must be 'required' or 'optional'",
    ]
    assert shell.refuses("user", "list") == "rookery.toml: nonsense: unknown key (and 1 more; see `rookery check`)"


def test_check_tries_the_addresses(shell):
    shell.config.write_text(
        "[xmpp]\nlisten=['192.0.2.1:0']\ndirect_tls_listen=['no.such.host.invalid:1']\n[web]\nlisten=''"
    )
    result = shell.run("check")
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert first.startswith("rookery: rookery.toml: xmpp.listen[0]: cannot listen on 192.0.2.1:0: ")
    assert second.startswith(
        "rookery: rookery.toml: xmpp.direct_tls_listen[0]: cannot listen on no.such.host.invalid:1: "
    )


def test_check_looks_at_the_certificate(shell):
    made = tls.ensure_self_signed(shell.folder / "tls", ["b.example"], datetime(2000, 1, 1, tzinfo=UTC))
    configuration = shell.config.read_text()
    shell.config.write_text(f"{configuration}[tls]\ncertificate='none.pem'\nprivate_key='{made.key_file}'\n")
    assert shell.refuses("check").startswith("rookery.toml: tls.certificate: ")
    shell.config.write_text(f"{configuration}[tls]\ncertificate='{made.chain_file}'\nprivate_key='none.key'\n")
    assert shell.refuses("check").startswith("rookery.toml: tls.private_key: ")
    shell.config.write_text(f"{configuration}[tls]\ncertificate='{made.chain_file}'\nprivate_key='{made.key_file}'\n")
    result = shell.run("check")
    assert [line.partition(made.chain_file.name)[2] for line in result.stderr.splitlines()] == [
        ": expired on 2009-12-29 00:00 UTC",
        ": does not stand for a.example",
    ]


def test_check_looks_at_the_keys_for_sign_on(shell):
    configuration = shell.config.read_text()
    (shell.folder / "sign-on.key").write_text("too short")
    web = "[web]\nlisten = '127.0.0.1:0'\nsign_on_keys = { 'a.example' = 'sign-on.key' }\n"
    shell.config.write_text(configuration.replace('[web]\nlisten = ""\n', web))
    told = f"{shell.folder / 'sign-on.key'}: a secret has at least 32 bytes"
    assert shell.refuses("check") == f"rookery.toml: web.sign_on_keys.a.example: {told}"
    assert shell.refuses("serve") == told
    (shell.folder / "sign-on.key").write_text("x" * 32)
    assert shell.does("check") == "no problems found\n"


def test_check_looks_at_the_data_folder(shell):
    shell.data.write_text("a file")
    assert shell.refuses("check") == f"rookery.toml: data_dir: {shell.data} is not a folder"
    assert shell.refuses("user", "list") == f"data_dir {shell.data}: cannot be used: File exists"


@pytest.mark.parametrize("name", ["accounts.sqlite", "archive.sqlite"])
def test_a_database_that_is_refused_is_told_by_its_name(shell, name):
    shell.data.mkdir()
    with sqlite3.connect(shell.data / name) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    assert name in shell.refuses("check")
    result = shell.run("verify")
    assert (result.exit_code, name in result.stdout) == (1, True)
    if name == "accounts.sqlite":
        assert name in shell.refuses("user", "list")


def test_damaged_aliases_are_told_by_check_and_verify(shell):
    shell.does("user", "add", "ann@a.example", stdin="")
    shell.does("alias", "add", "team@a.example", "ann@a.example")
    with sqlite3.connect(shell.data / "accounts.sqlite") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        contacts = next(name for name in tables if name in {"contacts", "contact"})
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({contacts})")]
        assert "members" in columns, (tables, columns)
        connection.execute(
            f"UPDATE {contacts} SET members = replace(members, 'ann@', 'zoe@') WHERE members LIKE '%ann@%'"
        )
    connection.close()
    assert "zoe@a.example" in shell.run("check").stderr
    result = shell.run("verify")
    assert (result.exit_code, "zoe@a.example" in result.stdout) == (1, True)


# -- troubles -----------------------------------------------------------------------------------------------------------


def test_a_folder_that_another_process_keeps_is_told(shell, monkeypatch):
    monkeypatch.setattr("config.operation.WAIT_SECONDS", 0.0)
    with control.claim(shell.data):
        assert shell.refuses("user", "list") == (
            f"data_dir {shell.data}: in use by process {os.getpid()}, which does not answer"
        )


def test_a_socket_of_a_killed_server_does_no_harm(shell):
    shell.data.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(shell.data / control.SOCKET_NAME))
    assert shell.does("domain", "list") == "a.example\n"


def test_what_nobody_foresaw_is_one_line_unless_debugging(shell, monkeypatch):
    def break_down(*_):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("config.commands.perform", break_down)
    assert shell.refuses("user", "list") == "RuntimeError: two lines"
    result = shell.run("--debug", "user", "list")
    assert "Traceback" in result.stderr
    assert result.exit_code == 1


def test_the_program_itself_says_one_line_and_no_traceback(shell):
    def run(*arguments):
        command = [sys.executable, "-c", "from config.cli import main; main()", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    refused = run("--config", str(shell.folder / "none.toml"), "user", "list")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert refused.stderr.startswith("rookery: ")
    done = run("--config", str(shell.config), "user", "add", "ann@a.example")
    assert (done.returncode, done.stderr) == (0, "")
