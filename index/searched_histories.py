"""Histories that can be searched: `engine.ports.Histories` where `text` counts, for XMPP and webmail alike.

The search index says which messages have the words, the archive says what they are. Nothing is shown that is not in the owner's
history as the archive has it now, whatever the index believes: for some time it still knows what was purged, or the history of
somebody who had the address before.
"""

from collections.abc import Sequence

import msgspec

from engine.messages import ConversationsPage, ConversationsQuery, HistoryPage, HistoryQuery, Kept
from engine.ports import Histories, HistorySearch, UnknownMessage
from index.history_words import conditions_of, words_of


class SearchedHistories:
    """`engine.ports.Histories`.

    Args:
        histories: of the archive.
        search: the index of their words.
    """

    def __init__(self, histories: Histories, search: HistorySearch) -> None:
        self._histories = histories
        self._search = search

    async def page(self, query: HistoryQuery) -> HistoryPage:
        """See `engine.ports.Histories.page`."""
        if not query.text:
            return await self._histories.page(query)
        if query.ids:
            return await self._named(query)
        await self._check(query)
        found, is_complete = await self._search.find(query)
        try:
            return await self._look_up(query, found, is_complete=is_complete)
        except UnknownMessage:
            return await self._page_of_what_is_left(query)

    async def count(self, query: HistoryQuery) -> int:
        """See `engine.ports.Histories.count`."""
        if not query.text:
            return await self._histories.count(query)
        if query.ids:
            return len((await self._named(msgspec.structs.replace(query, limit=len(query.ids)))).kept)
        await self._check(query)
        bounds = await self._histories.bounds(query.owner)
        if bounds is None:
            return 0
        # Not what another had at this address before, which the index may still know.
        return await self._search.matches(msgspec.structs.replace(query, start=max(query.start, bounds[0].chat.id)))

    async def bounds(self, owner: str) -> tuple[Kept, Kept] | None:
        """See `engine.ports.Histories.bounds`."""
        return await self._histories.bounds(owner)

    async def conversations(self, query: ConversationsQuery) -> ConversationsPage:
        """See `engine.ports.Histories.conversations`."""
        return await self._histories.conversations(query)

    async def _check(self, query: HistoryQuery) -> None:
        """That the history has what the query names.

        Raises:
            UnknownMessage: it has not.
        """
        if query.known or query.after is not None or query.before is not None:
            named = HistoryQuery(owner=query.owner, known=query.known, after=query.after, before=query.before, limit=0)
            await self._histories.page(named)

    async def _named(self, query: HistoryQuery) -> HistoryPage:
        """Those of the page that have the words: who names messages has looked for them already."""
        conditions = conditions_of(query.text)
        page = await self._histories.page(query)
        texts = ((kept, words_of(kept.chat.body).text) for kept in page.kept if conditions)
        meant = (kept for kept, text in texts if all(condition.is_met(text) for condition in conditions))
        return HistoryPage(tuple(meant), page.is_complete)

    async def _look_up(self, query: HistoryQuery, found: Sequence[int], *, is_complete: bool) -> HistoryPage:
        """The messages that the index found.

        Raises:
            UnknownMessage: one is not in the history.
        """
        if not found:
            return HistoryPage((), is_complete)
        ids = HistoryQuery(owner=query.owner, ids=tuple(found), limit=query.limit, is_backwards=query.is_backwards)
        page = await self._histories.page(ids)
        return HistoryPage(page.kept, is_complete and page.is_complete)

    async def _page_of_what_is_left(self, query: HistoryQuery) -> HistoryPage:
        """The index knows more than the history has. What goes, goes from the beginning: so look no further back."""
        bounds = await self._histories.bounds(query.owner)
        if bounds is None:
            return HistoryPage((), is_complete=True)
        query = msgspec.structs.replace(query, start=max(query.start, bounds[0].chat.id))
        found, is_complete = await self._search.find(query)
        left = [message_id for message_id in found if await self._is_there(query.owner, message_id)]
        return await self._look_up(query, left, is_complete=is_complete)

    async def _is_there(self, owner: str, message_id: int) -> bool:
        try:
            return bool((await self._histories.page(HistoryQuery(owner=owner, ids=(message_id,)))).kept)
        except UnknownMessage:
            return False
