"""What is damaged on the disk is named by `verify`, is not told to anybody, and is no traceback."""

import os
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from engine.jid import Jid
from engine.ports import Cursor, HistoryQuery, Notes, StorageUnavailable
from index.accounts import SqliteAccounts
from index.archive import SqliteArchive
from index.chat_rows import DAMAGED
from index.migrations import DatabaseRefused
from tests.index.stories import NOON, says, says_to_alias

A, B, C, D = "a@x.org", "b@x.org", "c@x.org", "d@x.org"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM entry WHERE role = 1", f"has no sent entry of its sender {A}"),
        ("DELETE FROM message", f"entry of {B} for message 1700000000000000: there is no such message"),
        (f"DELETE FROM address WHERE jid = '{B}'", "owner or peer"),
        ("DELETE FROM address WHERE jid = 'team@x.org'", "message 1700000000000001 has no alias"),
        (f"UPDATE entry SET peer = (SELECT id FROM address WHERE jid = '{C}') WHERE role = 2", "does not fit"),
        (
            "PRAGMA ignore_check_constraints = 1; UPDATE entry SET role = 7 WHERE role = 2",
            "role 7",
        ),
        ("INSERT INTO client VALUES (99, 'psi', 0, 1, 0)", "client psi of number 99"),
        ("INSERT INTO client VALUES (1, 'psi', 2, 1, 0)", "has got up to 1, but began at 2"),
        ("DELETE FROM message", f"absence of {D} from message 1700000000000001: there is no such message"),
        ("INSERT INTO absence VALUES (1700000000000001, 99)", "absence of number 99 from message 1700000000000001"),
        (
            f"INSERT INTO absence SELECT 1700000000000001, id FROM address WHERE jid = '{B}'",
            "from message 1700000000000001: not an address, or somebody who has the message",
        ),
    ],
)
async def test_faults_in_the_archive_are_named(island, path, clock, damage, words):
    async with SqliteArchive(island, path, clock=clock) as archive:
        drafts = [says(A, B), says_to_alias(A, "team@x.org", f"{B} {C}", D)]
        await archive.commit(drafts, Notes(cursors={(B, ""): Cursor(0, 1)}))
        other = sqlite3.connect(path)
        other.executescript(damage)
        other.close()
        found = await archive.problems()
    assert any(words in line for line in found), found
    assert all(line.startswith("archive.sqlite: ") and "\n" not in line for line in found)


async def test_damaged_pages_are_named(island, path, clock):
    """Whatever page is overwritten: opening is refused in one line, or the check finds it."""
    async with SqliteArchive(island, path, clock=clock) as archive:
        await archive.commit([says(A, B, "x" * 500, origin=str(number)) for number in range(300)])
    whole = path.read_bytes()
    found = []
    for page in range(1, len(whole) // 4096, 7):
        path.write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[page * 4096 + 4096 :])
        try:
            async with SqliteArchive(island, path, clock=clock) as archive:
                found.append((await archive.problems())[0])
        except DatabaseRefused as error:
            found.append(str(error))
    assert len(found) > 10
    assert all("archive.sqlite: " in line and "\n" not in line for line in found)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM contact WHERE address = 'a@x.org'", "alias team@x.org names a@x.org"),
        ("DELETE FROM domain", "contact a@x.org is in no domain"),
        ("UPDATE contact SET changed = 9 WHERE kind = 'alias'", "team@x.org: version 9 is newer"),
        ("UPDATE contact SET changed = 1", "version 1 was given to another"),
        ("UPDATE contact SET members = '{' WHERE kind = 'alias'", "team@x.org has members that are no list"),
        ("INSERT INTO removed_contact VALUES ('a@x.org', 1, 'member', 3)", "removed contact a@x.org is there"),
        ("INSERT INTO photo VALUES ('b@x.org', 'image/png', x'00')", "photo of b@x.org"),
        (
            "INSERT INTO verifier VALUES ('a@x.org', 'sha-1', x'00', 1, x'00', x'00')",
            "verifier sha-1 of a@x.org has keys",
        ),
        ("INSERT INTO verifier VALUES ('b@x.org', 'sha-1', x'00', 1, x'00', x'00')", "there is no such member"),
        ("INSERT INTO blocked VALUES ('b@x.org', 'a@x.org')", "blocked address a@x.org of b@x.org"),
        ("INSERT INTO personal VALUES ('b@x.org', 'a@x.org', '', '[]', 1)", "personal contact a@x.org of b@x.org"),
    ],
)
async def test_faults_in_the_accounts_are_named(island, tmp_path, damage, words):
    from tests.index.test_accounts import alias, member

    async with SqliteAccounts(island, tmp_path / "accounts.sqlite") as accounts:
        await accounts.add_domain("x.org")
        await accounts.put([member(A), alias("team@x.org", A)])
        assert await accounts.problems() == []
        other = sqlite3.connect(tmp_path / "accounts.sqlite")
        other.executescript(damage)
        other.close()
        found = await accounts.problems()
    assert any(words in line for line in found), found
    assert all(line.startswith("accounts.sqlite: ") and "\n" not in line for line in found)


