"""When the disk or another process is in the way: one vocabulary of errors, nothing half done, and it works again after."""

import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from engine.jid import Jid
from engine.ports import Cursor, Notes, StorageUnavailable
from index import database as database_module
from index.archive import SqliteArchive
from tests.index.stories import NOON, says

A, B = "a@x.org", "b@x.org"
ROOT = Path(__file__).parents[2]


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
