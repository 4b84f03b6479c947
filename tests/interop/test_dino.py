"""Dino, with windows, on a display that nobody looks at."""

import pytest

from tests.interop.dino import Dino
from tests.interop.person import Person, talk

TEAM = "salesteam@localhost"
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("desktop_programs"),
]  # packages may have to be installed


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "dino"
    folder.mkdir()
    return folder


def test_it_logs_in_chats_and_resumes(server, home, screen):
    with Person(server, "alice") as alice, Person(server, "carol") as carol:
        with Dino(home, screen, server, "bob") as bob:
            alice.sees("bob@localhost", "available")
            bob.knows(
                {
                    "alice@localhost": "Alice Arden",
                    "carol@localhost": "Carol Chen",
                    "dan@localhost": "Dan Dupont",
                    "erin@localhost": "Erin Evans",
                    TEAM: "Sales team",
                }
            )
            alice.says("bob@localhost", "Hello Bob")
            assert bob.keeps("Hello Bob").contact == alice.address
            bob.says(alice.address, "Hello Alice")
            assert alice.hears("Hello Alice").sender == "bob@localhost/dino"
            alice.says(TEAM, "Hello team")
            assert bob.keeps("Hello team").contact == alice.address
            bob.says(TEAM, "Bob to the team")
            heard = carol.hears("Bob to the team")
            assert (heard.sender, heard.via) == ("bob@localhost/dino", TEAM)

            bob.cable.cut()
            alice.says("bob@localhost", "meanwhile")
            bob.logs("urn:xmpp:sm:3}:resumed")
            assert bob.keeps("meanwhile").contact == alice.address
            assert [kept.body for kept in bob.kept()].count("Hello Bob") == 1
            assert ("bob@localhost/dino", "unavailable") not in alice.came_and_went
        assert [heard.body for heard in alice.heard] == ["Hello Alice"]


def test_it_pages_through_the_history_and_has_everything_once(server, home, screen):
    with Person(server, "alice") as alice, Person(server, "bob", resource="phone") as phone:
        said = talk(alice, phone, range(5))
        with Dino(home, screen, server, "bob") as bob:  # the first time it fetches one page, of twenty
            bob.keeps(said[0][0])
            bob.keeps(said[-1][0])
        said += talk(alice, phone, range(5, 60))
        with Dino(home, screen, server, "bob") as bob:
            bob.keeps_as_much_as(said)
            kept = sorted(bob.kept(), key=lambda kept: kept.stanza_id)  # it keeps times in seconds
            assert [(each.body, each.is_own) for each in kept] == said
            assert len({each.stanza_id for each in kept}) == len(said)
