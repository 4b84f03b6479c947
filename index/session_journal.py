"""The journal of sessions that can be resumed, and of who was told to be there, in a file (`engine.resumption.SessionJournal`).

A kill of the process leaves what it wrote with the kernel, so nothing here is synced: a flush costs one ``write`` for
everything that the sessions noted in a turn. A power cut takes away what the kernel had not written yet, and nobody can tell
how much; so the file names the boot in which it was written, and is of no use in another one: clients log in anew then, and get
from the archive what they missed.

**Form**: a head, then frames of a length, a checksum and the records of one flush. A frame that is cut off is dropped, and with
it nothing that a client was told: it is told behind the flush. What counts of a session are its last whole state and the
records behind it. They are also in memory, so that the file can be written anew when it has grown to `FILE_BYTES`.

**Limits**: of a session what `actors.notebook` notes behind one state; nothing else is kept.

**Faults**: a file that cannot be written is emptied, so that no session is resumed from what is not the whole truth; every
`RETRY_SECONDS` it is tried anew with all there is.

**The twin** in memory keeps everything at once.
"""

import logging
import os
import struct
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.jid import Jid
from engine.resumption import KeptSession, with_chat, with_done, with_new_numbers

log = logging.getLogger(__name__)

FILE_BYTES: Final = 8 * 1024 * 1024
"""Or twice what is needed; beyond, the file is written anew. That takes some ms."""

RETRY_SECONDS: Final = 5.0
"""Between two attempts to write a file that could not be written."""

_MAGIC: Final = b"rookery sessions 1\n"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_FRAME: Final = struct.Struct("<II")  # length, checksum
_RECORD: Final = struct.Struct(
    "<BHI"
)  # kind, length of the name, length of the rest; the name is a token or a full JID
_NUMBERS: Final = {b"C"[0]: struct.Struct("<QQQ"), b"N"[0]: struct.Struct("<QQ"), b"D"[0]: struct.Struct("<Q")}
_CHAT, _NEW_NUMBERS, _DONE, _STATE, _END, _THERE, _GONE = b"CNDSETG"
_APPLY: Final[dict[int, Callable[..., KeptSession]]] = {
    _CHAT: with_chat,
    _NEW_NUMBERS: with_new_numbers,
    _DONE: with_done,
}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptSession).decode


