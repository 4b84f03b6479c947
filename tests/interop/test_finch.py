"""Finch, as a user drives it. What passes here passes in Pidgin and Adium, too: they share libpurple."""

import re

import pytest

from tests.interop.finch import AWAY, OFFLINE, ONLINE, Finch
from tests.interop.person import Person

TEAM = "salesteam@localhost"
pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("programs")]  # packages may have to be installed


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "finch"
    folder.mkdir()
    return folder


def test_the_first_login_asks_about_the_certificate_once(server, home):
    with Finch(home, server, "bob", trusts=False) as finch:
        assert "self-signed" in finch.accept_certificate()
        finch.sees("Alice Arden", OFFLINE)
    with Finch(home, server, "bob", trusts=False) as finch:
        finch.sees("Alice Arden", OFFLINE)


def test_everybody_is_on_the_list_by_group(server, home):
    with Person(server, "alice") as alice, Finch(home, server, "bob") as finch:
        alice.sees("bob@localhost", "available")
        screen = finch.sees("Sales team", ONLINE)  # Bob himself is of the team
        assert re.findall(r"(?<=[ │])((?:[◯⊖⊗] )?[A-Z]\w+(?: \w+)?) +▒?│$", screen, re.MULTILINE) == [
            *("Aliases", f"{ONLINE} Sales team"),
            *("Engineering", f"{OFFLINE} Erin Evans"),
            *("Sales", f"{OFFLINE} Carol Chen", f"{OFFLINE} Dan Dupont"),
            *("Support", f"{ONLINE} Alice Arden"),
        ]


def test_people_and_the_alias_come_and_go(server, home):
    with Finch(home, server, "erin") as finch:
        finch.sees("Sales team", OFFLINE)
        with Person(server, "carol") as carol:
            finch.sees("Carol Chen", ONLINE)
            finch.sees("Sales team", ONLINE)
            carol.is_present("dnd")
            finch.sees("Carol Chen", AWAY)
            finch.sees("Sales team", AWAY)
            carol.is_present()
            finch.sees("Sales team", ONLINE)
            finch.goes_away("lunch")
            carol.sees("erin@localhost", "away")
        finch.sees("Carol Chen", OFFLINE)
        finch.sees("Sales team", OFFLINE)


def test_who_closes_it_is_gone(server, home):
    with Person(server, "alice") as alice:
        with Finch(home, server, "bob"):
            alice.sees("bob@localhost", "available")
            alice.sees(TEAM, "available")
        alice.sees("bob@localhost", "unavailable")
        alice.sees(TEAM, "unavailable")


def test_it_chats_both_ways_and_through_the_alias(server, home):
    with Person(server, "alice") as alice, Person(server, "dan") as dan:
        with Finch(home, server, "bob") as finch:
            alice.sees("bob@localhost", "available")
            alice.says("bob@localhost", "Hello Bob")
            conversation = finch.hears("Alice Arden", "Hello Bob")
            conversation.type("Hello Alice <b>& all</b>")
            assert alice.hears("Hello Alice <b>& all</b>").sender == "bob@localhost/Finch"
            alice.says(TEAM, "Hello team")
            conversation = finch.hears("Alice Arden", "Hello team")
            screen = conversation.screen()
            assert screen.count("Hello team") == screen.count("Hello Bob") == 1
            dan.hears("Hello team")
            finch.opens(TEAM, "Sales team").type("Bob to the team")
            heard = dan.hears("Bob to the team")
            assert (heard.sender, heard.via) == ("bob@localhost/Finch", TEAM)
            assert finch.terminal.wait_for(r"bob@localhost/Finch: Bob to the team ").count("Bob to the team") == 1
        assert len(alice.heard) == 1
        assert len(dan.heard) == 2


def test_messages_wait_for_it(server, home):
    with Person(server, "alice") as alice:
        alice.says("bob@localhost", "for later")
        alice.says(alice.address, "written")
        alice.hears("written")
        with Finch(home, server, "bob") as finch:
            conversation = finch.hears("Alice Arden", "for later")
            assert conversation.screen().count("for later") == 1


def test_it_gets_once_what_came_while_another_device_was_online(server, home):
    with Person(server, "alice") as alice:
        with Finch(home, server, "bob") as finch:
            alice.sees("bob@localhost", "available")
            alice.says("bob@localhost", "to Finch")
            finch.hears("Alice Arden", "to Finch")
            server.wait_until_got("bob@localhost", "Finch")
        alice.sees("bob@localhost", "unavailable")
        with Person(server, "bob", resource="phone") as phone:
            alice.says(phone.address, "first for the phone")
            phone.hears("first for the phone")
            phone.says(alice.address, "I am on the phone")
            alice.hears("I am on the phone")
            alice.says(TEAM, "second for the phone")
            assert phone.hears("second for the phone").via == TEAM
            with Finch(home, server, "bob") as finch:
                screen = finch.hears("Alice Arden", "second for the phone").screen()
                counts = [screen.count(text) for text in ("to Finch", "first for", "second for", "I am on")]
                assert counts == [0, 1, 1, 0]
                alice.says(phone.address, "to both")
                finch.hears("Alice Arden", "to both")
                phone.hears("to both")
                server.wait_until_got("bob@localhost", "Finch")
        with Finch(home, server, "bob") as finch:
            alice.sees("bob@localhost", "available")
            alice.says("bob@localhost", "the last")
            screen = finch.hears("Alice Arden", "the last").screen()
            assert [screen.count(text) for text in ("first for", "second for", "to both")] == [0, 0, 0]
