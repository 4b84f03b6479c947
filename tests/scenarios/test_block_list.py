"""Plays about the list of whom one blocks (XEP-0191), and what its items name."""

from engine.limits import BLOCKED_ADDRESSES
from tests.scenarios.blocking import (
    INFO,
    LIST,
    NS,
    PING,
    SALES,
    blocked,
    blocks,
    command,
    hears_push,
    hears_refusal,
    settled,
    tries,
    unblocks,
)
from tests.stage.play import play
from tests.stage.player import condition, is_error
from tests.stage.stage import Stage


@play
async def test_a_list_is_kept_and_its_changes_are_pushed_to_those_who_asked_for_it(stage: Stage):
    desk, phone, other = [await stage.enter("bob", name) for name in ("desk", "phone", "other")]
    assert await blocked(desk) == []
    assert await blocked(phone) == []
    await blocks(desk, "Alice@example.com", "carol@example.com/r1", "else.where", "alice@example.com")
    pushed = ["alice@example.com", "carol@example.com/r1", "else.where"]
    assert await hears_push(desk) == ("block", pushed)
    assert await hears_push(phone) == ("block", pushed)
    assert await blocked(other) == sorted(pushed)
    await unblocks(phone, "else.where", "dan@example.com")
    for device in (desk, phone, other):
        assert await hears_push(device) == ("unblock", ["else.where", "dan@example.com"])
    assert await blocked(desk) == pushed[:2]
    await unblocks(desk)
    assert await hears_push(phone) == ("unblock", [])
    assert await blocked(phone) == []
    late = await stage.enter("bob", "late")
    await blocks(late, "dan@example.com")
    await stage.settle(late)
    assert [e for e in late.heard if e.get("type") == "set"] == []


@play
async def test_a_client_reads_its_own_writes(stage: Stage):
    bob = await stage.enter("bob")
    await bob.sends(
        f"<iq type='set' id='s1'>{command('block', 'alice@example.com')}</iq>"
        f"<iq type='get' id='g1'>{LIST}</iq>"
        f"<iq type='set' id='s2'>{command('unblock')}</iq>"
        f"<iq type='get' id='g2'>{LIST}</iq>"
    )
    first = await bob.hears(lambda e: e.get("id") == "g1")
    second = await bob.hears(lambda e: e.get("id") == "g2")
    assert [len(list(answer.iter(f"{{{NS}}}item"))) for answer in (first, second)] == [1, 0]


@play
async def test_service_discovery_says_so(stage: Stage):
    bob = await stage.enter("bob")
    answer = await bob.asks(INFO, to="example.com")
    assert NS in {feature.get("var") for feature in answer.iter("{http://jabber.org/protocol/disco#info}feature")}


@play
async def test_commands_that_make_no_sense_change_nothing(stage: Stage):
    bob = await stage.enter("bob")
    await blocks(bob, "dan@example.com")
    assert await tries(bob, "block") == "bad-request"
    for wrong in ("", "@example.com", "a@", "a b@example.com", "alice@example.com/", "x" * 1100):
        assert await tries(bob, "block", "alice@example.com", wrong) == "jid-malformed"
        assert await tries(bob, "unblock", wrong) == "jid-malformed"
    answer = await bob.asks(f"<unblock xmlns='{NS}'><thing/></unblock>", "set")
    assert condition(answer) == "bad-request", "this is no wish to unblock everyone"
    for stanza, place in ((LIST, "alice@example.com"), (command("unblock"), "alice@example.com")):
        answer = await bob.asks(stanza, "set", to=place)
        assert condition(answer) == "service-unavailable"
    assert await blocked(bob) == ["dan@example.com"]


@play
async def test_a_list_has_an_end(stage: Stage):
    bob = await stage.enter("bob")
    many = [f"u{number:03}@else.where" for number in range(BLOCKED_ADDRESSES)]
    assert await tries(bob, "block", *many, "dan@example.com") == "policy-violation"
    assert await blocked(bob) == []
    await blocks(bob, *many)
    assert await tries(bob, "block", "dan@example.com") == "policy-violation"
    await blocks(bob, many[0])
    assert await blocked(bob) == many
    await unblocks(bob, many[0])
    await blocks(bob, "dan@example.com")
    assert len(await blocked(bob)) == BLOCKED_ADDRESSES


