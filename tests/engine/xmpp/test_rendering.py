"""What sessions are told, as exact XML; one rendering for all who get it."""

import gc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import messages as m
from engine.errors import Condition
from engine.jid import Jid
from engine.messages import Chat, Iq, Request
from engine.presence import Presence, PresenceChange
from engine.xmpp.mux import Recipient
from engine.xmpp.patterns import HERE, SLOT, Recent
from engine.xmpp.rendering import CHATS_KEPT, Renderer
from engine.xmpp.xml import is_allowed_text
from tests.engine.xmpp.play import ALICE, BOB, TEAM, elements, error, make_client, make_mux, rendered, told, xml

MUX = make_mux()


@pytest.fixture
def alice():
    return make_client(ALICE, MUX)


# -- chats -------------------------------------------------------------------------------------------------------------

CHAT = Chat(
    sender=BOB,
    to=Jid("alice@example.com"),
    stanza_id="m1",
    language="en",
    body="hi",
    payload="<body>hi</body>",
    id=0xABC,
)


def test_a_chat(alice):
    assert told(alice, m.DeliverChat(CHAT)) == xml(
        "<message from='bob@example.com/phone' to='alice@example.com' type='chat' id='m1' xml:lang='en'><body>hi</body>"
        "<stanza-id xmlns='urn:xmpp:sid:0' id='0000000000000abc' by='alice@example.com'/></message>"
    )


def test_a_chat_to_a_full_address(alice):
    chat = msgspec.structs.replace(CHAT, to=ALICE, stanza_id="", language="", kind="normal")
    assert told(alice, m.DeliverChat(chat)) == xml(
        "<message from='bob@example.com/phone' to='alice@example.com/desk' type='normal'><body>hi</body>"
        "<stanza-id xmlns='urn:xmpp:sid:0' id='0000000000000abc' by='alice@example.com'/></message>"
    )
    other = make_client(Jid("alice@example.com", "lap"), MUX)
    assert told(other, m.DeliverChat(chat)).get("to") == "alice@example.com"


def test_what_is_not_archived_has_no_id(alice):
    chat = Chat(sender=BOB, to=ALICE, payload="<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    assert told(alice, m.DeliverChat(chat)) == xml(
        "<message from='bob@example.com/phone' to='alice@example.com/desk' type='chat'>"
        "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
    )


def test_a_chat_that_waited(alice):
    chat = msgspec.structs.replace(CHAT, id=1_700_000_000_123_456, is_delayed=True)
    assert told(alice, m.DeliverChat(chat)) == xml(
        "<message from='bob@example.com/phone' to='alice@example.com' type='chat' id='m1' xml:lang='en'><body>hi</body>"
        "<stanza-id xmlns='urn:xmpp:sid:0' id='00060a2418202240' by='alice@example.com'/>"
        "<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2023-11-14T22:13:20.123456Z'/></message>"
    )


def test_a_chat_through_an_alias(alice):
    chat = msgspec.structs.replace(CHAT, to=Jid(TEAM.address), via=Jid(TEAM.address), language="")
    assert told(alice, m.DeliverChat(chat)) == xml(
        "<message from='bob@example.com/phone' to='alice@example.com' type='chat' id='m1'><body>hi</body>"
        "<stanza-id xmlns='urn:xmpp:sid:0' id='0000000000000abc' by='alice@example.com'/>"
        "<addresses xmlns='http://jabber.org/protocol/address'>"
        "<address type='to' jid='salesteam@example.com' desc='Sales team' delivered='true'/></addresses></message>"
    )


def test_each_recipient_gets_his_own_address():
    for name in ("carol", "o'neil", "a&b"):
        jid = Jid(f"{name}@example.com", "x")
        message = told(make_client(jid, MUX), m.DeliverChat(CHAT))
        assert message.get("to") == jid.bare
        assert message.find("stanza-id", "urn:xmpp:sid:0").get("by") == jid.bare


@given(
    st.text(st.sampled_from(["%", "s", "d", SLOT, HERE, "'", "<", "&", "(", "a"]), max_size=10).filter(is_allowed_text)
)
def test_no_value_is_taken_for_a_place(text):
    chat = Chat(sender=Jid("bob@example.com", text), to=ALICE, stanza_id=text, language=text, id=1)
    message = told(make_client(ALICE, MUX), m.DeliverChat(chat))
    assert message.get("from") == chat.sender.full
    assert (message.get("id"), message.language) == (text, text)
    change = PresenceChange(Jid("bob@example.com", text), Presence(text=text))
    presence = told(make_client(ALICE, MUX), m.PresenceSeen((change,)))
    assert presence.get("from") == change.jid.full
    assert presence.find_text("status", "jabber:client") == text


