"""The historian: reads from the archive, for whoever asks, beside the commits.

A question comes through the archiver, which has committed everything that was sent before it: a client reads its own writes.
"""

import logging
from collections.abc import Sequence
from typing import Any

from actors.directory import Directory
from actors.runtime import Runtime
from actors.worker import Worker
from engine import messages as m
from engine.limits import WAITING_PAGE
from engine.ports import Archive, StorageUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Until a read that failed is tried again: nobody else would ask for what waits."""


class Historian(Worker):
    """Owns the reading end of the archive."""

    batch_limit = 16

    def __init__(self, archive: Archive, runtime: Runtime, directory: Directory) -> None:
        super().__init__()
        self._archive = archive
        self._runtime = runtime
        self._directory = directory

    async def handle(self, batch: Sequence[Any]) -> None:
        """Answer each question in turn."""
        for question in batch:
            await self._fetch_waiting(question)

    async def _fetch_waiting(self, question: m.FetchWaiting) -> None:
        try:
            read = await self._archive.waiting(question.owner, question.after, WAITING_PAGE)
        except StorageUnavailable as error:
            log.warning("archive: not read, tried again in %s s: %s", RETRY_SECONDS, error)
            self._runtime.schedule(RETRY_SECONDS, self.actor_ref, question)
            return
        # What was committed since the question left the archiver is told to its owner by itself, as live as it is.
        chats = tuple(chat for chat in read if chat.id <= question.up_to)
        is_last = len(chats) < WAITING_PAGE
        up_to = question.up_to if is_last else chats[-1].id
        self._directory.tell(question.owner, m.WaitingFetched(question.owner, chats, up_to, is_last))
