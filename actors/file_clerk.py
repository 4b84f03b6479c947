"""The file clerk: gives XMPP clients places for the files that they want to share (XEP-0363).

The secret is made here, told once, and kept nowhere but in the messages that carry it. What the store cannot take just now is
``resource-constraint``, which clients try again.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from actors.directory import Directory
from actors.runtime import Runtime
from actors.worker import Worker
from engine import messages as m
from engine.errors import Condition
from engine.files import SECRET_BYTES, FileStore, SharedFile, id_of, ticket_of
from engine.ports import StorageUnavailable

log = logging.getLogger(__name__)


class FileClerk(Worker):
    """Reserves places.

    Args:
        files: where.
        quota: bytes of all files of one account; 0: no limit.
        clock: seconds since 1970.
        runtime: runs it.
        directory: whom to tell.
    """

    batch_limit = 32

    def __init__(
        self, files: FileStore, quota: int, clock: Callable[[], float], runtime: Runtime, directory: Directory
    ) -> None:
        super().__init__()
        self._files = files
        self._quota = quota
        self._clock = clock
        self._runtime = runtime
        self._directory = directory

    async def handle(self, batch: Sequence[Any]) -> None:
        """Answer each in turn."""
        for command in batch:
            self._directory.tell(command.request.session.full, await self._answer(command))

    async def _answer(self, command: m.RequestSlot) -> m.SlotGiven | m.RequestRefused:
        secret = secrets.token_urlsafe(SECRET_BYTES)
        owner, made_at = command.request.session.bare, int(self._clock() * 1_000_000)
        file = SharedFile(id_of(secret), owner, command.name, command.size, made_at)
        try:
            if await self._files.reserve(file, self._quota):
                return m.SlotGiven(command.request, ticket_of(secret, command.size, command.name))
            text = "your files take all the room that there is for you"
        except StorageUnavailable as error:
            log.warning("files: %s", error)
            text = "not possible just now; try again later"
        return m.RequestRefused(command.request, Condition.RESOURCE_CONSTRAINT, text)
