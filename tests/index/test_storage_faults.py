"""When the disk or another process is in the way: one vocabulary of errors, nothing half done, and it works again after."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio
import trio.testing

from engine.jid import Jid
from engine.ports import Cursor, Notes, StorageUnavailable
from index import database as database_module
from index.accounts import SqliteAccounts
from index.archive import SqliteArchive
from index.chat_rows import DAMAGED
from index.migrations import DatabaseRefused
from tests.index.stories import NOON, says, says_to_alias

A, B, C, D = "a@x.org", "b@x.org", "c@x.org", "d@x.org"
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def disk(island, tmp_path, clock):
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        await archive.commit([says(A, B, "before")])
        yield archive
        assert await archive.problems() == []


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.sqlite"


@pytest.fixture
def other(disk, path):
    """Another process's connection to the same file."""
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


async def write(archive, sql):
    """Something else on the archive's own writing connection."""
    return await archive._island.run_to_end(archive._database.write, lambda c: c.execute(sql).fetchall())


async def refused(archive, *words, draft=None):
    with pytest.raises(StorageUnavailable) as caught:
        await archive.commit([draft or says(A, B, "refused")], Notes(cursors={(B, ""): Cursor(0, int(NOON * 2e6))}))
    text = str(caught.value)
    assert "\n" not in text
    for word in ("archive.sqlite", *words):
        assert word in text


async def works(archive):
    await archive.commit([says(A, B, "after")])
    assert [c.body for c in await archive.missed(Jid(B, "new"), 0, 10, has_copies=False)] == ["before", "after"]


async def test_locked_by_another_process(disk, other):
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    await refused(disk, "locked", "SQLITE_BUSY")
    assert 0.9 < time.monotonic() - begun < 2.0
    assert [c.body for c in await disk.missed(Jid(B, "new"), 0, 10, has_copies=False)] == ["before"]  # reads go on
    other.execute("ROLLBACK")
    await works(disk)


async def test_a_lock_that_stays_is_not_waited_for_again(disk, other):
    """Who reads history queues behind the commits: a second for each of them would stop all readers."""
    other.execute("BEGIN EXCLUSIVE")
    await refused(disk, "locked", "SQLITE_BUSY")
    begun = time.monotonic()
    for _ in range(3):
        await refused(disk, "locked", "SQLITE_BUSY")
    assert time.monotonic() - begun < 0.9
    other.execute("ROLLBACK")
    await works(disk)
    assert await write(disk, "PRAGMA busy_timeout") == [(1_000,)]


async def test_a_lock_that_is_soon_gone_is_waited_for(disk, other):
    other.execute("BEGIN IMMEDIATE")

    async def commit():
        await disk.commit([says(A, B, "after")])
        assert not other.in_transaction

    async with trio.open_nursery() as nursery:
        nursery.start_soon(commit)
        await trio.testing.wait_all_tasks_blocked()
        other.execute("ROLLBACK")
    assert len(await disk.missed(Jid(B, "new"), 0, 10, has_copies=False)) == 2


async def test_opening_while_another_process_holds_everything(disk, island, path, clock, monkeypatch):
    await disk.close()
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageUnavailable, match="locked"):
        await SqliteArchive(island, path, clock=clock).open()
    holder.close()
    await disk.open()
    await works(disk)


async def test_full(disk):
    (pages,) = (await write(disk, "PRAGMA page_count"))[0]
    await write(disk, f"PRAGMA max_page_count = {pages + 2}")
    await refused(disk, "full", "SQLITE_FULL", draft=says(A, B, "x" * 100_000))
    assert [c.body for c in await disk.missed(Jid(B, "new"), 0, 10, has_copies=False)] == ["before"]
    await write(disk, f"PRAGMA max_page_count = {pages + 1000}")
    await works(disk)


