"""Stream management (XEP-0198): stanzas are acknowledged, and a session goes on over another connection."""

from tests.stage.play import play
from tests.stage.player import SM, C, condition, is_error
from tests.stage.stage import Stage

PING = "<iq type='get' id='{}'><ping xmlns='urn:xmpp:ping'/></iq>"


@play
async def test_a_further_acknowledgement_follows_the_commit(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.counts()
    await stage.settle(alice)
    before = alice.sent
    await alice.sends(f"<message to='{bob.bare}' type='chat'><body>now</body></message><r xmlns='urn:xmpp:sm:3'/>")
    assert await alice.hears_how_far() <= before, "it is not on disk yet"
    assert await alice.hears_how_far() == before + 1


@play
async def test_what_is_refused_is_done_too(stage: Stage):
    alice = await stage.enter("alice")
    await alice.counts(resume=False)
    await alice.says("nobody@example.com", "hello?")
    assert condition(await alice.hears(is_error)) == "service-unavailable"
    assert await alice.asks_how_far() == 1


@play
async def test_what_could_not_be_stored_is_told_and_nobody_gets_it(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.counts()
    await stage.settle(alice)
    with stage.broken_archive():
        await alice.says(bob.bare, "lost?")
        assert condition(await alice.hears(is_error)) == "resource-constraint"
    await alice.says(bob.bare, "kept")
    await bob.hears_message("kept")
    await stage.settle(alice)
    assert bob.messages() == []


@play
async def test_a_client_comes_back_and_has_everything_once(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", "desk")
    await bob.counts()
    await alice.says(bob.bare, "one")
    await bob.hears_message("one")
    handled = bob.handled
    await alice.says(bob.bare, "two")
    await bob.hears_message("two")
    await bob.is_cut_off()
    await stage.settle(alice)
    await alice.says(bob.bare, "three")
    await stage.settle(alice)
    bob.handled = handled  # "two" was written, and lost on its way
    resumed = await stage.resume(bob)
    assert (resumed.tag, resumed.get("previd")) == (f"{SM}resumed", bob.token)
    await bob.hears_message("two")
    await bob.hears_message("three")
    await alice.says(bob.bare, "four")
    await bob.hears_message("four")
    await stage.settle(bob)
    assert bob.messages() == []


@play
async def test_a_resumption_is_seen_by_nobody(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", "desk")
    await bob.counts()
    await alice.hears_presence(bob.jid)
    await bob.is_cut_off()
    await stage.settle(alice)
    await stage.resume(bob)
    await stage.settle(alice)
    assert bob.jid not in alice.presences()


@play
async def test_it_says_how_much_was_done(stage: Stage):
    alice, bob = await stage.enter("alice", "desk"), await stage.enter("bob")
    await alice.counts()
    await alice.says(bob.bare, "one")
    await alice.sends(PING.format("p1"))
    await alice.hears(lambda e: e.get("id") == "p1")
    await bob.hears_message("one")
    await alice.is_cut_off()
    assert (await stage.resume(alice)).get("h") == "2"
    await alice.says(bob.bare, "two")
    await bob.hears_message("two")


@play
async def test_answers_and_presence_that_were_missed_follow(stage: Stage):
    alice, bob = await stage.enter("alice", "desk"), await stage.enter("bob")
    await alice.counts()
    await alice.hears_presence(bob.jid)
    await alice.is_cut_off()
    await stage.settle(bob)
    await bob.is_present("away")
    await bob.is_present("dnd")
    await bob.sends(f"<iq type='get' id='v1' to='{alice.jid}'><query xmlns='jabber:iq:version'/></iq>")
    await stage.settle(bob)
    await stage.resume(alice)
    await alice.hears(lambda e: e.tag == f"{C}iq" and e.get("id") == "v1")
    await alice.hears_presence(bob.jid, "dnd")
    assert [e.findtext(f"{C}show") for e in alice.heard if e.tag == f"{C}presence"].count("away") == 0


@play
async def test_the_last_one_who_resumes_has_it(stage: Stage):
    alice, bob = await stage.enter("alice", "desk"), await stage.enter("bob")
    await alice.counts()
    await stage.settle(alice)
    await stage.resume(alice)
    await bob.says(alice.bare, "to the new one")
    await alice.hears_message("to the new one")
    await stage.settle(alice)
    assert alice.messages() == []


@play
async def test_there_is_nothing_to_resume(stage: Stage):
    alice, bob = await stage.enter("alice", "desk"), await stage.enter("bob")
    await alice.counts()
    bob.token = alice.token  # somebody else's session
    await bob.is_cut_off()
    failed = await stage.resume(bob)
    assert failed.tag == f"{SM}failed"
    assert failed[0].tag == "{urn:ietf:params:xml:ns:xmpp-stanzas}item-not-found"
    await alice.says(alice.bare, "still here")
    await alice.hears_message("still here")
    await alice.leaves()
    await stage.settle(await stage.enter("carol"))
    assert (await stage.resume(alice)).tag == f"{SM}failed", "it said goodbye"


@play
async def test_who_acknowledges_too_much_is_cut(stage: Stage):
    alice = await stage.enter("alice")
    await alice.counts()
    await alice.sends("<a xmlns='urn:xmpp:sm:3' h='4000000000'/>")
    assert await alice.hears_stream_error() == "undefined-condition"


@play
async def test_it_is_enabled_once(stage: Stage):
    alice = await stage.enter("alice")
    await alice.counts()
    await alice.sends("<enable xmlns='urn:xmpp:sm:3'/>")
    assert (await alice.hears_nonza("failed"))[0].tag.endswith("}unexpected-request")
    await alice.sends("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>")
    assert (await alice.hears_nonza("failed"))[0].tag.endswith("}unexpected-request")


@play
async def test_who_does_not_come_back_leaves_his_chats_to_the_next(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", "phone")
    await bob.counts()
    await stage.settle(bob)
    await bob.acknowledges()
    await bob.is_cut_off()
    await stage.settle(alice)
    await alice.says(bob.bare, "while he was away")
    await stage.settle(alice)
    desk = await stage.enter("bob", "desk")
    await desk.hears_message("while he was away")