@pytest.fixture
def damaged(tmp_path, island, clock):
    """An archive with "before" in it, after this was done to its file; it is not closed in the usual way, which looks."""

    @asynccontextmanager
    async def do(sql):
        path = tmp_path / "damaged.sqlite"
        async with SqliteArchive(island, path, clock=clock) as archive:
            await archive.commit([says(A, B, "before")])
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(sql)
        async with SqliteArchive(island, path, clock=clock) as archive:
            yield archive

    return do


async def test_a_message_in_the_wrong_history_is_not_told(island, path, clock):
    """The index of owners has no checksum: what fits the table may still not fit the message."""
    async with SqliteArchive(island, path, clock=clock) as archive:
        await archive.commit([says(A, B, "for b alone"), says(A, C, "for c")])
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(
                f"UPDATE entry SET owner = (SELECT id FROM address WHERE jid = '{C}')"
                f" WHERE owner = (SELECT id FROM address WHERE jid = '{B}')"
            )
        strange, own = await archive.missed(Jid(C, "new"), 0, 10, has_copies=False)
        assert (strange.body, strange.sender.bare, strange.to.bare) == (DAMAGED, "", "")
        assert "for b alone" not in strange.payload
        assert own.body == "for c"
        page = await archive.histories.page(HistoryQuery(owner=C))
        assert [kept.chat.body for kept in page.kept] == [DAMAGED, "for c"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE message SET body = 'befgre'",
        "UPDATE message SET payload = '<body>befgre</body>'",
        "UPDATE message SET body = CAST(x'6265ff' AS TEXT)",
        "UPDATE message SET body = 7.5",
        "UPDATE message SET sender_resource = 'elsewhere'",
        "UPDATE address SET jid = 'z@x.org' WHERE jid = 'a@x.org'",
    ],
)
async def test_words_that_nobody_wrote_are_not_told(damaged, damage):
    async with damaged(damage) as archive:
        (chat,) = await archive.missed(Jid(B, "new"), 0, 10, has_copies=False)
        assert (chat.body, chat.id) == (DAMAGED, int(NOON * 1_000_000))
        assert "befgre" not in chat.payload
        (problem,) = await archive.problems()
        assert problem.startswith(f"archive.sqlite: message {chat.id} is damaged")


async def test_messages_from_before_there_were_checksums_are_told(damaged):
    async with damaged("UPDATE message SET checksum = NULL") as archive:
        assert [c.body for c in await archive.missed(Jid(B, "new"), 0, 10, has_copies=False)] == ["before"]
        assert await archive.problems() == []


@pytest.fixture
def after_a_kill(disk, path, tmp_path, island, clock):
    """The files as a kill leaves them, with a log of twenty commits. This is done to the log, and they are opened."""

    async def do(harm):
        for number in range(20):
            await disk.commit([says(A, B, f"{number}")])
        folder = tmp_path / "killed"
        folder.mkdir()
        for file in tmp_path.glob("archive.sqlite*"):
            shutil.copy(file, folder)
        harm(folder / "archive.sqlite-wal")
        async with SqliteArchive(island, folder / path.name, clock=clock) as archive:
            return len(await archive.missed(Jid(B, "new"), 0, 100, has_copies=False))

    return do


def flip_in_the_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut_a_page(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 100)


async def test_a_log_that_is_whole_is_not_worth_a_word(after_a_kill, caplog):
    assert await after_a_kill(lambda _: None) == 21
    assert caplog.records == []


@pytest.mark.parametrize(
    ("harm", "word"), [(flip_in_the_middle, "passed over"), (cut_a_page, "passed over"), (Path.unlink, "is gone")]
)
async def test_what_is_lost_with_the_log_is_told(after_a_kill, caplog, harm, word):
    try:
        assert await after_a_kill(harm) < 21
    except StorageUnavailable:
        assert harm is Path.unlink
    assert word in caplog.text


async def test_a_schema_whose_damage_is_no_text_is_refused(tmp_path, island, clock):
    """SQLite names what is damaged, and Python cannot read that name."""
    path = tmp_path / "archive.sqlite"
    async with SqliteArchive(island, path, clock=clock):
        pass
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE message", b"CREATE \xccABLE message"))
    with pytest.raises((DatabaseRefused, StorageUnavailable), match=r"archive\.sqlite"):
        await SqliteArchive(island, path, clock=clock).open()
