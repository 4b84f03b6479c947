"""Users from a CSV file: ``address,name,password`` and optional ``title,department,phone``.

The file is read as a whole and every faulty row is found before anything is changed. What the rows say is judged by the rules
of `engine.admission`; here is only what concerns the file: its columns, its lines, and the passwords, of which verifiers are
made on all cores (PBKDF2 releases the GIL).
"""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from config.terminal import Progress
from engine.administration import NewUser, Verifiers
from engine.xmpp.scram import BadPasswordError, make_verifiers, saslprep

NEEDED: Final = ("address", "name", "password")
OPTIONAL: Final = ("title", "department", "phone")

FILE_BYTES: Final = 256 * 1024 * 1024
"""Of one file; half a million users have 50 MiB. More: refused before it is read."""

_AT_ONCE: Final = 200  # passwords between two looks at the clock: half a second


class FileError(Exception):
    """The file as a whole cannot be read; one line."""


class Row(msgspec.Struct, frozen=True):
    """One user of the file.

    Attributes:
        line: where it begins, counted from 1.
        user: without verifiers.
        password: as it stands there; empty: none.
    """

    line: int
    user: NewUser
    password: str


class LineFault(msgspec.Struct, frozen=True, order=True):
    """What is wrong in which line."""

    line: int
    text: str


def read_file(file: Path) -> tuple[list[Row], list[LineFault]]:
    """The users of a file, and what is wrong with which line of it.

    Raises:
        FileError: it cannot be read or has not the right columns.
    """
    try:
        if file.stat().st_size > FILE_BYTES:
            raise FileError(f"{file}: more than {FILE_BYTES // 2**20} MiB; import it in parts")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileError(f"{file}:{line}: is not UTF-8 text") from error
    rows: list[Row] = []
    faults: list[LineFault] = []
    records = _records(text, faults)
    header = next(records, None)
    if header is None and faults:
        raise FileError(f"{file}:{faults[0].line}: {faults[0].text}")
    if header is None:
        raise FileError(f"{file}: is empty; the first line must name the columns: {','.join(NEEDED)}")
    columns = [name.strip().lower() for name in header[1]]
    _check_columns(file, columns)
    for line, fields in records:
        if len(fields) != len(columns):
            faults.append(LineFault(line, f"{len(fields)} fields, but {len(columns)} columns"))
            continue
        values = dict(zip(columns, fields, strict=True))
        password = values.pop("password")
        try:
            saslprep(password or "none", is_stored=True)
        except BadPasswordError as error:
            faults.append(LineFault(line, f"{values['address']}: {error}"))
        rows.append(Row(line, msgspec.convert(values, NewUser), password))
    return rows, faults


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        hint = "; columns are separated by commas" if ";" in columns[0] or "\t" in columns[0] else ""
        raise FileError(f"{file}:1: there is no column {', '.join(missing)}{hint}")
    for i, name in enumerate(columns):
        if name not in NEEDED + OPTIONAL:
            raise FileError(f"{file}:1: unknown column {name!r}; known: {', '.join(NEEDED + OPTIONAL)}")
        if name in columns[:i]:
            raise FileError(f"{file}:1: column {name} is there twice")


def _records(text: str, faults: list[LineFault]) -> Iterator[tuple[int, list[str]]]:
    """Records that are not empty, each with the line in which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(LineFault(line, f"is not CSV: {error}"))
            if line > reader.line_num:  # nothing was read: it would go on for ever
                return
            continue
        if any(field.strip() for field in fields):
            yield line, fields


def with_verifiers(rows: Sequence[Row]) -> tuple[NewUser, ...]:
    """The users with verifiers of their passwords, in order."""
    users: list[NewUser] = []
    with Progress("passwords", len(rows)) as progress, ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            made = threads.map(_verifiers, (row.password for row in some))
            users += (msgspec.structs.replace(row.user, verifiers=v) for row, v in zip(some, made, strict=True))
            progress.show(len(users))
    return tuple(users)


def _verifiers(password: str) -> Verifiers:
    return make_verifiers(password) if password else {}
