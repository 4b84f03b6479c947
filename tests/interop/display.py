"""A screen that nobody looks at: Xvfb, for clients with windows."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE = "1000x700x24"


@contextlib.contextmanager
def display(folder: Path) -> Iterator[str]:
    """The name of a display of its own, ``:1``, with the log of its server in `folder`."""
    reads, writes = os.pipe()
    with (folder / "xvfb.log").open("w") as log:
        command = ["Xvfb", "-displayfd", str(writes), "-screen", "0", SIZE, "-nolisten", "tcp"]
        server = subprocess.Popen(command, pass_fds=[writes], stdout=log, stderr=log)
    os.close(writes)
    try:
        with os.fdopen(reads) as number:
            chosen = number.readline().strip()  # written when it takes connections
        assert chosen, (folder / "xvfb.log").read_text()
        yield f":{chosen}"
    finally:
        server.terminate()
        server.wait()
