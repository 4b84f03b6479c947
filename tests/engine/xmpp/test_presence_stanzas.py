"""What clients say with presence, as words of the engine; how what they may not say is refused."""

import pytest

from engine import messages as m
from engine.jid import Jid
from engine.limits import PRESENCE_BYTES
from engine.presence import Presence
from tests.engine.xmpp.play import ALICE, BOB, error, make_client, make_mux, reply, send

MUX = make_mux()


@pytest.fixture
def alice():
    return make_client(ALICE, MUX)


def test_available(alice):
    assert send(alice, "<presence/>") == m.SetPresence(ALICE, Presence())
    stanza = (
        "<presence><show>away</show><status>lunch</status><priority>-5</priority>"
        "<c xmlns='http://jabber.org/protocol/caps' node='n' ver='v'/>"
        "<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2002-09-10T23:08:25Z'/></presence>"
    )
    caps = "<c xmlns='http://jabber.org/protocol/caps' node='n' ver='v'/>"
    assert send(alice, stanza) == m.SetPresence(ALICE, Presence("away", "lunch", -5, caps, "n"))


def test_a_presence_says_everything_once(alice):
    stanza = (
        "<presence><show>dnd</show><show>chat</show><priority>1</priority><priority>2</priority>"
        "<status>busy</status><status xml:lang='de'>besch\u00e4ftigt</status></presence>"
    )
    expected = Presence("dnd", "busy", 1, "<status xml:lang='de'>besch\u00e4ftigt</status>")
    assert send(alice, stanza) == m.SetPresence(ALICE, expected)


def test_unavailable(alice):
    assert send(alice, "<presence type='unavailable'><status>bye</status></presence>") == m.SetPresence(
        ALICE, None, "bye"
    )


def test_directed(alice):
    assert send(alice, "<presence to='bob@example.com/phone'/>") == m.SendPresence(ALICE, BOB, Presence())
    goodbye = send(alice, "<presence to='bob@example.com/phone' type='unavailable'/>")
    assert goodbye == m.SendPresence(ALICE, BOB, None)


def test_probe_and_subscriptions(alice):
    assert send(alice, "<presence type='probe' to='bob@example.com'/>") == m.ProbePresence(
        ALICE, Jid("bob@example.com")
    )
    for kind in ("subscribe", "subscribed", "unsubscribe", "unsubscribed"):
        command = send(alice, f"<presence type='{kind}' to='bob@example.com/phone'/>")
        assert command == m.Subscribe(ALICE, Jid("bob@example.com"), kind)


def test_psi_says_online(alice):
    assert send(alice, "<presence><show>online</show></presence>").presence.show == ""


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("<show>asleep</show>", "show is away, chat, dnd or xa"),
        ("<priority>128</priority>", "priority is an integer from -128 to 127"),
        ("<priority>-129</priority>", "priority is an integer from -128 to 127"),
        ("<priority>high</priority>", "priority is an integer from -128 to 127"),
        ("<priority/>", "priority is an integer from -128 to 127"),
        ("<priority>--1</priority>", "priority is an integer from -128 to 127"),
        ("<priority>\u0661</priority>", "priority is an integer from -128 to 127"),
    ],
)
def test_presence_that_breaks_its_rules(alice, inner, text):
    assert reply(alice, f"<presence id='1'>{inner}</presence>") == error("presence", "bad-request", "modify", text=text)


@pytest.mark.parametrize("kind", ["probe", "subscribe"])
def test_presence_without_the_address_it_needs(alice, kind):
    expected = error("presence", "bad-request", "modify", text="this type of presence needs an address")
    assert reply(alice, f"<presence id='1' type='{kind}'/>") == expected


def test_presence_of_no_known_type(alice):
    expected = error("presence", "bad-request", "modify", text="no such type of presence", id_=None)
    assert reply(alice, "<presence type='invisible'/>") == expected


@pytest.mark.parametrize(
    "stanza",
    [
        "<presence id='1'><status>{}</status></presence>",
        "<presence id='1'><x xmlns='urn:x'>{}</x></presence>",
        "<presence id='1' type='unavailable'><status>{}</status></presence>",
    ],
)
def test_presence_is_bounded(alice, stanza):
    expected = error("presence", "not-acceptable", "modify", text=f"a presence may have {PRESENCE_BYTES} bytes")
    assert reply(alice, stanza.format("é" * (PRESENCE_BYTES // 2 + 1))) == expected
    assert isinstance(send(alice, stanza.format("e" * (PRESENCE_BYTES - 50))), m.SetPresence)
