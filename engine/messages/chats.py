"""The way of a chat: session -> user -> archiver -> users -> sessions."""

import msgspec

from engine.errors import Condition
from engine.jid import Jid
from engine.messages.values import Chat


class SendChat(msgspec.Struct, frozen=True):
    """session -> user of the sender.

    Attributes:
        chat: what was said.
        number: of the stanza, in a session that counts (XEP-0198): `ChatSettled` says when it is done. 0: it does not count.
        token: of the session, if it can be resumed: the number is kept in the same commit as the chat.
    """

    chat: Chat
    number: int = 0
    token: str = ""


class ChatSettled(msgspec.Struct, frozen=True):
    """user -> session: done, one way or the other."""

    number: int


class ExpandAlias(msgspec.Struct, frozen=True):
    """user of the sender -> alias: who gets this message?"""

    sent: SendChat

    @property
    def chat(self) -> Chat:
        """The message."""
        return self.sent.chat


class AliasExpanded(msgspec.Struct, frozen=True):
    """alias -> user of the sender. `chat` is marked with the alias.

    Attributes:
        sent: the message, and its place in the session.
        recipients: members that are online, or all when none is; the sender too if he is a member.
        absent: members that are offline while others are online.
    """

    sent: SendChat
    recipients: tuple[str, ...]
    absent: tuple[str, ...] = ()


class ArchiveChat(msgspec.Struct, frozen=True):
    """user of the sender -> archiver: commit, then deliver.

    Attributes:
        sent: what was said, and its place in the session.
        recipients: bare addresses of those who get it.
        absent: bare addresses of an alias's members that were offline while others were online: one delivery row each.
    """

    sent: SendChat
    recipients: tuple[str, ...]
    absent: tuple[str, ...] = ()

    @property
    def chat(self) -> Chat:
        """The message."""
        return self.sent.chat


class Relay(msgspec.Struct, frozen=True):
    """user -> archiver: tell this to that address, but not before what the archiver still holds (RFC 6120, 10.1).

    `sender`: the account, which is told `Relayed`: until then what follows takes the same way.
    """

    address: str
    message: msgspec.Struct
    sender: str


class Relayed(msgspec.Struct, frozen=True):
    """archiver -> user: what was to be relayed is on its way."""


class DeliverChat(msgspec.Struct, frozen=True):
    """archiver -> user of each recipient -> session. The chat has its id."""

    chat: Chat


class DeliverCopy(msgspec.Struct, frozen=True):
    """user -> session: what another session of the account sent (`is_sent`) or got (XEP-0280)."""

    chat: Chat
    is_sent: bool


class ChatArchived(msgspec.Struct, frozen=True):
    """archiver -> user of the sender (-> session, if it asked for it): on disk in every archive it belongs to, and on its way.

    `duplicate`: a resend; the chat carries the id of the first and was not delivered again. `number`: see `SendChat`.
    """

    chat: Chat
    duplicate: bool = False
    number: int = 0


class ChatRefused(msgspec.Struct, frozen=True):
    """archiver -> user of the sender: neither on disk nor delivered. `number`: see `SendChat`."""

    chat: Chat
    condition: Condition
    text: str = ""
    number: int = 0


class FetchMissed(msgspec.Struct, frozen=True):
    """session -> user -> archiver -> historian: what was said while the session was not there?

    Attributes:
        session: full JID.
        number: of the question, which comes back with the answer: a session that lost its wire meanwhile asks once more.
        family: of the client; what it was given up to the last time is where it goes on. None: `after` says it.
        after: only what has a greater archive id.
        has_copies: also what the account's other sessions sent.
        up_to: the newest id on disk; the archiver fills it in.
    """

    session: Jid
    number: int
    family: str | None
    after: int = 0
    has_copies: bool = False
    up_to: int = 0


class MissedFetched(msgspec.Struct, frozen=True):
    """historian -> session.

    Attributes:
        number: of the question.
        chats: what was said to the account, and what it sent, oldest first.
        after: all of them are greater than this id.
        up_to: and these are all up to this one.
        is_last: there is no further page.
        fetches: whether this client is known to ask for the history by itself; None: it is not known.
    """

    number: int
    chats: tuple[Chat, ...]
    after: int
    up_to: int
    is_last: bool
    fetches: bool | None = None


class MoveCursor(msgspec.Struct, frozen=True):
    """session -> archiver: this client of `owner` has got everything between `since` and `delivered`.

    `fetches`: it asks for the history by itself.
    """

    owner: str
    family: str
    since: int
    delivered: int
    fetches: bool = False


class ArchiveGrew(msgspec.Struct, frozen=True):
    """archiver -> cataloguer -> scribe: there is something new. `newest`: the greatest id on disk."""

    newest: int
