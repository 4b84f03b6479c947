"""Questions to the history, and their answers. Whose history it is, is part of every question.

Times are microseconds since 1970, as the ids of the archive are: a message of time t has an id of at least t. Addresses are
bare.
"""

from typing import ClassVar, Literal

import msgspec

from engine.messages.values import Chat, Request

Desk = Literal["page", "survey", "search"]
"""Who is asked: for what is there at once, for what takes longer, for words. Nobody waits for another kind of question."""


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
        known: further ids that must be in the history of the owner; they narrow nothing.
        ids: only these; each must be in the history of the owner.
        has_file: only what carries a file (`engine.files`).
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
    known: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()
    has_file: bool = False
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


class FetchHistory(msgspec.Struct, frozen=True):
    """session -> user -> archiver -> historian: a client reads its own writes, so the question goes the way of the chats.

    Attributes:
        request: the question.
        query: whose history and what of it; the owner is the account that asks.
        query_id: the client's name for the question, returned with each message.
        is_flipped: the messages of the page are told newest first.
        up_to: the newest id on disk when it was asked; the archiver fills it in.
    """

    request: Request
    query: HistoryQuery
    query_id: str = ""
    is_flipped: bool = False
    up_to: int = 0

    @property
    def desk(self) -> Desk:
        """A count, and one resource or the files among all of a conversation, may take longer than a page does."""
        if self.query.text:
            return "search"
        query = self.query
        return "survey" if query.limit == 0 or query.resource or query.has_file else "page"


class HistoryFetched(msgspec.Struct, frozen=True):
    """historian -> session. See `FetchHistory`."""

    request: Request
    page: HistoryPage
    query_id: str = ""
    is_flipped: bool = False
    up_to: int = 0


class FetchHistoryBounds(msgspec.Struct, frozen=True):
    """session -> user -> archiver -> historian: from when to when is the history of the account that asks?"""

    request: Request
    desk: ClassVar[Desk] = "page"


class HistoryBoundsFetched(msgspec.Struct, frozen=True):
    """historian -> session. `bounds`: the oldest and the newest message; None: there are none."""

    request: Request
    bounds: tuple[Kept, Kept] | None


# -- conversations -----------------------------------------------------------------------------------------------------


class Conversation(msgspec.Struct, frozen=True):
    """One conversation in the list of recent ones.

    Attributes:
        peer: the person or alias.
        newest: its newest message that has a body.
        unread: messages with a body that were received after `read`, see `engine.limits.UNREAD`.
        read: archive id up to which the owner has read: moved by a displayed marker or an own reply of any of his devices.
    """

    peer: str
    newest: Kept
    unread: int
    read: int


class ConversationsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations of one owner, the one with the newest message first. All conditions narrow.

    Attributes:
        owner: whose.
        older_than: only those whose newest message has a smaller archive id.
        newer_than: only those whose newest message has a greater one.
        is_unread: only those with an unread message.
        limit: conversations in the page.
        is_backwards: the page at the far end (the oldest ones, or those just newer than `newer_than`).
    """

    owner: str
    older_than: int | None = None
    newer_than: int | None = None
    is_unread: bool = False
    limit: int = 50
    is_backwards: bool = False


class ConversationsPage(msgspec.Struct, frozen=True):
    """Some conversations, the newest first, and the sums over all that the owner has.

    Attributes:
        conversations: the page.
        is_complete: nothing that was asked for lies beyond it, in the direction of the query.
        count: conversations that could be asked for page by page.
        total: conversations.
        unread: conversations with unread messages.
        unread_messages: in all conversations together.
    """

    conversations: tuple[Conversation, ...]
    is_complete: bool
    count: int
    total: int
    unread: int
    unread_messages: int


class FetchConversations(msgspec.Struct, frozen=True):
    """session -> user -> archiver -> historian. `has_messages`: the newest message of each is wanted, too."""

    request: Request
    query: ConversationsQuery
    has_messages: bool = True
    desk: ClassVar[Desk] = "survey"


class ConversationsFetched(msgspec.Struct, frozen=True):
    """historian -> session. See `FetchConversations`."""

    request: Request
    page: ConversationsPage
    has_messages: bool = True


class MarkRead(msgspec.Struct, frozen=True):
    """session -> user -> archiver: the account that asks has read this message, and what came before it from this peer.

    `id`: archive id. The answer is `RequestDone`, or ``item-not-found``: it is not in his history.
    """

    request: Request
    id: int


AskArchive = FetchHistory | FetchHistoryBounds | FetchConversations | MarkRead
"""What goes the way of the chats, behind those that were sent before."""
