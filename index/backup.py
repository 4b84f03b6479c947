"""A copy of both databases and the files while the server writes: whole, of one moment, checked.

**One moment.** Who is a member is in one file and what was said in another. For the blink of an eye in which both copies
begin, the accounts are locked for writing: so no member leaves or comes between the two, and no history in the copy belongs
to an address that the copied accounts would give to somebody else.

**Beside the server.** Both are read within one transaction each, which delays no writer (SQLite's log); meanwhile the log
grows by what is written, and is cut back afterwards. Between two pieces the disk is left alone for a moment.

**Files** never change once they are kept, so those that the copied archive names are copied after it. One that is removed just
then is left out, with the messages that carried it soon to follow.

**Whole or not at all.** Each file grows under another name and takes its own when it is complete, checked by SQLite and on
disk. When something fails, nothing of it is left.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from engine.ports import StorageUnavailable
from index.accounts import APPLICATION_ID as ACCOUNTS_ID
from index.archive import APPLICATION_ID as ARCHIVE_ID
from index.line import BUSY_SECONDS
from index.migrations import DatabaseRefused, Schema, recognise

PIECE_PAGES: Final = 256
"""Copied at a time: 1 MiB, a few ms of a disk."""

PAUSE_SECONDS: Final = 0.002
"""Between two pieces, for those who write."""


class BackedUp(msgspec.Struct, frozen=True):
    """What was copied: bytes of the databases; how many files."""

    octets: int
    files: int


def back_up(accounts: Path, archive: Path, files: Path, folder: Path) -> BackedUp:
    """Copy both databases and the files into a folder, which is made if it is not there and must be empty.

    Blocks.

    Raises:
        DatabaseRefused: one of them is missing, not ours, or damaged.
        StorageUnavailable: one cannot be read or written just now.
        OSError: the folder cannot be used; its text says why.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise FileExistsError(17, "is not empty", str(folder))
    try:
        with _told(accounts), closing(_connect(accounts, "accounts", ACCOUNTS_ID)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            people = _look(accounts, "accounts", ACCOUNTS_ID)
            with closing(people), closing(_look(archive, "archive", ARCHIVE_ID)) as chats:
                lock.execute("ROLLBACK")
                size = sum(_copy(source, folder / path.name) for source, path in ((people, accounts), (chats, archive)))
        count = _copy_files(folder / archive.name, files, folder / files.name)
    except BaseException:
        for left in folder.iterdir():  # it was empty
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        raise
    _sync(folder, os.O_DIRECTORY)
    return BackedUp(size, count)


def _look(path: Path, name: str, application_id: int) -> sqlite3.Connection:
    """A connection that sees the file as it is now, until it is closed."""
    connection = _connect(path, name, application_id)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, name: str, application_id: int) -> sqlite3.Connection:
    with _told(path):
        if not path.exists():
            raise DatabaseRefused(f"{path}: is not there")
        # Not "ro": the last one to leave an orderly folder tidies the log away, and only who could write can do that.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        try:
            version = recognise(connection, Schema.load(name, application_id), str(path))
        except BaseException:
            connection.close()
            raise
    if not version:
        connection.close()
        raise DatabaseRefused(f"{path}: is empty")
    return connection


def _copy(source: sqlite3.Connection, file: Path) -> int:
    growing = file.with_name(f"{file.name}.part")
    os.close(os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with _told(growing), closing(sqlite3.connect(growing)) as target:
        source.backup(target, pages=PIECE_PAGES, progress=lambda *_: time.sleep(PAUSE_SECONDS))
        faults = [row[0] for row in target.execute("PRAGMA quick_check(1)")]
    if faults != ["ok"]:
        raise DatabaseRefused(f"{file.name}: damaged, and the copy as well: {faults[0].splitlines()[-1]}")
    _sync(growing)
    growing.rename(file)
    return file.stat().st_size


def _copy_files(archive: Path, source: Path, target: Path) -> int:
    with _told(archive), closing(sqlite3.connect(archive)) as connection:
        has_files = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'file'").fetchone()
        ids = connection.execute("SELECT id FROM file WHERE state = 2").fetchall() if has_files else []
    count = 0
    for (file_id,) in ids:
        place = Path(file_id[:2]) / file_id
        (target / place.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(source / place, target / place)
            (target / place).chmod(0o600)
            _sync(target / place)
            count += 1
        time.sleep(PAUSE_SECONDS)
    if ids:
        target.chmod(0o700)
        for made in (*target.iterdir(), target):
            _sync(made, os.O_DIRECTORY)
    return count


def _sync(path: Path, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What SQLite says, in our words."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageUnavailable(f"{path.name}: {error}") from error
