"""Plays about presence and blocking (XEP-0191): neither sees the other, and nobody else notices."""

from itertools import pairwise

from tests.scenarios.blocking import SALES, blocks, command, hears_refusal, settled, unblocks
from tests.stage.play import play
from tests.stage.stage import Stage


@play
async def test_who_is_blocked_sees_the_blocker_go_and_come_back(stage: Stage):
    alice, erin = await stage.enter("alice"), await stage.enter("erin")
    desk, phone = await stage.enter("bob", "desk"), await stage.enter("bob", "phone", show="away")
    await settled(stage, alice, erin, desk, phone)
    await blocks(desk, alice.bare)
    await alice.hears_unavailable(desk.jid)
    await alice.hears_unavailable(phone.jid)
    await desk.hears_unavailable(alice.jid)
    await settled(stage, alice, erin, desk, phone)
    await alice.is_present("away")
    await desk.is_present("dnd")
    await phone.is_present("xa")
    await erin.hears_presence(desk.jid, "dnd")
    await erin.hears_presence(alice.jid, "away")
    await phone.hears_presence(desk.jid, "dnd")
    await alice.hears_presence(SALES, "dnd")
    await settled(stage, erin)
    await stage.settle(alice)
    await stage.settle(desk)
    assert set(alice.presences()) == {alice.jid}, "but for the alias, which goes on: bob is of the sales team"
    assert alice.jid not in desk.presences()
    assert alice.jid not in phone.presences()
    await phone.leaves()
    await erin.hears_unavailable(phone.jid)
    await settled(stage, alice, desk)
    await unblocks(desk, alice.bare)
    await alice.hears_presence(desk.jid, "dnd")
    await desk.hears_presence(alice.jid, "away")
    await stage.settle(alice)
    await stage.settle(erin)
    assert phone.jid not in alice.presences()
    assert erin.presences() == [], "nobody else notices"
    await desk.is_present()
    await alice.hears_presence(desk.jid)


@play
async def test_neither_sees_the_other_at_the_first_look(stage: Stage):
    bob = await stage.enter("bob")
    await blocks(bob, "alice@example.com")
    alice, carol = await stage.enter("alice"), await stage.enter("carol")
    await carol.hears_presence(bob.jid)
    await carol.hears_presence(alice.jid)
    again = await stage.enter("bob", "again")
    await again.hears_presence(carol.jid)
    await stage.settle(alice)
    await stage.settle(again)
    assert not {bob.jid, again.jid} & set(alice.presences())
    assert alice.jid not in again.presences() + bob.presences()
    await bob.is_cut_off()
    await carol.hears_unavailable(bob.jid)
    await stage.settle(alice)
    assert bob.jid not in alice.presences()


@play
async def test_two_who_block_each_other_meet_again_when_both_unblock(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await settled(stage, alice, bob)
    await blocks(alice, bob.bare)
    await blocks(bob, alice.bare)
    await stage.settle(alice)
    await stage.settle(bob)
    assert alice.presences().count(bob.jid) == 1, "the second block has nothing more to hide"
    assert bob.presences().count(alice.jid) == 1
    await settled(stage, alice, bob)
    await unblocks(alice)
    await stage.settle(alice)
    await stage.settle(bob)
    assert (alice.presences(), bob.presences()) == ([], [])
    await unblocks(bob)
    await alice.hears_presence(bob.jid)
    await bob.hears_presence(alice.jid)


@play
async def test_probes_and_subscriptions_are_answered_as_of_somebody_absent(stage: Stage):
    bob, alice = await stage.enter("bob"), await stage.enter("alice")
    await blocks(bob, alice.bare)
    await settled(stage, bob, alice)

    async def answers(address: str) -> list[dict[str, str]]:
        for kind in ("probe", "subscribe"):
            await alice.sends(f"<presence type='{kind}' to='{address}'/>")
        await alice.sends(f"<presence type='probe' to='{address}/{bob.jid.partition('/')[2]}'/>")
        await stage.settle(alice)
        heard = [{key: value.replace(address, "X") for key, value in e.attrib.items()} for e in alice.heard]
        alice.forget()
        return heard

    assert await answers(bob.bare) == await answers("dan@example.com")
    assert bob.presences() == []


@play
async def test_the_blocker_is_told_that_he_blocks(stage: Stage):
    bob, alice = await stage.enter("bob"), await stage.enter("alice")
    await blocks(bob, alice.bare)
    await settled(stage, bob, alice)
    for kind in ("probe", "subscribe", "unsubscribe"):
        await bob.sends(f"<presence type='{kind}' to='{alice.bare}'/>")
        assert await hears_refusal(bob) == ("", "not-acceptable", True)
    await bob.is_present("dnd", to=alice.jid)
    assert await hears_refusal(bob) == ("", "not-acceptable", True)
    await bob.sends(f"<presence type='unavailable' to='{alice.jid}'/><presence type='error' to='{alice.jid}'/>")
    await settled(stage, bob)
    await bob.is_cut_off()
    await alice.hears_unavailable(SALES)
    await stage.settle(alice)
    assert alice.presences() == []


@play
async def test_directed_presence_is_taken_back_and_does_not_pass(stage: Stage):
    hidden = await stage.enter("bob", is_present=False)
    alice, carol = await stage.enter("alice"), await stage.enter("carol")
    for person in (alice, carol):
        await hidden.is_present(to=person.bare)
        await person.hears_presence(hidden.jid)
    await blocks(hidden, alice.bare)
    await alice.hears_unavailable(hidden.jid)
    await alice.is_present("away", to=hidden.jid)
    await settled(stage, alice, hidden)
    await hidden.is_cut_off()
    await carol.hears_unavailable(hidden.jid)
    await stage.settle(alice)
    assert (alice.presences(), hidden.presences()) == ([], [])


@play
async def test_directed_presence_is_taken_back_from_one_session(stage: Stage):
    hidden = await stage.enter("bob", is_present=False)
    desk, phone = await stage.enter("alice", "desk"), await stage.enter("alice", "phone")
    await hidden.is_present(to=desk.bare)
    for device in (desk, phone):
        await device.hears_presence(hidden.jid)
    await blocks(hidden, phone.jid)
    await phone.hears_unavailable(hidden.jid)
    await settled(stage, desk, phone)
    await hidden.is_present("away", to=desk.bare)
    await desk.hears_presence(hidden.jid, "away")
    await hidden.is_cut_off()
    await desk.hears_unavailable(hidden.jid)
    await stage.settle(phone)
    assert hidden.jid not in phone.presences()


@play
async def test_blocking_in_turns_comes_out_right(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await settled(stage, alice, bob)
    stanzas = [
        f"<iq type='set' id='{n}'>{command('unblock' if n % 2 else 'block', alice.bare)}</iq>" for n in range(99)
    ]
    await bob.sends("".join(stanzas))
    await bob.hears(lambda e: e.get("id") == "98")
    await stage.settle(alice)
    heard = [e.get("type") for e in alice.heard if e.get("from") == bob.jid]
    assert heard[-1] == "unavailable"
    assert all(one != other for one, other in pairwise(heard)), "what did not change is not told"
