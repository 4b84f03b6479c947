"""Bad streams: each gets the right condition, whole and one byte at a time, and costs little.

A case says how far the stream is when the bytes come, and either the stream's condition (the stream ends) or the
condition of a SASL failure (the stream goes on).
"""

import time

import pytest

from engine.errors import StreamCondition
from engine.limits import LOGIN_ATTEMPTS, PRE_LOGIN_BYTES, PRE_LOGIN_STANZA_BYTES, XML_ELEMENTS, XML_TOKEN_BYTES
from engine.xmpp.parser import Parser
from engine.xmpp.sasl import SaslCondition
from engine.xmpp.stream_base import State
from engine.xmpp.stream_events import LoggedIn, LoginFailed, StanzaReceived, StartTls
from engine.xmpp.xml import StreamError
from tests.engine.xmpp.client import (
    BIND,
    BINDING,
    DECLARATION,
    HEADER,
    SASL,
    STARTTLS,
    Harness,
    ScramClient,
    auth,
    pieces,
    plain,
    response,
)

C = StreamCondition
S = SaslCondition
ABORT = f"<abort xmlns='{SASL}'/>".encode()
BOMB = b"<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]>"


def header(**changes: str) -> bytes:
    attributes = {
        "to": "example.org",
        "version": "1.0",
        "xmlns": "jabber:client",
        "xmlns:stream": "http://etherx.jabber.org/streams",
    } | {key.replace("_", ":"): value for key, value in changes.items()}
    written = " ".join(f"{key}='{value}'" for key, value in attributes.items() if value)
    return f"<stream:stream {written}>".encode()


def new(harness: Harness) -> None:
    """Nothing was sent yet."""


def opened(harness: Harness) -> None:
    """Clear text, header exchanged."""
    harness.send(HEADER)


def secured(harness: Harness) -> None:
    """TLS."""
    harness.secure()


def accepted(harness: Harness) -> None:
    """The password was right; the new stream is not begun."""
    harness.secure()
    harness.send(plain())


def logged_in(harness: Harness) -> None:
    """Logged in, not bound."""
    harness.log_in()


def bound(harness: Harness) -> None:
    """Stanzas flow."""
    harness.bind()


def challenged(harness: Harness) -> None:
    """SCRAM's first round is done."""
    harness.secure()
    harness.challenge(auth("SCRAM-SHA-256", ScramClient().first()))


