"""Numbered migrations: from whatever version a database has to the newest.

The scripts are package files, ``schema/<name>/NNNN_<what>.sql``, numbered from 0001 without a gap. Script n takes a database
from version n-1 to n (`user_version`), in a transaction of its own: after a crash in the middle it begins anew. A script
is never edited once it was released; what it got wrong, the next one puts right. The first one sets `application_id`, so
that a database of another program, or the other database of ours, is refused and not migrated.
"""

import re
import sqlite3
from collections.abc import Iterator
from importlib import resources

import msgspec


class DatabaseRefused(Exception):  # noqa: N818 -- a state of the file, not a fault of the program
    """The file cannot be served from: damaged, foreign, of a newer version, or not ours to open. One line, naming the file."""


class Schema(msgspec.Struct, frozen=True):
    """What a database looks like.

    Attributes:
        name: for people, such as ``archive``.
        application_id: the number in the file's header that says whose it is.
        scripts: SQL; the n-th takes version n-1 to n.
    """

    name: str
    application_id: int
    scripts: tuple[str, ...]

    @classmethod
    def load(cls, name: str, application_id: int) -> "Schema":
        """The schema from the package's files."""
        folder = resources.files("index") / "schema" / name
        files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda file: file.name)
        numbers = [int(re.match(r"\d{4}(?=_)", file.name)[0]) for file in files]  # type: ignore[index]
        if numbers != list(range(1, len(files) + 1)):
            raise ValueError(f"migrations of {name} are not numbered from 0001 without a gap: {numbers}")
        return cls(name, application_id, tuple(file.read_text(encoding="utf-8") for file in files))

    @property
    def version(self) -> int:
        """The newest version."""
        return len(self.scripts)


def recognise(connection: sqlite3.Connection, schema: Schema, file: str) -> int:
    """The version of a database; 0: it is new and empty. Nothing is written.

    Raises:
        DatabaseRefused: it is somebody else's, or newer than this program.
        sqlite3.DatabaseError: it is no database, or damaged.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if version == 0 and objects == 0 and application_id in (0, schema.application_id):
        return 0
    if application_id != schema.application_id:
        raise DatabaseRefused(f"{file}: a database, but not the {schema.name} of Rookery")
    if not 0 < version <= schema.version:
        raise DatabaseRefused(
            f"{file}: version {version} is newer than this program, which knows the {schema.name} up to {schema.version}"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, schema: Schema, version: int) -> None:
    """Take a recognised database of `version` to the newest. The connection is in autocommit mode."""
    for number in range(version + 1, schema.version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have migrated while this one waited for the lock.
            if connection.execute("PRAGMA user_version").fetchone()[0] < number:
                for statement in statements(schema.scripts[number - 1]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number:d}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def statements(script: str) -> Iterator[str]:
    """The statements of a script; each ends with the line that has its semicolon."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if any(line.strip() and not line.lstrip().startswith("--") for line in pending.splitlines()):
        raise ValueError(f"the script ends in the middle of a statement: {pending.strip()!r}")
