"""Whether those inside have not done yet what they were told.

Owns nothing; looks at two queues in which what one client said stands before what all others say: the actors that are ready,
and the chats that wait for the archive. Who brings work in asks here before he brings more of those who brought much.
"""

from typing import Any, Final

from actors.directory import ARCHIVER, Directory
from actors.runtime import Runtime
from engine import messages as m

WAITING_CHATS: Final = 1_024
"""At the archiver, of the usual size: two of its commits. With 128, honest sessions waited for each other up to 2 s."""

WAITING_BYTES: Final = 262_144
"""Of these: as much is written, for both parties and their logs, in some 10 ms, too."""


class Backlog:
    """Of one process."""

    def __init__(self, runtime: Runtime, directory: Directory) -> None:
        self._dispatcher = runtime.dispatcher
        self._directory = directory

    def is_behind(self) -> bool:
        """There is something left."""
        if len(self._dispatcher):
            return True
        archiver = self._directory.find(ARCHIVER)
        inbox: Any = archiver.actor_inbox if archiver is not None else None
        if inbox is None or not inbox.items:
            return False
        if len(inbox.items) >= WAITING_CHATS:
            return True
        chats = (item.sent.chat for item in inbox.items if type(item) is m.ArchiveChat)
        return sum(len(chat.payload) for chat in chats) >= WAITING_BYTES