STREAM_CASES = [
    ("entity bomb", new, DECLARATION + BOMB + HEADER, C.RESTRICTED_XML),
    ("external entity", new, b"<!DOCTYPE l [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + HEADER, C.RESTRICTED_XML),
    ("DTD", new, b"<!DOCTYPE stream>" + HEADER, C.RESTRICTED_XML),
    ("external DTD", new, b"<!DOCTYPE stream SYSTEM 'http://example.com/x.dtd'>" + HEADER, C.RESTRICTED_XML),
    ("DTD inside the stream", opened, b"<!DOCTYPE l>", C.RESTRICTED_XML),
    ("undefined entity", bound, b"<message><body>&lol;</body></message>", C.RESTRICTED_XML),
    ("comment before the stream", new, b"<!-- hi -->" + HEADER, C.RESTRICTED_XML),
    ("comment", bound, b"<!-- hi -->", C.RESTRICTED_XML),
    ("comment in a stanza", bound, b"<message><!-- hi --></message>", C.RESTRICTED_XML),
    ("processing instruction", bound, b"<?php echo 1 ?>", C.RESTRICTED_XML),
    ("processing instruction before the stream", new, b"<?xml-stylesheet href='x'?>" + HEADER, C.RESTRICTED_XML),
    ("second XML declaration", opened, DECLARATION, C.NOT_WELL_FORMED),
    ("UTF-16", new, (DECLARATION + HEADER).decode().encode("utf-16"), C.UNSUPPORTED_ENCODING),
    ("UTF-16 without a mark", new, HEADER.decode().encode("utf-16-le"), C.UNSUPPORTED_ENCODING),
    ("UTF-16, big end first", new, HEADER.decode().encode("utf-16-be"), C.UNSUPPORTED_ENCODING),
    ("latin-1 declared", new, b"<?xml version='1.0' encoding='iso-8859-1'?>" + HEADER, C.UNSUPPORTED_ENCODING),
    ("UTF-16 declared only", new, b"<?xml version='1.0' encoding='utf-16'?>" + HEADER, C.UNSUPPORTED_ENCODING),
    ("XML 1.1", new, b"<?xml version='1.1'?>" + HEADER, C.BAD_FORMAT),
    ("invalid UTF-8", bound, b"<message><body>\xff\xfe</body></message>", C.NOT_WELL_FORMED),
    ("surrogate in UTF-8", bound, b"<message><body>\xed\xa0\x80</body></message>", C.NOT_WELL_FORMED),
    ("NUL", bound, b"<message><body>\0</body></message>", C.NOT_WELL_FORMED),
    ("NUL as a reference", bound, b"<message><body>&#0;</body></message>", C.NOT_WELL_FORMED),
    ("control character", bound, b"<message><body>\x08</body></message>", C.NOT_WELL_FORMED),
    ("unbound prefix", bound, b"<message><x:y/></message>", C.NOT_WELL_FORMED),
    ("namespace that is no URI", bound, b"<message><x xmlns='urn:x}'/></message>", C.NOT_WELL_FORMED),
    ("attribute's namespace that is no URI", bound, b"<message xmlns:p='a|b' p:y='1'/>", C.NOT_WELL_FORMED),
    ("unbound attribute prefix", bound, b"<message x:y='1'/>", C.NOT_WELL_FORMED),
    ("duplicate attribute", bound, b"<message to='a' to='b'/>", C.NOT_WELL_FORMED),
    ("mismatched end tag", bound, b"<message><body></message>", C.NOT_WELL_FORMED),
    ("attribute without quotes", bound, b"<message to=alice/>", C.NOT_WELL_FORMED),
    ("HTTP", new, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", C.NOT_WELL_FORMED),
    ("TLS where XML is expected", new, b"\x16\x03\x01\x02\x00\x01\x00", C.NOT_WELL_FORMED),
    ("default namespace of servers", new, header(xmlns="jabber:server"), C.INVALID_NAMESPACE),
    ("stream of another namespace", new, header(xmlns_stream="urn:nothing"), C.INVALID_NAMESPACE),
    ("stream without a namespace", new, b"<stream to='example.org' version='1.0'>", C.INVALID_NAMESPACE),
    (
        "another prefix",
        new,
        b"<s:stream to='example.org' version='1.0' xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>",
        C.BAD_NAMESPACE_PREFIX,
    ),
    ("another root", new, HEADER.replace(b"<stream:stream", b"<stream:river"), C.BAD_FORMAT),
    ("no version", new, header(version=""), C.UNSUPPORTED_VERSION),
    ("version 0.9", new, header(version="0.9"), C.UNSUPPORTED_VERSION),
    ("version that is none", new, header(version="one"), C.UNSUPPORTED_VERSION),
    ("unknown host", new, header(to="elsewhere.example"), C.HOST_UNKNOWN),
    ("host that is no JID", new, header(to="exa mple"), C.HOST_UNKNOWN),
    ("a user as host", new, header(to="alice@example.org"), C.HOST_UNKNOWN),
    ("another host after login", accepted, header(to="other.org"), C.HOST_UNKNOWN),
    ("depth", bound, b"<message>" + b"<a>" * 40, C.POLICY_VIOLATION),
    ("attributes", bound, b"<message" + b"".join(b" a%d=''" % n for n in range(60)) + b"/>", C.POLICY_VIOLATION),
    ("giant attribute", bound, b"<message a='" + b"x" * (XML_TOKEN_BYTES + 9), C.POLICY_VIOLATION),
    ("giant name", bound, b"<" + b"x" * (XML_TOKEN_BYTES + 9), C.POLICY_VIOLATION),
    ("giant attribute before login", opened, b"<auth a='" + b"x" * PRE_LOGIN_BYTES, C.POLICY_VIOLATION),
    ("giant stanza before login", opened, b"<auth>" + b"x" * (PRE_LOGIN_STANZA_BYTES + 9), C.POLICY_VIOLATION),
    ("giant stanza", bound, b"<message><body>" + b"x" * 262_200, C.POLICY_VIOLATION),
    ("giant stanza of small parts", bound, b"<message>" + b"<a>b</a>" * 40_000, C.POLICY_VIOLATION),
    ("stanza of too many elements", bound, b"<message>" + b"<a/>" * XML_ELEMENTS, C.POLICY_VIOLATION),
    ("endless whitespace before login", opened, b" " * (PRE_LOGIN_BYTES + 1), C.POLICY_VIOLATION),
    ("stanza before TLS", opened, b"<message to='bob@example.org'/>", C.NOT_AUTHORIZED),
    ("stanza before login", secured, b"<presence/>", C.NOT_AUTHORIZED),
    ("bind before login", secured, BIND, C.NOT_AUTHORIZED),
    ("stanza within login", challenged, b"<presence/>", C.NOT_AUTHORIZED),
    ("stanza before bind", logged_in, b"<presence/>", C.NOT_AUTHORIZED),
    (
        "other IQ before bind",
        logged_in,
        b"<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        C.NOT_AUTHORIZED,
    ),
    ("bind from someone else", logged_in, BIND.replace(b"<iq", b"<iq from='bob@example.org'"), C.INVALID_FROM),
    ("second login before bind", logged_in, plain(), C.NOT_AUTHORIZED),
    ("second login", bound, plain(), C.UNSUPPORTED_STANZA_TYPE),
    ("STARTTLS after login", bound, STARTTLS, C.UNSUPPORTED_STANZA_TYPE),
    ("from someone else", bound, b"<message from='bob@example.org' to='alice@example.org'/>", C.INVALID_FROM),
    ("from another session", bound, b"<message from='alice@example.org/phone'/>", C.INVALID_FROM),
    ("from that is no JID", bound, b"<message from='@'/>", C.INVALID_FROM),
    ("stanza of servers", bound, b"<message xmlns='jabber:server'/>", C.INVALID_NAMESPACE),
    ("unknown element", bound, b"<telegram/>", C.UNSUPPORTED_STANZA_TYPE),
    ("stanza of the stream's namespace", bound, b"<stream:iq id='1'><message/></stream:iq>", C.INVALID_NAMESPACE),
    ("element of an unknown namespace", bound, b"<enable xmlns='urn:nothing'/>", C.UNSUPPORTED_STANZA_TYPE),
    ("text between stanzas", bound, b"<presence/>hello<presence/>", C.BAD_FORMAT),
    ("text before login", opened, b"hello<presence/>", C.BAD_FORMAT),
    ("too many failed logins", secured, plain(password="x") * LOGIN_ATTEMPTS, C.POLICY_VIOLATION),
    (
        "aborting for ever",
        secured,
        (auth("SCRAM-SHA-1", "n,,n=alice,r=x") + ABORT) * LOGIN_ATTEMPTS,
        C.POLICY_VIOLATION,
    ),
]

PLUS = "SCRAM-SHA-256-PLUS"
LOGIN_CASES = [
    ("login in clear text", opened, plain(), S.ENCRYPTION_REQUIRED),
    ("SCRAM in clear text", opened, auth("SCRAM-SHA-1", "n,,n=alice,r=x"), S.ENCRYPTION_REQUIRED),
    ("unknown mechanism", secured, auth("DIGEST-MD5", "x"), S.INVALID_MECHANISM),
    ("no mechanism", secured, f"<auth xmlns='{SASL}'/>".encode(), S.INVALID_MECHANISM),
    ("bad base64", secured, f"<auth xmlns='{SASL}' mechanism='PLAIN'>a*b=</auth>".encode(), S.INCORRECT_ENCODING),
    (
        "base64 in lines",
        secured,
        f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGEA\nYg==</auth>".encode(),
        S.INCORRECT_ENCODING,
    ),
    (
        "base64 without padding",
        secured,
        f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGEAYg</auth>".encode(),
        S.INCORRECT_ENCODING,
    ),
    (
        "base64 with loose bits",
        secured,
        f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGEAYh==</auth>".encode(),
        S.INCORRECT_ENCODING,
    ),
    ("wrong password", secured, plain(password="pen"), S.NOT_AUTHORIZED),
    ("unknown user", secured, plain(user="nobody"), S.NOT_AUTHORIZED),
    ("user of another domain", secured, plain(user="alice@example.com"), S.NOT_AUTHORIZED),
    ("user that is no JID", secured, plain(user="a b"), S.NOT_AUTHORIZED),
    ("PLAIN without a password", secured, plain(password=""), S.MALFORMED_REQUEST),
    ("PLAIN with a fourth part", secured, plain(password="a\0b"), S.MALFORMED_REQUEST),
    ("PLAIN without parts", secured, auth("PLAIN", "alice"), S.MALFORMED_REQUEST),
    ("PLAIN that is not UTF-8", secured, auth("PLAIN", b"\0alice\0\xff"), S.MALFORMED_REQUEST),
    ("PLAIN for someone else", secured, plain(authzid="bob@example.org"), S.INVALID_AUTHZID),
    ("empty message", secured, auth("SCRAM-SHA-256", ""), S.MALFORMED_REQUEST),
    ("client-final first", secured, auth("SCRAM-SHA-256", "c=biws,r=abc,p=AAAA"), S.MALFORMED_REQUEST),
    ("extension that must be known", secured, auth("SCRAM-SHA-256", "n,,m=x,n=alice,r=abc"), S.MALFORMED_REQUEST),
    ("name with a bare =", secured, auth("SCRAM-SHA-256", "n,,n=al=ice,r=abc"), S.MALFORMED_REQUEST),
    ("nonce with a blank", secured, auth("SCRAM-SHA-256", "n,,n=alice,r=a c"), S.MALFORMED_REQUEST),
    ("no nonce", secured, auth("SCRAM-SHA-256", "n,,n=alice"), S.MALFORMED_REQUEST),
    ("SCRAM for someone else", secured, auth("SCRAM-SHA-256", "n,a=bob@example.org,n=alice,r=abc"), S.INVALID_AUTHZID),
    ("authzid that is no JID", secured, auth("SCRAM-SHA-256", "n,a=@,n=alice,r=abc"), S.INVALID_AUTHZID),
    ("downgrade", secured, auth("SCRAM-SHA-256", "y,,n=alice,r=abc"), S.NOT_AUTHORIZED),
    ("unknown type of binding", secured, auth(PLUS, "p=tls-unique,,n=alice,r=abc"), S.NOT_AUTHORIZED),
    ("-PLUS without binding", secured, auth(PLUS, "n,,n=alice,r=abc"), S.MALFORMED_REQUEST),
    (
        "binding without -PLUS",
        secured,
        auth("SCRAM-SHA-256", "p=tls-server-end-point,,n=alice,r=abc"),
        S.MALFORMED_REQUEST,
    ),
    ("aborted", challenged, ABORT, S.ABORTED),
    ("login within a login", challenged, plain(), S.MALFORMED_REQUEST),
    ("final message that is none", challenged, response("p=AAAA"), S.MALFORMED_REQUEST),
    ("proof that is not base64", challenged, response("c=biws,r=cnoncetoken2,p=A"), S.MALFORMED_REQUEST),
    ("nonce of another exchange", challenged, response("c=biws,r=cnonceother,p=AAAA"), S.NOT_AUTHORIZED),
    ("response bad base64", challenged, f"<response xmlns='{SASL}'>!</response>".encode(), S.INCORRECT_ENCODING),
]


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "bytewise"])
@pytest.mark.parametrize(
    ("stage", "data", "condition"), [case[1:] for case in STREAM_CASES], ids=[c[0] for c in STREAM_CASES]
)
def test_bad_stream(stage, data, condition, is_whole):
    harness = Harness()
    stage(harness)
    assert harness.ended is None
    harness.piece = 0 if is_whole else (1 if len(data) < 4096 else 61)
    written = harness.send(data)
    assert harness.ended is not None, written
    assert harness.ended.condition is condition
    assert f"<{condition.value} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>".encode() in written
    assert harness.output.count(b"<stream:error>") == 1
    assert written.endswith(b"</stream:stream>")
    assert harness.output.rindex(b"<stream:stream ") < harness.output.index(b"<stream:error>")
    assert harness.stream.state is State.CLOSED
    assert harness.send(b"<presence/>") == b""


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "bytewise"])
@pytest.mark.parametrize(
    ("stage", "data", "condition"), [case[1:] for case in LOGIN_CASES], ids=[c[0] for c in LOGIN_CASES]
)
def test_bad_login(stage, data, condition, is_whole):
    harness = Harness(piece=0 if is_whole else 1)
    stage(harness)
    written = harness.send(data).decode()
    assert harness.ended is None
    assert [event.condition for event in harness.of(LoginFailed)] == [condition]
    assert f"<failure xmlns='{SASL}'><{condition.value}/></failure>" in written
    assert harness.of(LoggedIn) == []
    assert harness.stream.state is State.NEGOTIATING


