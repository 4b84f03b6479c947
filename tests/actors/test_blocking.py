"""Blocks hold whatever fails, and for what was on its way when they began."""

from typing import Any

import pytest

from engine import messages as m
from engine.jid import Jid
from engine.presence import Presence
from tests.actors.test_failures import on_stage
from tests.scenarios.blocking import blocked, blocks, hears_refusal, settled, tries, unblocks
from tests.stage.memory_stage import MemoryStage
from tests.stage.player import C, Player

ALICE, BOB = "alice@example.com", "bob@example.com"


async def stay_apart(stage: MemoryStage, alice: Player, bob: Player) -> None:
    """Nothing passes between alice, and bob who blocks her."""
    await settled(stage, alice, bob)
    await alice.is_present("away")
    await bob.is_present("dnd")
    await alice.says(bob.bare, "psst", stanza_id="m1")
    assert await hears_refusal(alice) == ("m1", "service-unavailable", False)
    await bob.says(alice.bare, "hello", stanza_id="m2")
    assert await hears_refusal(bob) == ("m2", "not-acceptable", True)
    await stage.settle(alice)
    await stage.settle(bob)
    assert bob.jid not in alice.presences()
    assert alice.jid not in bob.presences()


@pytest.mark.parametrize("actor", [BOB, ALICE, "example.com", "bob@example.com/r2", "alice@example.com/r1"])
def test_a_block_holds_when_an_actor_begins_anew(actor: str):
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await blocks(bob, alice.bare)
        await settled(stage, alice, bob)
        stage.tell(actor, "nonsense")
        await stay_apart(stage, alice, bob)
        assert await blocked(bob) == [alice.bare]

    on_stage(scene)


def test_sessions_that_asked_for_the_list_are_told_of_it_after_a_failure():
    async def scene(stage: MemoryStage) -> None:
        bob = await stage.enter("bob")
        await blocked(bob)
        for actor in (BOB, "example.com"):
            stage.tell(actor, "nonsense")
            await stage.settle(bob)
        await blocks(bob, ALICE)
        await bob.hears(lambda e: e.get("type") == "set", "a push")

    on_stage(scene)


def test_unblocking_shows_who_is_there_after_the_domain_began_anew():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await blocks(bob, alice.bare)
        stage.tell("example.com", "nonsense")
        await settled(stage, alice, bob)
        await unblocks(bob, alice.bare)
        await alice.hears_presence(bob.jid)
        await bob.hears_presence(alice.jid)

    on_stage(scene)


def on_its_way(alice: Jid, bob: Jid) -> list[tuple[str, Any]]:
    """What had left alice's side before the block."""
    chat = m.Chat(sender=alice, to=bob, body="psst", payload="<body>psst</body>")
    through = m.Chat(sender=alice, to=Jid("salesteam@example.com"), via=Jid("salesteam@example.com"), body="psst")
    request = m.Iq(sender=alice, to=bob, kind="get", stanza_id="q", payload="<ping xmlns='urn:xmpp:ping'/>")
    answer = m.Iq(sender=alice, to=bob, kind="result", stanza_id="q", payload="")
    return [
        (bob.bare, m.DeliverChat(chat)),
        (bob.bare, m.DeliverChat(through)),
        (bob.full, m.DeliverIq(request)),
        (bob.full, m.DeliverIq(answer)),
        (bob.bare, m.SendPresence(alice, bob, Presence("dnd"))),
        (bob.bare, m.SendPresence(alice, bob.to_bare(), None)),
    ]


def test_what_was_on_its_way_does_not_arrive():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await blocks(bob, alice.bare)
        await settled(stage, alice, bob)
        for address, message in on_its_way(Jid.parse(alice.jid), Jid.parse(bob.jid)):
            stage.tell(address, message)
        await stage.settle(bob)
        assert bob.heard == []
        assert await hears_refusal(alice) == ("q", "service-unavailable", False)
        assert alice.heard == []
        await unblocks(bob)
        await settled(stage, alice, bob)
        for address, message in on_its_way(Jid.parse(alice.jid), Jid.parse(bob.jid)):
            stage.tell(address, message)
        await stage.settle(bob)
        assert len(bob.heard) == 6, "all of it is what would have arrived"

    on_stage(scene)


def test_a_newcomer_is_not_told_of_a_block_that_just_began():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice", is_present=False), await stage.enter("bob")
        carol = await stage.enter("carol")
        await settled(stage, bob, carol)
        await bob.is_present("dnd")
        await carol.hears_presence(bob.jid, "dnd")  # a tick: the next one is due in a while
        await blocks(bob, alice.bare)
        await alice.is_present()
        await stage.settle(alice)
        assert bob.jid not in alice.presences()
        await carol.hears_presence(alice.jid)

    on_stage(scene)


def test_what_a_blocker_takes_back_arrives_and_nothing_else():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await blocks(bob, alice.bare)
        await settled(stage, alice, bob)
        stage.tell(alice.bare, m.SendPresence(Jid.parse(bob.jid), Jid(ALICE), Presence()))
        stage.tell(alice.bare, m.SendPresence(Jid.parse(bob.jid), Jid(ALICE), None))
        await stage.settle(alice)
        [heard] = alice.heard
        assert (heard.tag, heard.get("type")) == (f"{C}presence", "unavailable")

    on_stage(scene)


def test_a_disk_that_fails_changes_nothing():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await blocks(bob, "carol@example.com")
        with stage.broken_accounts():
            assert await tries(bob, "block", alice.bare) == "resource-constraint"
            assert await tries(bob, "unblock") == "resource-constraint"
            assert await blocked(bob) == ["carol@example.com"], "the list can be read all the same"
        await alice.says(bob.bare, "hello")
        await bob.hears_message("hello")

    on_stage(scene)
