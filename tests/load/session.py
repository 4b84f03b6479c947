"""One XMPP client: it logs in by a script, and from then on it counts.

Script. What happens in turns (login, questions) is a generator that yields what it waits for, a token or a pattern, and gets
the bytes that end there. It reads like the protocol.

Counting. Once `on_chunk` is set, what comes is given to it in pieces that end with ``>``, so that whatever contains no ``>``
before its end (a tag, a text with the end tag behind it) is whole in one piece, and `bytes.count` counts it rightly. No XML
tree, no parser: the client must be much cheaper than the server beside which it runs.

Stream management (XEP-0198 1.6) and carbons (XEP-0280) are switched on where the server offers them. The number of stanzas
received is the number of their beginnings, less those within ``<forwarded/>`` (XEP-0297), which holds one each. The client asks
for an acknowledgement after `ACK_EVERY` stanzas, as slixmpp does.
"""

import re
from collections.abc import Callable, Generator

import msgspec

from tests.load.line import Line
from tests.load.loop import Loop
from tests.load.scram import HASHES, Scram, WrongServerError
from tests.load.target import Target
from tests.load.web import WebLine

ACK_EVERY = 5

Script = Generator[bytes | re.Pattern[bytes], bytes, None]

STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
AUTH = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='%b'>%b</auth>"
RESPONSE = b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%b</response>"
BIND = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{}</resource></bind></iq>"
RESUME = b"<resume xmlns='urn:xmpp:sm:3' h='%d' previd='%b'/>"
ENABLE = b"<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
CARBONS = b"<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
ROSTER = b"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"
ACK_REQUEST = b"<r xmlns='urn:xmpp:sm:3'/>"
ACK = b"<a xmlns='urn:xmpp:sm:3' h='%d'/>"

FEATURES = re.compile(rb"(?s)<(?:\w+:)?features(?:\s[^>]*)?(?:/>|>.*?</(?:\w+:)?features>)")
MECHANISM = re.compile(rb"<mechanism[^>]*>([^<]*)</mechanism>")
SASL_ANSWER = re.compile(rb"(?s)<(challenge|success|failure)\b[^>]*?(?:/>|>(.*?)</\1>)")
PROCEED = re.compile(rb"<(?:proceed|failure)\b[^>]*>")
SM_ANSWER = re.compile(rb"(?s)<(?:enabled|resumed)\b[^>]*>|<failed\b[^>]*?(?:/>|>.*?</failed>)")
STREAM_ERROR = re.compile(rb"(?s)<stream:error\b.*")
ACKNOWLEDGED = re.compile(rb"<a [^>]*h=['\"](\d+)")
PING = re.compile(rb"<iq\b([^>]*)>\s*<ping\b")
ATTRIBUTE = re.compile(rb"\b(id|from)=['\"]([^'\"]*)")


def iq_answer(stanza_id: str) -> re.Pattern[bytes]:
    """The whole answer to a request of ours."""
    return re.compile(rb"(?s)<iq\b[^>]*\bid=(['\"])%b\1[^>]*?(?:/>|>.*?</iq>)" % re.escape(stanza_id.encode()))


def iq_head(stanza_id: str) -> re.Pattern[bytes]:
    """The beginning of the answer to a request of ours; for answers that are too large to be looked at again and again."""
    return re.compile(rb"<iq\b[^>]*\bid=(['\"])%b\1[^>]*>" % re.escape(stanza_id.encode()))


class SessionError(Exception):
    """The server refused something or went away."""


class Account(msgspec.Struct, frozen=True):
    """Who logs in."""

    local: str
    domain: str
    password: str

    @property
    def bare(self) -> str:
        """Address."""
        return f"{self.local}@{self.domain}"


