"""The archiver: commit, then deliver, then acknowledge.

Everything that waits when a commit is over goes into the next one (group commit): one transaction, one fsync, both parties'
archives. Only then are the chats told to their recipients and their senders. If the commit fails, nobody gets the messages
and their senders are told to try again later; the next batch tries the disk anew, so writing resumes by itself.

**Notes** go into the same transactions. With a chat goes the number that it has in its sender's session, so that a session that
is resumed after a kill says exactly what is on disk. Cursors of clients ride along with the next commit, or are written
`CURSOR_SECONDS` later when there is none.

What is relayed keeps its place behind the chats that came before it. Reads are the historian's, so that a long one delays no
commit; a question goes through here, behind what was sent before it.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import msgspec
import trio

from actors.directory import CATALOGUER, FINDER, HISTORIAN, LIBRARIAN, SURVEYOR, Directory
from actors.mailbox import MailboxFull
from actors.runtime import Runtime
from actors.worker import Worker
from engine import messages as m
from engine.errors import Condition, Refusal
from engine.limits import RESUME_SECONDS
from engine.ports import Archive, Cursor, Draft, Notes, StorageUnavailable, Stored
from engine.resumption import SessionJournal
from engine.standing import Standings

log = logging.getLogger(__name__)

CURSOR_SECONDS = 1.0
"""A crash within this time after a delivery without further traffic may bring that message once more at the next login."""

_DESKS: Final = {"page": LIBRARIAN, "survey": SURVEYOR, "search": FINDER}


LINGER_SECONDS = 0.001
"""How long the archiver waits for more when it is busy: a commit costs the same for one message and for fifty, so that waiting
makes each of them several times cheaper. A quiet server does not wait."""

BUSY_MESSAGES = 4
"""In the last batch: who has so many at once has more in a moment."""


class FlushNotes(msgspec.Struct, frozen=True):
    """archiver -> itself: there was no commit for the notes to ride along with."""


class ForgetStale(msgspec.Struct, frozen=True):
    """archiver -> itself: who had a session before the server was started has had his time to come back."""


class Archiver(Worker):
    """Owns the writing end of the archive."""

    batch_limit = 512

    def __init__(
        self, archive: Archive, journal: SessionJournal, standings: Standings, runtime: Runtime, directory: Directory
    ) -> None:
        super().__init__()
        self._archive = archive
        self._journal = journal
        self._standings = standings
        standings.forget_cursors()  # of an archiver before this one, which may not have written them
        self._runtime = runtime
        self._directory = directory
        self._cursors: dict[tuple[str, str], Cursor] = {}
        self._forgotten: dict[str, None] = {}
        self._is_flush_due = False
        self._outcomes: deque[Stored | Refusal] = deque()
        self._marked: deque[Condition | None] = deque()
        self._is_busy = False
        self.commits = 0
        self.archived = 0
        self.refused = 0

    def on_start(self) -> None:
        """Give the clients of the server's life before this one their time."""
        self._runtime.schedule(RESUME_SECONDS, self.actor_ref, ForgetStale())

    async def linger(self) -> None:
        """Let more come together while there is much to do."""
        if self._is_busy:
            await trio.sleep(LINGER_SECONDS)

    async def handle(self, batch: Sequence[Any]) -> None:
        """Commit what is to be archived and kept, then let everything go its way in the order in which it came."""
        self._is_busy = len(batch) >= BUSY_MESSAGES
        gathered = _Gathered()
        for message in batch:
            take = self._takers.get(type(message))
            if take is not None:
                take(self, gathered, message)
        if gathered.is_to_be_written:
            self._outcomes.extend(await self._commit(gathered.drafts, gathered.done))
        marks = [(message.request.session.bare, message.id) for message in batch if type(message) is m.MarkRead]
        if marks:
            self._marked.extend(await self._mark_read(marks))
        for message in batch:
            self._handlers[type(message)](self, message)
        if any(type(message) is ForgetStale for message in batch):
            await self._forget_stale()
        if gathered.drafts:
            self._directory.tell(CATALOGUER, m.ArchiveGrew(self._standings.newest))
        if (self._cursors or self._forgotten) and not self._is_flush_due:
            self._is_flush_due = True
            self._runtime.schedule(CURSOR_SECONDS, self.actor_ref, FlushNotes())

    async def _forget_stale(self) -> None:
        self._journal.forget_stale()
        try:
            await self._archive.forget_stale_sessions()
        except StorageUnavailable as error:
            log.warning("archive: old sessions not dropped, tried again: %s", error)
            self._runtime.schedule(RESUME_SECONDS, self.actor_ref, ForgetStale())

    # -- before the commit ---------------------------------------------------------------------------------------------

    def _take_chat(self, gathered: "_Gathered", message: m.ArchiveChat) -> None:
        sent = message.sent
        gathered.drafts.append(Draft(sent.chat, message.recipients, message.absent))
        if sent.token:
            gathered.done[sent.token] = sent.number

    def _take_forgotten(self, _: "_Gathered", message: m.ForgetSession) -> None:
        self._forgotten[message.token] = None

    def _take_leave(self, _: "_Gathered", message: m.ForgetClients) -> None:
        self._standings.forget_cursors(message.owner)
        self._cursors = {key: cursor for key, cursor in self._cursors.items() if key[0] != message.owner}

    def _take_question(self, gathered: "_Gathered", _: Any) -> None:
        """What the notes must be written for: a client that comes back within the second goes on where it was."""
        gathered.is_urgent = True

    def _take_missed(self, gathered: "_Gathered", question: m.FetchMissed) -> None:
        if self._standings.answer(question) is None:
            gathered.is_urgent = True

    def _take_cursor(self, _: "_Gathered", message: m.MoveCursor) -> None:
        moved = self._standings.move(message)
        if moved is not None:
            self._cursors[message.owner, message.family] = moved

    async def _commit(self, drafts: Sequence[Draft], done: dict[str, int]) -> Sequence[Stored | Refusal]:
        cursors, self._cursors = self._cursors, {}
        forgotten, self._forgotten = self._forgotten, {}
        try:
            stored = await self._archive.commit(drafts, Notes(cursors, done, forgotten))
        except StorageUnavailable as error:
            log.warning("archive: not written, %d messages refused: %s", len(drafts), error)
            self._cursors, self._forgotten = cursors, forgotten
            refusal = Refusal(Condition.RESOURCE_CONSTRAINT, "the message could not be stored; try again later")
            return [refusal] * len(drafts)
        except Exception:  # the others of the batch must not pay for one message
            log.exception("archive: a batch of %d failed", len(drafts))
            self._cursors, self._forgotten = cursors, forgotten
            if len(drafts) <= 1:
                return [Refusal(Condition.INTERNAL_SERVER_ERROR, "the message could not be stored")] * len(drafts)
            alone: list[Stored | Refusal] = []
            for draft in drafts:
                alone += await self._commit([draft], {})
            await self._commit((), done)
            return alone
        self.commits += 1
        for draft, entry in zip(drafts, stored, strict=True):
            if not entry.duplicate:
                self._standings.grow(entry.id, (draft.chat.sender.bare, *draft.recipients, *draft.absent))
        return stored

    async def _mark_read(self, marks: Sequence[tuple[str, int]]) -> Sequence[Condition | None]:
        try:
            return [None if is_known else Condition.ITEM_NOT_FOUND for is_known in await self._archive.mark_read(marks)]
        except StorageUnavailable as error:
            log.warning("archive: %d readings not written: %s", len(marks), error)
            return [Condition.RESOURCE_CONSTRAINT] * len(marks)

    # -- after it ------------------------------------------------------------------------------------------------------

    def _release(self, command: m.ArchiveChat) -> None:
        outcome, sent = self._outcomes.popleft(), command.sent
        sender = sent.chat.sender.bare
        if isinstance(outcome, Refusal):
            self.refused += 1
            refused = m.ChatRefused(sent.chat, outcome.condition, outcome.text, sent.number)
            self._directory.tell(sender, refused)
            return
        chat = msgspec.structs.replace(sent.chat, id=outcome.id)
        if not outcome.duplicate:
            self.archived += 1
            delivery = m.DeliverChat(chat)
            for recipient in command.recipients:
                self._directory.tell(recipient, delivery)
        self._directory.tell(sender, m.ChatArchived(chat, outcome.duplicate, sent.number))

    def _relay(self, command: m.Relay) -> None:
        self._directory.tell(command.address, command.message)
        self._directory.tell(command.sender, m.Relayed())

    def _fetch_missed(self, command: m.FetchMissed) -> None:
        answer = self._standings.answer(command)  # what this batch brought is on disk by now
        if answer is None:
            self._directory.tell(HISTORIAN, msgspec.structs.replace(command, up_to=self._standings.newest))
        else:
            self._directory.tell(command.session.full, answer)

    def _pass_on(self, command: m.FetchSession) -> None:
        self._directory.tell(HISTORIAN, command)

    def _ask_for_history(self, question: m.FetchHistory) -> None:
        self._ask_librarian(msgspec.structs.replace(question, up_to=self._standings.newest))

    def _ask_librarian(self, question: m.FetchHistory | m.FetchHistoryBounds | m.FetchConversations) -> None:
        try:
            self._directory.tell(_DESKS[question.desk], question)
        except MailboxFull:
            refusal = m.RequestRefused(question.request, Condition.RESOURCE_CONSTRAINT, "too many questions; try again")
            self._directory.tell(question.request.session.full, refusal)

    def _answer_mark(self, command: m.MarkRead) -> None:
        refused, request = self._marked.popleft(), command.request
        answer = m.RequestDone(request) if refused is None else m.RequestRefused(request, refused)
        self._directory.tell(request.session.full, answer)

    def _note(self, _: m.MoveCursor | m.ForgetSession | m.ForgetClients | ForgetStale) -> None:
        """Done elsewhere."""

    def _flushed(self, _: FlushNotes) -> None:
        self._is_flush_due = False

    _takers: ClassVar[dict[type, Callable[[Any, "_Gathered", Any], None]]] = {
        m.ArchiveChat: _take_chat,
        m.ForgetSession: _take_forgotten,
        m.ForgetClients: _take_leave,
        m.MoveCursor: _take_cursor,
        m.FetchMissed: _take_missed,
        m.FetchSession: _take_question,
        FlushNotes: _take_question,
    }

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.ArchiveChat: _release,
        m.Relay: _relay,
        m.ForgetSession: _note,
        m.ForgetClients: _note,
        m.FetchMissed: _fetch_missed,
        m.FetchSession: _pass_on,
        m.FetchHistory: _ask_for_history,
        m.FetchHistoryBounds: _ask_librarian,
        m.FetchConversations: _ask_librarian,
        m.MarkRead: _answer_mark,
        m.MoveCursor: _note,
        FlushNotes: _flushed,
        ForgetStale: _note,
    }


class _Gathered:
    """What of one batch goes to disk, beside what has waited for a commit."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.done: dict[str, int] = {}
        self.is_urgent = False

    @property
    def is_to_be_written(self) -> bool:
        """There is something, and it cannot wait for the next chat."""
        return bool(self.drafts or self.is_urgent)
