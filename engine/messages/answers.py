"""What is passed on between sessions, and the plain answers."""

import msgspec

from engine.errors import Condition, Detail
from engine.jid import Jid
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
    detail: Detail | None = None

    @classmethod
    def of_chat(
        cls, chat: Chat, condition: Condition, text: str = "", detail: Detail | None = None
    ) -> "RequestRefused":
        """The refusal of a message, for the session that sent it."""
        return cls(Request(chat.sender, chat.stanza_id, chat.to.full, kind="message"), condition, text, detail)

    @classmethod
    def of_iq(cls, iq: Iq, condition: Condition, detail: Detail | None = None) -> "RequestRefused":
        """The refusal of a request to another session."""
        return cls(Request(iq.sender, iq.stanza_id, iq.to.full), condition, detail=detail)

    @classmethod
    def of_presence(
        cls, session: Jid, to: Jid, condition: Condition, text: str = "", detail: Detail | None = None
    ) -> "RequestRefused":
        """The refusal of presence that a session sent to somebody."""
        return cls(Request(session, "", to.full, kind="presence"), condition, text, detail)


class Answer(msgspec.Struct, frozen=True):
    """connection -> session -> connection: what the protocol answers by itself, in its place among all that is counted."""

    data: bytes