@pytest.mark.parametrize(
    ("client", "mechanism", "changes"),
    [
        (ScramClient(password="wrong"), "SCRAM-SHA-256", {}),
        (ScramClient(user="nobody"), "SCRAM-SHA-256", {}),
        (ScramClient(), "SCRAM-SHA-256", {"nonce": "cnonceothers"}),
        (ScramClient(), "SCRAM-SHA-256", {"header": "y,,"}),
        (ScramClient(flag="p=tls-server-end-point", binding=b"other"), PLUS, {}),
        (ScramClient(flag="p=tls-server-end-point", binding=b""), PLUS, {}),
        (ScramClient(flag="p=tls-server-end-point", binding=BINDING), PLUS, {"header": "n,,"}),
    ],
    ids=["proof", "unknown user", "nonce", "flag changed", "binding", "no binding", "binding, flag changed"],
)
def test_bad_scram(client, mechanism, changes):
    harness = Harness()
    harness.secure()
    challenge = harness.challenge(auth(mechanism, client.first()))
    assert b"<not-authorized/>" in harness.send(response(client.final(challenge, **changes)))
    assert harness.of(LoginFailed)[0].account.bare.endswith("@example.org")


def test_an_unknown_user_is_asked_the_same_each_time():
    def challenge(user: str) -> str:
        harness = Harness()
        harness.secure()
        return harness.challenge(auth("SCRAM-SHA-256", ScramClient(user=user).first())).partition(",")[2]

    assert challenge("nobody") == challenge("nobody")
    assert challenge("nobody") != challenge("nobody2")


