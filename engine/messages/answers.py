"""What is passed on between sessions, and the plain answers."""

import msgspec

from engine.errors import Condition
from engine.messages.values import Chat, Iq, Request


class SendIq(msgspec.Struct, frozen=True):
    """session -> user -> session."""

    iq: Iq


class DeliverIq(msgspec.Struct, frozen=True):
    """user -> session."""

    iq: Iq


class RequestDone(msgspec.Struct, frozen=True):
    """The request was carried out and has nothing to return."""

    request: Request


class RequestRefused(msgspec.Struct, frozen=True):
    """The request, message or presence was refused; its sender is told."""

    request: Request
    condition: Condition
    text: str = ""

    @classmethod
    def of_chat(cls, chat: Chat, condition: Condition, text: str = "") -> "RequestRefused":
        """The refusal of a message, for the session that sent it."""
        return cls(Request(chat.sender, chat.stanza_id, chat.to.full, kind="message"), condition, text)

    @classmethod
    def of_iq(cls, iq: Iq, condition: Condition) -> "RequestRefused":
        """The refusal of a request to another session."""
        return cls(Request(iq.sender, iq.stanza_id, iq.to.full), condition)