class Session:
    """One client of one account.

    Args:
        loop: that it runs in.
        target: where the server is and what it can do.
        account: whose.
        resource: wished for.

    Attributes:
        jid: the full JID, once bound.
        on_chunk: gets what comes after the login, with the session.
        failure: why it ended; empty while it lives.
        is_ready: it is logged in; is_resumed: by going on with an older session.
        heard: stanzas received since stream management began.
        sent: stanzas sent since then.
        acknowledged: how many of them the server has.
    """

    __slots__ = (
        "_buffer",
        "_script",
        "_searched",
        "_tail",
        "_wanted",
        "account",
        "acknowledged",
        "failure",
        "has_acks",
        "heard",
        "is_ready",
        "is_resumed",
        "jid",
        "line",
        "on_chunk",
        "resource",
        "sent",
        "target",
        "tokens",
    )

    def __init__(self, loop: Loop, target: Target, account: Account, resource: str) -> None:
        self.target = target
        self.account = account
        self.resource = resource
        self.jid = ""
        self.on_chunk: Callable[[Session, bytes], None] = ignore
        self.failure = ""
        self.is_ready = self.is_resumed = False
        self.has_acks = False
        self.heard = self.sent = self.acknowledged = 0
        self.tokens: dict[str, bytes] = {}
        self._tail = b""
        self._buffer = bytearray()
        self._searched = 0
        self._wanted: bytes | re.Pattern[bytes] | None = None
        self._script: Script | None = None
        self.line: Line = self.open_line(loop)

    def open_line(self, loop: Loop) -> Line:
        """Its connection."""
        target = self.target
        if target.path:
            return WebLine(loop, target.address, self._hear, self._lost, target.path)
        return Line(loop, target.address, self._hear, self._lost)

    # -- sending -------------------------------------------------------------------------------------------------------

    def say(self, *stanzas: bytes) -> None:
        """Send stanzas, together."""
        if self.has_acks:
            before = self.sent
            self.sent = before + len(stanzas)
            if before // ACK_EVERY != self.sent // ACK_EVERY:
                stanzas = (*stanzas, ACK_REQUEST)
        self.line.say(*stanzas)

    def say_goodbye(self) -> None:
        """Take no more messages. What was heard is acknowledged, or the server must take it for lost (XEP-0198, 4)."""
        if self.has_acks:
            self.line.send(ACK % self.heard)
        self.say(b"<presence type='unavailable'/>")

    def leave(self) -> None:
        """End the session in good order."""
        self.say_goodbye()
        self.line.end_stream()
        self.line.close()
        self.failure = self.failure or "left"

    def cut(self) -> None:
        """End it as a broken network does."""
        self.line.close(is_abrupt=True)
        self.failure = self.failure or "cut"

    # -- scripts -------------------------------------------------------------------------------------------------------

    def play(self, script: Script) -> None:
        """Go through a script; when it ends, what comes is counted again."""
        self._buffer = bytearray(self._tail)
        self._tail = b""
        self._script, self._searched = script, 0
        self._go_on(None)

    @property
    def is_idle(self) -> bool:
        """No script is running."""
        return self._script is None

    def _go_on(self, found: bytes | None) -> None:
        """To the script's next wish."""
        assert self._script is not None
        try:
            self._wanted = next(self._script) if found is None else self._script.send(found)
        except StopIteration:
            self._script = self._wanted = None
            rest, self._buffer = bytes(self._buffer), bytearray()
            if rest:
                self._hear_counted(rest)
        except (SessionError, WrongServerError) as error:
            self.fail(str(error))

    def _hear(self, data: bytes) -> None:
        if self._script is None:
            self._hear_counted(data)
            return
        self._buffer += data
        while self._wanted is not None and self._script is not None:
            found = self._find(self._wanted)
            if found is None:
                if (error := STREAM_ERROR.search(self._buffer)) is not None:
                    self.fail(f"stream error: {error[0][:200]!r}")
                return
            self._go_on(found)

    def _find(self, wanted: bytes | re.Pattern[bytes]) -> bytes | None:
        if isinstance(wanted, bytes):
            place = self._buffer.find(wanted, self._searched)
            end = place + len(wanted)
            if place < 0:
                self._searched = max(0, len(self._buffer) - len(wanted) + 1)
                return None
        else:
            match = wanted.search(self._buffer)
            if match is None:
                return None
            end = match.end()
        found = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        if self.has_acks:
            self._count(found)
        return found

    # -- counting ------------------------------------------------------------------------------------------------------

    def _hear_counted(self, data: bytes) -> None:
        if self._tail:
            data = self._tail + data
        end = data.rfind(b">") + 1
        if end == len(data):
            self._tail = b""
        else:
            self._tail = data[end:]
            data = data[:end]
            if not data:
                return
        if self.has_acks:
            self._count(data)
        if b"urn:xmpp:ping" in data:
            self._answer_pings(data)
        self.on_chunk(self, data)

    def _count(self, data: bytes) -> None:
        count = data.count
        self.heard += count(b"<message") + count(b"<presence") + count(b"<iq") - count(b"<forwarded")
        if b"urn:xmpp:sm:3" in data:
            if b"<r " in data:
                self.line.send(ACK % self.heard)
            for match in ACKNOWLEDGED.finditer(data):
                self.acknowledged = int(match[1])

    def _answer_pings(self, data: bytes) -> None:
        for match in PING.finditer(data):
            values = dict(ATTRIBUTE.findall(match[1]))
            self.say(b"<iq type='result' to='%b' id='%b'/>" % (values.get(b"from", b""), values.get(b"id", b"")))

    # -- ends ----------------------------------------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        """It is over."""
        self.failure = self.failure or reason
        self._script = self._wanted = None
        self.line.close()

    def _lost(self, reason: str) -> None:
        said = STREAM_ERROR.search(bytes(self._buffer) + self._tail)
        self.fail(f"{reason} {said[0][:200]!r}" if said else reason)


