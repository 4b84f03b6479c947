"""A logged-in client: its stanzas become commands for its session, the session's events become its stanzas.

Rules, in the order in which they are asked:

1. A stanza that breaks its own rules is refused, wherever it was sent (RFC 6120, 8.2.3 and 8.3; RFC 6121, 4.7). An
   answer (``result``, ``error``) is never answered, so that no two sides can talk in circles.
2. Without an address a message goes to the own account, presence to everyone, and an IQ is for the server to answer on the
   account's behalf (RFC 6120, 10.3). The own bare JID means the same.
3. The session's own domain is all there is. What is sent elsewhere gets the very answer of a name that does not exist:
   ``service-unavailable`` for messages and requests, silence for presence, whether this server hosts that domain or not.
4. Requests to a bare JID are answered by the server, requests to a full JID are passed on to that session.

An `XmppClient` is a translator only: it remembers nothing of what was said. Its limits are those of its parts: what it
reads is one stanza of bounded size, what it makes is one command or one answer for it.
"""

from collections.abc import Callable
from typing import Any, cast

from engine import messages as m
from engine.errors import Condition, Refusal
from engine.jid import Jid, JidError
from engine.messages import IqKind, Request, StanzaKind, SubscriptionKind
from engine.ports import Burst
from engine.xmpp import stanzas
from engine.xmpp.mux import Asked, Mux, Outcome, Place, Recipient, Reply
from engine.xmpp.xml import CLIENT, BadXmlError, Element, render

_ONLY_FROM_THE_SERVER = {"jabber:iq:roster", "urn:xmpp:blocking"}
"""Namespaces of pushes. COMPAT: old clients believe a roster push of anyone, so nobody else's reaches them."""

_NEVER_ANSWERED = {("message", "error"), ("presence", "error"), ("iq", "error"), ("iq", "result")}
"""Stanzas that are answers themselves."""


