"""strace, as a tool of harm and as a witness: it kills at a system call, makes calls fail, or writes down every one of them."""

import platform
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from tests.load.peers.debian import need
from tests.load.server import ServerError
from tests.programs import TRACERS

ATTACH_SECONDS = 10.0
ATTACHED = b"attached"


def missing() -> str:
    """Why strace cannot be used here; empty if it can. Installs it where that is possible."""
    if platform.system() != "Linux":
        return "strace: Linux only"
    try:
        need(TRACERS)
    except ServerError as error:
        return str(error)
    attempt = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if attempt.returncode == 0 else "tracing is not allowed here"


@asynccontextmanager
async def attached(pid: int, *arguments: str) -> AsyncIterator[trio.Process]:
    """strace on a process that runs and all its threads, as long as this lasts or the process does."""
    command = ["strace", "-f", "-o", "/dev/null", *arguments, "-p", str(pid)]
    tracer = await trio.lowlevel.open_process(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert tracer.stderr is not None
    said = b""
    with trio.fail_after(ATTACH_SECONDS):
        while ATTACHED not in said:
            more = await tracer.stderr.receive_some()
            assert more, f"strace: {said!r}"
            said += more
    try:
        yield tracer
    finally:
        with trio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                tracer.terminate()  # it lets go of the process; SIGINT is ignored by what was started in the background
            with trio.move_on_after(ATTACH_SECONDS):
                await tracer.wait()
            tracer.kill()
            await tracer.wait()
            await tracer.stderr.aclose()


def recording(prefix: Path, calls: str) -> tuple[str, ...]:
    """What stands before a command so that every such call of each thread is written down, whole, with its time.

    The command keeps the process number, so that it can be killed and told to stop as ever.
    """
    words = ("strace", "-D", "-f", "-ff", "-ttt", "-T", "-y", "-xx", "-s", "16777216", "--seccomp-bpf")
    return (*words, "-e", f"trace={calls}", "-e", "signal=none", "-o", str(prefix))
