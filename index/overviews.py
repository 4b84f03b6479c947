"""The conversations of one owner at a glance, and which of them a page shows: the rules that every archive keeps.

A conversation is listed by its newest message with a body. It is unread from what the owner has read on: the later of what
his clients marked, and of his own newest message with a body.
"""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from engine.messages import ConversationsQuery


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
