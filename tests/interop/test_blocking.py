"""slixmpp blocks a colleague, and unblocks him."""

import pytest
import slixmpp

from tests.interop.person import Person

pytestmark = pytest.mark.timeout(60)


def test_a_person_blocks_another(server):
    with (
        Person(server, "alice") as alice,
        Person(server, "bob", resource="desk") as bob,
        Person(server, "bob", resource="phone") as phone,
    ):
        pushed: list[set[str]] = []

        async def start() -> set[slixmpp.JID]:
            phone.client.register_plugin("xep_0191")
            phone.client.add_event_handler("blocked", lambda iq: pushed.append({str(i["jid"]) for i in iq["block"]}))
            return await phone.client.plugin["xep_0191"].get_blocked_jids()

        async def block() -> set[slixmpp.JID]:
            bob.client.register_plugin("xep_0191")
            await bob.client.plugin["xep_0191"].block(slixmpp.JID(alice.address))
            return await bob.client.plugin["xep_0191"].get_blocked_jids()

        async def unblock() -> set[slixmpp.JID]:
            await bob.client.plugin["xep_0191"].unblock(slixmpp.JID(alice.address))
            return await bob.client.plugin["xep_0191"].get_blocked_jids()

        assert phone.do(start) == set()
        alice.sees(bob.jid, "available")
        assert bob.do(block) == {alice.address}
        alice.sees(bob.address, "unavailable")
        bob.sees(alice.address, "unavailable")
        phone.sees(alice.address, "unavailable")
        assert bob.do(unblock) == set()
        alice.sees(bob.jid, "available")
        alice.says(bob.address, "all is well")
        bob.hears("all is well")
        phone.hears("all is well")
        assert pushed == [{alice.address}]