def ignore(_session: Session, _chunk: bytes) -> None:
    """For those who only need to be there."""


# -- scripts -----------------------------------------------------------------------------------------------------------


def log_in(session: Session, *, is_present: bool = True, has_roster: bool = True) -> Script:
    """From the first byte to initial presence, as a client does it that has nothing cached."""
    features = yield from _enter(session)
    yield from _begin(session, features, is_present=is_present, has_roster=has_roster)


def return_to(session: Session, gone: Session) -> Script:
    """Log in again after the connection broke: go on with the session where that is possible, or begin a new one."""
    features = yield from _enter(session)
    token = gone.tokens.get("resume")
    if token and b"urn:xmpp:sm:3" in features:
        session.line.send(RESUME % (gone.heard, token))
        if b"<resumed" in (yield SM_ANSWER):
            session.jid, session.tokens = gone.jid, gone.tokens
            session.heard, session.sent = gone.heard, gone.sent
            session.has_acks = session.is_resumed = session.is_ready = True
            return
    yield from _begin(session, features, is_present=True, has_roster=True)


def _enter(session: Session) -> Generator[bytes | re.Pattern[bytes], bytes, bytes]:
    """Connect, encrypt, log in; the features that the server has for whoever is logged in."""
    security = session.target.security
    if security == "direct":
        start_tls(session)
    features = yield from open_stream(session)
    if security == "starttls":
        session.line.send(STARTTLS)
        if b"failure" in (yield PROCEED):
            raise SessionError("STARTTLS was refused")
        start_tls(session)
        features = yield from open_stream(session)
    yield from authenticate(session, features)
    return (yield from open_stream(session))


def _begin(session: Session, features: bytes, *, is_present: bool, has_roster: bool) -> Script:
    """A new session: resource, what the server offers, roster, presence."""
    session.line.say(BIND.format(session.resource).encode())
    bound = yield iq_answer("bind")
    jid = re.search(rb"<jid>([^<]*)</jid>", bound)
    if jid is None:
        raise SessionError(f"{session.account.bare}: not bound: {bound[:200]!r}")
    session.jid = jid[1].decode()
    if b"urn:xmpp:sm:3" in features and session.target.wants_acks:
        session.line.send(ENABLE)
        enabled = yield SM_ANSWER
        session.has_acks = b"<enabled" in enabled
        token = re.search(rb"\bid=['\"]([^'\"]*)", enabled)
        session.tokens["resume"] = token[1] if token else b""
    if session.target.offers.carbons:
        session.say(CARBONS)
        yield iq_answer("carbons")
    if has_roster:
        yield from fetch_roster(session)
    if is_present:
        session.say(b"<presence/>")
    session.is_ready = True


def start_tls(session: Session) -> None:
    """TLS from here on. Nothing needs to be waited for: what is sent before the handshake is done is kept by the line."""
    session.line.start_tls(session.target.tls, session.target.domain)


def open_stream(session: Session) -> Generator[bytes | re.Pattern[bytes], bytes, bytes]:
    """A stream header; the features that follow it."""
    session.line.open_stream(session.account.domain)
    return (yield FEATURES)


def authenticate(session: Session, features: bytes) -> Script:
    """SCRAM, with the strongest hash that both know."""
    offered = {name.decode() for name in MECHANISM.findall(features)}
    mechanism = next((name for name in HASHES if name in offered), None)
    if mechanism is None:
        raise SessionError(f"no SCRAM among {sorted(offered)}")
    scram = Scram(mechanism, session.account.local, session.account.password)
    session.line.send(AUTH % (mechanism.encode(), scram.first()))
    challenge = yield from _sasl_answer(session, "challenge")
    session.line.send(RESPONSE % scram.final(challenge))
    scram.check((yield from _sasl_answer(session, "success")))


def _sasl_answer(session: Session, wanted: str) -> Generator[bytes | re.Pattern[bytes], bytes, bytes]:
    found = SASL_ANSWER.search((yield SASL_ANSWER))
    assert found is not None
    if found[1].decode() != wanted:
        raise SessionError(f"{session.account.bare}: {found[0][:200]!r} in place of {wanted}")
    return found[2] or b""


def fetch_roster(session: Session) -> Script:
    """All of it."""
    session.say(ROSTER)
    head = yield iq_head("roster")
    if not head.endswith(b"/>"):
        yield b"</iq>"


def ask(session: Session, stanza_id: str, request: str) -> Generator[bytes | re.Pattern[bytes], bytes, bytes]:
    """A request and the whole answer."""
    session.say(request.encode())
    return (yield iq_answer(stanza_id))
