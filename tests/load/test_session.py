"""What a client of the harness hears is counted exactly, however it is cut into pieces."""

import re
import socket

import pytest

from tests.load.bench import Bench
from tests.load.loop import Loop
from tests.load.session import Account, Session, iq_answer
from tests.load.target import Target
from tests.load.workloads.chat import Talker

ALICE = Account("alice", "load.example", "secret")
MESSAGE = b"<message from='bob@load.example/x' id='a&gt;1'><body>One &lt; two > three</body></message>"
COPY = (
    b"<message><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
    b"<message><body>Copied</body></message></forwarded></received></message>"
)
STREAM = (
    MESSAGE + COPY + b"<presence from='bob@load.example/x'/><iq type='result' id='x'/>"
    b"<presence from='carol@load.example/y'><status>a > b</status></presence>"
)
STANZAS = 5


class Wire:
    """A session, and the server's end of its connection."""

    def __init__(self):
        self.loop = Loop()
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self.session = Session(self.loop, Target("127.0.0.1", port, "none", "load.example"), ALICE, "r")
        self.server, _ = listener.accept()
        listener.close()
        self.chunks = []
        self.session.on_chunk = lambda _session, chunk: self.chunks.append(chunk)
        self.session.has_acks = True

    def say(self, data):
        self.server.sendall(data)
        before = len(self.heard)
        self.loop.run_until(lambda: len(self.heard) > before or b">" not in data, 0.2)

    @property
    def heard(self):
        return b"".join(self.chunks)

    def answer(self):
        self.loop.run_for(0.01)
        self.server.settimeout(1.0)
        return self.server.recv(4096)

    def close(self):
        self.session.line.close()
        self.server.close()
        self.loop.close()


@pytest.fixture
def wire():
    found = Wire()
    yield found
    found.close()


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_stanzas_are_counted_and_acknowledged_however_they_are_cut(wire, size):
    for place in range(0, len(STREAM), size):
        wire.say(STREAM[place : place + size])
    wire.say(b"<r xmlns='urn:xmpp:sm:3'/>")
    assert wire.answer() == b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % STANZAS
    assert wire.heard.startswith(STREAM)
    assert all(chunk.endswith(b">") for chunk in wire.chunks)


def test_texts_with_their_end_tag_are_in_one_piece(wire):
    for byte in b"<body>Call 12</body><status>x</status>":
        wire.say(bytes([byte]))
    assert [chunk for chunk in wire.chunks if b"12" in chunk] == [b"Call 12</body>"]


def test_a_script_gets_what_it_waits_for_and_leaves_the_rest(wire):
    found = []

    def script():
        found.append((yield b"</ready>"))
        found.append((yield iq_answer("q1")))

    wire.session.play(script())
    answer = b"<iq type='result' id='q1'><query/></iq>"
    wire.server.sendall(b"<x/></ready><presence/>" + answer + MESSAGE)
    wire.loop.run_until(lambda: bool(wire.chunks), 1.0)
    assert found == [b"<x/></ready>", b"<presence/>" + answer]
    assert wire.heard == MESSAGE
    assert wire.session.heard == 3


def test_a_ping_is_answered(wire):
    wire.say(b"<iq type='get' from='load.example' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert re.fullmatch(rb"<iq type='result' to='load.example' id='p1'/>", wire.answer())


def test_the_server_is_asked_what_it_has_after_every_fifth_stanza(wire):
    for _ in range(10):
        wire.session.say(b"<presence/>")
    assert wire.answer().count(b"<r ") == 2
    wire.say(b"<a xmlns='urn:xmpp:sm:3' h='9'/>")
    assert wire.session.acknowledged == 9


def test_an_end_is_known_with_what_the_server_said(wire):
    wire.server.sendall(b"<stream:error><policy-violation/></stream:error></stream:stream>")
    wire.server.close()
    wire.loop.run_until(lambda: bool(wire.session.failure), 1.0)
    assert "closed" in wire.session.failure


class Watch:
    def __init__(self):
        self.units, self.latencies, self.faults = 0, [], []


@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        ([1, 2, 3], ""),
        ([1, 3], "message 3 in place of 2"),
        ([1, 1], "message 1 in place of 2"),
        ([2, 1], "message 2 in place of 1"),
        ([1, 2, 3, 4], "message 4 in place of 4"),
    ],
)
def test_what_is_lost_doubled_overtaken_or_invented_is_a_fault(wire, numbers, fault):
    watch = Watch()
    alice, bob = Talker(wire.session, watch), Talker(wire.session, watch)
    alice.meet(bob)
    bob.meet(alice)
    alice.is_tired = True
    bob.say(3)
    for number in numbers:
        alice._listen(wire.session, b"<body>It is %b %d</body>" % (bob._series, number))
    assert [text.partition(": ")[2] for text in watch.faults] == ([fault] if fault else [])


def test_there_is_a_limit_to_the_sessions_of_a_bench():
    bench = Bench.__new__(Bench)
    bench.accounts = [ALICE] * 30_000
    bench.population = type("Population", (), {"devices": 1})()
    with pytest.raises(ValueError, match="20001 sessions"):
        bench.devices(range(20_001))
