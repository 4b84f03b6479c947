"""Gajim, with windows, on a display that nobody looks at."""

import pytest

from tests.interop.cable import Cable
from tests.interop.gajim import Gajim
from tests.interop.person import Person, talk

TEAM = "salesteam@localhost"
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("desktop_programs"),
]  # packages may have to be installed


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "gajim"
    folder.mkdir()
    return folder


def test_it_logs_in_over_direct_tls_and_chats(server, home, screen):
    with Person(server, "alice") as alice, Person(server, "carol") as carol:
        alice.says("bob@localhost", "for later")
        alice.says(alice.address, "written")
        alice.hears("written")
        with Gajim(home, screen, server, "bob", direct_tls=True) as bob:
            # what waited
            assert bob.keeps("for later").contact == alice.address
            # all see each other
            alice.sees("bob@localhost", "available")
            bob.sees(alice.address, "online")
            bob.sees(TEAM, "online")
            assert bob.contacts() == {
                "alice@localhost": ("Alice Arden", "online"),
                "carol@localhost": ("Carol Chen", "online"),
                "dan@localhost": ("Dan Dupont", "offline"),
                "erin@localhost": ("Erin Evans", "offline"),
                TEAM: ("Sales team", "online"),
            }
            carol.is_present("dnd", "in a call")
            bob.sees(carol.address, "dnd")
            # both ways
            alice.says("bob@localhost", "Hello Bob")
            assert bob.keeps("Hello Bob") == (alice.address, "Hello Bob", False, bob.keeps("Hello Bob").stanza_id)
            bob.says(alice.address, "Hello Alice <b>& all</b>")
            assert alice.hears("Hello Alice <b>& all</b>").sender == "bob@localhost/gajim"
            # through the alias: from the person to the person, and to the alias
            alice.says(TEAM, "Hello team")
            assert bob.keeps("Hello team").contact == alice.address
            bob.says(TEAM, "Bob to the team")
            heard = carol.hears("Bob to the team")
            assert (heard.sender, heard.via) == ("bob@localhost/gajim", TEAM)
            assert bob.keeps("Bob to the team").contact == TEAM
        alice.sees("bob@localhost", "unavailable")
        assert [heard.body for heard in alice.heard] == ["written", "Hello Alice <b>& all</b>"]


def test_it_resumes_when_its_connection_was_cut_and_nobody_notices(server, home, screen):
    with (
        Person(server, "alice") as alice,
        Cable(server.port) as cable,
        Gajim(home, screen, server, "bob", port=cable.port) as bob,
    ):
        alice.sees("bob@localhost", "available")
        alice.says("bob@localhost", "before")
        bob.keeps("before")
        cable.cut()
        alice.says("bob@localhost", "meanwhile")
        bob.logs("Session resumption succeeded")
        assert bob.keeps("meanwhile").contact == alice.address
        alice.says("bob@localhost", "after")
        bob.keeps("after")
        bob.says(alice.address, "back again")
        assert alice.hears("back again").sender == "bob@localhost/gajim"
        assert bob.keeps("back again").is_own
        assert cable.connections == 2
        bob_was = [show for jid, show in alice.came_and_went if jid.startswith("bob@localhost")]
        assert bob_was == ["available"]
        assert [kept.body for kept in bob.kept()] == ["before", "meanwhile", "after", "back again"]


def test_it_resumes_when_the_server_was_killed(server, home, screen):
    with Cable(server.port) as cable, Gajim(home, screen, server, "bob", port=cable.port) as bob:
        with Person(server, "alice") as alice:
            alice.sees("bob@localhost", "available")
            alice.says("bob@localhost", "before")
            bob.keeps("before")
            server.is_killed()
        server.starts_again()
        cable.to = server.port
        with Person(server, "alice") as alice:
            alice.says("bob@localhost", "meanwhile")
            bob.logs("Session resumption succeeded")
            bob.keeps("meanwhile")
            bob.says(alice.address, "back again")
            alice.hears("back again")
        assert bob.keeps("back again").is_own
        assert [kept.body for kept in bob.kept()] == ["before", "meanwhile", "back again"]


def test_it_pages_through_the_history_and_has_everything_once(server, home, screen):
    with Person(server, "alice") as alice, Person(server, "bob", resource="phone") as phone:
        said = talk(alice, phone, range(60))
        with Gajim(home, screen, server, "bob") as bob:
            bob.keeps_as_much_as(said)
            assert [(kept.body, kept.is_own) for kept in bob.kept()] == said
            assert {kept.contact for kept in bob.kept()} == {alice.address}
            ids = [kept.stanza_id for kept in bob.kept()]
            assert ids == sorted(set(ids))
        said += talk(alice, phone, range(60, 65))
        alice.says(TEAM, "to the team")
        phone.hears("to the team")
        with Gajim(home, screen, server, "bob") as bob:
            bob.keeps("to the team")
            assert [(kept.body, kept.is_own) for kept in bob.kept()] == [*said, ("to the team", False)]
