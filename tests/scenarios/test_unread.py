"""What is unread: the same on every device."""

from tests.stage.play import play
from tests.stage.player import Player
from tests.stage.reading import live_id, read_inbox
from tests.stage.stage import Stage

ALICE, BOB, CAROL, TEAM = (f"{name}@example.com" for name in ("alice", "bob", "carol", "salesteam"))


async def marks(player: Player, to: str, called: str) -> None:
    """A displayed marker."""
    displayed = f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{called}'/>"
    await player.sends(f"<message to='{to}' type='chat'>{displayed}</message>")


@play
async def test_a_conversation_is_read_on_one_device_and_then_on_all(stage: Stage):
    alice = await stage.enter("alice")
    desk, phone = await stage.enter("bob", "desk"), await stage.enter("bob", "phone")
    for number in range(3):
        await alice.says(BOB, str(number), stanza_id=f"m{number}")
    for device in (desk, phone):
        await device.hears_message("2")
        assert (await read_inbox(device))[0] == [(ALICE, "2", 3)]
    await marks(desk, ALICE, "m1")
    for device in (desk, phone):  # the one that marked first: what another one sent may still be on its way
        assert (await read_inbox(device))[0] == [(ALICE, "2", 1)]
    await marks(desk, ALICE, "m0")  # a device that was asleep
    await marks(desk, ALICE, "unheard of")
    assert (await read_inbox(desk))[0] == [(ALICE, "2", 1)]
    await phone.says(ALICE, "reply")
    assert (await read_inbox(phone))[0] == [(ALICE, "reply", 0)]
    assert (await read_inbox(desk))[0] == [(ALICE, "reply", 0)]


@play
async def test_the_archive_id_is_a_name_for_what_was_read(stage: Stage):
    alice = await stage.enter("alice")
    bob = await stage.enter("bob")
    await alice.says(BOB, "one")
    await alice.says(BOB, "two")
    one = live_id(await bob.hears_message("one"))
    await marks(bob, ALICE, one)
    assert (await read_inbox(bob))[0] == [(ALICE, "two", 1)]


@play
async def test_all_conversations(stage: Stage):
    alice, bob, carol = [await stage.enter(name) for name in ("alice", "bob", "carol")]
    await alice.says(CAROL, "to carol")
    await alice.says(TEAM, "to all")
    await bob.hears_message("to all")
    await bob.says(ALICE, "to alice")
    await alice.hears_message("to alice")
    listed, fin = await read_inbox(alice)
    assert listed == [(BOB, "to alice", 1), (TEAM, "to all", 0), (CAROL, "to carol", 0)]
    assert (fin.get("total"), fin.get("unread"), fin.get("all-unread")) == ("3", "1", "1")
    assert (await read_inbox(alice, " unread-only='true'"))[0] == [(BOB, "to alice", 1)]
    assert (await read_inbox(alice, " messages='false'"))[0][0] == (BOB, None, 1)
    assert (await read_inbox(alice, "", "<max>1</max>"))[0] == [(BOB, "to alice", 1)]
    assert (await read_inbox(carol))[0] == [(ALICE, "to all", 2)]
    assert (await read_inbox(await stage.enter("erin")))[0] == []
    assert (await read_inbox(await stage.enter("zoe", domain="example.org")))[0] == []