# -- presence ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (PresenceChange(BOB, Presence()), "<presence from='bob@example.com/phone' to='alice@example.com'/>"),
        (
            PresenceChange(BOB, Presence("dnd", "in <a> meeting", -1, "<c xmlns='http://jabber.org/protocol/caps'/>")),
            (
                "<presence from='bob@example.com/phone' to='alice@example.com'><show>dnd</show>"
                "<status>in &lt;a> meeting</status><priority>-1</priority><c xmlns='http://jabber.org/protocol/caps'/></presence>"
            ),
        ),
        (
            PresenceChange(BOB, None, "good night"),
            (
                "<presence from='bob@example.com/phone' to='alice@example.com' type='unavailable'>"
                "<status>good night</status></presence>"
            ),
        ),
        (
            PresenceChange(Jid(TEAM.address), None),
            "<presence from='salesteam@example.com' to='alice@example.com' type='unavailable'/>",
        ),
        (
            PresenceChange(BOB, Presence(text="from webmail \x00\x1b")),
            "<presence from='bob@example.com/phone' to='alice@example.com'><status>from webmail </status></presence>",
        ),
    ],
)
def test_presence(alice, change, expected):
    assert told(alice, m.PresenceSeen((change,))) == xml(expected)


def test_a_tick_of_presence_is_rendered_once(alice):
    changes = tuple(PresenceChange(Jid(f"u{i}@example.com", "r"), Presence()) for i in range(3))
    seen = m.PresenceSeen(changes)
    assert [p.get("from") for p in elements(rendered(alice, seen))] == [change.jid.full for change in changes]
    carol = make_client(Jid("carol@example.com", "r"), MUX)
    assert rendered(alice, seen).replace(b"alice@", b"carol@") == rendered(carol, seen)
    renderer = Renderer()
    recipient = Recipient(ALICE, MUX)
    assert renderer.presence(seen, recipient).data == rendered(alice, seen)
    assert len(renderer._presences) == 3
    assert renderer._broadcasts.get(seen, pytest.fail) is renderer._broadcasts.get(seen, pytest.fail)


def test_a_presence_is_kept_no_longer_than_it_is_true():
    renderer = Renderer()
    change = PresenceChange(BOB, Presence())
    renderer._broadcasts = Recent(1)
    renderer.presence(m.PresenceSeen((change,)), Recipient(ALICE, MUX))
    renderer.presence(m.PresenceSeen(()), Recipient(ALICE, MUX))
    del change
    gc.collect()
    assert len(renderer._presences) == 0


def test_renderings_of_chats_are_bounded():
    renderer = Renderer()
    recipient = Recipient(ALICE, MUX)
    for number in range(CHATS_KEPT + 10):
        renderer.chat(m.DeliverChat(Chat(sender=BOB, to=ALICE, id=number)), recipient)
    assert len(renderer._chats) == CHATS_KEPT


def test_recent_is_by_identity():
    recent: Recent[int] = Recent(2)
    keys = [(1,), (1, 2), (1, 2, 3)]
    assert [recent.get(key, len) for key in keys] == [1, 2, 3]
    assert recent.get(keys[2], lambda _: 0) == 3
    assert recent.get(keys[0], lambda _: 0) == 0


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_a_subscription_is_answered(alice):
    assert told(alice, m.SubscriptionAnswered(Jid("bob@example.com"), "subscribed")) == xml(
        "<presence from='bob@example.com' to='alice@example.com' type='subscribed'/>"
    )


def test_a_request_of_another_session(alice):
    iq = Iq(sender=BOB, to=ALICE, kind="get", stanza_id="q'1", payload="<ping xmlns='urn:xmpp:ping'/>")
    assert told(alice, m.DeliverIq(iq)) == xml(
        "<iq from='bob@example.com/phone' to='alice@example.com/desk' type='get' id='q&apos;1'>"
        "<ping xmlns='urn:xmpp:ping'/></iq>"
    )


def test_a_request_was_carried_out(alice):
    done = m.RequestDone(Request(ALICE, "1", "alice@example.com", "{vcard-temp}vCard"))
    assert told(alice, done) == xml("<iq type='result' id='1' from='alice@example.com' to='alice@example.com/desk'/>")


@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_a_refusal(alice, condition, kind):
    refused = m.RequestRefused(Request(ALICE, "1", "bob@example.com", kind=kind), condition, "so \x07there")
    assert told(alice, refused) == error(
        kind, condition, condition.error_type, from_="bob@example.com", text="so there"
    )