class FileJournal:
    """The journal in a file. Made anew if it is missing, damaged, or of another boot.

    Args:
        path: of the file.
        boot: names this boot of the machine; None: it is not known, and what was written before is of no use.
    """

    def __init__(self, path: Path, boot: str | None = None) -> None:
        self._path = path
        self._head = _head(_boot() if boot is None else boot)
        self._sessions, self._there = _read(path, self._head)
        self._stale, self._seen = set(self._sessions), set(self._there)
        self._needed = len(b"".join(self._sessions.values())) + len(self._who_is_there())
        self._unwritten = bytearray()
        self._file = -1
        self._size = 0
        self._retry_at = 0.0
        self._write_anew()

    def keep(self, token: str, kept: KeptSession) -> None:
        """See `engine.resumption.SessionJournal.keep`."""
        self._stale.discard(token)
        record = _record(_STATE, token, _encode(kept))
        self._needed += len(record) - len(self._sessions.get(token, b""))
        self._sessions[token] = bytearray(record)
        self._unwritten += record

    def note_chat(self, token: str, number: int, archive_id: int, given: int) -> None:
        """See `engine.resumption.SessionJournal.note_chat`."""
        self._note(_CHAT, token, number, archive_id, given)

    def note_new_numbers(self, token: str, acked: int, acked_id: int) -> None:
        """See `engine.resumption.SessionJournal.note_new_numbers`."""
        self._note(_NEW_NUMBERS, token, acked, acked_id)

    def note_done(self, token: str, done: int) -> None:
        """See `engine.resumption.SessionJournal.note_done`."""
        self._note(_DONE, token, done)

    def note_presence(self, jid: Jid, *, is_there: bool) -> None:
        """See `engine.resumption.SessionJournal.note_presence`."""
        name = jid.full
        self._seen.discard(name)
        if is_there is (name in self._there):
            return
        record = _record(_THERE if is_there else _GONE, name, b"")
        self._unwritten += record
        if is_there:
            self._there.add(name)
            self._needed += len(record)
        else:
            self._there.discard(name)
            self._needed -= len(record)

    def seen_before(self, domain: str) -> Collection[Jid]:
        """See `engine.resumption.SessionJournal.seen_before`."""
        return _of_domain(self._seen, domain)

    def forget(self, token: str) -> None:
        """See `engine.resumption.SessionJournal.forget`."""
        records = self._sessions.pop(token, None)
        if records is not None:
            self._needed -= len(records)
            self._unwritten += _record(_END, token, b"")

    def forget_stale(self) -> None:
        """See `engine.resumption.SessionJournal.forget_stale`."""
        for token in self._stale:
            self.forget(token)
        self._stale.clear()

    def recall(self, token: str) -> KeptSession | None:
        """See `engine.resumption.SessionJournal.recall`."""
        records = self._sessions.get(token)
        return None if records is None else _add_up(bytes(records))

    def flush(self) -> None:
        """See `engine.resumption.SessionJournal.flush`."""
        if not self._unwritten:
            return
        if self._file < 0:
            self._unwritten.clear()
            if time.monotonic() >= self._retry_at:
                self._write_anew()
        elif self._size > FILE_BYTES and self._size > 2 * self._needed:
            self._unwritten.clear()
            self._write_anew()
        else:
            try:
                self._append(self._unwritten)
            except OSError as error:
                self._fail(error)
            self._unwritten.clear()

    def close(self) -> None:
        """Keep what was noted, and close the file."""
        self.flush()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _who_is_there(self) -> bytes:
        return b"".join(_record(_THERE, name, b"") for name in self._there)

    def _note(self, kind: int, token: str, *numbers: int) -> None:
        known = self._sessions.get(token)
        if known is None:
            return  # it was forgotten
        self._stale.discard(token)
        record = _record(kind, token, _NUMBERS[kind].pack(*numbers))
        known += record
        self._needed += len(record)
        self._unwritten += record

    def _append(self, records: bytes | bytearray) -> None:
        frame = memoryview(_FRAME.pack(len(records), zlib.crc32(records)) + records)
        self._size += len(frame)
        while frame:
            frame = frame[os.write(self._file, frame) :]

    def _write_anew(self) -> None:
        """All that is needed, into a new file that takes the place of the old one."""
        new = self._path.with_name(f"{self._path.name}.new")
        old, self._file = self._file, -1
        try:
            self._file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(self._file, self._head)
            self._size = len(self._head)
            self._append(b"".join(self._sessions.values()) + self._who_is_there())
            new.replace(self._path)
        except OSError as error:
            new_file, self._file = self._file, old
            if new_file >= 0:
                os.close(new_file)
            self._fail(error)
        else:
            if old >= 0:
                os.close(old)

    def _fail(self, error: OSError) -> None:
        """Half of the truth is worse than none."""
        log.error("%s: cannot be written, sessions cannot be resumed after a kill: %s", self._path.name, error.strerror)
        self._retry_at = time.monotonic() + RETRY_SECONDS
        old, self._file = self._file, -1
        if old >= 0:
            with suppress(OSError):
                os.ftruncate(old, 0)
            os.close(old)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


