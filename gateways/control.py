"""The control socket: how the command line reaches the running server, and how two processes never share one data folder.

**The claim.** Whoever touches the databases holds a lock on ``data_dir/rookery.lock`` (`claim`): the server for its whole
life, a command for its own. The kernel drops the lock with the process, so ``kill -9`` leaves nothing that blocks the next
start; the file stays and means nothing.

**The socket** ``data_dir/control.sock`` (mode 0600: the server's own user and root) is served by the holder of the claim. A
socket file that is there already is therefore one of a server that was killed, and is replaced. The protocol is one line of
JSON each way: a `Command` in, a `Result` out, any number of them in turn. An import comes in several lines
(`ImportUsers.has_more`), which are put together here and carried out as one.

Limits: `LINE_BYTES` of one request, `CONNECTIONS` at a time, `IDLE_SECONDS` between requests. What is not understood is
answered by one `Refused`; nothing that comes in here harms the server.
"""

import contextlib
import errno
import fcntl
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import trio

from engine.administration import (
    IMPORT_USERS,
    Command,
    Done,
    ImportUsers,
    Inspected,
    NewUser,
    PurgeHistory,
    Refused,
    Reindex,
    Result,
    ShowStatus,
    StatusShown,
    Verify,
)

log = logging.getLogger(__name__)

SOCKET_NAME: Final = "control.sock"
LOCK_NAME: Final = "rookery.lock"

LINE_BYTES: Final = 8 * 1024 * 1024
"""Of one request. The command line sends an import in lines of `IMPORT_ROWS`, which are below 2 MiB."""

IMPORT_ROWS: Final = 500
"""Of an import in one request."""

CONNECTIONS: Final = 16
"""At a time; an operator needs one. More wait in the socket's backlog."""

IDLE_SECONDS: Final = 60.0
"""Until the next request must have come; a connection that was forgotten makes room."""

CLAIM_SECONDS: Final = 10.0
"""How long a start waits for a command that has the folder just now."""

_POLL_SECONDS: Final = 0.05

Answer = Callable[[Command], Awaitable[Result]]
"""Carries one command out. Refusals are results; what it raises is logged and answered as an internal error."""


class FolderError(Exception):
    """The data folder cannot be used. The text is one line that names it."""


class FolderBusyError(FolderError):
    """Another process has the data folder."""


class ControlError(Exception):
    """The server does not answer as it should; one line."""


# -- the claim ----------------------------------------------------------------------------------------------------------


class Claim:
    """The right to touch the databases of a data folder, until it is released or the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let the next one have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def claim(data_dir: Path) -> Claim:
    """Take the data folder, which is made if it is not there.

    Raises:
        FolderBusyError: another process has it.
        FolderError: it cannot be made or written.
    """
    file = data_dir / LOCK_NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FolderError(f"data_dir {data_dir}: cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
        os.close(descriptor)
        if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
            raise FolderError(f"data_dir {data_dir}: cannot be locked: {error.strerror}") from error
        raise FolderBusyError(f"data_dir {data_dir}: in use by process {holder or 'unknown'}") from error
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())  # for whoever reads the refusal, nothing depends on it
    except OSError:
        log.debug("the lock file cannot be written", exc_info=True)  # a full disk must not keep anyone from reading
    return Claim(descriptor)


async def claim_for_server(data_dir: Path, patience: float = CLAIM_SECONDS) -> Claim:
    """Take the data folder for a server; a command that has it just now is waited for, another server is not.

    Raises:
        FolderBusyError: a server runs on it, or a command does not end.
        FolderError: it cannot be made or written.
    """
    deadline = trio.current_time() + patience
    while True:
        try:
            return claim(data_dir)
        except FolderBusyError:
            if is_served(data_dir) or trio.current_time() >= deadline:
                raise
        await trio.sleep(_POLL_SECONDS)


def is_served(data_dir: Path) -> bool:
    """Whether a server listens on the control socket."""
    try:
        Caller(data_dir).close()
    except OSError:
        return False
    return True


# -- the server's side --------------------------------------------------------------------------------------------------


def router(
    *,
    administer: Answer,
    verify: Callable[[], Awaitable[Sequence[str]]],
    reindex: Callable[[], Awaitable[str]],
    purge: Callable[[PurgeHistory], Awaitable[Result]],
    status: Callable[[], Awaitable[dict[str, str | int | float | bool | None]]],
) -> Answer:
    """Put together what answers each kind of command.

    Args:
        administer: commands about accounts (the registrar).
        verify: one line for each fault in archive, accounts and index.
        reindex: makes both indexes again and says what was done.
        purge: removes messages, or says which.
        status: figures by name.
    """

    async def answer_verify(_: Command) -> Result:
        return Inspected(tuple(await verify()))

    async def answer_reindex(_: Command) -> Result:
        return Done(await reindex())

    async def answer_status(_: Command) -> Result:
        return StatusShown(await status())

    others: dict[type, Callable[[Any], Awaitable[Result]]] = {
        Verify: answer_verify,
        Reindex: answer_reindex,
        PurgeHistory: purge,
        ShowStatus: answer_status,
    }

    async def answer(command: Command) -> Result:
        return await others.get(type(command), administer)(command)

    return answer


async def serve(
    data_dir: Path, answer: Answer, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the control socket until cancelled. The caller holds the claim.

    Raises:
        FolderError: the socket cannot be made.
    """
    path = data_dir / SOCKET_NAME
    try:
        listener = _listen(path)
    except OSError as error:
        raise FolderError(f"{path}: cannot listen: {error.strerror}") from error
    room = trio.CapacityLimiter(CONNECTIONS)
    try:
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                place = object()
                await room.acquire_on_behalf_of(place)
                try:
                    connection, _ = await listener.accept()
                except OSError as error:  # no more file descriptors, perhaps: the next moment may be better
                    log.warning("control: cannot accept: %s", error)
                    room.release_on_behalf_of(place)
                    await trio.sleep(_POLL_SECONDS)
                    continue
                nursery.start_soon(_serve_connection, connection, answer, place, room)
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _listen(path: Path) -> trio.socket.SocketType:
    path.unlink(missing_ok=True)  # left by a server that was killed: a living one would have the claim
    listener = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before there is a file that anyone could open
        with _short(path) as address:
            listener._sock.bind(address)  # type: ignore[attr-defined]  # noqa: SLF001 -- trio's own is a coroutine
        path.chmod(0o600)
        listener.listen(CONNECTIONS)
    except BaseException:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path of a socket, below the 108 bytes that the kernel allows."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def _serve_connection(
    connection: trio.socket.SocketType, answer: Answer, place: object, room: trio.CapacityLimiter
) -> None:
    try:
        await _Conversation(trio.SocketStream(connection), answer).run()
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
        log.debug("control: the command line went away")
    finally:
        connection.close()
        room.release_on_behalf_of(place)


