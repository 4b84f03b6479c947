"""XEP-0198 1.6.3: stanzas are counted and acknowledged both ways, and a session outlives its connection.

What is acknowledged, and when, is the session's business (`engine.intake`, `engine.outbox`); here are the elements.
``<resume/>`` comes before there is a session: the connection reads it with `read_resume`.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from engine import messages as m
from engine.errors import Condition
from engine.jid import Jid
from engine.outbox import WRAP
from engine.xmpp.mux import Feature, Mux, Outcome, Recipient, Reply
from engine.xmpp.patterns import SLOT, pattern
from engine.xmpp.stanzas import written
from engine.xmpp.xml import STANZA_ERRORS, E, Element

SM: Final = "urn:xmpp:sm:3"
RESUME: Final = (SM, "resume")
ENABLE: Final = (SM, "enable")

_TRUE: Final = frozenset({"true", "1"})
_ACKED = pattern(E("a", SM, h=SLOT))
_REQUEST = pattern(E("r", SM)).encode()


class Resume(msgspec.Struct, frozen=True):
    """``<resume/>``: the session of this token goes on; the client has got so many stanzas of it."""

    token: str
    handled: int


def read_resume(element: Element) -> Resume | None:
    """The wish to resume; None: it does not say what."""
    handled = _number(element.get("h"))
    token = element.get("previd")
    return None if handled is None or not token else Resume(token, handled)


def _number(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= 10 and (number := int(text)) < WRAP:
        return number
    return None


# -- what clients say --------------------------------------------------------------------------------------------------


def enable(element: Element, _session: Jid, _now: float) -> Iterable[Outcome]:
    """Count from now on (3)."""
    yield m.EnableAcks(is_resumable=element.get("resume") in _TRUE)


def request(_element: Element, _session: Jid, _now: float) -> Iterable[Outcome]:
    """How far are you (4)?"""
    yield m.RequestAck()


def acknowledge(element: Element, _session: Jid, _now: float) -> Iterable[Outcome]:
    """So far am I (4). One that says no number says nothing."""
    handled = _number(element.get("h"))
    if handled is not None:
        yield m.Acked(handled)


def resume_again(_element: Element, _session: Jid, _now: float) -> Iterable[Outcome]:
    """There is a session already (5)."""
    yield Reply(failed(Condition.UNEXPECTED_REQUEST))


# -- what clients are told ---------------------------------------------------------------------------------------------


def enabled(event: m.AcksEnabled, _recipient: Recipient) -> bytes:
    """Counting begins (3)."""
    if not event.token:
        return written(E("enabled", SM))
    return written(E("enabled", SM, id=event.token, resume="true", max=str(event.seconds)))


def acked(event: m.Acked, _recipient: Recipient) -> bytes:
    """So far are we (4)."""
    return (_ACKED % event.handled).encode()


def ask(_event: m.RequestAck, _recipient: Recipient) -> bytes:
    """How far are you (4)?"""
    return _REQUEST


def refused(event: m.AcksRefused, _recipient: Recipient) -> bytes:
    """Not now (6)."""
    return failed(event.condition)


def failed(condition: Condition) -> bytes:
    """What was asked for is not possible (6)."""
    return written(E("failed", SM, E(condition.value, STANZA_ERRORS)))


def resumed(event: m.SessionResumed) -> bytes:
    """It goes on here (5)."""
    return written(E("resumed", SM, previd=event.token, h=str(event.handled)))


def too_high(event: m.AckedTooMuch) -> Element:
    """What the stream error says of a client that acknowledges what it was not sent (6)."""
    return E("handled-count-too-high", SM, attributes={"h": str(event.handled), "send-count": str(event.sent)})


def offer(_mux: Mux) -> Element:
    """The stream feature (2)."""
    return E("sm", SM)


FEATURE = Feature(
    name="stream management",
    nonzas={
        ENABLE: enable,
        (SM, "r"): request,
        (SM, "a"): acknowledge,
        RESUME: resume_again,
    },
    events={m.AcksEnabled: enabled, m.Acked: acked, m.RequestAck: ask, m.AcksRefused: refused},
    offers=(offer,),
)
