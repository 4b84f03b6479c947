"""Plays about presence: four statuses, several sessions, aliases, bursts (RFC 6121 section 4)."""

import pytest

from tests.stage.play import play
from tests.stage.player import C
from tests.stage.stage import Stage

SALES = "salesteam@example.com"


@play
async def test_everyone_sees_everyone_without_asking(stage: Stage):
    alice = await stage.enter("alice")
    bob = await stage.enter("bob")
    await alice.hears_presence(bob.jid)
    await bob.hears_presence(alice.jid)


@pytest.mark.parametrize("show", ["", "chat", "away", "xa", "dnd"])
@play
async def test_each_status_reaches_the_others(stage: Stage, show: str):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.hears_presence(bob.jid)
    await bob.is_present(show or "away")
    await bob.is_present(show, text="over <here>")
    seen = await alice.hears(lambda e: e.get("from") == bob.jid and e.findtext(f"{C}status") == "over <here>")
    assert (seen.findtext(f"{C}show") or "") == show


@play
async def test_going_is_seen_however_it_happens(stage: Stage):
    alice = await stage.enter("alice")
    goodbye, cut, quiet = [await stage.enter("bob", name) for name in ("goodbye", "cut", "quiet")]
    for device in (goodbye, cut, quiet):
        await alice.hears_presence(device.jid)
    await goodbye.leaves()
    await alice.hears_unavailable(goodbye.jid)
    await cut.is_cut_off()
    await alice.hears_unavailable(cut.jid)
    await quiet.is_unavailable()
    await alice.hears_unavailable(quiet.jid)


@play
async def test_a_newcomer_sees_the_board_and_himself(stage: Stage):
    bob = await stage.enter("bob", show="dnd")
    await bob.hears_presence(bob.jid, "dnd")
    alice = await stage.enter("alice")
    await alice.hears_presence(bob.jid, "dnd")
    await alice.hears_presence(alice.jid)


@play
async def test_who_comes_is_told_of_himself_once(stage: Stage):
    for name in ("alice", "bob", "carol"):  # each comes while the one before is not told to all yet
        await stage.enter(name)
    dan = await stage.enter("dan")
    erin = await stage.enter("erin")
    await dan.hears_presence(erin.jid)
    await stage.settle(dan)
    assert dan.presences().count(dan.jid) == 1
    await dan.is_present("away")
    await erin.hears_presence(dan.jid, "away")
    await dan.hears_presence(dan.jid, "away")


@play
async def test_own_sessions_see_each_other(stage: Stage):
    desk, phone = await stage.enter("alice", "desk"), await stage.enter("alice", "phone")
    await desk.hears_presence(phone.jid)
    await phone.hears_presence(desk.jid)


@play
async def test_an_unavailable_session_sees_nobody(stage: Stage):
    watcher = await stage.enter("alice", is_present=False)
    bob = await stage.enter("bob")
    await stage.settle(bob)
    await stage.settle(watcher)
    assert watcher.presences() == []
    await watcher.is_present()
    await watcher.hears_presence(bob.jid)


@play
async def test_an_alias_is_as_available_as_the_best_of_its_members(stage: Stage):
    alice = await stage.enter("alice")
    bob = await stage.enter("bob", show="dnd")
    await alice.hears_presence(SALES, "dnd")
    carol = await stage.enter("carol", show="away")
    await alice.hears_presence(SALES, "away")
    await bob.is_present()
    await alice.hears_presence(SALES, "")
    await bob.leaves()
    await alice.hears_presence(SALES, "away")
    await carol.leaves()
    await alice.hears_unavailable(SALES)


@play
async def test_a_burst_is_coalesced_and_the_last_state_wins(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.hears_presence(bob.jid)
    await stage.settle(alice)
    await bob.sends("".join(f"<presence><show>away</show><status>{n}</status></presence>" for n in range(200)))
    await bob.is_present("dnd", text="done")
    await alice.hears(lambda e: e.findtext(f"{C}status") == "done")
    assert len([e for e in alice.heard if e.get("from") == bob.jid]) <= 3


@play
async def test_directed_presence_reaches_its_address_and_is_taken_back(stage: Stage):
    hidden = await stage.enter("alice", is_present=False)
    bob, carol = await stage.enter("bob"), await stage.enter("carol")
    await hidden.is_present(to=bob.bare)
    await bob.hears_presence(hidden.jid)
    await hidden.is_cut_off()
    await bob.hears_unavailable(hidden.jid)
    await stage.settle(carol)
    assert hidden.jid not in carol.presences()


@play
async def test_a_probe_is_answered(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", show="away")
    await alice.hears_presence(bob.jid, "away")
    await alice.sends(f"<presence type='probe' to='{bob.bare}'/>")
    await alice.hears_presence(bob.jid, "away")
    await alice.sends("<presence type='probe' to='dan@example.com'/>")
    await alice.hears_unavailable("dan@example.com")


@play
async def test_a_domain_sees_nothing_of_another(stage: Stage):
    alice = await stage.enter("alice")
    stranger = await stage.enter("zoe", domain="example.org")
    await stranger.is_present(to=alice.bare)
    for kind in ("probe", "subscribe", "unsubscribe"):
        await stranger.sends(f"<presence type='{kind}' to='{alice.bare}'/>")
        await stranger.sends(f"<presence type='{kind}' to='nobody@example.com'/>")
    await stage.settle(stranger)
    await stage.settle(alice)
    assert {sender.partition("/")[0] for sender in stranger.presences()} <= {stranger.bare}
    assert {sender.partition("/")[0] for sender in alice.presences()} <= {alice.bare}


@play
async def test_subscriptions_are_answered_at_once(stage: Stage):
    alice = await stage.enter("alice")
    await alice.asks("<query xmlns='jabber:iq:roster'/>")
    await alice.sends("<presence type='subscribe' to='bob@example.com'/>")
    await alice.hears_presence("bob@example.com", None, "subscribed")
    for kind in ("unsubscribe", "unsubscribed", "subscribed"):
        await alice.sends(f"<presence type='{kind}' to='bob@example.com'/>")
        push = await alice.hears(lambda e: e.tag == f"{C}iq" and e.get("type") == "set")
        [item] = push.iter("{jabber:iq:roster}item")
        assert (item.get("jid"), item.get("subscription")) == ("bob@example.com", "both")