class _Conversation:
    """One connection of the command line."""

    def __init__(self, stream: trio.SocketStream, answer: Answer) -> None:
        self._stream = stream
        self._answer = answer
        self._users: list[NewUser] = []

    async def run(self) -> None:
        """Answer line by line, until the other side has said all."""
        buffer = bytearray()
        while True:
            with trio.fail_after(IDLE_SECONDS):
                data = await self._stream.receive_some(65_536)
            if not data:
                return
            searched = len(buffer)
            buffer += data
            while (end := buffer.find(b"\n", searched)) >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                searched = 0
                await self._send(await self._handle(line))
            if len(buffer) > LINE_BYTES:
                await self._send(Refused(f"a request of more than {LINE_BYTES} bytes"))
                return

    async def _send(self, result: Result) -> None:
        await self._stream.send_all(msgspec.json.encode(result) + b"\n")

    async def _handle(self, line: bytes) -> Result:
        try:
            command: Command = _command_decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Refused(f"the request was not understood: {error}")
        if isinstance(command, ImportUsers):
            if len(self._users) + len(command.users) > IMPORT_USERS:
                self._users = []
                return Refused(f"more than {IMPORT_USERS} users; import them in parts")
            self._users += command.users
            if command.has_more:
                return Done(f"{len(self._users)} rows so far")
            command = msgspec.structs.replace(command, users=tuple(self._users))
        self._users = []
        try:
            return await self._answer(command)
        except Exception as error:  # the operator gets a line, the log gets the rest, the server goes on
            log.exception("control: %s failed", type(command).__name__)
            return Refused(f"internal error: {type(error).__name__}; see the server's log")


_command_decoder: Final = msgspec.json.Decoder(Command)
_result_decoder: Final = msgspec.json.Decoder(Result)


# -- the command line's side --------------------------------------------------------------------------------------------


class Caller:
    """A connection to the running server. Blocks; the command line has nothing else to do.

    Raises:
        OSError: no server listens.
    """

    def __init__(self, data_dir: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short(data_dir / SOCKET_NAME) as address:
                self._socket.connect(address)
        except BaseException:
            self._socket.close()
            raise
        self._reader = self._socket.makefile("rb")

    def call(self, command: Command) -> Result:
        """Have one command carried out.

        Raises:
            ControlError: the server went away or answers something else.
        """
        try:
            for line in lines(command):
                self._socket.sendall(line)
                result: Result = _result_decoder.decode(self._reader.readline())
                if isinstance(result, Refused):
                    break
        except OSError as error:
            raise ControlError(f"the server went away before it answered: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise ControlError(f"the server went away before it answered, or is of another version: {error}") from error
        return result

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def lines(command: Command) -> Iterator[bytes]:
    """The command as it goes over the socket: one line, or several for an import."""
    if isinstance(command, ImportUsers):
        for start in range(0, len(command.users) - IMPORT_ROWS, IMPORT_ROWS):
            part = msgspec.structs.replace(command, users=command.users[start : start + IMPORT_ROWS], has_more=True)
            yield msgspec.json.encode(part) + b"\n"
        rest = (len(command.users) - 1) // IMPORT_ROWS * IMPORT_ROWS
        command = msgspec.structs.replace(command, users=command.users[max(rest, 0) :])
    yield msgspec.json.encode(command) + b"\n"
