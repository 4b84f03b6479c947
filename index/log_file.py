"""What a start finds in the log of a database (``-wal``), and what it tells an operator of it.

SQLite reads the log up to the first page that is not whole and passes over the rest without a word: after a crash in the middle
of a commit that is right, as nobody was told of that commit. It is the same when the log is damaged, or gone: then messages are
missing that were there. So whatever is passed over is told. Format of the file: https://sqlite.org/walformat.html
"""

import logging
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24


def pages_in(database: Path) -> int:
    """How many pages of the newest generation the log has, whole or not; to be called before the database is opened."""
    file = database.with_name(f"{database.name}-wal")
    if not file.exists():
        if database.with_name(f"{database.name}-shm").exists():
            log.error("%s is gone, though its -shm is there: what was written last may be missing", file.name)
        return 0
    with file.open("rb") as content:
        header = content.read(_HEADER_BYTES)
        page_bytes, salts = int.from_bytes(header[8:12], "big"), header[16:24]
        count = 0
        while True:
            content.seek(_HEADER_BYTES + count * (_FRAME_HEADER_BYTES + page_bytes))
            frame = content.read(_FRAME_HEADER_BYTES)
            if len(frame) < _FRAME_HEADER_BYTES or frame[8:16] != salts:
                return max(count, 1) if file.stat().st_size > _HEADER_BYTES else 0
            count += 1


def tell_passed_over(database: Path, found: int, read: int) -> None:
    """Tell what was passed over. `found`: by `pages_in`; `read`: pages that SQLite took from the log."""
    missing = found - max(read, 0)
    if missing > 0:
        text = "%s-wal: %d of %d pages passed over: a commit that was not finished, of which nobody was told; or damage"
        log.warning(text, database.name, missing, found)
