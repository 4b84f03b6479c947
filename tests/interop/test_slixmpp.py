"""slixmpp, twice and over TLS: both listeners, logins, presence, chats, the alias, search, cards, offline messages."""

import threading

import pytest
from slixmpp import JID
from slixmpp.plugins.base import PluginNotFound

from tests.interop import person
from tests.interop.person import Person, talk
from tests.interop.server import Server

TEAM = "salesteam@localhost"
pytestmark = pytest.mark.timeout(60)


def test_everybody_is_a_contact_with_a_name_and_a_group(server):
    with Person(server, "alice") as alice:
        assert alice.roster() == {
            "bob@localhost": ("Bob Berger", ["Sales"], "both"),
            "carol@localhost": ("Carol Chen", ["Sales"], "both"),
            "dan@localhost": ("Dan Dupont", ["Sales"], "both"),
            "erin@localhost": ("Erin Evans", ["Engineering"], "both"),
            TEAM: ("Sales team", ["Aliases"], "both"),
        }


def test_who_is_added_while_all_are_online_is_there(server):
    with Person(server, "alice") as alice:
        server.command("user", "add", "frank@localhost", "--name", "Frank Foss")
        server.command("alias", "add", "all@localhost", TEAM, "alice@localhost", "--name", "Everybody")
        alice.knows("frank@localhost", "Frank Foss")
        alice.knows("all@localhost", "Everybody")
        alice.sees("all@localhost", "available")


def test_people_and_the_alias_come_and_go(server):
    with Person(server, "alice") as alice:
        with Person(server, "bob", direct_tls=True) as bob:
            bob.sees(alice.jid, "available")
            alice.sees(bob.jid, "available")
            alice.sees(TEAM, "available")
            bob.is_present("away", "lunch")
            alice.sees(bob.jid, "away")
            alice.sees(TEAM, "away")
            with Person(server, "carol") as carol:
                carol.is_present("dnd")
                alice.sees(carol.jid, "dnd")
                bob.is_present()
                alice.sees(TEAM, "available")  # the best of its members
            alice.sees(carol.address, "unavailable")
            carol_went = alice.came_and_went.count((carol.jid, "unavailable"))
            assert carol_went == 1
        alice.sees(bob.address, "unavailable")
        alice.sees(TEAM, "unavailable")


def test_two_people_chat_over_starttls_and_direct_tls(server):
    with Person(server, "alice") as alice, Person(server, "bob", direct_tls=True) as bob:
        alice.says(bob.address, "Hello Bob")
        assert bob.hears("Hello Bob").sender == alice.jid
        bob.says(alice.jid, "Grüße, Alice <3 & 😀")
        assert alice.hears("Grüße, Alice <3 & 😀").sender == bob.jid
        assert len(alice.heard) == len(bob.heard) == 1


def test_a_message_to_the_alias_comes_from_the_person_who_wrote_it(server):
    with (
        Person(server, "alice") as alice,
        Person(server, "bob") as bob,
        Person(server, "carol") as carol,
        Person(server, "erin") as erin,
    ):
        alice.says(TEAM, "Hello team")
        for member in (bob, carol):
            heard = member.hears("Hello team")
            assert (heard.sender, heard.via, heard.is_delayed) == (alice.jid, TEAM, False)
        bob.says(bob.heard[0].sender, "I take it")
        assert alice.hears("I take it").sender == bob.jid
        bob.says(TEAM, "Bob here, a member")
        assert carol.hears("Bob here, a member").sender == bob.jid
        erin.says(alice.address, "last")
        alice.hears("last")
        assert [len(person.heard) for person in (alice, bob, carol, erin)] == [2, 1, 2, 0]


