"""The domain as a roster: whole, by version, and as it changes."""

import msgspec
import pytest

from engine import messages as m
from engine.contacts import Contact, ContactKind, PersonalContact, RemovedContact
from engine.limits import NAME_CHARACTERS, ROSTER_GROUPS
from tests.engine.xmpp.play import (
    ALICE_CONTACT,
    BOB,
    BOB_CONTACT,
    CAROL_CONTACT,
    TEAM,
    elements,
    error,
    make_client,
    make_mux,
    rendered,
    reply,
    request,
    send,
    strip,
    told,
    xml,
)

NAME = "{jabber:iq:roster}query"
EVERYONE = (ALICE_CONTACT, BOB_CONTACT, CAROL_CONTACT, TEAM)
BOB_ITEM = "<item jid='bob@example.com' name='Bob &lt;B.> Builder' subscription='both'><group>Sales</group></item>"
CAROL_ITEM = "<item jid='carol@example.com' name='Carol' subscription='both'/>"
TEAM_ITEM = "<item jid='salesteam@example.com' name='Sales team' subscription='both'><group>Aliases</group></item>"
ALICE_ITEM = "<item jid='alice@example.com' name='Alice' subscription='both'><group>IT</group></item>"


@pytest.fixture
def alice():
    return make_client()


def pushes(client, event):
    return [strip(push) for push in elements(rendered(client, event))]


def items(push):
    query = push.find("query", "jabber:iq:roster")
    return query.get("ver"), query.elements()


def set_item(item):
    return f"<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>"


# -- asking ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ver", "version"), [("", None), ("ver=''", ""), ("ver='7-0'", "7-0")])
def test_fetch(alice, ver, version):
    command = send(alice, f"<iq type='get' id='1'><query xmlns='jabber:iq:roster' {ver}/></iq>")
    assert command == m.FetchRoster(request(NAME), version)


def test_an_own_name_and_groups(alice):
    command = send(alice, set_item("<item jid='Bob@example.com' name='Bobby'><group>A</group><group>B</group></item>"))
    assert command == m.SetPersonalContact(request(NAME), "bob@example.com", "Bobby", ("A", "B"))
    assert send(alice, set_item("<item jid='bob@example.com'/>")) == m.SetPersonalContact(
        request(NAME), "bob@example.com", None, ()
    )


def test_removing_drops_what_is_ones_own(alice):
    command = send(alice, set_item("<item jid='bob@example.com' subscription='remove' name='x'/>"))
    assert command == m.SetPersonalContact(request(NAME), "bob@example.com", None, None)


@pytest.mark.parametrize(
    ("item", "condition", "text"),
    [
        ("", "bad-request", "a roster set has exactly one item"),
        ("<item jid='a@example.com'/><item jid='b@example.com'/>", "bad-request", "a roster set has exactly one item"),
        ("<thing jid='a@example.com'/>", "bad-request", "a roster set has exactly one item"),
        ("<item/>", "jid-malformed", ""),
        ("<item jid='@'/>", "jid-malformed", ""),
        (
            f"<item jid='b@example.com' name='{'n' * (NAME_CHARACTERS + 1)}'/>",
            "not-acceptable",
            f"a name may have {NAME_CHARACTERS} characters",
        ),
        ("<item jid='b@example.com'><group>A</group><group>A</group></item>", "bad-request", "a group is named twice"),
        (
            "<item jid='b@example.com'><group/></item>",
            "not-acceptable",
            f"up to {ROSTER_GROUPS} groups of 1 to {NAME_CHARACTERS} characters",
        ),
        (
            "<item jid='b@example.com'>" + "".join(f"<group>{i}</group>" for i in range(ROSTER_GROUPS + 1)) + "</item>",
            "not-acceptable",
            f"up to {ROSTER_GROUPS} groups of 1 to {NAME_CHARACTERS} characters",
        ),
    ],
)
def test_a_set_that_breaks_its_rules(alice, item, condition, text):
    assert reply(alice, set_item(item)) == error("iq", condition, "modify", text=text)


def test_nobody_elses_roster(alice):
    answer = reply(alice, "<iq type='get' id='1' to='bob@example.com'><query xmlns='jabber:iq:roster'/></iq>")
    assert answer == error("iq", "service-unavailable", "cancel", from_="bob@example.com")


# -- the whole list ----------------------------------------------------------------------------------------------------


def test_everyone_but_oneself(alice):
    assert told(alice, m.RosterFetched(request(NAME), "4-0", EVERYONE)) == xml(
        "<iq type='result' id='1' to='alice@example.com/desk'>"
        f"<query xmlns='jabber:iq:roster' ver='4-0'>{BOB_ITEM}{CAROL_ITEM}{TEAM_ITEM}</query></iq>"
    )


def test_the_same_list_for_someone_else():
    mux = make_mux()
    make_client(mux=mux).render(m.RosterFetched(request(NAME), "4-0", EVERYONE))
    asked = msgspec.structs.replace(request(NAME), session=BOB)
    assert told(make_client(BOB, mux), m.RosterFetched(asked, "4-0", EVERYONE)) == xml(
        "<iq type='result' id='1' to='bob@example.com/phone'>"
        f"<query xmlns='jabber:iq:roster' ver='4-0'>{ALICE_ITEM}{CAROL_ITEM}{TEAM_ITEM}</query></iq>"
    )


