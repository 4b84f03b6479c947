"""The two framings: the same stream on TCP and on WebSocket."""

import gc

import pytest

from engine.errors import StreamCondition
from engine.ports import Burst
from engine.xmpp.framing import FRAMING, Header, TcpFraming, WebSocketFraming
from engine.xmpp.parser import Closing
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_base import State
from engine.xmpp.stream_events import BindRequested, LoggedIn, StanzaReceived, StreamEnded
from engine.xmpp.xml import CLIENT, STREAMS, E, StreamError, serialise
from tests.engine.xmpp.client import HEADER, Harness, options, plain

OPEN = f"<open xmlns='{FRAMING}' to='example.org' version='1.0'/>".encode()
CLOSE = f"<close xmlns='{FRAMING}'/>".encode()
BIND = (
    b"<iq xmlns='jabber:client' type='set' id='b1'>"
    b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>web</resource></bind></iq>"
)


def items(framing, *data: bytes) -> list:
    for piece in data:
        framing.receive(piece)
    found = []
    while (item := framing.next_item()) is not None:
        found.append(item)
    return found


def test_both_read_the_same():
    message = E("message", CLIENT, E("body", CLIENT, "hi"), to="bob@example.org")
    header = Header(to="example.org", sender="", version="1.0", language="")
    tcp = items(TcpFraming(10_000), HEADER + serialise(message).encode() + b"</stream:stream>")
    websocket = items(WebSocketFraming(10_000), OPEN, serialise(message, "").encode(), CLOSE)
    assert tcp == websocket == [header, message, Closing()]


def test_header_attributes():
    tcp = HEADER.replace(b" version", b" from='alice@example.org' xml:lang='de' version")
    expected = Header(to="example.org", sender="alice@example.org", version="1.0", language="de")
    assert items(TcpFraming(10_000), tcp) == [expected]
    websocket = OPEN.replace(b" version", b" from='alice@example.org' xml:lang='de' version")
    assert items(WebSocketFraming(10_000), websocket) == [expected]
    assert items(WebSocketFraming(10_000), b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>") == [
        Header("", "", "", "")
    ]


def test_a_stream_without_a_prefix():
    """RFC 6120, 4.8.2: the header declares no content namespace, each stanza does."""
    data = b"<stream xmlns='http://etherx.jabber.org/streams' to='example.org' version='1.0'><presence xmlns='jabber:client'/>"
    assert items(TcpFraming(10_000), data)[1] == E("presence", CLIENT)


def test_both_write_the_same_stream():
    tcp, websocket = TcpFraming(10_000), WebSocketFraming(10_000)
    attributes = {"from": "example.org", "id": "1'2"}
    assert tcp.opening(attributes).decode() == (
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
        " from='example.org' id='1&apos;2' version='1.0' xml:lang='en'>"
    )
    assert websocket.opening(attributes).decode() == (
        f"<open xmlns='{FRAMING}' from='example.org' id='1&apos;2' version='1.0' xml:lang='en'/>"
    )
    features = serialise(E("features", STREAMS, E("bind", "urn:b")))
    assert tcp.stanza(features) == b"<stream:features><bind xmlns='urn:b'/></stream:features>"
    assert websocket.stanza(features).decode() == (
        f"<stream:features xmlns:stream='{STREAMS}'><bind xmlns='urn:b'/></stream:features>"
    )
    assert tcp.stanza("<presence/>") == tcp.stanza(b"<presence/>") == b"<presence/>"
    assert websocket.stanza("<presence/>") == websocket.stanza(b"<presence/>") == b"<presence xmlns='jabber:client'/>"
    assert tcp.closing() == b"</stream:stream>"
    assert websocket.closing() == f"<close xmlns='{FRAMING}'/>".encode()


def test_restart_keeps_the_rest_and_discard_does_not():
    framing = TcpFraming(10_000)
    framing.receive(HEADER + b"<a/>\n<?xml version='1.0'?>" + HEADER + b"<b/>")
    assert isinstance(framing.next_item(), Header)
    assert framing.next_item().name == "a"
    framing.restart()
    assert isinstance(framing.next_item(), Header)
    framing.discard()
    assert framing.waiting_bytes == 0
    assert framing.next_item() is None
    websocket = WebSocketFraming(10_000)
    websocket.receive(OPEN)
    assert websocket.waiting_bytes == len(OPEN)
    websocket.discard()
    assert websocket.next_item() is None


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b"<message", StreamCondition.NOT_WELL_FORMED),
        (b"<message xmlns='jabber:client'>", StreamCondition.NOT_WELL_FORMED),
        (b"<a/><b/>", StreamCondition.NOT_WELL_FORMED),
        (b"<stream:features/>", StreamCondition.NOT_WELL_FORMED),
        (b"<a><!-- --></a>", StreamCondition.RESTRICTED_XML),
        (b"<!DOCTYPE a><a/>", StreamCondition.RESTRICTED_XML),
        (b"<a>" + b"x" * 2_000 + b"</a>", StreamCondition.POLICY_VIOLATION),
        (b"<a>\xff</a>", StreamCondition.NOT_WELL_FORMED),
        (b"hello", StreamCondition.NOT_WELL_FORMED),
        (HEADER, StreamCondition.NOT_WELL_FORMED),
    ],
)
def test_a_message_that_is_not_one_element(message, condition):
    framing = WebSocketFraming(1_000)
    framing.receive(message)
    with pytest.raises(StreamError) as raised:
        framing.next_item()
    assert raised.value.condition is condition


