"""The client stream: from accept to goodbye, and every answer that may come late."""

import re
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.limits import Limits
from engine.xmpp.sasl import SaslCondition
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_base import State
from engine.xmpp.stream_events import (
    BindRequested,
    ExtensionReceived,
    LoggedIn,
    LoginFailed,
    PasswordCheckWanted,
    StanzaReceived,
    StartTls,
    StreamEnded,
    VerifierWanted,
    random_token,
)
from engine.xmpp.xml import E
from tests.engine.xmpp.client import (
    ACCOUNTS,
    BIND,
    BINDING,
    DECLARATION,
    DOMAIN,
    HEADER,
    STARTTLS,
    Harness,
    ScramClient,
    auth,
    options,
    pieces,
    plain,
    response,
)

ALICE = Jid(f"alice@{DOMAIN}")
DESK = Jid(f"alice@{DOMAIN}", "desk")
NS = {"tls": "urn:ietf:params:xml:ns:xmpp-tls", "sasl": "urn:ietf:params:xml:ns:xmpp-sasl"}


def test_from_accept_to_ready_step_by_step():
    stream = ClientStream(options())
    assert stream.receive_data(DECLARATION + HEADER) == []
    assert stream.data_to_send().decode() == (
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
        " from='example.org' id='token0' version='1.0' xml:lang='en'>"
        f"<stream:features><starttls xmlns='{NS['tls']}'><required/></starttls>"
        "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10240</max-bytes><idle-seconds>45</idle-seconds></limits>"
        "</stream:features>"
    )
    assert stream.receive_data(STARTTLS) == [StartTls()]
    assert stream.data_to_send().decode() == f"<proceed xmlns='{NS['tls']}'/>"
    assert stream.tls_started(BINDING) == []
    assert stream.receive_data(HEADER) == []
    features = stream.data_to_send().decode()
    assert "starttls" not in features
    assert features.partition("<stream:features>")[2].partition("<limits")[0] == (
        f"<mechanisms xmlns='{NS['sasl']}'><mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-1-PLUS</mechanism>"
        "<mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>"
        "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-server-end-point'/></sasl-channel-binding>"
    )
    client = ScramClient(flag="p=tls-server-end-point", binding=BINDING)
    assert stream.receive_data(auth("SCRAM-SHA-256-PLUS", client.first())) == [VerifierWanted(ALICE, "sha-256")]
    assert stream.data_to_send() == b""
    assert stream.provide_verifier(ACCOUNTS[ALICE.bare]["sha-256"]) == []
    challenge = re.fullmatch(f"<challenge xmlns='{NS['sasl']}'>(.*)</challenge>", stream.data_to_send().decode())[1]
    server_first = b64decode(challenge).decode()
    assert stream.receive_data(response(client.final(server_first))) == [LoggedIn(ALICE)]
    success = b64encode(client.expected.encode()).decode()
    assert stream.data_to_send().decode() == f"<success xmlns='{NS['sasl']}'>{success}</success>"
    assert stream.receive_data(HEADER) == []
    assert stream.data_to_send().decode().partition("<stream:features>")[2] == (
        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
        "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"
        "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>262144</max-bytes><idle-seconds>45</idle-seconds></limits>"
        "</stream:features>"
    )
    assert stream.receive_data(BIND) == [BindRequested(ALICE, "desk", is_generated=False)]
    assert stream.data_to_send() == b""
    assert stream.bound(DESK) == []
    assert stream.data_to_send() == (
        b"<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
        b"<jid>alice@example.org/desk</jid></bind></iq>"
    )
    assert (stream.state, stream.account, stream.jid, stream.domain) == (State.READY, ALICE, DESK, DOMAIN)
    assert stream.receive_data(b"<presence/>") == [StanzaReceived(E("presence", "jabber:client"))]
    stream.send("<message/>")
    stream.send(b"<presence/>")
    assert stream.data_to_send() == b"<message/><presence/>"
    assert stream.receive_data(b"</stream:stream>") == [StreamEnded(None, "closed by the client")]
    assert stream.data_to_send() == b"</stream:stream>"


