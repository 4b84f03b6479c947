"""Reading one's own history, on any device."""

import pytest

from tests.stage.play import play
from tests.stage.player import C, condition, is_error
from tests.stage.reading import live_id, read_all, read_page
from tests.stage.stage import Stage

ALICE, BOB, CAROL, TEAM = (f"{name}@example.com" for name in ("alice", "bob", "carol", "salesteam"))


@play
async def test_what_was_just_sent_is_read_at_once(stage: Stage):
    """No matter how little time passes, and no matter whether it went to a person or through an alias."""
    alice = await stage.enter("alice")
    for number in range(10):
        await alice.says(BOB, f"to bob {number}")
        await alice.says(TEAM, f"to all {number}")
        page = await read_page(alice, "<max>2</max><before/>")
        assert page.bodies == [f"to bob {number}", f"to all {number}"]
        assert page.is_complete is (number == 0)


@play
async def test_another_device_reads_the_same(stage: Stage):
    alice = await stage.enter("alice", "desk")
    bob = await stage.enter("bob")
    await alice.says(BOB, "one", stanza_id="m1")
    await bob.hears_message("one")
    await bob.says(ALICE, "two")
    await alice.hears_message("two")
    phone = await stage.enter("alice", "phone", is_present=False)
    page = await read_page(phone, with_=BOB)
    assert page.bodies == ["one", "two"]
    sent, received = page.messages
    assert (sent.get("from"), sent.get("to"), sent.get("id")) == (alice.jid, BOB, "m1")
    assert (received.get("from"), received.get("to")) == (bob.jid, ALICE)
    assert page.is_complete


@play
async def test_the_id_of_a_live_message_is_its_id_for_ever(stage: Stage):
    alice = await stage.enter("alice")
    bob = await stage.enter("bob")
    live = []
    for number in range(3):
        await alice.says(BOB, str(number))
        live.append(live_id(await bob.hears_message(str(number))))
    page = await read_page(bob)
    assert page.ids == live == sorted(live)
    assert [live_id(message) for message in page.messages] == live
    assert (page.first, page.last) == (live[0], live[-1])
    assert (await read_page(alice)).ids == live  # one message, one id, in everybody's history
    assert (await read_page(bob, ids=[live[1]])).ids == [live[1]]


@play
async def test_an_alias_conversation(stage: Stage):
    """Under the alias for who wrote to it, under the person who wrote for who got it; not at all for who was absent."""
    alice, bob, carol = [await stage.enter(name) for name in ("alice", "bob", "carol")]
    await alice.says(TEAM, "all of you")
    for member in (bob, carol):
        await member.hears_message("all of you")
    await bob.says(ALICE, "here")
    await alice.hears_message("here")
    assert (await read_page(alice, with_=TEAM)).bodies == ["all of you"]
    assert (await read_page(alice, with_=BOB)).bodies == ["here"]
    page = await read_page(bob, with_=ALICE)
    assert page.bodies == ["all of you", "here"]
    through, _ = page.messages
    address = through.find("{http://jabber.org/protocol/address}addresses/{http://jabber.org/protocol/address}address")
    assert address is not None
    assert address.get("jid") == TEAM
    assert (await read_page(bob, with_=TEAM)).bodies == []
    dan = await stage.enter("dan")
    assert (await read_page(dan)).bodies == []


@play
async def test_nobody_elses_history(stage: Stage):
    """Whether there is such an account cannot be told apart, either."""
    alice = await stage.enter("alice")
    await alice.says(BOB, "private")
    erin = await stage.enter("erin")
    for somebody in (ALICE, BOB, TEAM, "nobody@example.com", "zoe@example.org", "example.com"):
        page = await read_page(erin, to=somebody)
        assert (page.error, page.bodies) == ("service-unavailable", [])
    for payload in ("<metadata xmlns='urn:xmpp:mam:2'/>", "<query xmlns='urn:xmpp:mam:2'/>"):
        assert condition(await erin.asks(payload, to=ALICE)) == "service-unavailable"
    assert (await read_page(erin, with_=ALICE)).bodies == []
    assert (await read_page(erin)).bodies == []


@play
async def test_ids_that_are_not_there(stage: Stage):
    alice = await stage.enter("alice")
    bob = await stage.enter("bob")
    await alice.says(BOB, "one")
    known = live_id(await bob.hears_message("one"))
    erin = await stage.enter("erin")  # to whom this id means nothing
    for unknown in ("nonsense", "0" * 16, "7" + "f" * 15, known):
        for paging in (
            f"<after>{unknown}</after>",
            f"<before>{unknown}</before>",
            f"<max>0</max><after>{unknown}</after>",
        ):
            assert (await read_page(erin, paging)).error == "item-not-found"
        for field in ("after_id", "before_id", "ids"):
            assert (await read_page(erin, **{field: unknown})).error == "item-not-found"
    assert (await read_page(bob, ids=[known, "0" * 16])).error == "item-not-found"
    assert (await read_page(bob, f"<after>{known}</after>")).error == ""


