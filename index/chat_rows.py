"""How a chat lies in the archive: the columns of table ``message``, written and read in one place.

Empty text stands for what was not there. What matters only on a chat's way (`displayed`, `is_typing`, `is_lasting`,
`is_delayed`) has no column: whatever comes out of the archive was kept because it is lasting, and is late.

**Damage.** SQLite notices when its structure is damaged, not when a bit of a text has flipped. So each row has a checksum of
all that is shown of it, and a message that does not fit its own is told as damaged, in place of words that nobody wrote. One
that is in the history of somebody whom it neither came from nor went to is told so, too, and without its addresses.
"""

import logging
import zlib
from collections.abc import Mapping
from typing import Any, Final

from engine.jid import Jid
from engine.messages import Chat
from engine.xmpp.xml import CLIENT, E, render

log = logging.getLogger(__name__)

INTO_MESSAGE: Final = (
    "message (id, sender, sender_resource, target, target_resource, via, kind,"
    " stanza_id, origin_id, language, body, payload, is_copied, checksum)"
)
"""For `row_of`."""

CHAT_COLUMNS: Final = (
    "message.id, sender.jid, sender_resource, target.jid, target_resource, via.jid, kind, is_copied,"
    " stanza_id, origin_id, language, body, payload, checksum"
)
"""For `chat_of` and `is_damaged`."""

DAMAGED: Final = "(This message is damaged in the server's archive.)"
"""What stands in its place."""

WITH_ADDRESSES: Final = """
    CROSS JOIN address AS sender ON sender.id = message.sender
    CROSS JOIN address AS target ON target.id = message.target
    LEFT JOIN address AS via ON via.id = message.via
"""
"""Behind ``FROM message``."""

WITH_CHATS: Final = f"CROSS JOIN message ON message.id = entry.id {WITH_ADDRESSES}"
"""Behind ``FROM entry``. CROSS keeps SQLite from beginning with anything but the entries, whatever it knows of their number."""


def row_of(chat: Chat, message_id: int, number: Mapping[str, int]) -> tuple[Any, ...]:
    """A chat as a row. `number`: of each address."""
    return (
        message_id,
        number[chat.sender.bare],
        chat.sender.resource,
        number[chat.to.bare],
        chat.to.resource,
        None if chat.via is None else number[chat.via.bare],
        chat.kind,
        chat.stanza_id,
        chat.origin_id,
        chat.language,
        chat.body,
        chat.payload,
        chat.is_copied,
        _checksum(
            message_id,
            chat.sender.bare,
            chat.sender.resource,
            chat.to.bare,
            chat.to.resource,
            "" if chat.via is None else chat.via.bare,
            chat.kind,
            chat.stanza_id,
            chat.origin_id,
            chat.language,
            chat.body,
            chat.payload,
        ),
    )


def _checksum(message_id: int, *texts: str) -> int:
    return zlib.crc32("\0".join(texts).encode(), message_id & 0xFFFFFFFF)


def is_damaged(row: Any) -> bool:
    """Whether a row of `CHAT_COLUMNS` is not as it was written."""
    message_id, sender, sender_resource, target, target_resource, via, kind, _, *texts, checksum = row
    if checksum is None:
        return False
    try:
        return bool(
            _checksum(message_id, sender, sender_resource, target, target_resource, via or "", kind, *texts) != checksum
        )
    except (TypeError, UnicodeEncodeError):  # what was a text is none any more
        return True


def chat_of(row: Any, owner: str = "") -> Chat:
    """A row of `CHAT_COLUMNS` as a chat; `owner`: in whose history it was found, to which it must belong."""
    message_id, sender, sender_resource, target, target_resource, via, kind, is_copied, *texts, _ = row
    stanza_id, origin_id, language, body, payload = texts
    if is_damaged(row):
        log.error("archive.sqlite: message %s is damaged; it is told as such", message_id)
        return _damaged(message_id, sender, target, via)
    if owner and via is None and owner not in (sender, target):
        log.error(
            "archive.sqlite: message %s is in a history that it does not belong to; it is told as damaged", message_id
        )
        return _damaged(message_id, "", "", None)
    return Chat(
        sender=Jid(sender, sender_resource),
        to=Jid(target, target_resource),
        kind=kind,
        stanza_id=stanza_id,
        origin_id=origin_id,
        language=language,
        body=body,
        payload=payload,
        is_lasting=True,
        is_copied=bool(is_copied),
        via=None if via is None else Jid(via),
        id=message_id,
        is_delayed=True,
    )


def _damaged(message_id: Any, sender: Any, target: Any, via: Any) -> Chat:
    """A message of which nothing but its place can be believed. Addresses are as they are read, if they are such."""
    people = [
        Jid(address) if isinstance(address, str) and address.isprintable() else Jid("") for address in (sender, target)
    ]
    return Chat(
        sender=people[0],
        to=people[1],
        body=DAMAGED,
        payload=render(E("body", CLIENT, DAMAGED)),
        is_lasting=True,
        is_copied=False,
        via=Jid(via) if isinstance(via, str) and via.isprintable() else None,
        id=message_id,
        is_delayed=True,
    )
