"""Questions to the history, and their answers. Whose history it is, is part of every question.

Times are microseconds since 1970, as the ids of the archive are: a message of time t has an id of at least t. Addresses are
bare.
"""

import msgspec

from engine.messages.values import Chat, Request


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of one history. All conditions narrow.

    Attributes:
        owner: whose history.
        peer: only the conversation with this person or alias; empty: all.
        resource: of the peer, when a full JID was asked for: only what it sent or what was sent to it.
        start: the earliest time, inclusive.
        end: the latest time, inclusive; None: now.
        after: only greater ids. `before`: only smaller ones. Both must be in the history of the owner.
        before: see `after`.
        ids: only these; each must be in the history of the owner.
        text: words that the body must have, see `engine.ports.HistorySearch`; empty: all messages.
        limit: messages in the page; 0: none, only the count is wanted.
        is_backwards: the page at the far end (the newest ones, or those just before `before`), not at the near one.
    """

    owner: str
    peer: str = ""
    resource: str = ""
    start: int = 0
    end: int | None = None
    after: int | None = None
    before: int | None = None
    ids: tuple[int, ...] = ()
    text: str = ""
    limit: int = 50
    is_backwards: bool = False


class Kept(msgspec.Struct, frozen=True):
    """One message of a history. `is_sent`: by its owner; otherwise he received it."""

    chat: Chat
    is_sent: bool


class HistoryPage(msgspec.Struct, frozen=True):
    """Some messages, oldest first.

    Attributes:
        kept: the messages.
        is_complete: nothing that was asked for lies beyond this page, in the direction of the query.
        count: of all messages that were asked for; None: not counted.
    """

    kept: tuple[Kept, ...]
    is_complete: bool
    count: int | None = None


class Conversation(msgspec.Struct, frozen=True):
    """One conversation in the list of recent ones.

    Attributes:
        peer: the person or alias.
        newest: its newest message that has a body.
        unread: messages with a body that were received after `read`.
        read: archive id up to which the owner has read: moved by a displayed marker or an own reply of any of his devices.
    """

    peer: str
    newest: Kept
    unread: int
    read: int


class FetchHistory(msgspec.Struct, frozen=True):
    """session -> user -> archiver -> historian: a client reads its own writes, so the question goes the way of the chats."""

    request: Request
    query: HistoryQuery
    query_id: str = ""


class HistoryFetched(msgspec.Struct, frozen=True):
    """historian -> session."""

    request: Request
    page: HistoryPage
    query_id: str = ""
