"""The historian: reads from the archive, for whoever asks, beside the commits.

A question comes through the archiver, which has committed everything that was sent before it: a client reads its own writes.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from actors.directory import Directory
from actors.runtime import Runtime
from actors.worker import Worker
from engine import messages as m
from engine.limits import WAITING_PAGE, WAITING_PAGE_BYTES
from engine.ports import Archive, StorageUnavailable
from engine.resumption import SessionJournal

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Until a read that failed is tried again: nobody else would ask for what waits."""


class Historian(Worker):
    """Owns the reading end of the archive."""

    batch_limit = 16

    def __init__(self, archive: Archive, journal: SessionJournal, runtime: Runtime, directory: Directory) -> None:
        super().__init__()
        self._archive = archive
        self._journal = journal
        self._runtime = runtime
        self._directory = directory

    async def handle(self, batch: Sequence[Any]) -> None:
        """Answer each question in turn."""
        for question in batch:
            try:
                await self._handlers[type(question)](self, question)
            except StorageUnavailable as error:
                log.warning("archive: not read, tried again in %s s: %s", RETRY_SECONDS, error)
                self._runtime.schedule(RETRY_SECONDS, self.actor_ref, question)

    async def _fetch_missed(self, question: m.FetchMissed) -> None:
        session, after, fetches = question.session, question.after, None
        if question.family is not None:
            cursor, newest = await self._archive.cursor(session.bare, question.family)
            # A client that was never here begins where the last one stopped: with what nobody has got.
            after = newest if cursor is None else cursor.delivered
            fetches = None if cursor is None else cursor.fetches
        read: Sequence[m.Chat] = ()
        if after < question.up_to:  # else nobody has said anything since this client was here
            read = await self._archive.missed(session, after, WAITING_PAGE, has_copies=question.has_copies)
        # What was committed since the question left the archiver is told to the session by itself, as live as it is.
        known = [chat for chat in read if chat.id <= question.up_to]
        chats = _first_page(known)
        is_last = len(chats) == len(known) < WAITING_PAGE
        up_to = max(after, question.up_to) if is_last else chats[-1].id
        self._directory.tell(session.full, m.MissedFetched(question.number, chats, after, up_to, is_last, fetches))

    async def _fetch_session(self, question: m.FetchSession) -> None:
        kept = self._journal.recall(question.token)
        done = await self._archive.stanzas_done(question.token)
        if kept is None or kept.session.bare != question.account:  # somebody else's looks like none
            fetched = m.SessionFetched(None, 0, m.SessionState())
        else:
            fetched = m.SessionFetched(kept.session, max(kept.done, done), kept.state)
        self._directory.tell(question.reply_to, fetched)

    _handlers: ClassVar[dict[type, Callable[[Any, Any], Awaitable[None]]]] = {
        m.FetchMissed: _fetch_missed,
        m.FetchSession: _fetch_session,
    }


def _first_page(chats: Sequence[m.Chat]) -> tuple[m.Chat, ...]:
    """Those that fit into a page: all that are together within its bytes, and the first one in any case."""
    size = 0
    for place, chat in enumerate(chats):
        size += len(chat.payload) + len(chat.body)
        if place and size > WAITING_PAGE_BYTES:
            return tuple(chats[:place])
    return tuple(chats)
