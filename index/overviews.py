"""The conversations of one owner at a glance, and which of them a page shows: the rules that every archive keeps.

A conversation is listed by its newest message with a body. It is unread from what the owner has read on: the later of what
his clients marked, and of his own newest message with a body.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter

import msgspec

from engine.limits import HISTORY_PAGE_BYTES
from engine.messages import Conversation, ConversationsPage, ConversationsQuery, Kept


class Overview(msgspec.Struct, frozen=True):
    """One conversation. `newest` and `read` are archive ids; see `engine.messages.Conversation`."""

    peer: str
    newest: int
    unread: int
    read: int


def choose(overviews: Sequence[Overview], query: ConversationsQuery) -> tuple[list[Overview], bool]:
    """The conversations of a page, the newest first, and whether none of the query lies beyond."""
    matching = [
        overview
        for overview in sorted(overviews, key=attrgetter("newest"), reverse=True)
        if (query.older_than is None or overview.newest < query.older_than)
        and (query.newer_than is None or overview.newest > query.newer_than)
        and (overview.unread or not query.is_unread)
    ]
    if query.is_backwards:
        return matching[max(0, len(matching) - query.limit) :], len(matching) <= query.limit
    return matching[: query.limit], len(matching) <= query.limit


def page_of(
    overviews: Sequence[Overview],
    chosen: Sequence[Overview],
    newest: Mapping[int, Kept],
    query: ConversationsQuery,
    *,
    is_complete: bool,
) -> ConversationsPage:
    """The page, cut where its messages have too many bytes.

    Args:
        overviews: all conversations.
        chosen: those of the page.
        newest: the messages that these name.
        query: the question.
        is_complete: as `choose` says.
    """
    conversations: list[Conversation] = []
    size = 0
    for one in reversed(chosen) if query.is_backwards else chosen:
        kept = newest[one.newest]
        size += len(kept.chat.payload.encode())
        if conversations and size > HISTORY_PAGE_BYTES:
            is_complete = False
            break
        conversations.append(Conversation(one.peer, kept, one.unread, one.read))
    unread = [overview.unread for overview in overviews if overview.unread]
    return ConversationsPage(
        tuple(reversed(conversations)) if query.is_backwards else tuple(conversations),
        is_complete,
        count=len(unread) if query.is_unread else len(overviews),
        total=len(overviews),
        unread=len(unread),
        unread_messages=sum(unread),
    )
