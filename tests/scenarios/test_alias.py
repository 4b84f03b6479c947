"""Plays about aliases: a contact that reaches all its members who are online."""

from engine.administration import AddAlias, AddUser, ChangeAlias, NewUser, RemoveUser
from engine.alias import RESOURCE
from tests.stage.play import play
from tests.stage.stage import Stage

SALES = "salesteam@example.com"
ADDRESS = "{http://jabber.org/protocol/address}address"


@play
async def test_an_alias_reaches_all_members_online_in_all_their_sessions(stage: Stage):
    alice = await stage.enter("alice")
    members = [await stage.enter("bob", "desk"), await stage.enter("bob", "phone"), await stage.enter("carol")]
    await alice.says(SALES, "who can help?")
    for member in members:
        heard = await member.hears_message("who can help?", alice.jid)
        [mark] = heard.iter(ADDRESS)
        assert (mark.get("type"), mark.get("jid")) == ("to", SALES)
        assert heard.get("to") == member.bare
    await members[0].says(alice.jid, "I can")
    await alice.hears_message("I can", members[0].jid)


@play
async def test_histories_of_an_alias_message(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.says(SALES, "hello team")
    await bob.hears_message("hello team")
    assert await stage.conversations(alice.bare) == [SALES]
    assert await stage.conversations(bob.bare) == [alice.bare]
    assert await stage.conversations("carol@example.com") == []
    assert await stage.ledger("hello team") == {
        "alice@example.com": "sent",
        "bob@example.com": "received",
        "carol@example.com": "absent",
        "dan@example.com": "absent",
    }


@play
async def test_with_nobody_online_it_waits_for_every_member(stage: Stage):
    alice = await stage.enter("alice")
    await alice.says(SALES, "first thing tomorrow")
    await stage.settle(alice)
    for name in ("bob", "carol", "dan"):
        member = await stage.enter(name)
        heard = await member.hears_message("first thing tomorrow", alice.jid)
        assert next(heard.iter(ADDRESS)).get("jid") == SALES


@play
async def test_a_member_who_writes_does_not_hear_himself_but_his_other_sessions_do(stage: Stage):
    desk, phone = await stage.enter("bob", "desk"), await stage.enter("bob", "phone")
    carol = await stage.enter("carol")
    await desk.says(SALES, "from bob")
    await carol.hears_message("from bob", desk.jid)
    await phone.hears_message("from bob", desk.jid)
    await stage.settle(desk)
    assert desk.messages() == []


@play
async def test_what_is_said_to_an_alias_and_then_to_a_person_keeps_its_order(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    said = []
    for number in range(30):
        to = SALES if number % 3 == 0 else bob.bare
        await alice.says(to, f"{number}")
        said.append(f"{number}")
    await bob.hears_message(said[-1])
    assert bob.messages() == said[:-1]


@play
async def test_an_alias_within_an_alias_reaches_each_person_once(stage: Stage):
    await stage.operate(
        AddAlias(address="everyone@example.com", members=(SALES, "bob@example.com", "erin@example.com"))
    )
    alice, bob, erin = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("erin")
    await alice.says("everyone@example.com", "all hands")
    await erin.hears_message("all hands")
    await bob.hears_message("all hands")
    await stage.settle(bob)
    assert bob.messages() == []


@play
async def test_members_that_come_and_go_change_the_alias_at_once(stage: Stage):
    alice, erin = await stage.enter("alice"), await stage.enter("erin")
    await stage.operate(ChangeAlias(address=SALES, members=("erin@example.com",)))
    await alice.says(SALES, "welcome")
    await erin.hears_message("welcome")
    await stage.operate(AddUser(user=NewUser(address="fred@example.com", name="Fred")))
    await stage.operate(AddAlias(address="pair@example.com", members=("erin@example.com", "fred@example.com")))
    await stage.operate(RemoveUser(address="fred@example.com"))
    await alice.says("pair@example.com", "only you")
    await erin.hears_message("only you")


@play
async def test_the_alias_has_a_full_address_that_is_as_good_as_its_own(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    presence = await alice.hears_presence(SALES)
    assert presence.get("from") == f"{SALES}/{RESOURCE}"
    await alice.says(f"{SALES}/{RESOURCE}", "hello team")
    await bob.hears_message("hello team", alice.jid)
    await bob.is_cut_off()
    gone = await alice.hears_unavailable(SALES)
    assert gone.get("from") == f"{SALES}/{RESOURCE}"
    assert await stage.conversations(alice.bare) == [SALES]


@play
async def test_presence_that_is_sent_to_an_alias_harms_nobody(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    for _ in range(20):
        await alice.is_present(to="salesteam@example.com")
        await alice.says("salesteam@example.com", "anybody there?")
        await bob.hears_message("anybody there?")
