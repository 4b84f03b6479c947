"""One Tantivy index in its folder: opened whole or made anew, written by one writer, committed or rolled back.

**Opening never trusts the folder.** An index can always be made again from a database, so anything that is not exactly as it
should be (files missing, cut, or with another checksum, another schema, an unreadable list of segments) empties the folder, and
`TantivyFolder.is_new` says that everything must be indexed. Tantivy writes a CRC-32 at the end of each file but does not
check it when it opens; this module does (1 ms per MB), since a flipped bit would otherwise be a wrong result or a crash
of the process later. The writer's lock is held by the operating system for as long as the process lives: a lock file that
was left behind means nothing, a held lock means another server, and then nothing is touched.

**Writing** is for one thread at a time. What is added and deleted between two commits shows at once or not at all, on disk and
to searchers. After a fault the writer is thrown away: nothing of the unfinished commit stays.

Everything here blocks; callers run it in a worker thread. Tantivy releases the interpreter while it works.
"""

import fcntl
import json
import shutil
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import tantivy

from engine.ports import StorageUnavailable

WRITER_BYTES: Final = 64 * 1024 * 1024
"""What the writer collects before it writes a segment: an index of 100,000 contacts becomes a few segments, not hundreds."""

_FOOTER_MAGIC: Final = 1337
_META: Final = "meta.json"
_LOCK: Final = ".tantivy-writer.lock"
_READ_BYTES: Final = 1024 * 1024


class TantivyFolder:
    """An open index.

    Attributes:
        path: the folder.
        schema: of the index.
        is_new: the folder had no usable index; an empty one was made.
    """

    def __init__(
        self,
        path: Path,
        schema: tantivy.Schema,
        analyzers: Mapping[str, tantivy.TextAnalyzer],
        check: Callable[[tantivy.Searcher], object],
    ) -> None:
        """Open the index, or make it anew. `check` reads from it; if that raises, the index is damaged.

        Raises:
            StorageUnavailable: another process has it open, or the folder cannot be written.
        """
        self.path = path
        self.schema = schema
        self._writer: tantivy.IndexWriter | None = None
        try:
            self._index, self.is_new = _open(path, schema, check)
            for name, analyzer in analyzers.items():
                self._index.register_tokenizer(name, analyzer)
            self.writer()
        except (OSError, ValueError, RuntimeError) as error:
            raise StorageUnavailable(f"{path}: {_line(error)}") from error

    def searcher(self) -> tantivy.Searcher:
        """What was committed last, unchanging for as long as it is held."""
        return self._index.searcher()

    def writer(self) -> tantivy.IndexWriter:
        """The writer; made again after a fault."""
        if self._writer is None:
            self._writer = self._index.writer(WRITER_BYTES, 1)
        return self._writer

    def commit(self) -> None:
        """Write what was added and deleted to disk, and show it to new searchers.

        Raises:
            StorageUnavailable: nothing of it was written.
        """
        try:
            self.writer().commit()
            self._index.reload()
        except (OSError, ValueError, RuntimeError) as error:
            self.rollback()
            raise StorageUnavailable(f"{self.path}: {_line(error)}") from error

    def rollback(self) -> None:
        """Forget what was added and deleted since the last commit."""
        writer = self._writer
        if writer is not None:
            try:
                writer.rollback()
            except (OSError, ValueError, RuntimeError):
                self._writer = (
                    None  # one of its threads has died: dropping it frees the lock, the next is made when needed
                )

    def close(self) -> None:
        """Finish merges and free the lock. What was not committed is forgotten; a second call does nothing."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.rollback()
                writer.wait_merging_threads()
            except (OSError, ValueError, RuntimeError):
                return  # what was committed is on disk; a merge that failed is tried again at a later commit


def _open(
    path: Path, schema: tantivy.Schema, check: Callable[[tantivy.Searcher], object]
) -> tuple[tantivy.Index, bool]:
    if path.is_dir() and (path / _META).exists():
        try:
            _check_sums(path)
            index = _index(path, schema)
            check(index.searcher())
        except BaseException as error:
            # A panic in Tantivy's Rust comes as a BaseException of a class that no module exports.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            _refuse_if_locked(path)
        else:
            return index, False
    _empty(path)
    return _index(path, schema), True


def _index(path: Path, schema: tantivy.Schema) -> tantivy.Index:
    index = tantivy.Index(schema, str(path))  # refuses an index with another schema
    index.config_reader("manual")  # reads all segments; no watcher thread: commit() reloads
    return index


def _empty(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    path.mkdir(parents=True, exist_ok=True)
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _refuse_if_locked(path: Path) -> None:
    """A damaged index is not emptied under another process's feet."""
    lock = path / _LOCK
    if not lock.is_file():
        return
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError, an OSError, if somebody has it


def _check_sums(path: Path) -> None:
    """Compare every file of every live segment with the checksum at its end.

    Raises:
        ValueError, KeyError, TypeError: a file or the list of segments is damaged.
        OSError: a file cannot be read.
    """
    meta = json.loads((path / _META).read_bytes())
    live = {segment["segment_id"].replace("-", "") for segment in meta["segments"]}
    for file in path.iterdir():
        if file.name.partition(".")[0] in live:
            _check_sum(file)


def _check_sum(path: Path) -> None:
    # A file is: body, footer (JSON with the body's CRC), length of the footer, magic number; both 32 bits, little-endian.
    with path.open("rb") as file:
        left = path.stat().st_size - 8
        file.seek(max(0, left))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        left -= length
        if int.from_bytes(tail[4:], "little") != _FOOTER_MAGIC or left < 0:
            raise ValueError(f"{path.name} has no footer")
        file.seek(left)
        wanted = json.loads(file.read(length))["crc"]
        file.seek(0)
        crc = 0
        while left:
            block = file.read(min(left, _READ_BYTES))
            if not block:
                raise ValueError(f"{path.name} is cut")
            crc = zlib.crc32(block, crc)
            left -= len(block)
        if crc != wanted:
            raise ValueError(f"{path.name} is damaged")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