class MemoryJournal:
    """The twin in memory."""

    def __init__(self) -> None:
        self._sessions: dict[str, KeptSession] = {}
        self._there: set[str] = set()
        self._stale: set[str] = set()
        self._seen: set[str] = set()

    def reopen(self) -> None:
        """As after a kill."""
        self._stale, self._seen = set(self._sessions), set(self._there)

    def keep(self, token: str, kept: KeptSession) -> None:
        """See `engine.resumption.SessionJournal.keep`."""
        self._stale.discard(token)
        self._sessions[token] = kept

    def note_chat(self, token: str, number: int, archive_id: int, given: int) -> None:
        """See `engine.resumption.SessionJournal.note_chat`."""
        self._note(token, with_chat, number, archive_id, given)

    def note_new_numbers(self, token: str, acked: int, acked_id: int) -> None:
        """See `engine.resumption.SessionJournal.note_new_numbers`."""
        self._note(token, with_new_numbers, acked, acked_id)

    def note_done(self, token: str, done: int) -> None:
        """See `engine.resumption.SessionJournal.note_done`."""
        self._note(token, with_done, done)

    def note_presence(self, jid: Jid, *, is_there: bool) -> None:
        """See `engine.resumption.SessionJournal.note_presence`."""
        self._seen.discard(jid.full)
        (self._there.add if is_there else self._there.discard)(jid.full)

    def seen_before(self, domain: str) -> Collection[Jid]:
        """See `engine.resumption.SessionJournal.seen_before`."""
        return _of_domain(self._seen, domain)

    def forget(self, token: str) -> None:
        """See `engine.resumption.SessionJournal.forget`."""
        self._sessions.pop(token, None)

    def forget_stale(self) -> None:
        """See `engine.resumption.SessionJournal.forget_stale`."""
        for token in self._stale:
            self.forget(token)
        self._stale.clear()

    def recall(self, token: str) -> KeptSession | None:
        """See `engine.resumption.SessionJournal.recall`."""
        return self._sessions.get(token)

    def flush(self) -> None:
        """Everything is kept already."""

    def _note(self, token: str, apply: Callable[..., KeptSession], *numbers: int) -> None:
        known = self._sessions.get(token)
        if known is not None:
            self._stale.discard(token)
            self._sessions[token] = apply(known, *numbers)


def read_sessions(path: Path) -> list[KeptSession]:
    """What a journal, which another process may be writing, says of each session; nothing if there is none of this boot."""
    sessions, _ = _read(path, _head(_boot()))
    return [_add_up(bytes(records)) for records in sessions.values()]


def _boot() -> str | None:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _head(boot: str | None) -> bytes:
    return _MAGIC + f"{boot}\n".encode() if boot else b"of an unknown boot\n"


def _read(path: Path, head: bytes) -> tuple[dict[str, bytearray], set[str]]:
    """By token: the last whole state of each session, and the records behind it; and who was told to be there."""
    sessions: dict[str, bytearray] = {}
    there: set[str] = set()
    try:
        data = path.read_bytes()
    except OSError:
        return sessions, there
    if not head.startswith(_MAGIC) or not data.startswith(head):
        return sessions, there
    for frame in _frames(data, len(head)):
        for kind, token, record in _records(frame):
            if kind == _THERE:
                there.add(token)
            elif kind == _GONE:
                there.discard(token)
            elif kind == _END:
                sessions.pop(token, None)
            elif kind == _STATE:
                sessions[token] = bytearray(record)
            elif token in sessions:
                sessions[token] += record
    return sessions, there


def _of_domain(names: Collection[str], domain: str) -> list[Jid]:
    jids = (Jid(bare, resource) for bare, _, resource in (name.partition("/") for name in names))
    return [jid for jid in jids if jid.domain == domain]


def _frames(data: bytes, start: int) -> Iterator[bytes]:
    """Up to the first that is not whole."""
    while len(data) - start >= _FRAME.size:
        length, checksum = _FRAME.unpack_from(data, start)
        frame = data[start + _FRAME.size : start + _FRAME.size + length]
        if len(frame) < length or zlib.crc32(frame) != checksum:
            return
        yield frame
        start += _FRAME.size + length


def _record(kind: int, token: str, rest: bytes) -> bytes:
    name = token.encode()
    return _RECORD.pack(kind, len(name), len(rest)) + name + rest


def _records(frame: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Kind, token and whole of each record."""
    start = 0
    while start < len(frame):
        kind, name, rest = _RECORD.unpack_from(frame, start)
        end = start + _RECORD.size + name + rest
        yield kind, frame[start + _RECORD.size : end - rest].decode(), frame[start:end]
        start = end


def _add_up(records: bytes) -> KeptSession:
    """A whole state, and what was noted behind it."""
    kept: Any = None
    for kind, token, record in _records(records):
        rest = record[_RECORD.size + len(token.encode()) :]
        kept = _decode(rest) if kind == _STATE else _APPLY[kind](kept, *_NUMBERS[kind].unpack(rest))
    result: KeptSession = kept
    return result
