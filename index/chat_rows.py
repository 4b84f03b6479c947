"""How a chat lies in the archive: the columns of table ``message``, written and read in one place.

Empty text stands for what was not there. What matters only on a chat's way (`displayed`, `is_typing`, `is_lasting`,
`is_delayed`) has no column: whatever comes out of the archive was kept because it is lasting, and is late.
"""

from collections.abc import Mapping
from typing import Any, Final

from engine.jid import Jid
from engine.messages import Chat

INTO_MESSAGE: Final = (
    "message (id, sender, sender_resource, target, target_resource, via, kind,"
    " stanza_id, origin_id, language, body, payload, is_copied)"
)
"""For `row_of`."""

CHAT_COLUMNS: Final = (
    "message.id, sender.jid, sender_resource, target.jid, target_resource, via.jid, kind, is_copied,"
    " stanza_id, origin_id, language, body, payload"
)
"""For `chat_of`."""

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
    )


def chat_of(row: Any) -> Chat:
    """A row of `CHAT_COLUMNS` as a chat."""
    message_id, sender, sender_resource, target, target_resource, via, kind, is_copied, *texts = row
    stanza_id, origin_id, language, body, payload = texts
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
