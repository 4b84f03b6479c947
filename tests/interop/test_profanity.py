"""Profanity, as a user drives it: the README's command, the password at the prompt, then everything by itself."""

import re

import pytest

from tests.interop.person import Person
from tests.interop.profanity import Profanity

TEAM = "salesteam@localhost"
pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("programs")]  # packages may have to be installed


@pytest.fixture
def profanity(tmp_path):
    home = tmp_path / "profanity"
    home.mkdir()
    with Profanity(home) as running:
        yield running


def test_everybody_is_in_the_roster_by_group(server, profanity):
    profanity.connect(server, "alice")
    profanity.terminal.type("/roster")
    profanity.terminal.wait_for(r" salesteam@localhost \(Sales team\) - both - Aliases")
    screen = profanity.terminal.wait_for(r"no group \(0\)")
    shown = [line[100:].strip() for line in screen.splitlines()]  # the roster is the right quarter
    groups = [line for line in shown if re.search(r"\(\d\)$|^[A-Z]\w+ \w+$", line)]
    assert groups == [
        *("Aliases (0)", "Sales team"),
        *("Engineering (0)", "Erin Evans"),
        *("Sales (0)", "Bob Berger", "Carol Chen", "Dan Dupont"),
        *("no group (0)", "Rooms (0)"),
    ]


def test_it_has_nothing_to_complain_of(server, profanity):
    profanity.connect(server, "alice")
    screen = profanity.terminal.wait_for(r"no group \(0\)")
    profanity.terminal.type("/disco info")
    profanity.terminal.wait_for("Rookery im server")
    # What it asks for by itself and is not there yet: bookmarks (XEP-0049), block list (XEP-0191), carbons (XEP-0280).
    errors = [line for line in screen.splitlines() if "rror" in line and "enabling message carbons" not in line]
    assert errors == []
    complaints = profanity.complaints()
    assert len(complaints) <= 3, complaints
    assert all(complaint.endswith("error: service-unavailable") for complaint in complaints), complaints


def test_people_and_the_alias_come_and_go(server, profanity):
    profanity.connect(server, "alice")
    with Person(server, "carol") as carol:
        profanity.terminal.wait_for(r"\+\+ Carol Chen \(slixmpp\) is online$")
        profanity.terminal.wait_for(r"\+\+ Sales team \(alias\) is online$")
        carol.sees("alice@localhost", "available")
        carol.is_present("dnd", "in a call")
        profanity.terminal.wait_for(r'\+\+ Carol Chen \(slixmpp\) is dnd, "in a call"$')
        profanity.terminal.wait_for(r"\+\+ Sales team \(alias\) is dnd$")
        profanity.terminal.type('/status set away "lunch"')
        carol.sees("alice@localhost", "away")
    profanity.terminal.wait_for(r"-- Carol Chen \(slixmpp\) is offline")
    screen = profanity.terminal.wait_for(r"-- Sales team \(alias\) is offline")
    assert screen.count("Carol Chen (slixmpp) is online") == screen.count("Sales team (alias) is online") == 1


def test_it_chats_both_ways_and_through_the_alias(server, profanity):
    profanity.connect(server, "bob")
    with Person(server, "alice") as alice:
        profanity.terminal.wait_for(r"\+\+ Alice Arden \(slixmpp\) is online")
        alice.says("bob@localhost", "Hello Bob")
        profanity.terminal.wait_for(r"<< chat message: Alice Arden/slixmpp \(win 2\)")
        conversation = profanity.conversation("alice@localhost", "Alice Arden")
        conversation.wait_for(r" - Alice Arden/slixmpp: Hello Bob$")
        conversation.type("Hello Alice, grüß Gott")
        assert alice.hears("Hello Alice, grüß Gott").sender.startswith("bob@localhost/profanity.")
        alice.says(TEAM, "Hello team")
        screen = conversation.wait_for(r" - Alice Arden/slixmpp: Hello team$")
        assert screen.count("Hello Bob") == screen.count("Hello team") == 1
        with Person(server, "dan") as dan:
            profanity.conversation(TEAM, "Sales team").type("Bob to the team")
            heard = dan.hears("Bob to the team")
            assert (heard.sender.partition("/")[0], heard.via) == ("bob@localhost", TEAM)
        screen = profanity.terminal.wait_for(r" - me: Bob to the team$")
        assert screen.count("Bob to the team") == 1
        assert [heard.body for heard in alice.heard] == ["Hello Alice, grüß Gott"]


def test_messages_wait_for_it(server, profanity):
    with Person(server, "alice") as alice:
        alice.says("bob@localhost", "for later")
        alice.says(alice.address, "written")
        alice.hears("written")
    profanity.connect(server, "bob")
    profanity.terminal.wait_for(r"<< chat message: (Alice Arden|alice@localhost)/slixmpp \(win 2\)")
    conversation = profanity.conversation("alice@localhost", "Alice Arden")
    assert conversation.wait_for("for later").count("for later") == 1


def test_it_has_what_another_device_says_and_hears(server, profanity):
    profanity.connect(server, "bob")
    with Person(server, "alice") as alice, Person(server, "bob", resource="phone", wants_copies=True) as phone:
        alice.sees(phone.jid, "available")
        conversation = profanity.conversation("alice@localhost", "Alice Arden")
        alice.says(phone.jid, "to the phone")
        assert phone.hears("to the phone").sender == alice.jid
        conversation.wait_for(r" - Alice Arden/slixmpp: to the phone$")
        phone.says(alice.address, "from the phone")
        conversation.wait_for(r" - me: from the phone$")
        conversation.type("from Profanity")
        alice.hears("from Profanity")
        copy = phone.gets_copy("from Profanity")
        assert copy.is_sent
        assert copy.sender.startswith("bob@localhost/profanity.")
        assert copy.to in {alice.address, alice.jid}
        alice.says("bob@localhost", "to both")
        phone.hears("to both")
        screen = conversation.wait_for(r" - Alice Arden/slixmpp: to both$")
        for text in ("to the phone", "from the phone", "from Profanity", "to both"):
            assert screen.count(text) == 1, screen
        assert [heard.body for heard in phone.heard] == ["to the phone", "to both"]
        assert [copy.body for copy in phone.copies] == ["from Profanity"]


def test_another_device_writes_to_the_alias(server, profanity):
    profanity.connect(server, "alice")
    with Person(server, "alice", resource="phone", wants_copies=True) as phone, Person(server, "carol") as carol:
        phone.sees("carol@localhost", "available")
        phone.says(TEAM, "from the phone")
        assert carol.hears("from the phone").sender == phone.jid
        conversation = profanity.conversation(TEAM, "Sales team")
        conversation.wait_for(r" - me: from the phone$")
        conversation.type("from Profanity")
        assert phone.gets_copy("from Profanity").to == TEAM
        carol.hears("from Profanity")
        assert conversation.screen().count("from the phone") == 1
        assert phone.heard == []