@play
async def test_nothing_tells_whether_an_address_exists(stage: Stage):
    bob = await stage.enter("bob")
    for address in ("zoe@example.org", "nobody@example.org", "example.org", "nobody@example.com", "else.where/x"):
        assert await tries(bob, "block", address) == ""
        assert await tries(bob, "unblock", address) == ""
    await blocks(bob, "zoe@example.org", "nobody@example.org", "example.org")
    zoe = await stage.enter("zoe", domain="example.org")
    for address in ("zoe@example.org", "nobody@example.org"):
        await bob.says(address, "hello?")
        assert (await hears_refusal(bob))[1:] == ("service-unavailable", False)
    await blocks(zoe, "bob@example.com", "nobody@example.com")
    for address in ("bob@example.com", "nobody@example.com"):
        await zoe.says(address, "hello?")
        assert (await hears_refusal(zoe))[1:] == ("service-unavailable", False)


# -- what an item names ------------------------------------------------------------------------------------------------


@play
async def test_one_session_can_be_blocked(stage: Stage):
    desk, phone, bob = await stage.enter("alice", "desk"), await stage.enter("alice", "phone"), await stage.enter("bob")
    await settled(stage, desk, phone, bob)
    await blocks(bob, phone.jid)
    await phone.hears_unavailable(bob.jid)
    await bob.hears_unavailable(phone.jid)
    await phone.says(bob.bare, "from the phone")
    assert (await hears_refusal(phone))[1] == "service-unavailable"
    await desk.says(bob.bare, "from the desk")
    await bob.hears_message("from the desk")
    await bob.is_present("dnd")
    await desk.hears_presence(bob.jid, "dnd")
    await blocks(bob, desk.jid)
    await desk.hears_unavailable(bob.jid)
    await stage.settle(phone)
    assert bob.jid not in phone.presences(), "that he is there is told by nothing, nor by a second goodbye"
    await unblocks(bob, phone.jid)
    await phone.hears_presence(bob.jid, "dnd")
    await stage.settle(desk)
    assert bob.jid not in desk.presences()


@play
async def test_everyone_can_be_blocked_but_oneself_and_the_server(stage: Stage):
    alice, carol = await stage.enter("alice"), await stage.enter("carol")
    desk, phone = await stage.enter("bob", "desk"), await stage.enter("bob", "phone")
    await settled(stage, alice, carol, desk, phone)
    await blocks(desk, "example.com", "bob@example.com", desk.jid)
    for other in (alice, carol):
        await other.hears_unavailable(desk.jid)
        await desk.hears_unavailable(other.jid)
        await other.says(desk.bare, "there?")
        assert (await hears_refusal(other))[1:] == ("service-unavailable", False)
    await desk.hears_unavailable(SALES)
    await desk.says(SALES, "team?")
    assert (await hears_refusal(desk))[1:] == ("not-acceptable", True)
    await settled(stage, alice, carol, desk, phone)
    late = await stage.enter("dan")
    await carol.hears_presence(late.jid)
    await phone.is_present("away")
    await desk.hears_presence(phone.jid, "away")
    await desk.says(phone.bare, "note to self")
    await phone.hears_message("note to self")
    assert not is_error(await desk.asks(PING, to="example.com"))
    await desk.asks("<query xmlns='jabber:iq:roster'/>")
    await stage.settle(late)
    assert {"desk", "phone"}.isdisjoint(sender.partition("/")[2] for sender in late.presences() + alice.presences())
    assert {sender.partition("/")[0] for sender in desk.presences()} <= {desk.bare}
    await unblocks(desk, "example.com")
    await alice.hears_presence(phone.jid, "away")
    await desk.hears_presence(late.jid)
    await desk.hears_presence(SALES, None)