def test_personal_additions_lie_over_it(alice):
    personal = (
        PersonalContact(address=TEAM.address, groups=("Friends", "Work & more")),
        PersonalContact(address="bob@example.com", name="Bobby", groups=()),
        PersonalContact(address="gone@example.com", name="nobody now"),
        PersonalContact(address="carol@example.com"),
        PersonalContact(address="alice@example.com", name="me"),
    )
    query = told(alice, m.RosterFetched(request(NAME), "4-9", EVERYONE, personal=personal)).elements()[0]
    assert query == xml(
        "<query xmlns='jabber:iq:roster' ver='4-9'><item jid='bob@example.com' name='Bobby' subscription='both'/>"
        f"{CAROL_ITEM}<item jid='salesteam@example.com' name='Sales team' subscription='both'><group>Friends</group>"
        "<group>Work &amp; more</group></item></query>"
    )


def test_a_changed_list_is_rendered_again(alice):
    alice.render(m.RosterFetched(request(NAME), "4-0", EVERYONE))
    renamed = msgspec.structs.replace(CAROL_CONTACT, name="Caroline", changed=5)
    query = told(alice, m.RosterFetched(request(NAME), "5-0", (ALICE_CONTACT, renamed))).elements()[0]
    assert query.elements() == [
        xml("<item xmlns='jabber:iq:roster' jid='carol@example.com' name='Caroline' subscription='both'/>")
    ]


def test_nobody_there_yet(alice):
    query = told(alice, m.RosterFetched(request(NAME), "0-0", ())).elements()[0]
    assert query == xml("<query xmlns='jabber:iq:roster' ver='0-0'/>")


def test_a_name_that_xml_cannot_carry_harms_nobody(alice):
    odd = Contact(address="odd@example.com", name="O\x00dd\ud800", department="\x1b")
    item = told(alice, m.RosterFetched(request(NAME), "1-0", (odd,))).elements()[0].elements()[0]
    assert item.get("name") == "Odd"


# -- by version --------------------------------------------------------------------------------------------------------


def test_nothing_changed(alice):
    assert told(alice, m.RosterFetched(request(NAME), "4-0", None)) == xml(
        "<iq type='result' id='1' to='alice@example.com/desk'/>"
    )


def test_what_changed_since(alice):
    removed = RemovedContact(address="old@example.com", kind=ContactKind.MEMBER, changed=2)
    changes = (removed, CAROL_CONTACT, TEAM, BOB_CONTACT)  # bob's entry is his own addition: an older version
    own = (PersonalContact(address="bob@example.com", name="Bobby", changed=9),)
    answer, *told_after = pushes(alice, m.RosterFetched(request(NAME), "4-9", None, changes, own))
    assert answer == xml("<iq type='result' id='1' to='alice@example.com/desk'/>")
    assert all(push.get("type") == "set" and push.get("to") == "alice@example.com/desk" for push in told_after)
    ids = {push.get("id") for push in told_after}
    assert len(ids) == 4
    assert all(name.startswith("push-") for name in ids)
    in_roster = "xmlns='jabber:iq:roster'"
    assert [items(push) for push in told_after] == [
        ("2-0", [xml(f"<item {in_roster} jid='old@example.com' subscription='remove'/>")]),
        ("3-0", [xml(CAROL_ITEM.replace("<item", f"<item {in_roster}"))]),
        ("4-0", [xml(TEAM_ITEM.replace("<item", f"<item {in_roster}"))]),
        (
            "4-9",
            [
                xml(
                    f"<item {in_roster} jid='bob@example.com' name='Bobby' subscription='both'><group>Sales</group></item>"
                )
            ],
        ),
    ]


def test_a_change_is_pushed(alice):
    (push,) = pushes(alice, m.RosterChanged("3-0", (CAROL_CONTACT,)))
    assert push == xml(
        "<iq type='set' id='push-1' to='alice@example.com/desk'>"
        f"<query xmlns='jabber:iq:roster' ver='3-0'>{CAROL_ITEM}</query></iq>"
    )


def test_a_change_of_oneself_is_nobodys_news(alice):
    assert alice.render(m.RosterChanged("5-0", (ALICE_CONTACT,))) is None
    (push,) = pushes(alice, m.RosterChanged("5-0", (CAROL_CONTACT, ALICE_CONTACT)))
    assert items(push)[0] == "5-0"


def test_a_change_with_personal_additions(alice):
    own = (PersonalContact(address="carol@example.com", name="Caro"),)
    (push,) = pushes(alice, m.RosterChanged("5-1", (CAROL_CONTACT,), own))
    assert items(push)[1][0].get("name") == "Caro"


def test_the_answer_of_a_client_to_a_push_is_nobodys(alice):
    assert alice.receive(xml("<iq type='result' id='push-1' to='alice@example.com'/>"), 0) == []
