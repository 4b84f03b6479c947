"""A disk that loses power: what of a folder is there again, worked out from the system calls that wrote to it.

`calls` reads what strace wrote down (`tests.faults.tracing.recording`), `Disk` replays it up to any moment. A replay needs
no file system of its own, takes programs as they are, and gives a cut between any two calls of one recording.

**What survives.** Data: what was written before an fsync or fdatasync of that file began which ended before the cut. Names (new
files, renames, removals): *strictly* by POSIX only what was followed by an fsync of the folder; with a *journal*, as ext4 and
XFS have it, whatever came before any fsync of anything. *Torn*: of what was not synced, each sector of 512 bytes may be there
or not, in any order, and a part of the names.

**Limits**: memory that is mapped and written is not seen (SQLite's ``-shm`` only, which a start makes anew).
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

TRACED = (
    "openat,open,creat,close,write,pwrite64,writev,pwritev,ftruncate,lseek,rename,renameat,renameat2,unlink,unlinkat,"
    "mkdir,mkdirat,fsync,fdatasync"
)
SECTOR = 512

Mode = Literal["strict", "journal", "torn"]

_LINE = re.compile(r"^(\d+\.\d+) (\w+)\((.*)\)\s+= (-?\d+|\?)(?:<([^>]*)>)?.*?(?:<(\d+\.\d+)>)?$")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PLACE = re.compile(r"^(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")
_FD = re.compile(r"^(\d+)<")


class Call(msgspec.Struct, frozen=True, order=True):
    """One system call that succeeded. Times in seconds since 1970."""

    began: float
    ended: float
    name: str
    path: str
    other: str
    data: bytes
    number: int
    result: int
    fd: int
    flags: str


def calls(prefix: Path, cwd: Path) -> list[Call]:
    """Every call of every thread, in order. `cwd`: what relative names are relative to."""
    found = [
        call
        for file in prefix.parent.glob(f"{prefix.name}.*")
        for line in file.read_text(errors="replace").splitlines()
        if (call := _parse(line, cwd)) is not None
    ]
    return sorted(found)


def _unescape(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _parse(line: str, cwd: Path) -> Call | None:
    match = _LINE.match(line)
    if match is None or match[4] == "?" or match[4].startswith("-"):
        return None
    began, name, arguments, result, opened, lasted = match.groups()
    place = _PLACE.match(arguments)
    path = "" if place is None or place[2] else _unescape(place[1]).decode(errors="replace")
    texts = [_unescape(text) for text in _TEXT.findall(arguments)]
    other, data = "", b""
    if name.startswith(("rename", "unlink", "mkdir")):
        base = Path(path) if path and name.endswith(("at", "at2")) else cwd
        names = [str(base / text.decode(errors="replace")) for text in texts]
        path, other = names[0], names[-1]
    elif name in {"openat", "open", "creat"}:
        path = _unescape(opened or "").decode(errors="replace")
    else:
        data = b"".join(texts)
    numbers = re.findall(r"(?<![\w<\\])\d+(?=\)?$|, SEEK)", arguments)
    fd = _FD.match(arguments)
    number = int(numbers[-1]) if numbers else 0
    descriptor = int(fd[1]) if fd else -1
    ended = float(began) + float(lasted or 0)
    flags = arguments if name in {"openat", "open", "creat"} else ""
    return Call(float(began), ended, name, path, other, data, number, int(result), descriptor, flags)


class _Node:
    """A file. `pending`: what was written and not synced: (offset, data), or (length, None) for a truncation."""

    def __init__(self, data: bytes = b"") -> None:
        self.durable = bytearray(data)
        self.size = len(data)
        self.pending: list[tuple[int, bytes | None]] = []
        self.synced = 0

    def write(self, offset: int, data: bytes) -> None:
        self.pending.append((offset, data))
        self.size = max(self.size, offset + len(data))

    def truncate(self, length: int) -> None:
        self.pending.append((length, None))
        self.size = length

    @property
    def mark(self) -> int:
        return self.synced + len(self.pending)

    def sync(self, mark: int) -> None:
        count = max(0, mark - self.synced)
        for offset, data in self.pending[:count]:
            _apply(self.durable, offset, data)
        del self.pending[:count]
        self.synced += count

    def torn(self, dice: random.Random, share: float) -> bytes:
        content = bytearray(self.durable)
        for offset, data in self.pending:
            if data is None:
                if dice.random() < share:
                    _apply(content, offset, None)
                continue
            start = offset
            while start < offset + len(data):
                end = min((start // SECTOR + 1) * SECTOR, offset + len(data))
                if dice.random() < share:
                    _apply(content, start, data[start - offset : end - offset])
                start = end
        return bytes(content)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


_Name = tuple[str, str, str, "_Node | None"]
"""What was done to names: what, path, other path, node (None: a folder)."""


class _Names:
    """Which names there are, now or after a power cut."""

    def __init__(self, names: dict[str, "_Node | None"]) -> None:
        self.names = dict(names)
        self.pending: list[_Name] = []

    def sync(self, count: int, folder: str | None = None) -> None:
        """What is pending among the first `count`, in this folder only if one is given, is there for good."""
        due, rest = self.pending[:count], self.pending[count:]
        kept: list[_Name] = []
        for each in due:
            if folder is None or folder in {str(Path(each[1]).parent), str(Path(each[2]).parent)}:
                self.do(each)
            else:
                kept.append(each)
        self.pending = kept + rest

    def do(self, step: _Name) -> None:
        what, path, other, node = step
        if what == "add":
            self.names[path] = node
        elif what == "remove":
            self.names.pop(path, None)
        else:
            moved = [name for name in self.names if name == path or name.startswith(f"{path}/")]
            for name in moved:
                self.names[other + name[len(path) :]] = self.names.pop(name)


class Disk:
    """A folder whose calls are replayed.

    Args:
        root: where the program believes it to be.
        before: a copy of it from before the first call; all of it is on disk.
    """

    def __init__(self, root: Path, before: Path) -> None:
        self._root = str(root)
        names: dict[str, _Node | None] = {self._root: None}
        for file in sorted(before.rglob("*")):
            node = _Node(file.read_bytes()) if file.is_file() else None
            names[f"{self._root}/{file.relative_to(before)}"] = node
        self._now = _Names(names)
        self._strict, self._journal = _Names(names), _Names(names)
        self._offsets: dict[int, int | None] = {}

    def replay(self, recorded: list[Call]) -> Iterator[float]:
        """Go on, call by call; yields the time of each moment at which the power may fail, just before the next step."""
        steps: list[tuple[float, int, Call, bool]] = []
        for place, call in enumerate(recorded):
            is_sync = call.name in {"fsync", "fdatasync"}
            steps.append((call.began, place, call, False))
            if is_sync:
                steps.append((call.ended, place, call, True))
        marks: dict[int, tuple[int, int, int]] = {}
        for when, place, call, is_end in sorted(steps, key=lambda step: step[:2]):
            if not call.path.startswith(self._root) and call.name not in {"lseek", "close"}:
                continue
            if call.name not in {"lseek", "close", "openat", "open"}:
                yield when
            if call.name in {"fsync", "fdatasync"}:
                node = self._now.names.get(call.path)
                if not is_end:
                    mark = node.mark if node is not None else 0
                    marks[place] = (mark, len(self._strict.pending), len(self._journal.pending))
                elif place in marks:
                    self._synced(call.path, node, marks.pop(place))
                continue
            self._do(call)

    def _synced(self, path: str, node: _Node | None, marks: tuple[int, int, int]) -> None:
        if node is not None:
            node.sync(marks[0])
        else:
            self._strict.sync(marks[1], path)
        self._journal.sync(marks[2])

    def _do(self, call: Call) -> None:
        act = {
            "openat": self._open,
            "open": self._open,
            "creat": self._open,
            "close": self._close,
            "lseek": self._seek,
            "write": self._write,
            "writev": self._write,
            "pwrite64": self._write_at,
            "pwritev": self._write_at,
            "ftruncate": self._truncate,
        }.get(call.name)
        if act is not None:
            act(call)
        elif call.name.startswith("rename"):
            self._name("move", call.path, call.other, None)
        elif call.name.startswith("unlink"):
            self._name("remove", call.path, call.path, None)
        elif call.name.startswith("mkdir"):
            self._name("add", call.path, call.path, None)

    def _name(self, what: str, path: str, other: str, node: _Node | None) -> None:
        step = (what, path, other, node)
        self._now.do(step)
        self._strict.pending.append(step)
        self._journal.pending.append(step)

    def _open(self, call: Call) -> None:
        if call.path not in self._now.names:
            if "O_CREAT" not in call.flags:
                return
            self._name("add", call.path, call.path, _Node())
        node = self._now.names[call.path]
        if node is not None and "O_TRUNC" in call.flags and node.size:
            node.truncate(0)
        self._offsets[call.result] = None if "O_APPEND" in call.flags else 0

    def _close(self, call: Call) -> None:
        self._offsets.pop(call.fd, None)

    def _seek(self, call: Call) -> None:
        if self._offsets.get(call.fd) is not None:
            self._offsets[call.fd] = call.result

    def _write(self, call: Call) -> None:
        node = self._now.names.get(call.path)
        if node is None:
            return
        offset = self._offsets.get(call.fd)
        node.write(node.size if offset is None else offset, call.data[: call.result])
        if offset is not None:
            self._offsets[call.fd] = offset + call.result

    def _write_at(self, call: Call) -> None:
        node = self._now.names.get(call.path)
        if node is not None:
            node.write(call.number, call.data[: call.result])

    def _truncate(self, call: Call) -> None:
        node = self._now.names.get(call.path)
        if node is not None:
            node.truncate(call.number)

    def restore(self, target: Path, mode: Mode, dice: random.Random) -> None:
        """What is on the disk if the power fails now, as files in a new folder."""
        known = self._strict if mode == "strict" else self._journal
        names = _Names(known.names)
        share = dice.choice((0.1, 0.5, 0.9))
        if mode == "torn":
            for step in known.pending[: dice.randint(0, len(known.pending))]:
                names.do(step)
        target.mkdir(parents=True)
        for name, node in sorted(names.names.items(), key=lambda item: item[0]):
            if str(Path(name).parent) not in names.names and name != self._root:
                continue  # its folder is not there
            file = target / Path(name).relative_to(self._root)
            if node is None:
                file.mkdir(mode=0o700, exist_ok=True)
            else:
                file.write_bytes(node.torn(dice, share) if mode == "torn" else bytes(node.durable))
                file.chmod(0o600)
