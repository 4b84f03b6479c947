"""`rookery backup`: both files, of one moment, checked; or nothing."""

import sqlite3
import stat
from contextlib import closing

from engine import messages as m
from engine.files import SharedFile
from engine.jid import Jid
from engine.ports import Draft
from tests.config.archive import files_of, say, share
from tests.config.conftest import Shell

ANN, BEN = "ann@a.example", "ben@a.example"


def chat(body):
    return Draft(
        m.Chat(sender=Jid.parse(f"{ANN}/x"), to=Jid.parse(BEN), body=body, payload=f"<body>{body}</body>"), (BEN,)
    )


def people(shell):
    for address in (ANN, BEN):
        shell.does("user", "add", address, stdin="")
    say(shell, chat("one"), chat("two"))


def test_a_backup_is_whole_private_and_can_be_served(anyhow):
    people(anyhow)
    folder = anyhow.folder / "copy"
    assert anyhow.does("backup", str(folder)).startswith(f"{folder}: accounts.sqlite and archive.sqlite, ")
    assert {path.name for path in folder.iterdir()} == {"accounts.sqlite", "archive.sqlite"}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())] == [0o700, 0o600, 0o600]
    say(anyhow, chat("after"))
    (anyhow.folder / "other").mkdir()
    restored = Shell(anyhow.folder / "other")
    folder.rename(restored.data)
    assert restored.does("verify") == "no faults found\n"
    history = restored.does("history", "export", BEN, "--format", "txt")
    assert "one" in history
    assert "two" in history
    assert "after" not in history


def test_files_are_in_a_backup(anyhow):
    people(anyhow)
    files = [SharedFile(f"{number:024}", ANN, "a.txt", 7, 1) for number in range(3)]
    for file in files:
        share(anyhow, file)
    place = anyhow.data / "files" / "00" / files[2].id
    place.unlink()  # as a purge that is under way
    folder = anyhow.folder / "copy"
    assert anyhow.does("backup", str(folder)).endswith(" bytes, checked; 2 shared files\n")
    (anyhow.folder / "other").mkdir()
    restored = Shell(anyhow.folder / "other")
    folder.rename(restored.data)
    assert files_of(restored) == [files[0].id, files[1].id]
    copies = list((restored.data / "files").rglob("*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in copies} == {0o700, 0o600}
    assert f"files/00/{files[2].id}: is missing" in restored.run("verify").output


def test_what_is_there_is_never_touched(anyhow):
    people(anyhow)
    folder = anyhow.folder / "copy"
    folder.mkdir()
    (folder / "mine").write_text("x")
    assert anyhow.refuses("backup", str(folder)) == f"{folder}: is not empty"
    (anyhow.folder / "file").write_text("x")
    assert anyhow.run("backup", str(anyhow.folder / "file")).exit_code == 2
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_without_data_there_is_no_backup(shell):
    assert shell.refuses("backup", str(shell.folder / "copy")) == f"{shell.data / 'accounts.sqlite'}: is not there"
    assert list((shell.folder / "copy").iterdir()) == []


def test_a_damaged_database_is_no_backup(shell):
    people(shell)
    say(shell, *[chat("x" * 5_000) for _ in range(100)])
    archive = shell.data / "archive.sqlite"
    with archive.open("r+b") as file:
        file.seek(archive.stat().st_size // 2)
        file.write(b"\xff" * 20_000)
    folder = shell.folder / "copy"
    assert "archive.sqlite: damaged, and the copy as well: " in shell.refuses("backup", str(folder))
    assert list(folder.iterdir()) == []


def test_a_locked_database_is_told(shell):
    people(shell)
    with closing(sqlite3.connect(shell.data / "accounts.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert shell.refuses("backup", str(shell.folder / "copy")) == "accounts.sqlite: database is locked"
