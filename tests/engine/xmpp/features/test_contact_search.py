"""Finding contacts from any client."""

import msgspec
import pytest

from engine import messages as m
from engine.limits import SEARCH_RESULTS
from tests.engine.xmpp.play import BOB_CONTACT, TEAM, error, make_client, reply, request, send, told, xml

OLD = request("{jabber:iq:search}query", "example.com")
FORM = msgspec.structs.replace(OLD, name="{jabber:x:data}x")


@pytest.fixture
def alice():
    return make_client()


def ask(inner, kind="set"):
    return f"<iq type='{kind}' id='1' to='example.com'><query xmlns='jabber:iq:search'>{inner}</query></iq>"


def submit(**fields):
    inner = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in fields.items())
    return ask(f"<x xmlns='jabber:x:data' type='submit'>{inner}</x>")


def test_the_form(alice):
    words = "Letters and digits of a name, address, title, department or phone; several words narrow the search."
    assert reply(alice, ask("", "get")) == xml(
        "<iq type='result' id='1' from='example.com' to='alice@example.com/desk'><query xmlns='jabber:iq:search'>"
        f"<instructions>{words}</instructions><first/><last/><nick/><email/>"
        f"<x xmlns='jabber:x:data' type='form'><title>Contact search</title><instructions>{words}</instructions>"
        "<field type='hidden' var='FORM_TYPE'><value>jabber:iq:search</value></field>"
        "<field type='text-single' label='Search' var='search'/>"
        "<field type='text-single' label='Given Name' var='first'/>"
        "<field type='text-single' label='Family Name' var='last'/>"
        "<field type='text-single' label='Nickname' var='nick'/>"
        "<field type='text-single' label='Email Address' var='email'/></x></query></iq>"
    )


def test_by_form(alice):
    command = send(alice, submit(FORM_TYPE="jabber:iq:search", search=" bob sales ", last="builder", nick="", x="y"))
    assert command == m.SearchContacts(FORM, "bob sales", {"last": "builder"}, SEARCH_RESULTS)


def test_by_old_fields(alice):
    command = send(alice, ask("<first>Bob</first><last/><email>bob@</email><search>no</search>"))
    assert command == m.SearchContacts(OLD, "", {"first": "Bob", "email": "bob@"}, SEARCH_RESULTS)


def test_a_form_that_is_not_submitted(alice):
    assert reply(alice, ask("<x xmlns='jabber:x:data' type='cancel'/>")).get("type") == "result"
    assert reply(alice, ask("<x xmlns='jabber:x:data' type='form'/>")) == error(
        "iq", "bad-request", "modify", from_="example.com", text="the form is to be submitted"
    )


def test_results_as_a_form(alice):
    assert told(alice, m.ContactsFound(FORM, (BOB_CONTACT, TEAM), is_complete=True)) == xml(
        "<iq type='result' id='1' from='example.com' to='alice@example.com/desk'><query xmlns='jabber:iq:search'>"
        "<x xmlns='jabber:x:data' type='result'>"
        "<field type='hidden' var='FORM_TYPE'><value>jabber:iq:search</value></field>"
        "<reported><field var='jid' label='Address' type='jid-single'/><field var='name' label='Name' type='text-single'/>"
        "<field var='title' label='Title' type='text-single'/>"
        "<field var='department' label='Department' type='text-single'/></reported>"
        "<item><field var='jid'><value>bob@example.com</value></field>"
        "<field var='name'><value>Bob &lt;B.> Builder</value></field>"
        "<field var='title'><value>Head of Sales &amp; More</value></field>"
        "<field var='department'><value>Sales</value></field></item>"
        "<item><field var='jid'><value>salesteam@example.com</value></field>"
        "<field var='name'><value>Sales team</value></field>"
        "<field var='title'><value/></field><field var='department'><value/></field></item></x></query></iq>"
    )


def test_results_as_the_old_list(alice):
    assert told(alice, m.ContactsFound(OLD, (BOB_CONTACT,), is_complete=False)).elements()[0] == xml(
        "<query xmlns='jabber:iq:search'><item jid='bob@example.com'><first>Bob &lt;B.></first><last>Builder</last>"
        "<nick>bob</nick><email>bob@example.com</email></item></query>"
    )


def test_nothing_found(alice):
    assert told(alice, m.ContactsFound(OLD, (), is_complete=True)).elements()[0] == xml(
        "<query xmlns='jabber:iq:search'/>"
    )


def test_only_the_domain_is_asked(alice):
    answer = reply(alice, "<iq type='get' id='1'><query xmlns='jabber:iq:search'/></iq>")
    assert answer == error("iq", "service-unavailable", "cancel")
