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
