"""The power fails during uploads: what was acknowledged is there, and what is said to be there is whole."""

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults import tracing
from tests.faults.disk import TRACED, Disk, calls

FILES = 3
PROGRAM = f"""
import sys, time
from pathlib import Path
import trio
from engine.files import SharedFile
from index.archive import SqliteArchive
from index.asyncio_island import Island

async def main():
    path = Path(sys.argv[1]) / "archive.sqlite"
    async with Island() as island, SqliteArchive(island, path, clock=time.time) as archive:
        print("made", 0, flush=True)
        for number in range({FILES}):
            file = SharedFile(f"{{number:02}}" + "x" * 22, "a@x.org", "a.bin", 50_000, 1)
            await archive.files.reserve(file, 0)
            async with archive.files.receive(file) as incoming:
                for piece in range(5):
                    await incoming.write(bytes([number]) * 10_000)
                await incoming.keep()
            print(file.id, time.time(), flush=True)

trio.run(main)
"""


@pytest.mark.skipif(bool(tracing.missing()), reason="needs strace")
def test_an_upload_that_was_acknowledged_outlives_a_power_cut(tmp_path: Path):
    root, before = tmp_path / "root", tmp_path / "before"
    root.mkdir()
    before.mkdir()
    words = tracing.recording(tmp_path / "call", TRACED)
    done = subprocess.run(
        [*words, sys.executable, "-c", PROGRAM, str(root)], check=True, capture_output=True, text=True
    )
    acknowledged = {name: float(when) for name, when in map(str.split, done.stdout.splitlines()) if name != "made"}
    assert len(acknowledged) == FILES
    disk, dice, seen = Disk(root, before), random.Random(7), set()
    first = min(acknowledged.values())
    for number, moment in enumerate(disk.replay(calls(tmp_path / "call", Path.cwd()))):
        mode = ("strict", "journal", "torn")[number % 3]
        if moment < first and number % 5:
            continue
        target = tmp_path / f"cut-{number}"
        disk.restore(target, mode, dice)
        kept = kept_files(target)
        due = {name for name, when in acknowledged.items() if when < moment}
        assert due <= kept, f"lost at {moment}, {mode}"
        for name in kept:
            content = (target / "files" / name[:2] / name).read_bytes()
            assert content == bytes([int(name[:2])]) * 50_000, f"half a file at {moment}, {mode}"
        seen.add(len(kept))
    assert len(seen) > 1


def kept_files(folder: Path) -> set[str]:
    """What the rows say."""
    archive = folder / "archive.sqlite"
    if not archive.exists():
        return set()
    with closing(sqlite3.connect(archive)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'file'").fetchone():
            return set()
        return {name for (name,) in connection.execute("SELECT id FROM file WHERE state = 2")}