def test_messages_wait_for_who_is_away(server):
    with Person(server, "alice") as alice:
        alice.says("bob@localhost", "one")
        alice.says("bob@localhost", "two")
        alice.says(TEAM, "for whoever comes")
        alice.says(alice.address, "written")  # to herself: what was said before it is kept
        alice.hears("written")
    for name, expected in (
        ("bob", ["one", "two", "for whoever comes"]),
        ("carol", ["for whoever comes"]),
    ):
        with Person(server, name) as person:
            person.hears("for whoever comes")
            assert [heard.body for heard in person.heard] == expected
            assert all(heard.is_delayed and heard.sender == alice.jid for heard in person.heard)
            assert person.heard[-1].via == TEAM
    with Person(server, "bob") as bob:
        bob.says(bob.address, "nothing waits")
        bob.hears("nothing waits")
        assert len(bob.heard) == 1


def test_each_mechanism_logs_in(server):
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"):
        with Person(server, "alice", mechanism=mechanism) as alice:
            assert alice.is_logged_in, mechanism


def test_a_wrong_password_is_refused(server):
    for mechanism in ("SCRAM-SHA-256", "PLAIN"):
        for name in ("alice", "nobody"):
            with Person(server, name, mechanism=mechanism, password="wrong") as stranger:
                assert (stranger.is_refused, stranger.is_logged_in) == (True, False)
    with Person(server, "alice") as alice:
        assert alice.is_logged_in


def test_a_contact_is_found(server):
    with Person(server, "erin") as erin:
        plugins = erin.client.plugin
        answer = erin.do(lambda: plugins["xep_0030"].get_info("localhost"))
        assert "jabber:iq:search" in answer["disco_info"]["features"]

        def find(text):
            iq = plugins["xep_0055"].make_search_iq(ito="localhost")
            iq["search"]["form"].add_field("search", value=text)
            items = erin.do(iq.send)["search"]["form"]["items"]
            return [(item["jid"], item["name"], item["title"], item["department"]) for item in items]

        assert find("head sal") == [("carol@localhost", "Carol Chen", "Head of Sales", "Sales")]
        assert {jid for jid, *_ in find("sales")} == {
            f"{name}@localhost" for name in ("bob", "carol", "dan", "salesteam")
        }
        assert find("5550 ali") == [("alice@localhost", "Alice Arden", "Head of Support", "Support")]
        assert find("nobody") == []


def test_a_contact_has_a_card(server):
    with Person(server, "bob") as bob:

        def card_of(address):
            cards = bob.client.plugin["xep_0054"]
            return bob.do(lambda: cards.get_vcard(JID(address), cached=False))["vcard_temp"]

        alice = card_of("alice@localhost")
        assert (alice["FN"], alice["N"]["GIVEN"], alice["N"]["FAMILY"]) == ("Alice Arden", "Alice", "Arden")
        assert alice["TITLE"] == "Head of Support"
        team = card_of(TEAM)
        assert team["FN"] == "Sales team"
        description = team.xml.findtext("{vcard-temp}DESC")
        assert description.splitlines() == ["Members:", "bob@localhost", "carol@localhost", "dan@localhost"]


def test_a_history_is_read_page_by_page_both_ways(server):
    with Person(server, "alice") as alice, Person(server, "bob") as bob:
        talk(alice, bob, range(12))
        alice.says(TEAM, "all of you")
        everything = alice.reads_history()
        assert everything[-1] == "all of you"
        assert len(everything) == 25
        with_bob = everything[:-1]
        assert alice.reads_history(bob.address) == bob.reads_history(alice.address, page=7)[:24] == with_bob
        assert alice.reads_history(is_backwards=True) == everything[::-1]
        assert alice.reads_history(TEAM, page=1) == ["all of you"]
        fields = alice.do(alice.client.plugin["xep_0313"].get_fields)
        assert {"with", "start", "end", "before-id", "after-id", "ids"} < set(fields.get_fields())
        metadata = alice.do(alice.client.plugin["xep_0313"].get_archive_metadata)["mam_metadata"]
        assert metadata["start"]["id"] < metadata["end"]["id"]


def test_a_person_without_a_plugin_fails_and_leaves_no_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(person, "PLUGINS", ("xep_none",))
    with pytest.raises(PluginNotFound), Person(Server(tmp_path), "alice"):
        pass
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("alice@")] == []