@pytest.mark.parametrize(
    "injected", [b"<presence/>", plain(), STARTTLS, HEADER + plain() + HEADER + BIND, b"<!-- -->", b"\0"]
)
def test_what_follows_starttls_in_clear_text_is_forgotten(injected):
    harness = Harness()
    harness.send(HEADER + STARTTLS + injected)
    assert len(harness.of(StartTls)) == 1
    assert harness.ended is None
    assert b"<mechanisms" in harness.send(HEADER)
    assert harness.of(LoggedIn) == []


def test_starttls_over_tls_fails_and_ends_the_stream():
    harness = Harness()
    harness.secure()
    assert harness.send(STARTTLS) == b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"
    assert harness.ended is not None


def test_plain_in_clear_text_is_refused_even_where_clear_text_is_allowed():
    harness = Harness(tls="optional")
    assert b"PLAIN" not in harness.send(HEADER)
    assert b"<encryption-required/>" in harness.send(plain())


def test_missing_to_with_two_domains():
    harness = Harness(domains={"example.org", "other.org"})
    harness.send(header(to=""))
    assert harness.ended.condition is C.HOST_UNKNOWN
    assert b"other.org" not in harness.output


def test_what_was_right_before_the_fault_is_handled():
    harness = Harness()
    harness.bind()
    harness.send(b"<message id='1'/><message id='2'/><!-- -->")
    assert [event.element.get("id") for event in harness.of(StanzaReceived)] == ["1", "2"]
    assert harness.ended.condition is C.RESTRICTED_XML


