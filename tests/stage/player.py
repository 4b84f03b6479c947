"""A player: an XMPP client in a play. It sends stanzas, keeps what it is sent, and waits for what it expects.

Parses with the standard library and not with the server's own parser, so that a fault there shows.
"""

from collections.abc import Callable
from typing import Protocol
from xml.etree.ElementTree import Element, XMLPullParser, tostring
from xml.sax.saxutils import escape, quoteattr

import trio

C = "{jabber:client}"
SM = "{urn:xmpp:sm:3}"
PATIENCE_SECONDS = 10.0


class Line(Protocol):
    """What carries a player's bytes to the server."""

    async def send(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class Player:
    """One client of one account."""

    def __init__(self, jid: str, line: Line) -> None:
        self.jid = jid
        self.bare = jid.partition("/")[0]
        self.line = line
        self.heard: list[Element] = []
        self.is_cut = False
        self._arrived = trio.Event()
        self._requests = 0
        self.token = ""
        self.handled = 0  # stanzas heard since the session counts
        self.sent = 0  # and said
        self._is_counting = False
        self._parser = XMLPullParser(["start", "end"])
        self._parser.feed(b"<stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
        self._depth = 0

    # -- hearing -------------------------------------------------------------------------------------------------------

    def hear(self, data: bytes) -> None:
        """The server's bytes, in pieces of any size."""
        self._parser.feed(data)
        for event, element in self._parser.read_events():
            self._depth += 1 if event == "start" else -1
            if event == "end" and self._depth == 1:
                self._take(element)
        self._wake()

    def _take(self, element: Element) -> None:
        self.heard.append(element)
        if element.tag == f"{SM}enabled":
            self.token, self._is_counting = element.get("id", ""), True
        elif self._is_counting and element.tag.startswith(C):
            self.handled += 1

    def begin_anew(self, line: Line) -> None:
        """Go on over another connection; what was heard stays heard."""
        self.line, self.is_cut, self._depth = line, False, 0
        self._parser = XMLPullParser(["start", "end"])
        self._parser.feed(b"<stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")

    def hear_end(self) -> None:
        """The server closed the connection."""
        self.is_cut = True
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = trio.Event()

    async def hears(self, matches: Callable[[Element], bool], what: str = "a stanza") -> Element:
        """Wait for the first stanza that matches, and take it off the list of what was heard."""
        with trio.move_on_after(PATIENCE_SECONDS):
            while True:
                for element in self.heard:
                    if matches(element):
                        self.heard.remove(element)
                        return element
                if self.is_cut:
                    break
                await self._arrived.wait()
        heard = "\n  ".join(tostring(element, "unicode") for element in self.heard)
        raise AssertionError(f"{self.jid} did not hear {what}; heard:\n  {heard}{' (cut)' if self.is_cut else ''}")

    async def hears_message(self, body: str, sender: str | None = None) -> Element:
        """A message with this body (from this full or bare JID)."""
        return await self.hears(
            lambda e: e.tag == f"{C}message" and e.findtext(f"{C}body") == body and is_from(e, sender),
            f"the message {body!r} from {sender or 'anybody'}",
        )

    async def hears_presence(self, sender: str, show: str | None = "", kind: str | None = None) -> Element:
        """A presence from this full or bare JID with this show ('' is none, None is any) and type."""
        return await self.hears(
            lambda e: (
                e.tag == f"{C}presence"
                and is_from(e, sender)
                and e.get("type") == kind
                and (show is None or (e.findtext(f"{C}show") or "") == show)
            ),
            f"the presence {kind or show or 'available'} of {sender}",
        )

    async def hears_unavailable(self, sender: str) -> Element:
        """This contact or session went."""
        return await self.hears_presence(sender, None, "unavailable")

    async def hears_cut(self) -> None:
        """The server ends the connection."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not self.is_cut:
                await self._arrived.wait()

    async def hears_stream_error(self) -> str:
        """The condition with which the server ends the stream."""
        error = await self.hears(lambda e: e.tag == "{http://etherx.jabber.org/streams}error", "a stream error")
        return error[0].tag.rpartition("}")[2]

    def messages(self) -> list[str]:
        """Bodies heard and not yet taken, in order."""
        return [
            body for e in self.heard if e.tag == f"{C}message" and (body := e.findtext(f"{C}body")) and not is_error(e)
        ]

    def presences(self) -> list[str]:
        """From whom presences were heard and not yet taken, in order."""
        return [e.get("from", "") for e in self.heard if e.tag == f"{C}presence"]

    def forget(self) -> None:
        """Take everything that was heard so far."""
        self.heard.clear()

    # -- speaking ------------------------------------------------------------------------------------------------------

    async def sends(self, stanza: str) -> None:
        """A stanza, as text."""
        self.sent += self._is_counting and stanza.startswith(("<message", "<presence", "<iq"))
        await self.line.send(stanza.encode())

    async def says(self, to: str, body: str, kind: str = "chat", inner: str = "", stanza_id: str = "") -> None:
        """A message."""
        identity = f" id={quoteattr(stanza_id)}" if stanza_id else ""
        await self.sends(
            f"<message to={quoteattr(to)} type='{kind}'{identity}><body>{escape(body)}</body>{inner}</message>"
        )

    async def is_present(self, show: str = "", text: str = "", priority: int = 0, to: str = "") -> None:
        """An available presence."""
        address = f" to={quoteattr(to)}" if to else ""
        inner = f"<show>{show}</show>" if show else ""
        inner += f"<status>{escape(text)}</status>" if text else ""
        inner += f"<priority>{priority}</priority>" if priority else ""
        await self.sends(f"<presence{address}>{inner}</presence>")

    async def is_unavailable(self) -> None:
        """An unavailable presence; the session stays."""
        await self.sends("<presence type='unavailable'/>")

    async def asks(self, payload: str, kind: str = "get", to: str = "") -> Element:
        """An IQ and its answer, a result or an error."""
        self._requests += 1
        request = f"q{self._requests}"
        address = f" to={quoteattr(to)}" if to else ""
        await self.sends(f"<iq type='{kind}' id='{request}'{address}>{payload}</iq>")
        return await self.hears(
            lambda e: e.tag == f"{C}iq" and e.get("id") == request and e.get("type") in {"result", "error"},
            f"the answer to {payload}",
        )

    # -- counting (XEP-0198) -------------------------------------------------------------------------------------------

    async def counts(self, *, resume: bool = True) -> None:
        """From now on stanzas are counted, and the session can be resumed."""
        wish = "resume='true'" if resume else ""
        await self.sends(f"<enable xmlns='urn:xmpp:sm:3' {wish}/>")
        await self.hears_nonza("enabled")

    async def hears_nonza(self, name: str) -> Element:
        """An element of stream management."""
        return await self.hears(lambda e: e.tag == f"{SM}{name}", f"<{name}/>")

    async def acknowledges(self) -> None:
        """Tell the server how much was heard."""
        await self.sends(f"<a xmlns='urn:xmpp:sm:3' h='{self.handled}'/>")

    async def asks_how_far(self) -> int:
        """What the server says at once."""
        await self.sends("<r xmlns='urn:xmpp:sm:3'/>")
        return await self.hears_how_far()

    async def hears_how_far(self) -> int:
        """How many stanzas the server has done."""
        return int((await self.hears_nonza("a")).get("h", ""))

    async def leaves(self) -> None:
        """Goodbye, in order."""
        await self.sends("</stream:stream>")
        await self.line.close()

    async def is_cut_off(self) -> None:
        """The connection breaks without a goodbye."""
        await self.line.close()


def is_from(element: Element, sender: str | None) -> bool:
    """From this full JID or, if it is bare, from any session of it."""
    address = element.get("from", "")
    return sender is None or address == sender or ("/" not in sender and address.partition("/")[0] == sender)


def is_error(element: Element) -> bool:
    """A stanza of type error."""
    return element.get("type") == "error"


def condition(element: Element) -> str:
    """The stanza error's condition."""
    error = element.find(f"{C}error")
    assert error is not None, tostring(element, "unicode")
    return error[0].tag.rpartition("}")[2]
