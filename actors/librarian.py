"""The librarian: answers people's questions about their histories, beside everything that chat itself needs.

A question comes through the archiver, which has committed everything that was sent before it: a client reads its own writes.
There are three librarians, one for each `engine.messages.Desk`: pages, what takes longer, and words. The first two have each
a connection of their own.

**Turns.** Questions line up by account. One of each account is answered in turn, so whoever asks much waits for himself.
After a turn that leaves further questions the librarian rests for as long as it took, `REST_SECONDS` at most: whoever never
stops asking gets half of a processor, and chat has what it needs. At `HISTORY_QUESTIONS` in his line the next one is refused.
What nobody is there to hear any more is not looked up.

A question that fails is told to who asked; nobody else notices.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final

import msgspec
import trio

from actors.directory import Directory
from actors.runtime import Runtime
from actors.worker import Worker
from engine import messages as m
from engine.errors import Condition
from engine.limits import HISTORY_QUESTIONS
from engine.ports import Histories, StorageUnavailable, UnknownMessage

log = logging.getLogger(__name__)

REST_SECONDS: Final = 0.05
"""Others whose question comes during the rest wait no longer than this."""

Question = m.FetchHistory | m.FetchHistoryBounds | m.FetchConversations


class NextTurn(msgspec.Struct, frozen=True):
    """librarian -> itself: somebody still waits."""


class Librarian(Worker):
    """Owns the questions that wait.

    Args:
        histories: where the answers are.
        runtime: not needed; every worker is started alike.
        directory: where those are found who asked.
    """

    batch_limit = 1_024

    def __init__(self, histories: Histories, runtime: Runtime, directory: Directory) -> None:  # noqa: ARG002
        super().__init__()
        self._histories = histories
        self._directory = directory
        self._lines: dict[str, deque[Question]] = {}

    async def handle(self, batch: Sequence[Any]) -> None:
        """Let new questions line up, then answer the first one of each line."""
        for message in batch:
            if type(message) is not NextTurn:
                self._line_up(message)
        begun = trio.current_time()
        for owner, line in tuple(self._lines.items()):
            question = line.popleft()
            if not line:
                del self._lines[owner]
            await self._answer(question)
        if self._lines:
            await trio.sleep(min(trio.current_time() - begun, REST_SECONDS))
            self.actor_ref.tell(NextTurn())

    def _line_up(self, question: Question) -> None:
        line = self._lines.setdefault(question.request.session.bare, deque())
        if len(line) < HISTORY_QUESTIONS:
            line.append(question)
        else:
            self._refuse(question, Condition.RESOURCE_CONSTRAINT, "too many questions at once; try again")

    async def _answer(self, question: Question) -> None:
        session = question.request.session.full
        if self._directory.find(session) is None:
            return
        try:
            answer = await self._finders[type(question)](self, question)
        except UnknownMessage:
            self._refuse(question, Condition.ITEM_NOT_FOUND)
        except StorageUnavailable as error:
            log.warning("archive: not read: %s", error)
            self._refuse(question, Condition.RESOURCE_CONSTRAINT, "the history cannot be read just now; try again")
        except Exception:  # the others must not pay for one question
            log.exception("archive: a question failed: %s", type(question).__name__)
            self._refuse(question, Condition.INTERNAL_SERVER_ERROR)
        else:
            self._directory.tell(session, answer)

    def _refuse(self, question: Question, condition: Condition, text: str = "") -> None:
        refusal = m.RequestRefused(question.request, condition, text)
        self._directory.tell(question.request.session.full, refusal)

    async def _find_page(self, question: m.FetchHistory) -> m.HistoryFetched:
        query = question.query
        if query.limit:
            page = await self._histories.page(query)
        else:
            count = await self._histories.count(query)
            page = m.HistoryPage((), is_complete=not count, count=count)
        return m.HistoryFetched(question.request, page, question.query_id, question.is_flipped, question.up_to)

    async def _find_bounds(self, question: m.FetchHistoryBounds) -> m.HistoryBoundsFetched:
        return m.HistoryBoundsFetched(question.request, await self._histories.bounds(question.request.session.bare))

    async def _find_conversations(self, question: m.FetchConversations) -> m.ConversationsFetched:
        page = await self._histories.conversations(question.query)
        return m.ConversationsFetched(question.request, page, question.has_messages)

    _finders: ClassVar[dict[type, Callable[[Any, Any], Awaitable[Any]]]] = {
        m.FetchHistory: _find_page,
        m.FetchHistoryBounds: _find_bounds,
        m.FetchConversations: _find_conversations,
    }
