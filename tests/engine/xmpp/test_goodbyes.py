"""How a client stream ends, and what comes too early or too late for it."""

import pytest

from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.xmpp.sasl import SaslCondition
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_base import State
from engine.xmpp.stream_events import StreamEnded
from tests.engine.xmpp.client import DOMAIN, HEADER, STARTTLS, Harness, options, plain

DESK = Jid(f"alice@{DOMAIN}", "desk")


def test_close_waits_for_the_other_side():
    harness = Harness()
    harness.bind()
    harness.stream.close(StreamCondition.SYSTEM_SHUTDOWN, "bye")
    assert harness.stream.data_to_send() == (
        b"<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        b"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>bye</text></stream:error></stream:stream>"
    )
    harness.stream.send("<presence/>")
    harness.stream.close()
    assert harness.stream.data_to_send() == b""
    assert harness.stream.receive_data(b"<message/><unknown/></stream:stream>") == [
        StreamEnded(None, "closed by the client")
    ]
    assert harness.stream.state is State.CLOSED
    assert harness.stream.receive_data(b"<message/>") == []


def test_close_before_anything_came_opens_first():
    stream = ClientStream(options())
    stream.close(StreamCondition.CONNECTION_TIMEOUT)
    written = stream.data_to_send()
    assert written.startswith(b"<?xml version='1.0'?><stream:stream ")
    assert written.endswith(b"</stream:error></stream:stream>")
    assert stream.receive_data(HEADER + b"<presence/>") == []  # it crossed our goodbye
    assert stream.state is State.CLOSING
    assert stream.receive_data(b"</stream:stream>") == [StreamEnded(None, "closed by the client")]


def test_close_while_the_other_side_waits_for_a_handshake_writes_nothing():
    harness = Harness()
    harness.stream.receive_data(HEADER + STARTTLS)
    harness.stream.data_to_send()
    harness.stream.close(StreamCondition.CONNECTION_TIMEOUT)
    assert harness.stream.data_to_send() == b""
    assert harness.stream.tls_started(None) == []


def test_bad_input_while_closing():
    harness = Harness()
    harness.bind()
    harness.stream.close()
    (ended,) = harness.stream.receive_data(b"<!-- -->")
    assert ended.condition is StreamCondition.RESTRICTED_XML
    assert harness.stream.data_to_send() == b"</stream:stream>"


def test_a_lost_connection():
    harness = Harness()
    harness.bind()
    assert harness.stream.receive_eof() == [StreamEnded(None, "the connection was lost")]
    assert harness.stream.receive_eof() == []


def test_late_answers_do_nothing():
    for answer in (
        lambda stream: stream.provide_verifier(None),
        lambda stream: stream.password_checked(True),
        lambda stream: stream.refuse_login(SaslCondition.NOT_AUTHORIZED),
        lambda stream: stream.bound(DESK),
        lambda stream: stream.resumed(DESK, b"<resumed/>"),
        lambda stream: stream.extension_refused(b"<failed/>"),
        lambda stream: stream.bind_refused(Condition.CONFLICT),
        lambda stream: stream.tls_started(None),
    ):
        stream = ClientStream(options(), is_encrypted=True)
        stream.receive_data(HEADER + plain())
        stream.close()
        stream.data_to_send()
        assert answer(stream) == []
        assert stream.data_to_send() == b""
        with pytest.raises(RuntimeError):
            answer(ClientStream(options()))


def test_stanzas_are_not_written_before_the_session():
    with pytest.raises(RuntimeError):
        ClientStream(options()).send("<presence/>")