def test_whitespace_messages_are_ignored():
    assert items(WebSocketFraming(100), b" ", b"", b"\n") == []


class WebSocketHarness(Harness):
    """Also keeps the messages apart."""

    def __init__(self):
        super().__init__(framing=WebSocketFraming(10_240), is_encrypted=True, binding=None)
        self.stream = ClientStream(options(), WebSocketFraming(10_240), is_encrypted=True, has_starttls=False)
        self.frames: list[str] = []

    def _take(self, events):
        self.frames += [frame.decode() for frame in self.stream.frames_to_send()]
        super()._take(events)
        self.frames += [frame.decode() for frame in self.stream.frames_to_send()]


def test_a_whole_stream_on_websocket():
    harness = WebSocketHarness()
    stream = harness.stream
    assert stream.receive_data(OPEN) == []
    opened, features = [frame.decode() for frame in stream.frames_to_send()]
    assert opened.startswith(f"<open xmlns='{FRAMING}' from='example.org' id='")
    assert features.startswith(f"<stream:features xmlns:stream='{STREAMS}'>")
    assert "starttls" not in features
    harness.send(plain())
    assert len(harness.of(LoggedIn)) == 1
    harness.send(OPEN)
    harness.send(BIND)
    assert harness.of(BindRequested)[0].resource == "web"
    assert stream.state is State.READY
    harness.send(b"<message xmlns='jabber:client' to='bob@example.org'/>")
    assert len(harness.of(StanzaReceived)) == 1
    stream.send("<presence/>")
    assert stream.frames_to_send() == [b"<presence xmlns='jabber:client'/>"]
    assert stream.receive_data(CLOSE) == [StreamEnded(None, "closed by the client")]
    assert stream.frames_to_send() == [CLOSE]


def test_an_element_before_open_and_a_second_open():
    stream = WebSocketHarness().stream
    (ended,) = stream.receive_data(b"<presence xmlns='jabber:client'/>")
    assert ended.condition is StreamCondition.BAD_FORMAT
    opened, error, closed = stream.frames_to_send()
    assert opened.startswith(b"<open ")
    assert error.startswith(b"<stream:error xmlns:stream=")
    assert closed == CLOSE
    stream = WebSocketHarness().stream
    stream.receive_data(OPEN)
    assert stream.receive_data(OPEN)[0].condition is StreamCondition.BAD_FORMAT


def test_a_burst_is_a_frame_for_each_stanza():
    one, other = (
        b"<presence from='a'><c xmlns='x' a='&gt;'/></presence>",
        b"<message><body>&lt;b/&gt; \xe2\x82\xac</body></message>",
    )
    framing = WebSocketFraming(1_000)
    assert framing.burst(Burst(one + other + one, 3)) == [
        framing.stanza(one),
        framing.stanza(other),
        framing.stanza(one),
    ]
    assert TcpFraming(1_000).burst(Burst(one + other, 2)) == [one + other]


@pytest.mark.parametrize("framing", [TcpFraming, WebSocketFraming])
def test_nothing_of_a_stream_waits_for_the_garbage_collector(framing):
    """Its parsers hold some KB each, and a collector that looks at thousands of sessions looks seldom."""
    gc.collect()
    gc.disable()
    try:
        stream = ClientStream(options(), framing(10_240), is_encrypted=True)
        for piece in (HEADER, plain("alice", "secret")) if framing is TcpFraming else (OPEN,):
            stream.receive_data(piece)
        stream.receive_eof()
        del stream
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("input_", ["<message>" + "x" * 11_000, "<message><a></message>", "<!-- -->", "x"])
def test_nor_does_what_a_client_had_sent_that_was_refused(input_):
    """A stanza too large may come from a thousand clients at once, again and again."""
    gc.collect()
    gc.disable()
    try:
        stream = ClientStream(options(), TcpFraming(10_240), is_encrypted=True)
        stream.receive_data(HEADER)
        assert type(stream.receive_data(input_.encode())[-1]) is StreamEnded
        stream.receive_eof()
        del stream
        assert gc.collect() == 0
    finally:
        gc.enable()
