"""The archiver: commit, then deliver, then acknowledge.

Everything that waits when a commit is over goes into the next one (group commit): one transaction, one fsync, both parties'
archives. Only then are the chats told to their recipients and their senders. If the commit fails, nobody gets the messages
and their senders are told to try again later; the next batch tries the disk anew, so writing resumes by itself.

What is relayed keeps its place behind the chats that came before it. Cursors ride along with the next commit, or are
written `CURSOR_SECONDS` later when there is none. Reads are the historian's, so that a long one delays no commit.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from actors.directory import CATALOGUER, HISTORIAN, Directory
from actors.runtime import Runtime
from actors.worker import Worker
from engine import messages as m
from engine.errors import Condition, Refusal
from engine.ports import Archive, Draft, StorageUnavailable, Stored

log = logging.getLogger(__name__)

CURSOR_SECONDS = 1.0
"""A crash within this time after a delivery without further traffic may bring that message once more at the next login."""


class FlushCursors(msgspec.Struct, frozen=True):
    """archiver -> itself: there was no commit for the cursors to ride along with."""


class Archiver(Worker):
    """Owns the writing end of the archive."""

    batch_limit = 512

    def __init__(self, archive: Archive, newest: int, runtime: Runtime, directory: Directory) -> None:
        super().__init__()
        self._archive = archive
        self._newest = newest
        self._runtime = runtime
        self._directory = directory
        self._cursors: dict[str, int] = {}
        self._is_flush_due = False
        self._outcomes: deque[Stored | Refusal] = deque()
        self.commits = 0
        self.archived = 0
        self.refused = 0

    async def handle(self, batch: Sequence[Any]) -> None:
        """Commit what is to be archived, then let everything go its way in the order in which it came."""
        for message in batch:
            if type(message) is m.MoveCursor:
                self._cursors[message.owner] = max(message.delivered, self._cursors.get(message.owner, 0))
        drafts = [Draft(w.chat, w.recipients, w.absent) for w in batch if type(w) is m.ArchiveChat]
        if drafts or any(type(message) is FlushCursors for message in batch):
            self._outcomes.extend(await self._commit(drafts))
        for message in batch:
            self._handlers[type(message)](self, message)
        if drafts:
            self._directory.tell(CATALOGUER, m.ArchiveGrew(self._newest))
        if self._cursors and not self._is_flush_due:
            self._is_flush_due = True
            self._runtime.schedule(CURSOR_SECONDS, self.actor_ref, FlushCursors())

    async def _commit(self, drafts: Sequence[Draft]) -> Sequence[Stored | Refusal]:
        cursors, self._cursors = self._cursors, {}
        try:
            stored = await self._archive.commit(drafts, cursors)
        except StorageUnavailable as error:
            log.warning("archive: not written, %d messages refused: %s", len(drafts), error)
            self._cursors = cursors
            refusal = Refusal(Condition.RESOURCE_CONSTRAINT, "the message could not be stored; try again later")
            return [refusal] * len(drafts)
        except Exception:  # the others of the batch must not pay for one message
            log.exception("archive: a batch of %d failed", len(drafts))
            self._cursors = cursors
            if len(drafts) <= 1:
                return [Refusal(Condition.INTERNAL_SERVER_ERROR, "the message could not be stored")] * len(drafts)
            return [outcome for draft in drafts for outcome in await self._commit([draft])]
        self.commits += 1
        self._newest = max(self._newest, *(entry.id for entry in stored)) if stored else self._newest
        return stored

    def _release(self, command: m.ArchiveChat) -> None:
        outcome, sender = self._outcomes.popleft(), command.chat.sender.bare
        if isinstance(outcome, Refusal):
            self.refused += 1
            self._directory.tell(sender, m.ChatRefused(command.chat, outcome.condition, outcome.text))
            return
        chat = msgspec.structs.replace(command.chat, id=outcome.id)
        if not outcome.duplicate:
            self.archived += 1
            delivery = m.DeliverChat(chat)
            for recipient in command.recipients:
                self._directory.tell(recipient, delivery)
        self._directory.tell(sender, m.ChatArchived(chat, outcome.duplicate))

    def _relay(self, command: m.Relay) -> None:
        self._directory.tell(command.address, command.message)
        self._directory.tell(command.sender, m.Relayed())

    def _fetch_waiting(self, command: m.FetchWaiting) -> None:
        after = max(command.after, self._cursors.get(command.owner, 0))
        self._directory.tell(HISTORIAN, m.FetchWaiting(command.owner, after, self._newest))

    def _note(self, _: m.MoveCursor) -> None:
        """Taken before the commit."""

    def _flushed(self, _: FlushCursors) -> None:
        self._is_flush_due = False

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.ArchiveChat: _release,
        m.Relay: _relay,
        m.FetchWaiting: _fetch_waiting,
        m.MoveCursor: _note,
        FlushCursors: _flushed,
    }
