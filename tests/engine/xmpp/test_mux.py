"""The tables are complete and say what they do."""

import ast
import inspect

import pytest

from actors.session import Session
from engine import messages as m
from engine.errors import Condition
from engine.xmpp import client
from engine.xmpp.features import build_mux, ping
from engine.xmpp.mux import Feature, Mux, Place, Reply, Software
from tests.engine.xmpp.play import ALICE, NOW, make_client, make_mux, reply, send, xml

MUX = make_mux()
PASSIVE = {  # advertised, but nothing that is asked for
    "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/rsm",
    "urn:xmpp:fulltext:0",
    "urn:xmpp:mam:2#extended",
    "urn:xmpp:mam:2#groupchat-field",
    "urn:xmpp:sid:0",
}
UNADVERTISED = {  # RFC 6120 and 6121 have no feature for what every server must do
    "jabber:iq:roster",
    "urn:ietf:params:xml:ns:xmpp-bind",
    "urn:ietf:params:xml:ns:xmpp-session",
}


def test_every_event_of_a_session_is_rendered():
    given = {Session.give, Session._give_chat, Session._give_roster, Session._refused, Session._opened}
    events = {event for event, handler in Session._handlers.items() if handler in given}
    assert events
    assert events <= MUX.events.keys()


def test_every_request_has_an_answer():
    """A request that a handler may send to the session finds its answer under the name that it was given."""
    for (_, _, name), handler in MUX.handlers.items():
        source = inspect.getsource(handler)
        pairs = {
            "FetchContact": m.ContactFetched,
            "FetchCard": m.CardFetched,
            "FetchRoster": m.RosterFetched,
            "FetchBlocked": m.BlockedFetched,
        }
        for command, event in pairs.items():
            if f"m.{command}(" in source:
                assert (event, name) in MUX.answers
    assert (m.ContactsFound, "{jabber:iq:search}query") in MUX.answers
    assert (m.ContactsFound, "{jabber:x:data}x") in MUX.answers


@pytest.mark.parametrize("place", Place)
def test_what_is_advertised_is_handled_and_the_other_way_round(place):
    handled = {name[1:].partition("}")[0] for where, _, name in MUX.handlers if where is place}
    # The domain says what an account can be asked for (XEP-0054, XEP-0191).
    advertised = set(MUX.listings[place].features)
    if place is Place.SERVER:
        handled |= {"vcard-temp", "urn:xmpp:blocking"}
    assert advertised - PASSIVE == handled - UNADVERTISED


def test_stream_features():
    assert MUX.offers[0] == xml("<ver xmlns='urn:xmpp:features:rosterver'/>")
    assert MUX.offers[1] == xml(
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://rookery.example/' "
        f"ver='{MUX.listings[Place.SERVER].capability_hash}'/>"
    )
    assert {(offer.name, offer.namespace) for offer in MUX.offers[2:]} == {
        ("csi", "urn:xmpp:csi:0"),
        ("sm", "urn:xmpp:sm:3"),
    }


def test_two_features_never_claim_the_same():
    twice = Feature(name="twice", handles={(Place.SERVER, "get", "{urn:x}x"): ping.answer})
    with pytest.raises(ValueError, match="two features claim"):
        Mux(Software(), (twice, twice))


def test_a_feature_may_hear_what_is_no_stanza():
    heard = []

    def hear(element, session, now):
        heard.append((element.name, session, now))
        return []

    feature = Feature(name="idle", nonzas={("urn:xmpp:csi:0", "inactive"): hear})
    idle = client.XmppClient(ALICE, Mux(Software(), (feature,)))
    assert idle.receive(xml("<inactive xmlns='urn:xmpp:csi:0'/>"), NOW) == []
    assert idle.receive(xml("<active xmlns='urn:xmpp:csi:0'/>"), NOW) == []
    assert heard == [("inactive", ALICE, NOW)]


def test_the_table_can_be_printed():
    lines = list(MUX.table_lines())
    assert len(lines) == len(MUX.handlers)
    assert any("SERVER" in line and "ping.answer" in line for line in lines)


def test_the_same_mux_serves_all():
    assert build_mux(Software()).listings.keys() == set(Place)
    for jid in ("alice@example.com", "example.com"):
        answer = reply(make_client(), f"<iq type='get' id='1' to='{jid}'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert answer == xml(f"<iq type='result' id='1' from='{jid}' to='alice@example.com/desk'/>")


QUESTIONS = {  # what clients ask at login -> what they get when we have no such thing
    "Pidgin: bookmarks": "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>",
    "Gajim: bookmarks": "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:bookmarks:1'/></pubsub>",
    "Psi: privacy lists": "<query xmlns='jabber:iq:privacy'/>",
    "Finch: last activity": "<query xmlns='jabber:iq:last'/>",
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("to", ["", "to='alice@example.com'", "to='example.com'"])
def test_what_clients_ask_at_login_is_answered_at_once(question, to):
    outcome = send(make_client(), f"<iq type='get' id='1' {to}>{question}</iq>")
    assert isinstance(outcome, Reply)
    assert xml(outcome.data).elements()[0].elements()[0].name == Condition.SERVICE_UNAVAILABLE


def test_features_know_only_what_is_below_them():
    from engine.xmpp import features

    for name in ("caps", "clock", "contact_search", "disco", "ping", "roster", "stanza_ids", "vcard", "version"):
        tree = ast.parse(inspect.getsource(getattr(features, name)))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {module for module in modules if "features" in module or module == "engine.xmpp.client"}
        assert "XEP-" in ast.get_docstring(tree).splitlines()[0] or "RFC " in ast.get_docstring(tree).splitlines()[0]
