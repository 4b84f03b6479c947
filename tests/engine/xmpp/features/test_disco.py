"""Who is asked, and what it says of itself."""

import pytest

from engine import messages as m
from engine.xmpp.mux import Place
from engine.xmpp.shapes import Identity, Listing
from tests.engine.xmpp.play import BOB_CONTACT, TEAM, error, make_client, make_mux, reply, request, send, told, xml

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
MUX = make_mux()


@pytest.fixture
def alice():
    return make_client(mux=MUX)


def ask(namespace, to="", node=""):
    to, node = (f"to='{to}'" if to else ""), (f"node='{node}'" if node else "")
    return f"<iq type='get' id='1' {to}><query xmlns='{namespace}' {node}/></iq>"


def test_the_server(alice):
    features = "".join(f"<feature var='{name}'/>" for name in MUX.listings[Place.SERVER].features)
    assert reply(alice, ask(INFO, "example.com")) == xml(
        "<iq type='result' id='1' from='example.com' to='alice@example.com/desk'>"
        f"<query xmlns='{INFO}'><identity category='server' type='im' name='Rookery'/>"
        f"<identity category='store' type='file' name='File sharing'/>{features}"
        "<x xmlns='jabber:x:data' type='result'><field type='hidden' var='FORM_TYPE'><value>urn:xmpp:http:upload:0</value>"
        "</field><field var='max-file-size'><value>1000000</value></field></x></query></iq>"
    )
    assert set(MUX.listings[Place.SERVER].features) >= {INFO, ITEMS, "jabber:iq:search", "urn:xmpp:ping", "vcard-temp"}


@pytest.mark.parametrize("to", ["", "alice@example.com"])
def test_the_own_account(alice, to):
    answer = reply(alice, ask(INFO, to))
    assert answer.get("from") == to
    query = answer.find("query", INFO)
    assert query.find("identity", INFO) == xml(f"<identity xmlns='{INFO}' category='account' type='registered'/>")
    assert {feature.get("var") for feature in query.find_all("feature", INFO)} >= {INFO, "vcard-temp", "urn:xmpp:sid:0"}


def test_a_contact(alice):
    assert send(alice, ask(INFO, "bob@example.com")) == m.FetchContact(
        request(f"{{{INFO}}}query", "bob@example.com"), "bob@example.com"
    )
    event = m.ContactFetched(request(f"{{{INFO}}}query", "bob@example.com"), BOB_CONTACT)
    assert told(alice, event) == xml(
        "<iq type='result' id='1' from='bob@example.com' to='alice@example.com/desk'>"
        f"<query xmlns='{INFO}'><identity category='account' type='registered' name='Bob &lt;B.> Builder'/>"
        f"<feature var='{INFO}'/><feature var='{ITEMS}'/><feature var='vcard-temp'/></query></iq>"
    )


def test_an_alias(alice):
    event = m.ContactFetched(request(f"{{{INFO}}}query", TEAM.address), TEAM)
    identity = told(alice, event).find("query", INFO).find("identity", INFO)
    assert identity == xml(f"<identity xmlns='{INFO}' category='directory' type='group' name='Sales team'/>")
    event = m.ContactFetched(request(f"{{{ITEMS}}}query", TEAM.address), TEAM)
    assert told(alice, event).find("query", ITEMS) == xml(
        f"<query xmlns='{ITEMS}'><item jid='bob@example.com'/><item jid='carol@example.com'/></query>"
    )


@pytest.mark.parametrize("namespace", [INFO, ITEMS])
def test_nobody(alice, namespace):
    event = m.ContactFetched(request(f"{{{namespace}}}query", "nobody@example.com"), None)
    assert told(alice, event) == error("iq", "service-unavailable", "cancel", from_="nobody@example.com")


@pytest.mark.parametrize("to", ["", "alice@example.com", "example.com"])
def test_no_items(alice, to):
    assert reply(alice, ask(ITEMS, to)).find("query", ITEMS) == xml(f"<query xmlns='{ITEMS}'/>")


def test_the_node_of_the_capabilities_is_known_and_no_other(alice):
    node = f"https://rookery.example/#{MUX.listings[Place.SERVER].capability_hash}"
    query = reply(alice, ask(INFO, "example.com", node)).find("query", INFO)
    assert query.get("node") == node
    assert query.children == reply(alice, ask(INFO, "example.com")).find("query", INFO).children
    unknown = error("iq", "item-not-found", "cancel", from_="example.com")
    assert reply(alice, ask(INFO, "example.com", "urn:x")) == unknown
    assert reply(alice, ask(ITEMS, "example.com", "urn:x")) == unknown
    nowhere = error("iq", "service-unavailable", "cancel", from_="bob@example.com")
    assert reply(alice, ask(INFO, "bob@example.com", "urn:x")) == nowhere


def test_the_hash_is_that_of_the_specification():
    features = ("http://jabber.org/protocol/muc", INFO, ITEMS, "http://jabber.org/protocol/caps")
    listing = Listing((Identity("client", "pc", "Exodus 0.9.1"),), features)
    assert listing.capability_hash == "QgayPKawpkPSDYmwT/WM94uAlu0="
