"""What clients say, as words of the engine; what they may not say; how they are refused."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import messages as m
from engine.errors import Condition
from engine.jid import Jid
from engine.xmpp.mux import Reply
from engine.xmpp.xml import CLIENT, Element, is_allowed_text
from tests.engine.xmpp.play import (
    ALICE,
    BOB,
    NOW,
    elements,
    error,
    make_client,
    make_mux,
    raw_reply,
    rendered,
    reply,
    send,
    xml,
)

MUX = make_mux()


@pytest.fixture
def alice():
    return make_client(ALICE, MUX)


# -- messages ----------------------------------------------------------------------------------------------------------


def test_a_chat(alice):
    chat = send(
        alice,
        "<message to='Bob@Example.COM' type='chat' id='m1' xml:lang='en'><body>Hi &amp; bye</body>"
        "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
    ).chat
    assert msgspec.structs.asdict(chat) == {
        "sender": ALICE,
        "to": Jid("bob@example.com"),
        "kind": "chat",
        "stanza_id": "m1",
        "origin_id": "o1",
        "language": "en",
        "body": "Hi & bye",
        "payload": "<body>Hi &amp; bye</body><origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"
        "<active xmlns='http://jabber.org/protocol/chatstates'/>",
        "displayed": "",
        "file": "",
        "retracts": "",
        "is_lasting": True,
        "is_typing": False,
        "is_copied": True,
        "via": None,
        "id": 0,
        "is_delayed": False,
    }


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ("", "normal"),
        ("type='normal'", "normal"),
        ("type='headline'", "headline"),
        ("type='groupchat'", "groupchat"),
        ("type='error'", "error"),
        ("type='shout'", "normal"),
    ],
)
def test_kinds_of_message(alice, attributes, kind):
    assert send(alice, f"<message to='bob@example.com' {attributes}><body>x</body></message>").chat.kind == kind


def test_without_an_address_it_goes_to_oneself(alice):
    assert send(alice, "<message><body>note</body></message>").chat.to == Jid("alice@example.com")


def test_a_full_address_stays(alice):
    assert send(alice, "<message to='bob@example.com/Phone'><body>x</body></message>").chat.to == Jid(
        "bob@example.com", "Phone"
    )


@pytest.mark.parametrize(
    ("bodies", "language", "expected"),
    [
        ("<body>one</body><body xml:lang='de'>eins</body>", "", "one"),
        ("<body xml:lang='de'>eins</body><body>one</body>", "", "one"),
        ("<body xml:lang='de'>eins</body><body xml:lang='fr'>un</body>", "fr", "un"),
        ("<body xml:lang='de'>eins</body><body xml:lang='fr'>un</body>", "en", "eins"),
        ("<body/>", "", ""),
    ],
)
def test_the_body_in_the_language_of_the_message(alice, bodies, language, expected):
    chat = send(alice, f"<message to='bob@example.com' xml:lang='{language}'>{bodies}</message>").chat
    assert chat.body == expected
    assert chat.is_lasting == bool(expected)


@pytest.mark.parametrize(
    "child",
    [
        "<replace xmlns='urn:xmpp:message-correct:0' id='x'/>",
        "<retract xmlns='urn:xmpp:message-retract:1' id='x'/>",
        "<reactions xmlns='urn:xmpp:reactions:0' id='x'/>",
        "<received xmlns='urn:xmpp:receipts' id='x'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>",
        "<encrypted xmlns='eu.siacs.conversations.axolotl'/>",
        "<encrypted xmlns='urn:xmpp:omemo:2'/>",
        "<x xmlns='jabber:x:oob'><url>https://example.com/</url></x>",
        "<reply xmlns='urn:xmpp:reply:0' id='x'/>",
        "<subject>only this</subject>",
        "<body>x</body><no-store xmlns='urn:xmpp:hints'/>",
        "<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>",
        "<store xmlns='urn:xmpp:hints'/>",
    ],
)
def test_what_lasts(alice, child):
    assert send(alice, f"<message to='bob@example.com' type='chat'>{child}</message>").chat.is_lasting
    assert not send(alice, f"<message to='bob@example.com' type='error'>{child}</message>").chat.is_lasting


@pytest.mark.parametrize(
    ("inner", "displayed"),
    [
        ("<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>", "x"),
        ("<acknowledged xmlns='urn:xmpp:chat-markers:0' id='x'/>", "x"),
        ("<displayed xmlns='urn:xmpp:chat-markers:0'/>", ""),
        ("<received xmlns='urn:xmpp:chat-markers:0' id='x'/>", ""),
        ("<displayed xmlns='urn:other' id='x'/>", ""),
        (2 * "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>", "x"),
    ],
)
def test_what_the_sender_has_read(alice, inner, displayed):
    assert send(alice, f"<message to='bob@example.com' type='chat'>{inner}</message>").chat.displayed == displayed


@pytest.mark.parametrize(
    "child",
    [
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<request xmlns='urn:xmpp:receipts'/>",
        "<markable xmlns='urn:xmpp:chat-markers:0'/>",
        "<body xmlns='urn:other'>not one</body>",
        "",
    ],
)
def test_what_does_not_last(alice, child):
    assert not send(alice, f"<message to='bob@example.com' type='chat'>{child}</message>").chat.is_lasting


@pytest.mark.parametrize(
    "forged",
    [
        "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='bob@example.com'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='elsewhere.example'/>",
        "<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2002-09-10T23:08:25Z'/>",
        "<delay xmlns='urn:xmpp:delay' from='bob@example.com' stamp='2002-09-10T23:08:25Z'/>",
        "<delay xmlns='urn:xmpp:delay' from='@' stamp='2002-09-10T23:08:25Z'/>",
        "<x xmlns='jabber:x:delay' from='example.com' stamp='20020910T23:08:25'/>",
        "<addresses xmlns='http://jabber.org/protocol/address'><address type='to' jid='a@example.com'/></addresses>",
        "<result xmlns='urn:xmpp:mam:2' id='1'/>",
        "<sent xmlns='urn:xmpp:carbons:2'/>",
        "<received xmlns='urn:xmpp:carbons:2'/>",
    ],
)
def test_nobody_speaks_for_the_server(alice, forged):
    chat = send(alice, f"<message to='bob@example.com'>{forged}<body>x</body>{forged}</message>").chat
    assert chat.payload == "<body>x</body>"


@pytest.mark.parametrize(
    "own",
    [
        "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>",
        "<delay xmlns='urn:xmpp:delay' from='alice@example.com/desk' stamp='2002-09-10T23:08:25Z'/>",
        "<forwarded xmlns='urn:xmpp:forward:0'><message><stanza-id xmlns='urn:xmpp:sid:0' id='1'/></message></forwarded>",
    ],
)
def test_what_is_ones_own_word_passes(alice, own):
    chat = send(alice, f"<message to='bob@example.com'><body>x</body>{own}</message>").chat
    assert xml(f"<message>{chat.payload}</message>") == xml(f"<message><body>x</body>{own}</message>")


def test_an_origin_id_that_is_none_is_not_compared(alice):
    long = "o" * 257
    chat = send(alice, f"<message to='bob@example.com'><origin-id xmlns='urn:xmpp:sid:0' id='{long}'/></message>").chat
    assert chat.origin_id == ""
    assert long in chat.payload


# -- an island ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["bob@other.example", "bob@other.example/x", "other.example", "example.com", "example.com/x", "a@sub.example.com"],
)
def test_elsewhere_looks_like_a_name_that_does_not_exist(alice, address):
    here = "nobody@example.com"
    refused = m.RequestRefused.of_chat(
        send(alice, f"<message to='{here}' id='1'><body>x</body></message>").chat, Condition.SERVICE_UNAVAILABLE
    )
    expected = rendered(alice, refused).replace(here.encode(), address.encode())
    assert raw_reply(alice, f"<message to='{address}' id='1'><body>x</body></message>") == expected
    assert alice.receive(xml(f"<message to='{address}' id='1' type='error'><body>x</body></message>"), NOW) == []


@pytest.mark.parametrize(
    "query",
    [
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
        "<vCard xmlns='vcard-temp'/>",
    ],
)
def test_requests_elsewhere_look_like_requests_to_nobody(alice, query):
    for kind in ("get", "set"):
        outcome = send(alice, f"<iq type='{kind}' id='1' to='nobody@example.com'>{query}</iq>")
        answers = {  # what the actors say of an address that is nobody's
            m.FetchContact: lambda command: m.ContactFetched(command.request, None),
            m.FetchCard: lambda command: m.RequestRefused(command.request, Condition.SERVICE_UNAVAILABLE),
        }
        here = outcome.data if isinstance(outcome, Reply) else rendered(alice, answers[type(outcome)](outcome))
        there = raw_reply(alice, f"<iq type='{kind}' id='1' to='nobody@other.example'>{query}</iq>")
        assert here.replace(b"nobody@example.com", b"nobody@other.example") == there


def test_a_session_that_is_gone_looks_like_one_elsewhere(alice):
    passed = send(alice, "<iq type='get' id='1' to='bob@example.com/gone'><ping xmlns='urn:xmpp:ping'/></iq>")
    here = rendered(alice, m.RequestRefused.of_iq(passed.iq, Condition.SERVICE_UNAVAILABLE))
    there = raw_reply(alice, "<iq type='get' id='1' to='bob@other.example/gone'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert here.replace(b"bob@example.com", b"bob@other.example") == there


@pytest.mark.parametrize("kind", ["", "unavailable", "probe", "subscribe", "unsubscribed", "error"])
def test_presence_elsewhere_is_met_with_silence(alice, kind):
    attributes = f"type='{kind}'" if kind else ""
    for address in ("bob@other.example", "room@muc.example.com/me", "example.com"):
        assert alice.receive(xml(f"<presence to='{address}' {attributes}/>"), NOW) == []


@pytest.mark.parametrize(
    "stanza", ["<message to='a@b@c' id='1'/>", "<presence to='@' id='1'/>", "<iq to='/' id='1' type='get'><a/></iq>"]
)
def test_an_address_that_is_none(alice, stanza):
    assert reply(alice, stanza) == error(xml(stanza).name, "jid-malformed", "modify", from_="example.com")


# -- iq ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stanza", "text"),
    [
        ("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", "an iq needs an id"),
        ("<iq id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "the type of an iq is get, set, result or error"),
        ("<iq id='1' type='got'><ping xmlns='urn:xmpp:ping'/></iq>", "the type of an iq is get, set, result or error"),
        ("<iq id='1' type='get'/>", "an iq of type get or set has exactly one child"),
        ("<iq id='1' type='set'><a/><b/></iq>", "an iq of type get or set has exactly one child"),
    ],
)
def test_an_iq_that_breaks_its_rules(alice, stanza, text):
    id_ = "1" if "id=" in stanza else None
    assert reply(alice, stanza) == error("iq", "bad-request", "modify", text=text, id_=id_)


def test_what_is_not_known(alice):
    for to in ("", "alice@example.com", "example.com", "bob@example.com"):
        attributes = f"to='{to}'" if to else ""
        answer = reply(alice, f"<iq type='get' id='1' {attributes}><query xmlns='jabber:iq:private'/></iq>")
        assert answer == error("iq", "service-unavailable", "cancel", from_=to or None)


def test_a_known_namespace_with_an_unknown_request(alice):
    answer = reply(alice, "<iq type='set' id='1' to='example.com'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert answer == error("iq", "feature-not-implemented", "cancel", from_="example.com")


def test_a_name_that_cannot_be_written(alice):
    stanza = Element("message", CLIENT, {"to": "bob@example.com", "id": "1"}, [Element("1", "urn:x")])
    (outcome,) = alice.receive(stanza, NOW)
    assert xml(outcome.data).get("type") == "error"


def test_requests_are_passed_on_to_sessions(alice):
    iq = send(alice, "<iq type='get' id='1' to='bob@example.com/phone'><ping xmlns='urn:xmpp:ping'/></iq>").iq
    assert (iq.sender, iq.to, iq.kind, iq.stanza_id) == (ALICE, BOB, "get", "1")
    assert iq.payload == "<ping xmlns='urn:xmpp:ping'/>"
    for kind, payload in (("result", ""), ("error", "<a/><error type='cancel'/>")):
        iq = send(alice, f"<iq type='{kind}' id='1' to='bob@example.com/phone'>{payload}</iq>").iq
        assert (iq.kind, iq.payload) == (kind, payload)


def test_nobody_pushes_a_roster_but_the_server(alice):
    push = "<iq type='set' id='1' to='bob@example.com/phone'><query xmlns='jabber:iq:roster'><item jid='x@y'/></query></iq>"
    assert reply(alice, push) == error("iq", "service-unavailable", "cancel", from_="bob@example.com/phone")


@pytest.mark.parametrize("kind", ["result", "error"])
@pytest.mark.parametrize("to", ["", "to='example.com'", "to='alice@example.com'", "to='bob@other.example/x'", "to='@'"])
def test_answers_are_never_answered(alice, kind, to):
    assert alice.receive(xml(f"<iq type='{kind}' id='1' {to}><a/></iq>"), NOW) == []
    assert alice.receive(xml(f"<iq type='{kind}' {to}/>"), NOW) == []


# -- whatever comes ----------------------------------------------------------------------------------------------------

CHARACTERS = st.characters(codec="utf-8").filter(is_allowed_text)  # no parser lets others in
STANZA_NAMES = ["message", "presence", "iq", "body", "show", "priority", "status"]
QUERY_NAMES = ["query", "item", "group", "vCard", "PHOTO", "BINVAL", "x", "field", "value", "delay", "ping", "time"]
NAMES = st.sampled_from([*STANZA_NAMES, *QUERY_NAMES, "\U00010000", "1", "a:b", ""])
NAMESPACES = st.sampled_from(
    [CLIENT, "urn:xmpp:delay", "", "a'b", *sorted({name[1:].partition("}")[0] for _, _, name in MUX.handlers})]
)
VALUES = st.one_of(
    st.sampled_from(["bob@example.com", "bob@example.com/x", "example.com", "alice@example.com", "a@b.c", "1", ""]),
    st.sampled_from(["get", "set", "result", "error", "subscribe", "probe", "unavailable", "submit", "remove"]),
    st.text(CHARACTERS, max_size=8),
)
KEYS = st.sampled_from(
    ["to", "type", "id", "xml:lang", "jid", "subscription", "ver", "from", "var", "node", "name", "{urn:x}y", "{}z"]
)
TEXT = st.text(CHARACTERS, max_size=12)
ELEMENTS = st.recursive(
    st.builds(Element, NAMES, NAMESPACES, st.dictionaries(KEYS, VALUES, max_size=4)),
    lambda inner: st.builds(
        Element,
        NAMES,
        NAMESPACES,
        st.dictionaries(KEYS, VALUES, max_size=4),
        st.lists(st.one_of(inner, TEXT), max_size=4),
    ),
    max_leaves=8,
)
STANZAS = st.builds(
    Element,
    st.sampled_from(["message", "presence", "iq", "iq"]),
    st.just(CLIENT),
    st.fixed_dictionaries({}, optional={"to": VALUES, "type": VALUES, "id": VALUES, "xml:lang": VALUES}),
    st.lists(st.one_of(ELEMENTS, TEXT), max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(STANZAS, STANZAS, ELEMENTS), st.floats(0, 1e10))
def test_no_element_raises(element, now):
    for outcome in make_client(ALICE, MUX).receive(element, now):
        assert isinstance(outcome, msgspec.Struct)
        if isinstance(outcome, Reply):
            xml(outcome.data)


READABLE = st.recursive(
    st.builds(
        Element, st.sampled_from([*STANZA_NAMES, *QUERY_NAMES]), NAMESPACES, st.dictionaries(st.just("to"), VALUES)
    ),
    lambda inner: st.builds(
        Element, st.sampled_from(QUERY_NAMES), NAMESPACES, st.dictionaries(KEYS, VALUES), st.lists(inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.lists(READABLE, max_size=4), st.text(CHARACTERS, max_size=8))
def test_what_passes_arrives_as_it_was_said(children, text):
    said = [child for child in children if child.namespace not in {"urn:xmpp:delay", "a'b"}]
    stanza = Element(
        "message", CLIENT, {"to": BOB.full, "id": text}, [*said, Element("body", CLIENT, {}, [text] if text else [])]
    )
    (outcome,) = make_client(ALICE, MUX).receive(stanza, NOW)
    if isinstance(outcome, Reply):  # it has a name that cannot be written
        return
    (arrived,) = elements(rendered(make_client(BOB, MUX), m.DeliverChat(outcome.chat)))
    assert arrived.children == stanza.children
    assert arrived.get("id") == text