@pytest.mark.parametrize("limit", [1, 3, 100])
@play
async def test_paging_both_ways_gives_everything_once(stage: Stage, limit: int):
    alice = await stage.enter("alice")
    bob = await stage.enter("bob")
    for number in range(10):
        await alice.says(BOB if number % 3 else CAROL, str(number))
    await alice.says(BOB, "end")
    await bob.hears_message("end")
    everything = [entry[0] for entry in await stage.history(ALICE)]
    assert len(everything) == 11
    for is_backwards in (False, True):
        assert await read_all(alice, limit, is_backwards=is_backwards) == everything
    with_bob = [entry[0] for entry in await stage.history(BOB)]
    for is_backwards in (False, True):
        assert await read_all(alice, limit, is_backwards=is_backwards, with_=BOB) == with_bob


@play
async def test_a_flipped_page(stage: Stage):
    alice = await stage.enter("alice")
    for number in range(4):
        await alice.says(BOB, str(number))
    for paging, bodies in (("<max>3</max>", ["0", "1", "2"]), ("<max>3</max><before/>", ["1", "2", "3"])):
        straight = await read_page(alice, paging)
        flipped = await read_page(alice, paging, is_flipped=True)
        assert straight.bodies == bodies
        assert flipped.bodies == bodies[::-1]
        assert (flipped.first, flipped.last) == (straight.first, straight.last) == (straight.ids[0], straight.ids[-1])


@play
async def test_from_when_to_when_and_how_many(stage: Stage):
    alice = await stage.enter("alice")
    empty = (await alice.asks("<metadata xmlns='urn:xmpp:mam:2'/>"))[0]
    assert len(empty) == 0
    for number in range(3):
        await alice.says(BOB, str(number))
    count = await read_page(alice, "<max>0</max>")
    assert (count.bodies, count.count, count.is_complete) == ([], "3", False)
    ids = (await read_page(alice)).ids
    start, end = (await alice.asks("<metadata xmlns='urn:xmpp:mam:2'/>"))[0]
    assert [start.get("id"), end.get("id")] == [ids[0], ids[-1]]
    between = await read_page(alice, start=start.get("timestamp"), end=end.get("timestamp"))
    assert between.ids == ids
    assert (await read_page(alice, end="1999-12-31T23:59:59Z")).bodies == []


@play
async def test_receipts_and_markers_are_history_and_typing_is_not(stage: Stage):
    alice = await stage.enter("alice")
    bob = await stage.enter("bob")
    await alice.says(BOB, "read me", stanza_id="m1")
    await bob.hears_message("read me")
    states = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
    await bob.sends(f"<message to='{ALICE}' type='chat'>{states}</message>")
    await bob.sends(f"<message to='{ALICE}' type='chat'><received xmlns='urn:xmpp:receipts' id='m1'/></message>")
    await bob.sends(f"<message to='{ALICE}' type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/></message>")
    page = await read_page(bob)
    assert [message[0].tag.rpartition("}")[2] for message in page.messages] == ["body", "received", "displayed"]


@play
async def test_a_failing_archive_and_then_a_good_one(stage: Stage):
    alice = await stage.enter("alice")
    await alice.says(BOB, "before")
    assert (await read_page(alice)).bodies == ["before"]
    with stage.broken_archive():
        await alice.says(BOB, "lost", stanza_id="lost")
        await alice.hears(lambda e: is_error(e) and e.get("id") == "lost")
    await alice.says(BOB, "after")
    assert (await read_page(alice)).bodies == ["before", "after"]


@play
async def test_many_questions_at_once(stage: Stage):
    """Each is answered or refused; and nobody else waits for them."""
    alice = await stage.enter("alice")
    bob = await stage.enter("bob")
    await alice.says(BOB, "hello")
    await read_page(alice)  # whoever reads the archive at once is given nothing of it
    await stage.settle(alice)
    asked = "".join(f"<iq type='set' id='{n}'><query xmlns='urn:xmpp:mam:2'/></iq>" for n in range(100))
    await alice.sends(asked)
    await bob.says(ALICE, "in between")
    await alice.hears_message("in between")
    answers = [await alice.hears(lambda e, n=n: e.tag == f"{C}iq" and e.get("id") == str(n)) for n in range(100)]
    refused = {condition(answer) for answer in answers if is_error(answer)}
    assert refused <= {"resource-constraint"}
    assert not is_error(answers[0])
