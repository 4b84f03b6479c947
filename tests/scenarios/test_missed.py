"""What a client missed: each client gets it once, with the time when it was said, whatever other devices did meanwhile."""

from tests.stage.play import play
from tests.stage.stage import Stage

DELAY = "{urn:xmpp:delay}delay"


@play
async def test_each_client_gets_what_it_missed_though_another_was_here(stage: Stage):
    alice = await stage.enter("alice")
    pidgin, phone = await stage.enter("bob", "pidgin"), await stage.enter("bob", "phone")
    await stage.settle(pidgin)
    await alice.says(pidgin.bare, "both are here")
    await pidgin.hears_message("both are here")
    await phone.hears_message("both are here")
    await pidgin.leaves()
    await alice.hears_unavailable(pidgin.jid)
    for number in range(3):
        await alice.says(phone.bare, f"message {number}")
        await phone.hears_message(f"message {number}")
    await stage.settle(phone)
    pidgin = await stage.enter("bob", "pidgin")
    for number in range(3):
        message = await pidgin.hears_message(f"message {number}")
        assert message.find(DELAY) is not None
    await stage.settle(pidgin)
    await alice.says(phone.bare, "now")
    assert (await pidgin.hears_message("now")).find(DELAY) is None
    await phone.hears_message("now")
    await stage.settle(pidgin)
    assert pidgin.messages() == phone.messages() == []


@play
async def test_a_new_client_gets_what_nobody_has_got(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", "desk")
    await stage.settle(bob)
    await alice.says(bob.bare, "seen at the desk")
    await bob.hears_message("seen at the desk")
    await bob.leaves()
    await alice.hears_unavailable(bob.jid)
    await alice.says(bob.bare, "seen nowhere")
    await stage.settle(alice)
    phone = await stage.enter("bob", "phone")
    await phone.hears_message("seen nowhere")
    await stage.settle(phone)
    assert phone.messages() == []


@play
async def test_a_random_resource_is_the_client_that_it_was(stage: Stage):
    alice = await stage.enter("alice")
    first, phone = await stage.enter("bob", "mcabber.7f3a9c01"), await stage.enter("bob", "phone")
    await stage.settle(first)
    await first.leaves()
    await alice.hears_unavailable(first.jid)
    await alice.says(first.bare, "missed")
    await phone.hears_message("missed")
    again = await stage.enter("bob", "mcabber.11d0c2aa")
    await again.hears_message("missed")


@play
async def test_what_was_said_to_another_device_is_missed_too(stage: Stage):
    alice = await stage.enter("alice")
    pidgin, phone = await stage.enter("bob", "pidgin"), await stage.enter("bob", "phone")
    await stage.settle(pidgin)
    await pidgin.leaves()
    await alice.hears_unavailable(pidgin.jid)
    await alice.says(phone.jid, "to the phone")
    await phone.hears_message("to the phone")
    pidgin = await stage.enter("bob", "pidgin")
    assert (await pidgin.hears_message("to the phone")).get("to") == "bob@example.com"


@play
async def test_unavailable_for_a_while(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", "desk")
    await stage.settle(bob)
    await bob.is_unavailable()
    await alice.hears_unavailable(bob.jid)
    await alice.says(bob.bare, "are you there?")
    await alice.says(bob.jid, "for this session alone")
    await bob.hears_message("for this session alone")
    await stage.settle(alice)
    assert bob.messages() == []
    await bob.is_present()
    await bob.hears_message("are you there?")
    await stage.settle(bob)
    assert bob.messages() == []


@play
async def test_in_order_while_others_write(stage: Stage):
    alice = await stage.enter("alice")
    for number in range(40):
        await alice.says("bob@example.com", str(number))
    bob = await stage.enter("bob")
    for number in range(40, 80):
        await alice.says("bob@example.com", str(number))
    await bob.hears_message("79")
    assert bob.messages() == [str(number) for number in range(79)]


@play
async def test_a_new_client_gets_more_than_waits_in_memory_for_it(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", "desk")
    await stage.settle(bob)
    await bob.leaves()
    await alice.hears_unavailable(bob.jid)
    texts = [f"{number} {'long ' * 6_000}".strip() for number in range(4)]
    for text in texts:
        await alice.says(bob.bare, text)
    await stage.settle(alice)
    phone = await stage.enter("bob", "phone")
    await alice.says(bob.bare, "and then")
    for text in (*texts, "and then"):
        await phone.hears_message(text)
    await stage.settle(phone)
    assert phone.messages() == []
