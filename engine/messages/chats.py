"""The way of a chat: session -> user -> archiver -> users -> sessions."""

import msgspec

from engine.errors import Condition
from engine.messages.values import Chat


class SendChat(msgspec.Struct, frozen=True):
    """session -> user of the sender."""

    chat: Chat


class ExpandAlias(msgspec.Struct, frozen=True):
    """user of the sender -> alias: who gets this message?"""

    chat: Chat


class AliasExpanded(msgspec.Struct, frozen=True):
    """alias -> user of the sender. `chat` is marked with the alias.

    Attributes:
        chat: the message.
        recipients: members that are online, or all when none is; the sender too if he is a member.
        absent: members that are offline while others are online.
    """

    chat: Chat
    recipients: tuple[str, ...]
    absent: tuple[str, ...] = ()


class ArchiveChat(msgspec.Struct, frozen=True):
    """user of the sender -> archiver: commit, then deliver.

    Attributes:
        chat: what was said; without `is_lasting` it is only kept in order behind what the archiver still holds.
        recipients: bare addresses of those who get it.
        absent: bare addresses of an alias's members that were offline while others were online: one delivery row each.
    """

    chat: Chat
    recipients: tuple[str, ...]
    absent: tuple[str, ...] = ()


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


class ChatArchived(msgspec.Struct, frozen=True):
    """archiver -> user of the sender: on disk in every archive it belongs to, and on its way.

    `duplicate`: a resend; the chat carries the id of the first and was not delivered again.
    """

    chat: Chat
    duplicate: bool = False


class ChatRefused(msgspec.Struct, frozen=True):
    """archiver -> user of the sender: neither on disk nor delivered."""

    chat: Chat
    condition: Condition
    text: str = ""


class FetchWaiting(msgspec.Struct, frozen=True):
    """user -> archiver -> historian: what came while no session took chats.

    Attributes:
        owner: the recipient's bare address.
        after: only what has a greater archive id; and only what is after the cursor.
        up_to: the newest id on disk; the archiver fills it in.
    """

    owner: str
    after: int = 0
    up_to: int = 0


class WaitingFetched(msgspec.Struct, frozen=True):
    """historian -> user. `up_to`: every message to `owner` up to this id is among these or was told before.

    `is_last`: there is no further page.
    """

    owner: str
    chats: tuple[Chat, ...]
    up_to: int
    is_last: bool


class MoveCursor(msgspec.Struct, frozen=True):
    """user -> archiver: everything to `owner` up to `delivered` has reached a session."""

    owner: str
    delivered: int


class ArchiveGrew(msgspec.Struct, frozen=True):
    """archiver -> cataloguer: there is something new. `newest`: the greatest id on disk."""

    newest: int
