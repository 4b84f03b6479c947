"""Who gets a message (RFC 6121, section 8), as a table that can be printed: ``python -m engine.delivery``.

The sender's side asks `is_archived` and hands what is archived to the archiver. The recipient's side asks `choose`, which looks
up the kind of the message and the state of the account and returns an `Outcome` with its reason.

Differences from the table in RFC 6121 (8.5.4), each allowed by a SHOULD or asked for by the promise that nothing that was
said is lost:

- a ``normal`` or ``headline`` message to a resource that is gone is treated like a ``chat``: as if it was sent to the bare JID;
- ``normal`` and ``headline`` wait for an account without sessions, as ``chat`` does (XEP-0160): what says something is
  history whatever its kind, and what is history reaches its recipient (what is not, such as typing, does not wait);
- ``groupchat`` is refused everywhere: the server has no rooms, and a message outside the archive must not carry text;
- ``chat``, ``normal`` and ``headline`` to the bare JID go to all sessions that take chats, not to one of them.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from engine.jid import Jid
from engine.messages import Chat, ChatKind, DeliverChat, DeliverCopy
from engine.presence import Presence, sees_others, takes_chats


class Account(StrEnum):
    """The state of the addressed account, as far as delivery asks."""

    UNKNOWN = "no such account"
    BARE_TAKEN = "bare JID, a session takes chats"
    BARE_WAITING = "bare JID, no session takes chats"
    FULL_MATCH = "full JID, the session is there"
    FULL_TAKEN = "full JID, gone; another session takes chats"
    FULL_WAITING = "full JID, gone; no session takes chats"


class Outcome(StrEnum):
    """What becomes of a message."""

    ALL = "to all sessions that take chats"
    ONE = "to the addressed session"
    WAIT = "waits in the archive"
    REFUSE = "refused: service-unavailable"
    IGNORE = "ignored"


KINDS: Final[tuple[ChatKind, ...]] = ("chat", "normal", "headline", "groupchat", "error")

_ALL, _ONE, _WAIT, _REFUSE, _IGNORE = Outcome.ALL, Outcome.ONE, Outcome.WAIT, Outcome.REFUSE, Outcome.IGNORE
TABLE: Final[Mapping[Account, tuple[Outcome, ...]]] = {
    # ............... chat     normal   headline groupchat error
    Account.UNKNOWN: (_REFUSE, _REFUSE, _REFUSE, _REFUSE, _IGNORE),
    Account.BARE_TAKEN: (_ALL, _ALL, _ALL, _REFUSE, _IGNORE),
    Account.BARE_WAITING: (_WAIT, _WAIT, _WAIT, _REFUSE, _IGNORE),
    Account.FULL_MATCH: (_ONE, _ONE, _ONE, _REFUSE, _ONE),
    Account.FULL_TAKEN: (_ALL, _ALL, _ALL, _REFUSE, _IGNORE),
    Account.FULL_WAITING: (_WAIT, _WAIT, _WAIT, _REFUSE, _IGNORE),
}
"""The order of the columns is that of `KINDS`."""

_OUTCOMES = {(account, kind): row[column] for account, row in TABLE.items() for column, kind in enumerate(KINDS)}


class Delivery(msgspec.Struct, frozen=True):
    """What becomes of one message at one account, and why.

    `resources`: the sessions that get it. `copies`: those that get a copy of what another one got.
    """

    outcome: Outcome
    reason: Account
    resources: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


def outcome(account: Account, kind: ChatKind) -> Outcome:
    """One cell of the table."""
    return _OUTCOMES[account, kind]


def is_archived(chat: Chat) -> bool:
    """Whether this message is history: it says something, and it is not a report of an error."""
    return chat.is_lasting and chat.kind in {"chat", "normal", "headline"}


def choose(chat: Chat, owner: str, sessions: Mapping[str, Presence | None], copied: Collection[str] = ()) -> Delivery:
    """Which of the recipient's sessions get this message.

    Args:
        chat: the message; sent to this account or, with `via`, to an alias that names it.
        owner: the recipient's bare address.
        sessions: each session's resource and presence; None: connected but unavailable.
        copied: sessions that asked for copies (XEP-0280).
    """
    takers = tuple([resource for resource, presence in sessions.items() if takes_chats(presence)])
    if chat.via is not None and chat.sender.bare == owner:
        # The session that sent it has said it already, and those that get a copy of what is sent know it, too.
        takers = tuple(r for r in takers if r != chat.sender.resource and (r not in copied or not chat.is_copied))
    account = _state(chat.to if chat.via is None else None, takers, sessions)
    decided = _OUTCOMES[account, chat.kind]
    if decided is Outcome.ALL:
        resources = takers
    elif decided is Outcome.ONE:
        resources = (chat.to.resource,)
    else:
        return Delivery(decided, account)
    if not copied or not chat.is_copied or chat.sender.bare == owner:
        return Delivery(decided, account, resources)
    others = tuple([r for r in copied if r not in resources and sees_others(sessions.get(r))])
    return Delivery(decided, account, resources, others)


def missed(chat: Chat, session: Jid, *, has_copies: bool) -> DeliverChat | DeliverCopy:
    """What a session is told of a chat that it missed: the chat or, if it asked for copies, a copy of it."""
    is_sent = chat.sender.bare == session.bare
    if has_copies and chat.is_copied and chat.to.bare != chat.sender.bare:
        if is_sent:
            return DeliverCopy(chat, is_sent=True)
        if chat.via is None and chat.to.resource not in {"", session.resource}:
            return DeliverCopy(chat, is_sent=False)
    return DeliverChat(chat)


def copies_of_sent(chat: Chat, sessions: Mapping[str, Presence | None], copied: Collection[str]) -> tuple[str, ...]:
    """Which of the sender's other sessions get a copy of what he sent (XEP-0280, 8): those that see others and asked for it.

    What he sent to himself is delivered to all of them anyway.
    """
    if not copied or not chat.is_copied or chat.to.bare == chat.sender.bare:
        return ()
    return tuple(r for r in copied if r != chat.sender.resource and sees_others(sessions.get(r)))


def _state(to: Jid | None, takers: tuple[str, ...], sessions: Mapping[str, Presence | None]) -> Account:
    """`to`: as it was sent; None: to an alias, which means the account."""
    if to is None or to.is_bare:
        return Account.BARE_TAKEN if takers else Account.BARE_WAITING
    if to.resource in sessions:
        return Account.FULL_MATCH
    return Account.FULL_TAKEN if takers else Account.FULL_WAITING


def table_lines() -> Iterable[str]:
    """The table as text, one line per state of the account."""
    width = max(map(len, Account)) + 2
    yield "".ljust(width) + "".join(kind.ljust(34) for kind in KINDS)
    for account, row in TABLE.items():
        yield account.ljust(width) + "".join(cell.ljust(34) for cell in row)


if __name__ == "__main__":
    print("\n".join(table_lines()))  # noqa: T201 -- the printable table