@pytest.mark.parametrize("piece", [0, 1, 5])
@pytest.mark.parametrize(
    ("client", "mechanism"),
    [
        (ScramClient(), "SCRAM-SHA-256"),
        (ScramClient("sha1"), "SCRAM-SHA-1"),
        (ScramClient(flag="p=tls-server-end-point", binding=BINDING), "SCRAM-SHA-256-PLUS"),
        (ScramClient("sha1", flag="p=tls-server-end-point", binding=BINDING), "SCRAM-SHA-1-PLUS"),
    ],
)
def test_each_scram(client, mechanism, piece):
    harness = Harness(piece=piece)
    harness.secure()
    written = harness.scram(client, mechanism)
    assert b64encode(client.expected.encode()) in written
    assert harness.of(LoggedIn) == [LoggedIn(ALICE)]


def test_plain_asks_twice():
    stream = ClientStream(options(), is_encrypted=True)
    assert stream.receive_data(HEADER + plain()) == [VerifierWanted(ALICE, "sha-256")]
    verifier = ACCOUNTS[ALICE.bare]["sha-256"]
    (wanted,) = stream.provide_verifier(verifier)
    assert wanted == PasswordCheckWanted(ALICE, verifier, "pencil")
    assert "pencil" not in repr(wanted)
    assert stream.password_checked(True) == [LoggedIn(ALICE)]
    assert stream.data_to_send().endswith(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")


def test_a_mechanism_without_an_initial_response():
    harness = Harness()
    harness.secure()
    assert (
        harness.send(f"<auth xmlns='{NS['sasl']}' mechanism='PLAIN'/>".encode())
        == f"<challenge xmlns='{NS['sasl']}'/>".encode()
    )
    harness.send(response(b"\0alice\0pencil"))
    assert harness.of(LoggedIn) == [LoggedIn(ALICE)]


def test_all_sent_ahead_is_handled_in_order():
    """A client that does not wait for answers: header, login, header, bind and stanzas in one piece after TLS."""
    harness = Harness()
    harness.send(HEADER + STARTTLS)
    harness.send(HEADER + plain() + b"\n" + DECLARATION + HEADER + BIND + b"<presence/><message/></stream:stream>")
    assert [type(event) for event in harness.events] == [
        StartTls,
        VerifierWanted,
        PasswordCheckWanted,
        LoggedIn,
        BindRequested,
        StanzaReceived,
        StanzaReceived,
        StreamEnded,
    ]


def test_direct_tls_offers_no_starttls():
    harness = Harness(is_encrypted=True)
    written = harness.send(HEADER)
    assert b"starttls" not in written
    assert b"SCRAM-SHA-256-PLUS" in written


def test_no_plus_without_binding_data():
    harness = Harness(binding=None)
    written = harness.secure()
    assert b"PLUS" not in written
    assert b"sasl-channel-binding" not in written
    assert b"PLAIN" in written


def test_optional_tls():
    harness = Harness(tls="optional")
    written = harness.send(HEADER)
    assert f"<starttls xmlns='{NS['tls']}'/>".encode() in written
    assert harness.of(LoggedIn) == []
    harness.scram(ScramClient(flag="y"), "SCRAM-SHA-256")
    assert harness.of(LoggedIn) == [LoggedIn(ALICE)]


def test_missing_to_means_the_only_domain():
    harness = Harness()
    assert b"from='example.org'" in harness.send(HEADER.replace(b"to='example.org'", b"from='alice@example.org'"))
    assert b"to='alice@example.org'" in harness.output


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0", "01.0"])
def test_versions_from_1_0_on_are_answered_with_1_0(version):
    harness = Harness()
    assert b"version='1.0'" in harness.send(HEADER.replace(b"version='1.0'", f"version='{version}'".encode()))
    assert harness.ended is None


def test_domain_in_any_spelling():
    harness = Harness(domains={"münchen.de"})
    harness.send(HEADER.replace(b"example.org", b"XN--MNCHEN-3YA.de"))
    assert harness.stream.domain == "münchen.de"


def test_stream_ids_differ_and_are_long():
    harness = Harness(token=random_token)
    harness.bind()
    ids = re.findall(rb" id='([^']{24,})' version", harness.output)
    assert len(ids) == len(set(ids)) == 3


def test_failed_logins_are_told_and_may_be_repeated():
    harness = Harness()
    harness.secure()
    harness.send(plain(password="wrong"))
    assert harness.of(LoginFailed) == [LoginFailed(ALICE, SaslCondition.NOT_AUTHORIZED, "wrong password")]
    harness.send(plain())
    assert harness.of(LoggedIn) == [LoggedIn(ALICE)]


def test_the_caller_may_refuse_a_login():
    stream = ClientStream(options(), is_encrypted=True)
    stream.receive_data(HEADER + plain())
    failed = LoginFailed(ALICE, SaslCondition.TEMPORARY_AUTH_FAILURE, "disk")
    assert stream.refuse_login(SaslCondition.TEMPORARY_AUTH_FAILURE, "disk") == [failed]
    assert b"<temporary-auth-failure/>" in stream.data_to_send()
    stream.receive_data(plain())
    stream.provide_verifier(None)
    assert stream.refuse_login(SaslCondition.ACCOUNT_DISABLED)[0].account == ALICE


@pytest.mark.parametrize(
    ("asked", "resource"),
    [("", None), ("Büro\u00a01", "Büro 1"), ("x" * 1_100, None), ("\u0007", None), ("a/b@c", "a/b@c")],
)
def test_resources(asked, resource):
    harness = Harness()
    harness.log_in()
    inner = (
        f"<resource>{asked}</resource>" if asked.isprintable() or "\u00a0" in asked else "<resource>&#x80;</resource>"
    )
    harness.send(f"<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{inner}</bind></iq>".encode())
    (event,) = harness.of(BindRequested)
    assert event.is_generated is (resource is None)
    assert event.resource == (resource or event.resource)
    assert event.resource


def test_a_refused_bind_may_be_repeated():
    stream = ClientStream(options(), is_encrypted=True)
    stream.receive_data(HEADER + plain() + HEADER + BIND)
    stream.provide_verifier(ACCOUNTS[ALICE.bare]["sha-256"])
    assert stream.password_checked(True) == [LoggedIn(ALICE), BindRequested(ALICE, "desk", is_generated=False)]
    stream.data_to_send()
    assert stream.bind_refused(Condition.RESOURCE_CONSTRAINT, "too many sessions") == []
    assert stream.data_to_send() == (
        b"<iq type='error' id='b1'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        b"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>too many sessions</text></error></iq>"
    )
    assert stream.receive_data(BIND) == [BindRequested(ALICE, "desk", is_generated=False)]


def test_bind_without_an_id():
    harness = Harness()
    harness.log_in()
    assert b"<bad-request" in harness.send(BIND.replace(b" id='b1'", b""))
    harness.send(BIND)
    assert harness.stream.state is State.READY


@pytest.mark.parametrize(
    "sender", ["", "alice@example.org", "alice@example.org/desk", "ALICE@example.org", "Alice@EXAMPLE.org/desk"]
)
def test_own_addresses(sender):
    harness = Harness()
    harness.bind()
    harness.send(f"<message from='{sender}'/>".encode() if sender else b"<message/>")
    assert len(harness.of(StanzaReceived)) == 1


def test_limits_change_with_the_session():
    harness = Harness(limits=Limits(stanza_bytes=20_000))
    assert b"<max-bytes>20000<" in harness.log_in()
    harness.send(BIND)
    harness.send(b"<message><body>%s</body></message>" % (b"x" * 15_000))
    assert len(harness.of(StanzaReceived)) == 1
    harness.send(b"<message><body>%s</body></message>" % (b"x" * 21_000))
    assert harness.ended.condition is StreamCondition.POLICY_VIOLATION


def test_no_limit_on_stanzas():
    harness = Harness(limits=Limits(stanza_bytes=0))
    assert b"max-bytes" not in harness.log_in()
    harness.send(BIND)
    harness.send(b"<message><body>%s</body></message>" % (b"x" * 500_000))
    assert len(harness.of(StanzaReceived)) == 1


def test_extra_features_and_extensions():
    csi = "urn:xmpp:csi:0"
    harness = Harness(extra_features=[E("csi", csi)], extensions=frozenset({(csi, "inactive")}))
    assert b"<csi xmlns='urn:xmpp:csi:0'/></stream:features>" in harness.log_in()
    harness.send(BIND)
    harness.send(b"<inactive xmlns='urn:xmpp:csi:0'/><presence/>")
    assert [type(event) for event in harness.events[-2:]] == [ExtensionReceived, StanzaReceived]


def test_an_extension_before_binding_may_take_its_place():
    resume = ("urn:xmpp:sm:3", "resume")
    harness = Harness(extensions=frozenset({resume}))
    harness.secure()
    harness.send(b"<resume xmlns='urn:xmpp:sm:3'/>")
    assert harness.ended.condition is StreamCondition.NOT_AUTHORIZED
    harness = Harness(extensions=frozenset({resume}))
    harness.log_in()
    harness.send(b"<resume xmlns='urn:xmpp:sm:3'/><presence/>")
    assert harness.stream.state is State.BINDING
    assert harness.of(StanzaReceived) == []
    assert len(harness.stream.resumed(DESK, b"<resumed/>")) == 1
    assert harness.stream.state is State.READY
    other = Harness(extensions=frozenset({resume}))
    other.log_in()
    other.send(b"<resume xmlns='urn:xmpp:sm:3'/>")
    other.stream.data_to_send()
    assert other.stream.extension_refused(b"<failed/>") == []
    assert other.stream.data_to_send() == b"<failed/>"
    other.send(BIND)
    assert other.stream.state is State.READY


def test_the_table_names_each_state():
    assert set(ClientStream.TABLE) == set(State)


# -- properties --------------------------------------------------------------------------------------------------------

SCRIPT = (
    b"<?xml version='1.0'?>" + HEADER + plain(password="x") + auth("SCRAM-SHA-1", "n,,n=alice,r=x") + response("x") + plain()
    + b"\n" + HEADER + BIND + b"<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq> "
    b"<presence/><message to='bob@example.org'><body>a &lt; b</body></message>"
)  # fmt: skip
ENDS = [b"</stream:stream>", b"<!-- -->", b"<message from='bob@example.org'/>", b"<x/>", b""]


@given(st.lists(st.integers(1, 40), min_size=1), st.sampled_from(ENDS))
def test_pieces_do_not_matter(sizes, end):
    whole = Harness(is_encrypted=True)
    whole.send(SCRIPT + end)
    cut = Harness(is_encrypted=True)
    rest = SCRIPT + end
    while rest:
        for size in sizes:
            cut.send(rest[:size])
            rest = rest[size:]
    assert cut.events == whole.events
    assert cut.output == whole.output


@given(st.integers(0, len(SCRIPT)), st.binary(max_size=200), st.integers(1, 64))
def test_arbitrary_bytes_end_in_an_event_at_the_worst(at, noise, size):
    harness = Harness(is_encrypted=True)
    for piece in pieces(SCRIPT[:at] + noise, size):
        harness.send(piece)
    harness._take(harness.stream.receive_eof())
    assert len(harness.of(StreamEnded)) == 1
    assert harness.stream.state is State.CLOSED
