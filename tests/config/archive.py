"""What was said before a command, written into the archive of a shell as the server would."""

import trio

from config.upkeep import ARCHIVE
from index.archive import SqliteArchive
from index.asyncio_island import Island
from tests.index.stories import NOON, Clock

HOUR = 3600.0
DAY = 24 * HOUR


def say(shell, *drafts, at=NOON):
    """Commit drafts at a time; their ids. A server may run beside it: SQLite lets one write after the other."""

    async def commit():
        clock = Clock()
        clock.now = at
        async with Island() as island, SqliteArchive(island, shell.data / ARCHIVE, clock=clock) as archive:
            return [stored.id for stored in await archive.commit(drafts)]

    return trio.run(commit)


def share(shell, file, content=b"content"):
    """Put a file into the store of a shell, as an upload would."""

    async def put():
        async with Island() as island, SqliteArchive(island, shell.data / ARCHIVE, clock=Clock()) as archive:
            assert await archive.files.reserve(file, 0)
            async with archive.files.receive(file) as incoming:
                await incoming.write(content)
                await incoming.keep()

    trio.run(put)


def files_of(shell):
    """The names in the folder of files."""
    return sorted(path.name for path in (shell.data / "files").rglob("*") if path.is_file())
