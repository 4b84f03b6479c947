"""Where a long output goes: standard output, or a file that is there as a whole or not at all."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from config.terminal import Failed


@contextmanager
def output(file: Path | None) -> Iterator[BinaryIO]:
    """Something to write to.

    A file grows beside its place (mode 0600: what is written may be private) and takes it at the end; whatever happens before,
    nothing is left of it and what was there is as it was. A device or a pipe is written to as it is.

    Args:
        file: None or ``-``: standard output.

    Raises:
        Failed: it cannot be written.
    """
    if file is None or str(file) == "-":
        stream = sys.stdout.buffer
        yield stream
        stream.flush()
        return
    try:
        if _is_special(file):
            with file.open("wb") as target:
                yield target
        else:
            with _growing(file) as target:
                yield target
    except OSError as error:
        raise Failed(f"{file}: cannot be written: {error.strerror}") from error


def _is_special(file: Path) -> bool:
    return file.exists() and not stat.S_ISREG(file.stat().st_mode)


@contextmanager
def _growing(file: Path) -> Iterator[BinaryIO]:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        beside.replace(file)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
