"""Plays about members who are removed: their history goes with them, the others keep theirs."""

import trio

from engine import administration as a
from tests.stage.play import play
from tests.stage.player import condition, is_error
from tests.stage.stage import Stage

ALICE, BOB, TEAM = "alice@example.com", "bob@example.com", "salesteam@example.com"
REMOVE_ALICE, ADD_ALICE = a.RemoveUser(ALICE), a.AddUser(user=a.NewUser(address=ALICE, name="Alice Other"))


async def bodies(stage: Stage, owner: str) -> list[str]:
    return [body for _, _, body in await stage.history(owner)]


@play
async def test_the_other_side_keeps_its_conversation(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.says(bob.bare, "hello bob")
    await bob.hears_message("hello bob")
    await bob.says(alice.bare, "hello alice")
    await alice.hears_message("hello alice")
    await alice.says(alice.bare, "note to myself")
    await stage.settle(alice)
    await stage.operate(REMOVE_ALICE)
    await alice.hears_cut()
    assert await stage.history(ALICE) == []
    assert [(sender, body) for _, sender, body in await stage.history(BOB)] == [
        (ALICE, "hello bob"),
        (BOB, "hello alice"),
    ]
    assert await stage.conversations(BOB) == [ALICE]


@play
async def test_an_address_that_is_given_again_begins_anew(stage: Stage):
    alice, bob = await stage.enter("alice", "desk"), await stage.enter("bob")
    await alice.says(bob.bare, "from the first")
    await bob.hears_message("from the first")
    await stage.operate(REMOVE_ALICE)
    await stage.operate(ADD_ALICE)
    other = await stage.enter("alice", "desk")
    await stage.settle(other)
    assert other.messages() == []
    await bob.says(ALICE, "to the second")
    await other.hears_message("to the second")
    assert await bodies(stage, ALICE) == ["to the second"]
    assert await bodies(stage, BOB) == ["from the first", "to the second"]


@play
async def test_what_waited_for_somebody_who_was_removed_waits_for_nobody(stage: Stage):
    bob = await stage.enter("bob")
    await bob.says(ALICE, "are you there?")
    await stage.settle(bob)
    await stage.operate(REMOVE_ALICE)
    await stage.operate(ADD_ALICE)
    other = await stage.enter("alice")
    await stage.settle(other)
    assert other.messages() == []
    assert await bodies(stage, BOB) == ["are you there?"]


@play
async def test_a_session_of_somebody_who_was_removed_is_not_resumed(stage: Stage):
    alice = await stage.enter("alice", "desk")
    await alice.counts()
    await alice.is_cut_off()
    await stage.operate(REMOVE_ALICE)
    await stage.operate(ADD_ALICE)
    assert (await stage.resume(alice)).tag.endswith("failed")


@play
async def test_a_removal_in_the_middle_of_talk(stage: Stage):
    """Whatever was on its way: the history of the address holds only what came after it was given again."""
    alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")

    async def talk(player, *to: str) -> None:
        for number in range(100):
            for address in to:
                await player.says(address, f"{player.bare} {number}")
                await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk, bob, ALICE, TEAM)
        nursery.start_soon(talk, carol, ALICE)
        nursery.start_soon(stage.operate, REMOVE_ALICE)
        await alice.says(BOB, "my last words")
    await stage.settle(bob)
    await stage.settle(carol)
    assert await stage.history(ALICE) == []
    await stage.operate(ADD_ALICE)
    await bob.says(ALICE, "welcome")
    await stage.settle(bob)
    assert await bodies(stage, ALICE) == ["welcome"]


@play
async def test_a_member_of_an_alias_who_is_removed_in_the_middle_of_talk(stage: Stage):
    alice = await stage.enter("alice")

    async def talk() -> None:
        for number in range(100):
            await alice.says(TEAM, f"{number}")
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        nursery.start_soon(stage.operate, a.RemoveUser(BOB))
    await stage.settle(alice)
    assert await stage.history(BOB) == []
    assert await bodies(stage, ALICE) == [f"{number}" for number in range(100)]


@play
async def test_what_somebody_says_who_was_removed_is_not_kept(stage: Stage):
    bob = await stage.enter("bob")
    alice = await stage.enter("alice")
    await stage.operate(REMOVE_ALICE)
    await bob.says(ALICE, "who?", stanza_id="1")
    assert condition(await bob.hears(is_error)) == "service-unavailable"
    await alice.hears_cut()
    assert await stage.history(BOB) == []
