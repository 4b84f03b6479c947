"""The main job in one play: Alice has Profanity, Bob has Finch, Carol has slixmpp; nobody added anybody."""

import pytest

from tests.interop.finch import OFFLINE, ONLINE, Finch
from tests.interop.person import Person
from tests.interop.profanity import Profanity

TEAM = "salesteam@localhost"
pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("programs")]  # packages may have to be installed


def test_three_clients_see_each_other_and_chat(server, tmp_path):
    alices, bobs = tmp_path / "alice", tmp_path / "bob"
    alices.mkdir()
    bobs.mkdir()
    with Profanity(alices) as alice, Person(server, "carol", direct_tls=True) as carol:
        alice.connect(server, "alice")
        carol.sees("alice@localhost", "available")

        with Finch(bobs, server, "bob") as bob:
            # all see each other
            alice.terminal.wait_for(r"\+\+ Bob Berger \(Finch\) is online$")
            carol.sees("bob@localhost", "available")
            for name in ("Alice Arden", "Carol Chen", "Sales team"):
                bob.sees(name, ONLINE)
            bob.sees("Dan Dupont", OFFLINE)

            # Profanity and Finch
            alice.conversation("bob@localhost", "Bob Berger").type("Hello from Profanity")
            bob.hears("Alice Arden", "Hello from Profanity").type("Hello from Finch")
            alice.terminal.wait_for(r" - Bob Berger/Finch: Hello from Finch$")

            # Alice writes to the team: Bob and Carol get it, from her; their answers go to her
            alice.conversation(TEAM, "Sales team").type("Who takes this?")
            assert carol.hears("Who takes this?").via == TEAM
            bob.hears("Alice Arden", r"Who takes this\?").type("I do")
            alice.conversation("bob@localhost", "Bob Berger").wait_for(r" - Bob Berger/Finch: I do$")
            carol.says("alice@localhost", "Bob is quicker")
            alice.conversation("carol@localhost", "Carol Chen").wait_for(r": Bob is quicker$")

            # Bob writes to his own team: Carol gets it, Alice is none of it and he does not hear himself
            bob.opens(TEAM, "Sales team").type("Done")
            assert carol.hears("Done").sender == "bob@localhost/Finch"
            assert bob.terminal.wait_for(r"bob@localhost/Finch: Done ").count(": Done") == 1
            assert ": Done" not in alice.terminal.screen()

        # Finch is gone; the team is there as long as Carol is
        carol.sees("bob@localhost", "unavailable")
        console = alice.console()
        console.wait_for(r"-- Bob Berger \(Finch\) is offline")
        carol.sees(TEAM, "available")
        assert "Sales team (alias) is offline" not in console.screen()
        assert [heard.body for heard in carol.heard] == ["Who takes this?", "Done"]