async def test_a_connection_that_may_be_hurt_is_replaced(disk):
    await write(disk, "SELECT 1")
    await disk._island.run_to_end(
        database_module.Database._run,
        disk._database,
        disk._database._writer,
        lambda c: c.execute("PRAGMA query_only = 1"),
    )
    await refused(disk, "readonly")
    await works(disk)


async def test_the_file_is_gone_and_back(disk, path):
    """The server never makes a new file in its place."""
    with pytest.raises(StorageUnavailable):
        await disk._island.run(disk._database.read, raise_io_error)
    path.rename(path.with_suffix(".away"))
    with pytest.raises(StorageUnavailable, match="unable to open"):
        await disk.missed(Jid(B, "new"), 0, 10, has_copies=False)
    assert not path.exists()
    path.with_suffix(".away").rename(path)
    await works(disk)


def raise_io_error(_):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_READ, "SQLITE_IOERR_READ"
    raise error


async def test_mistakes_of_ours_are_not_storage_troubles(disk):
    for sql, kind in (
        ("SELECT nonsense", sqlite3.OperationalError),
        ("INSERT INTO client VALUES (1, NULL, 0, 0, 0)", sqlite3.IntegrityError),
        ("SELECT ?", sqlite3.ProgrammingError),
    ):
        with pytest.raises(kind):
            await write(disk, sql)
    await works(disk)


async def test_a_cancelled_read_stops(disk):
    """A query without an end is interrupted with its caller, and the connection goes on."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with trio.move_on_after(0.05) as scope:
        await disk._island.run(disk._database.read, lambda c: c.execute(endless).fetchall())
    assert scope.cancelled_caught
    with trio.fail_after(5):
        await works(disk)


async def test_a_long_check_delays_no_read_and_no_commit(disk):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(disk._island.run, disk._database.read_apart, lambda c: c.execute(endless).fetchall())
        await works(disk)
        nursery.cancel_scope.cancel()


FULL_FILE = """
import resource, sys, trio
from pathlib import Path
from engine.jid import Jid
from engine.ports import Cursor, Notes, StorageUnavailable
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.migrations import DatabaseRefused
from tests.index.stories import Clock, says

async def main():
    async with Island() as island, SqliteArchive(island, Path(sys.argv[1]), clock=Clock()) as archive:
        await archive.commit([says("a@x.org", "b@x.org", "before")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
        try:
            await archive.commit([says("a@x.org", "b@x.org", "x" * 300_000)])
        except StorageUnavailable as error:
            print("refused:", error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await archive.commit([says("a@x.org", "b@x.org", "after")])
        missed = await archive.missed(Jid("b@x.org", "new"), 0, 10, has_copies=False)
        print([c.body for c in missed], await archive.problems())

trio.run(main)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no such limit here")
def test_the_kernel_refuses_to_write(path):
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_FILE, str(path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stderr == ""
    refused, after = ran.stdout.splitlines()
    assert refused.startswith("refused: archive.sqlite: ")
    assert after == "['before', 'after'] []"


KILLED = """
import sys, trio
from pathlib import Path
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.migrations import DatabaseRefused
from tests.index.stories import Clock, says

async def main():
    async with Island() as island, SqliteArchive(island, Path(sys.argv[1]), clock=Clock()) as archive:
        while True:
            for stored in await archive.commit([says("a@x.org", "b@x.org")] * 3):
                print(stored.id, flush=True)

trio.run(main)
"""


async def test_what_was_told_survives_a_kill(island, path, clock):
    told = []
    for _ in range(3):
        with subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-c", KILLED, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            told += [int(process.stdout.readline()) for _ in range(200)]
            process.send_signal(signal.SIGKILL)
            told += [int(line) for line in process.stdout if line.endswith("\n")]
        async with SqliteArchive(island, path, clock=clock) as archive:
            there = [c.id for c in await archive.missed(Jid(B, "new"), 0, 1_000_000, has_copies=False)]
            assert set(told) <= set(there)
            assert len(told) == len(set(told))
            assert await archive.problems() == []


# -- what `verify` finds -----------------------------------------------------------------------------------------------


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
