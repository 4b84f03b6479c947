"""One Tantivy index in its folder: opened whole or made anew, written by one writer, committed or rolled back.

**Opening never trusts the folder.** An index can always be made again from a database, so anything that is not exactly as it
should be (files missing, cut, or with another checksum, another schema, an unreadable list of segments) empties the folder, and
`TantivyFolder.is_new` says that everything must be indexed. Tantivy writes a CRC-32 at the end of each file but does not
check it when it opens; this module does (1 ms per MB), since a flipped bit would otherwise be a wrong result or a crash
of the process later. The writer's lock is held by the operating system for as long as the process lives: a lock file that
was left behind means nothing, a held lock means another server, and then nothing is touched.

**Making it again** while it is in use: a new one grows beside it (`make_beside`) and takes its place
(`TantivyFolder.take_place`). Searchers of the old one go on; its files are gone from the disk. A crash in between leaves no
index at the place, or the old one, and what it leaves beside is dropped at the next opening (`drop_left_over`).

**Writing** is for one thread at a time. What is added and deleted between two commits shows at once or not at all, on disk and
to searchers. After a fault the writer is thrown away: nothing of the unfinished commit stays.

Everything here blocks; callers run it in a worker thread. Tantivy releases the interpreter while it works.
"""

import fcntl
import json
import os
import shutil
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import tantivy

from engine.ports import StorageUnavailable

WRITER_BYTES: Final = 64 * 1024 * 1024
"""What the writer collects before it writes a segment: an index of 100,000 contacts becomes a few segments, not hundreds."""

_NEW: Final = ".new"
_OLD: Final = ".old"
_FOOTER_MAGIC: Final = 1337
_PARTS: Final = ("term", "idx", "pos", "fast", "fieldnorm", "store")
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
        writer_bytes: int = WRITER_BYTES,
    ) -> None:
        """Open the index, or make it anew. `check` reads from it; if that raises, the index is damaged.

        Raises:
            StorageUnavailable: another process has it open, or the folder cannot be written.
        """
        self.path = path
        self.schema = schema
        self._writer: tantivy.IndexWriter | None = None
        self._analyzers = analyzers
        self._writer_bytes = writer_bytes
        try:
            index, self.is_new = _open(path, schema, check)
            self._index = self._with_analyzers(index)
            self.writer()
        except (OSError, ValueError, RuntimeError) as error:
            raise StorageUnavailable(f"{path}: {_line(error)}") from error

    def searcher(self) -> tantivy.Searcher:
        """What was committed last, unchanging for as long as it is held."""
        return self._index.searcher()

    def writer(self) -> tantivy.IndexWriter:
        """The writer; made again after a fault."""
        if self._writer is None:
            self._writer = self._index.writer(self._writer_bytes, 1)
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

    def is_there(self) -> bool:
        """Whether nobody has deleted the folder meanwhile."""
        return (self.path / _META).exists()

    def take_place(self, path: Path) -> None:
        """Move to `path`, and delete the index that is there, which must be closed.

        Raises:
            StorageUnavailable: both are where they were.
        """
        self.close()
        old = path.with_name(path.name + _OLD)
        try:
            drop(old)
            if path.exists():
                path.rename(old)
            try:
                self.path.rename(path)
            except OSError:
                old.rename(path)
                raise
            self._index = self._with_analyzers(_index(path, self.schema))
            self.path = path
            self.writer()
            drop(old)
            _sync(path.parent)
        except (OSError, ValueError, RuntimeError) as error:
            raise StorageUnavailable(f"{path}: {_line(error)}") from error

    def _with_analyzers(self, index: tantivy.Index) -> tantivy.Index:
        for name, analyzer in self._analyzers.items():
            index.register_tokenizer(name, analyzer)
        return index


def make_beside(path: Path) -> Path:
    """An empty folder beside the one of an index, for a new one.

    Raises:
        StorageUnavailable: it cannot be made.
    """
    new = path.with_name(path.name + _NEW)
    try:
        drop(new)
        new.mkdir(parents=True)
    except OSError as error:
        raise StorageUnavailable(f"{new}: {_line(error)}") from error
    return new


def drop_left_over(path: Path) -> None:
    """Delete what a crash left beside this index, which the caller has open."""
    for suffix in (_NEW, _OLD):
        drop(path.with_name(path.name + suffix))


def drop(path: Path) -> None:
    """Delete a folder, if it is there."""
    if path.exists():
        shutil.rmtree(path)


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


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
        OSError: a file is missing or cannot be read.
    """
    meta = json.loads((path / _META).read_bytes())
    live = {segment["segment_id"].replace("-", "") for segment in meta["segments"]}
    files = {file.name for file in path.iterdir() if file.name.partition(".")[0] in live}
    # Not each of them is opened before it is needed.
    for name in files | {f"{segment}.{part}" for segment in live for part in _PARTS}:
        _check_sum(path / name)


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
