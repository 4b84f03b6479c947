"""Processes of `rookery` that begin with the program already loaded: one process imports it once, and forks for each start.

Two thirds of what a start costs is the import of modules, which a kill cannot harm. What is forked has nothing open and no
thread; from ``main()`` on it starts as ever: configuration, journal, databases, listeners. `Spawner` asks over a socket,
`Forked` has what the rows use of `trio.Process`. When the asking process ends, so does the loading one, and what it forked with
it.
"""

import array
import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import trio

ROOT = Path(__file__).parent.parent.parent
REQUEST_BYTES = 65_536
"""One request is one packet: arguments and environment."""


class Spawner:
    """The process that has loaded the program."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._socket = ours
        self._ask()  # it has loaded
        atexit.register(self._close)

    def _close(self) -> None:
        """It ends when nobody can ask any more."""
        self._socket.close()
        self._process.wait()

    def fork(self, arguments: Sequence[str], environment: Mapping[str, str], stdout: int, stderr: int) -> int:
        """Run ``rookery`` with these arguments; its process number."""
        return self._ask((stdout, stderr), arguments=list(arguments), environment=dict(environment))

    def status(self, pid: int) -> int:
        """Of one that has ended."""
        return self._ask(ended=pid)

    def _ask(self, descriptors: Sequence[int] = (), **request: object) -> int:
        socket.send_fds(self._socket, [json.dumps(request).encode()], list(descriptors))
        answer = self._socket.recv(REQUEST_BYTES)
        assert answer, "the process that has loaded the program is gone"
        return int(answer)


@cache
def spawner() -> Spawner:
    """The one of this process."""
    return Spawner()


class Forked:
    """A process that was forked; as a `trio.Process`, as far as it is used."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], stderr: int) -> None:
        ours, theirs = os.pipe()
        try:
            self.pid = spawner().fork(arguments, environment, theirs, stderr)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self.stdout: trio.lowlevel.FdStream | None = trio.lowlevel.FdStream(ours)
        self._end = os.pidfd_open(self.pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status; None: it runs."""
        if self.returncode is None and select.select([self._end], [], [], 0.0)[0]:
            os.close(self._end)
            self.returncode = os.waitstatus_to_exitcode(spawner().status(self.pid))
        return self.returncode

    async def wait(self) -> int:
        """Wait for its end."""
        while (status := self.poll()) is None:
            await trio.lowlevel.wait_readable(self._end)
        return status

    def send_signal(self, number: int) -> None:
        """Nothing, if it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._end, number)

    def kill(self) -> None:
        """Kill -9."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


async def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """A command of ``rookery``, from its start to its end."""
    with os.fdopen(os.memfd_create("stderr"), "rb", closefd=True) as errors:
        process = Forked(arguments, {}, errors.fileno())
        assert process.stdout is not None
        said = b""
        try:
            async with process.stdout:
                while more := await process.stdout.receive_some():
                    said += more
            status = await process.wait()
        finally:
            process.kill()
        errors.seek(0)
        return subprocess.CompletedProcess(list(arguments), status, said, errors.read())


# -- in the process that has loaded the program -------------------------------------------------------------------------


def become(request: dict[str, object], stdout: int, stderr: int) -> None:
    """Be ``rookery``, in a process that was just forked."""
    null = os.open(os.devnull, os.O_RDONLY)
    for number, wanted in enumerate((null, stdout, stderr)):
        os.dup2(wanted, number)
    os.closerange(3, 1_024)
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.update(environment)
    sys.argv = ["rookery", *arguments]
    from config.cli import main

    main()


def serve(channel: socket.socket) -> None:
    """Fork for whoever asks, until he is gone."""
    import config.assemble
    import config.cli  # noqa: F401

    gc.collect()
    gc.freeze()
    living: set[int] = set()
    while True:
        data, passed, _, _ = socket.recv_fds(channel, REQUEST_BYTES, 2)
        if not data:
            break
        request = json.loads(data)
        answer = os.getpid()
        if "arguments" in request:
            answer = os.fork()
            if not answer:
                channel.detach()
                become(request, *passed)
            living.add(answer)
        elif "ended" in request:
            living.discard(request["ended"])
            _, answer = os.waitpid(request["ended"], 0)
        for each in array.array("i", passed):
            os.close(each)
        channel.send(str(answer).encode())
    for pid in living:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