class XmppClient:
    """One session's client.

    Args:
        session: its full JID.
        mux: the tables, shared by all clients of the server.

    Attributes:
        recipient: whom its events are rendered for.
    """

    __slots__ = ("_bare", "_domain", "_mux", "_session", "_suffix", "recipient")

    def __init__(self, session: Jid, mux: Mux) -> None:
        self._session = session
        self._bare = session.to_bare()
        self._domain = session.domain
        self._suffix = f"@{session.domain}"
        self._mux = mux
        self.recipient = Recipient(session, mux)

    def receive(self, element: Element, now: float) -> list[Outcome]:
        """What follows from one element of the client: commands for its session, and `Reply` to write back.

        Args:
            element: a stanza; its ``from``, if any, was checked.
            now: seconds since 1970.
        """
        read = _READERS.get((element.name, element.namespace))
        if read is None:
            nonza = self._mux.nonzas.get((element.namespace, element.name))
            return [] if nonza is None else list(nonza(element, self._session, now))
        try:
            return read(self, element, now)
        except Refusal as refusal:
            return self._refuse(element, refusal.condition, refusal.text)
        except JidError:
            return self._refuse(element, Condition.JID_MALFORMED, "")
        except BadXmlError as error:
            return self._refuse(element, Condition.BAD_REQUEST, str(error))

    def render(self, event: Any) -> Burst | None:
        """What the client is told of an event of its session; None when that is nothing."""
        return self._mux.render(event, self.recipient)

    # -- where ---------------------------------------------------------------------------------------------------------

    def _address(self, element: Element) -> Jid | None:
        to = element.attributes.get("to")
        return None if to is None else Jid.parse(to)

    def _place(self, to: Jid | None) -> Place:
        if to is None or to == self._bare:
            return Place.ACCOUNT
        if to.bare.endswith(self._suffix):
            return Place.SESSION if to.resource else Place.CONTACT
        return Place.SERVER if to.bare == self._domain and not to.resource else Place.ELSEWHERE

    # -- message -------------------------------------------------------------------------------------------------------

    def _message(self, element: Element, _now: float) -> list[Outcome]:
        to = self._address(element) or self._bare
        if not to.bare.endswith(self._suffix):
            raise Refusal(Condition.SERVICE_UNAVAILABLE)
        return [m.SendChat(stanzas.read_message(element, self._session, to))]

    # -- presence ------------------------------------------------------------------------------------------------------

    def _presence(self, element: Element, _now: float) -> list[Outcome]:
        read = _PRESENCE_READERS.get(element.attributes.get("type", ""))
        if read is None:
            raise Refusal(Condition.BAD_REQUEST, "no such type of presence")
        to = self._address(element)
        outcome = read(self, element, to)
        is_here = to is None or to.bare.endswith(self._suffix)
        return [outcome] if is_here and outcome is not None else []

    def _available(self, element: Element, to: Jid | None) -> Outcome:
        presence = stanzas.read_presence(element, self._session)
        if to is None:
            return m.SetPresence(self._session, presence)
        return m.SendPresence(self._session, to, presence)

    def _unavailable(self, element: Element, to: Jid | None) -> Outcome:
        text = stanzas.read_farewell(element)
        if to is None:
            return m.SetPresence(self._session, None, text)
        return m.SendPresence(self._session, to, None, text)

    def _probe(self, _element: Element, to: Jid | None) -> Outcome:
        return m.ProbePresence(self._session, self._required(to))

    def _subscribe(self, element: Element, to: Jid | None) -> Outcome:
        kind = cast("SubscriptionKind", element.get("type"))
        return m.Subscribe(self._session, self._required(to).to_bare(), kind)

    def _ignore(self, _element: Element, _to: Jid | None) -> None:
        return None

    @staticmethod
    def _required(to: Jid | None) -> Jid:
        if to is None:
            raise Refusal(Condition.BAD_REQUEST, "this type of presence needs an address")
        return to

    # -- iq ------------------------------------------------------------------------------------------------------------

    def _iq(self, element: Element, now: float) -> list[Outcome]:
        kind = element.attributes.get("type", "")
        if kind not in {"get", "set", "result", "error"}:
            raise Refusal(Condition.BAD_REQUEST, "the type of an iq is get, set, result or error")
        stanza_id = element.attributes.get("id", "")
        if not stanza_id:
            raise Refusal(Condition.BAD_REQUEST, "an iq needs an id")
        to = self._address(element)
        place = self._place(to)
        children = element.elements()
        if kind in {"result", "error"}:  # only another session can be waiting for it
            return [self._pass_on(element, to, children)] if to is not None and place is Place.SESSION else []
        if len(children) != 1:
            raise Refusal(Condition.BAD_REQUEST, "an iq of type get or set has exactly one child")
        child = children[0]
        if to is not None and place is Place.SESSION and child.namespace not in _ONLY_FROM_THE_SERVER:
            return [self._pass_on(element, to, children)]
        if place in {Place.SESSION, Place.ELSEWHERE}:
            raise Refusal(Condition.SERVICE_UNAVAILABLE)
        name = f"{{{child.namespace}}}{child.name}"
        request = Request(self._session, stanza_id, "" if to is None else to.full, name)
        return self._mux.ask(Asked(request, cast("IqKind", kind), place, child, now, self._mux))

    def _pass_on(self, element: Element, to: Jid, children: list[Element]) -> Outcome:
        kind = cast("IqKind", element.get("type"))
        payload = render(*children)
        return m.SendIq(m.Iq(sender=self._session, to=to, kind=kind, stanza_id=element.get("id"), payload=payload))

    # -- refusing ------------------------------------------------------------------------------------------------------

    def _refuse(self, element: Element, condition: Condition, text: str = "") -> list[Outcome]:
        if (element.name, element.attributes.get("type")) in _NEVER_ANSWERED:
            return []
        try:
            to = self._address(element)
        except JidError:  # an address that is none cannot be where the answer comes from
            to = Jid(self._domain)
        kind = cast("StanzaKind", element.name)
        request = Request(self._session, element.get("id"), "" if to is None else to.full, kind=kind)
        return [Reply(stanzas.refusal(request, condition, text))]


_READERS: dict[tuple[str, str], Callable[[XmppClient, Element, float], list[Outcome]]] = {
    ("message", CLIENT): XmppClient._message,  # noqa: SLF001 -- the class's own table
    ("presence", CLIENT): XmppClient._presence,  # noqa: SLF001
    ("iq", CLIENT): XmppClient._iq,  # noqa: SLF001
}

_PRESENCE_READERS: dict[str, Callable[[XmppClient, Element, Jid | None], Outcome | None]] = {
    "": XmppClient._available,  # noqa: SLF001
    "unavailable": XmppClient._unavailable,  # noqa: SLF001
    "probe": XmppClient._probe,  # noqa: SLF001
    "subscribe": XmppClient._subscribe,  # noqa: SLF001
    "subscribed": XmppClient._subscribe,  # noqa: SLF001
    "unsubscribe": XmppClient._subscribe,  # noqa: SLF001
    "unsubscribed": XmppClient._subscribe,  # noqa: SLF001
    "error": XmppClient._ignore,  # noqa: SLF001
}