@pytest.mark.parametrize(
    "token",
    [
        b"<a b='" + b"x" * 130_000,
        b"<a b='" + b">" * 130_000,
        b"<" + b"a" * 130_000,
        b"<a" + b" b" * 65_000,
        b"<a>" + b"]" * 130_000,
    ],
    ids=["attribute", "quoted brackets", "name", "attributes", "brackets"],
)
@pytest.mark.parametrize("size", [1, 64])
def test_an_unfinished_token_is_linear_work(token, size, monkeypatch):
    """Counts the bytes that expat looks at: at each call the new ones and those of the unfinished token."""
    parser = Parser(262_144)
    parser.receive(HEADER)
    parser.next_item()
    looked_at = 0
    original = Parser._look_back

    def look_back(self, piece):
        nonlocal looked_at
        looked_at += len(piece) + len(self._tail)
        original(self, piece)

    monkeypatch.setattr(Parser, "_look_back", look_back)
    try:
        for piece in pieces(token, size):
            parser.receive(piece)
            parser.next_item()
    except StreamError:
        pass
    assert looked_at < 8 * len(token) + 2**20


def test_many_small_documents_leave_nothing_behind():
    """Ever new names do not stay in memory: the stream moves to a fresh expat, and its end tag still fits."""
    parser = Parser(262_144)
    parser.receive(HEADER)
    parser.next_item()
    first = parser._expat
    for number in range(60_000):
        parser.receive(b"<x%d a%d='1'/>" % (number, number))
        assert parser.next_item().name == f"x{number}"
    assert parser._expat is not first
    assert len(parser._expat.intern) < 150_000
    parser.receive(b"<message/></stream:stream>")
    assert parser.next_item().namespace == "jabber:client"
    assert parser.next_item() is not None


def test_the_table_is_long_and_fast():
    assert len(STREAM_CASES) + len(LOGIN_CASES) >= 100
    start = time.process_time()
    Harness().send(DECLARATION + BOMB)
    assert time.process_time() - start < 1
