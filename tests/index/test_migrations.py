"""Migrations: every older version arrives, what is newer or not ours is refused, half of one never stays."""

import sqlite3
from importlib import resources

import pytest

from index.accounts import SqliteAccounts
from index.archive import APPLICATION_ID, SqliteArchive
from index.database import Database
from index.ledger import Entry, Role
from index.migrations import DatabaseRefused, Schema, statements

NUMBER = 0x526F6B7A
ONE = f"PRAGMA application_id = {NUMBER};  -- ours\nCREATE TABLE bird (name TEXT);\nINSERT INTO bird VALUES ('rook; crow');"
TWO = """-- A comment; with a semicolon.
ALTER TABLE bird ADD COLUMN weight INTEGER;
CREATE TRIGGER heavy AFTER INSERT ON bird BEGIN
    UPDATE bird SET weight = 1 WHERE weight IS NULL;
    UPDATE bird SET weight = weight;
END;
"""
THREE = "UPDATE bird SET weight = 500;\nINSERT INTO bird (name) VALUES ('jay');"
OLDER_ARCHIVE = Schema.load("archive", APPLICATION_ID).scripts


def schema(*scripts):
    return Schema("aviary", NUMBER, scripts)


async def birds(island, path, aviary):
    database = Database(path, aviary, has_foreign_keys=True)
    found = await island.run_to_end(database.open, lambda c: c.execute("SELECT * FROM bird").fetchall())
    await island.run_to_end(database.close)
    return found


@pytest.mark.parametrize("older", [0, 1, 2, 3])
async def test_every_older_version_arrives(island, tmp_path, older):
    path = tmp_path / "aviary.sqlite"
    if older:
        await birds(island, path, schema(*(ONE, TWO, THREE)[:older]))
    for _ in range(2):
        assert await birds(island, path, schema(ONE, TWO, THREE)) == [("rook; crow", 500), ("jay", 1)]


async def test_half_a_migration_does_not_stay(island, tmp_path):
    path = tmp_path / "aviary.sqlite"
    await birds(island, path, schema(ONE))
    with pytest.raises(sqlite3.OperationalError, match="no such table: nest"):
        await birds(island, path, schema(ONE, TWO, "INSERT INTO bird VALUES ('half', 1); \nDELETE FROM nest;"))
    assert await birds(island, path, schema(ONE, TWO)) == [("rook; crow", None)]  # the second is there, the third not
    assert await birds(island, path, schema(ONE, TWO, THREE)) == [("rook; crow", 500), ("jay", 1)]


async def test_a_script_cut_short_is_a_mistake_of_ours():
    assert list(statements("-- nothing\n\n")) == []
    assert len(list(statements(TWO))) == 2
    with pytest.raises(ValueError, match="middle of a statement"):
        list(statements("SELECT 1;\nSELECT 2"))


@pytest.mark.parametrize("name", ["archive", "accounts"])
async def test_the_package_has_its_scripts(name):
    files = {f.name for f in (resources.files("index") / "schema" / name).iterdir()}
    loaded = Schema.load(name, 1)
    assert loaded.version == len(files) >= 1


async def test_who_was_absent_stays_so(island, tmp_path, clock):
    """Archive 2 -> 3: absent members leave the entries, nothing else changes."""
    path = tmp_path / "archive.sqlite"
    first_two = Schema("archive", APPLICATION_ID, OLDER_ARCHIVE[:2])
    database = Database(path, first_two, has_foreign_keys=False)
    await island.run_to_end(database.open, lambda _: None)

    def fill(connection):
        connection.executemany("INSERT INTO address VALUES (?, ?)", enumerate("abcd", 1))
        row = (7, 1, "r", 4, "", 4, "chat", "", "", "", "hello", "<body>hello</body>", 1)
        connection.execute(f"INSERT INTO message VALUES ({', '.join('?' * len(row))})", row)
        connection.executemany("INSERT INTO entry VALUES (?, 7, ?, ?)", [(1, 4, 1), (2, 1, 2), (3, 1, 3)])

    await island.run_to_end(database.write, fill)
    await island.run_to_end(database.close)
    async with SqliteArchive(island, path, clock=clock) as archive:
        assert await archive.ledger(7) == [
            Entry("a", "d", Role.SENT),
            Entry("b", "a", Role.RECEIVED),
            Entry("c", "a", Role.ABSENT),
        ]
        assert await archive.problems() == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT owner, role FROM entry").fetchall() == [(1, 1), (2, 2)]
    connection.close()


@pytest.fixture(params=["archive", "accounts"])
def opened(request, island, clock):
    """Opens one of our databases at a path."""
    if request.param == "archive":
        return lambda path: SqliteArchive(island, path, clock=clock)
    return lambda path: SqliteAccounts(island, path)


@pytest.fixture
def refused(opened):
    """Opening this file is refused, in one line that names it."""

    async def refuse(path, *words):
        content = path.read_bytes()
        with pytest.raises(DatabaseRefused) as caught:
            async with opened(path):
                pass
        text = str(caught.value)
        assert str(path) in text
        assert "\n" not in text
        for word in words:
            assert word in text
        assert path.read_bytes() == content, "a refused file is left as it is"

    return refuse


async def test_a_newer_version_is_refused(opened, refused, tmp_path):
    path = tmp_path / "data.sqlite"
    async with opened(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    await refused(path, "99", "newer")


async def test_the_other_database_is_refused(opened, refused, tmp_path, island, clock):
    path = tmp_path / "data.sqlite"
    other = SqliteAccounts(island, path) if isinstance(opened(path), SqliteArchive) else None
    async with other or SqliteArchive(island, path, clock=clock):
        pass
    await refused(path, "not the")


async def test_a_foreign_database_is_refused(refused, tmp_path):
    path = tmp_path / "data.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE message (id)")
    connection.close()
    await refused(path, "not the")


async def test_garbage_is_refused(refused, tmp_path):
    path = tmp_path / "data.sqlite"
    path.write_bytes(b"no database at all" * 1000)
    await refused(path, "damaged, or no database")


async def test_a_cut_off_file_is_refused(opened, refused, tmp_path):
    path = tmp_path / "data.sqlite"
    async with opened(path):
        pass
    path.write_bytes(path.read_bytes()[:6000])
    await refused(path, "damaged")


async def test_an_empty_file_becomes_a_database(opened, tmp_path):
    path = tmp_path / "data.sqlite"
    path.touch(mode=0o644)
    async with opened(path) as opened_one:
        assert await opened_one.problems() == []
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_path_that_cannot_be_opened_is_refused(opened, tmp_path):
    for path in (tmp_path, tmp_path / "file" / "data.sqlite"):
        (tmp_path / "file").touch()
        with pytest.raises(DatabaseRefused, match="cannot be opened"):
            async with opened(path):
                pass


async def test_a_path_with_characters_that_mean_something_in_addresses(opened, tmp_path):
    path = tmp_path / "50% off? #1 & ünïcode" / "data.sqlite"
    async with opened(path) as opened_one:
        assert await opened_one.problems() == []
    assert [p.name for p in path.parent.iterdir()] == ["data.sqlite"]
