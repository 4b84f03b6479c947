"""The block list as a client asks for it, and as it is told."""

import pytest

from engine import messages as m
from engine.errors import Condition, Detail
from engine.limits import BLOCKED_ADDRESSES
from tests.engine.xmpp.play import ALICE, error, make_client, reply, request, send, told, xml

NS = "urn:xmpp:blocking"
BLOCK, UNBLOCK, LIST = (f"{{{NS}}}{name}" for name in ("block", "unblock", "blocklist"))


@pytest.fixture
def alice():
    return make_client()


def command(kind, inner):
    return f"<iq type='set' id='1'><{kind} xmlns='{NS}'>{inner}</{kind}></iq>"


def test_asking(alice):
    assert send(alice, f"<iq type='get' id='1'><blocklist xmlns='{NS}'/></iq>") == m.FetchBlocked(request(LIST))
    event = m.BlockedFetched(request(LIST), ("a<b@else.where/'1'", "bob@example.com"))
    assert told(alice, event) == xml(
        f"<iq type='result' id='1' to='{ALICE}'><blocklist xmlns='{NS}'>"
        "<item jid=\"a&lt;b@else.where/'1'\"/><item jid='bob@example.com'/></blocklist></iq>"
    )
    assert told(alice, m.BlockedFetched(request(LIST), ())) == xml(
        f"<iq type='result' id='1' to='{ALICE}'><blocklist xmlns='{NS}'/></iq>"
    )


def test_addresses_are_prepared(alice):
    items = "<item jid='Bob@Example.com'/><item jid='BOB@example.com.'/><item jid='xn--mnchen-3ya.DE'/><item jid='b@c/R r'/>"
    prepared = ("bob@example.com", "münchen.de", "b@c/R r")
    assert send(alice, command("block", items)) == m.ChangeBlocked(request(BLOCK), "block", prepared)
    assert send(alice, command("unblock", items)) == m.ChangeBlocked(request(UNBLOCK), "unblock", prepared)


def test_all_are_unblocked_by_an_empty_command_only(alice):
    assert send(alice, command("unblock", "")) == m.ChangeBlocked(request(UNBLOCK), "unblock", ())
    for inner in ("<thing/>", "<item xmlns='urn:other' jid='bob@example.com'/>"):
        assert reply(alice, command("unblock", inner)) == error(
            "iq", "bad-request", "modify", text="whom? there is no item"
        )


@pytest.mark.parametrize("inner", ["", "<thing jid='bob@example.com'/>", "bob@example.com"])
def test_nobody_is_blocked_by_an_empty_command(alice, inner):
    assert reply(alice, command("block", inner)) == error("iq", "bad-request", "modify", text="whom? there is no item")


@pytest.mark.parametrize("jid", ["", "@x", "a@", "a@b/", "a b@c", "a" * 1024])
@pytest.mark.parametrize("kind", ["block", "unblock"])
def test_malformed_addresses(alice, kind, jid):
    answer = reply(alice, command(kind, f"<item jid='bob@example.com'/><item jid='{jid}'/>"))
    assert answer == error("iq", "jid-malformed", "modify")
    assert reply(alice, command(kind, "<item/>")) == error("iq", "jid-malformed", "modify")


def test_too_many_at_once(alice):
    answer = reply(alice, command("block", "<item jid='@'/>" * (BLOCKED_ADDRESSES + 1)))
    assert answer == error("iq", "policy-violation", "modify", text=f"more than {BLOCKED_ADDRESSES} blocked addresses")


def test_pushes_differ_in_their_ids(alice):
    event = m.BlockedChanged(request(BLOCK), "block", ("bob@example.com",), ("bob@example.com", "else.where"))
    first, second = told(alice, event), told(alice, event)
    assert first == xml(
        f"<iq type='set' id='{first.get('id')}' to='{ALICE}'><block xmlns='{NS}'><item jid='bob@example.com'/></block></iq>"
    )
    assert first.get("id") != second.get("id")
    everyone = told(alice, m.BlockedChanged(request(UNBLOCK), "unblock", (), ()))
    assert everyone.elements() == [xml(f"<unblock xmlns='{NS}'/>")]


def test_the_refusal_of_a_blocker(alice):
    """As in the example of section 3.3."""
    sent = m.Request(ALICE, "1", "bob@example.com", kind="message")
    event = m.RequestRefused(sent, Condition.NOT_ACCEPTABLE, "", Detail.BLOCKED)
    assert told(alice, event) == xml(
        f"<message type='error' id='1' from='bob@example.com' to='{ALICE}'><error type='cancel'>"
        "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><blocked xmlns='urn:xmpp:blocking:errors'/>"
        "</error></message>"
    )
