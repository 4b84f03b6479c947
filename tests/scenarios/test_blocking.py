"""Plays about blocking (XEP-0191): who is shut out gets the answers of an address where nobody is."""

import pytest

from engine.administration import AddAlias, AddUser, NewUser, RemoveUser
from tests.scenarios.blocking import BLOCKED, CARD, INFO, PING, SALES, blocked, blocks, hears_refusal, settled, unblocks
from tests.stage.play import play
from tests.stage.player import C, condition, is_error
from tests.stage.stage import Stage


@play
async def test_messages_of_a_blocked_person_bounce_and_leave_no_trace(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.says(bob.bare, "before")
    await bob.hears_message("before")
    await blocks(bob, alice.bare)
    await settled(stage, alice, bob)
    for number, to in enumerate((bob.bare, bob.jid, f"{bob.bare}/gone", "nobody@example.com")):
        await alice.says(to, "psst", stanza_id=f"m{number}")
        assert await hears_refusal(alice) == (f"m{number}", "service-unavailable", False)
    await alice.sends(f"<message to='{bob.bare}' type='chat' id='t'><composing xmlns='urn:x'/></message>")
    assert await hears_refusal(alice) == ("t", "service-unavailable", False)
    await alice.sends(f"<message to='{bob.bare}' type='error' id='e'><body>psst</body></message>")
    await stage.settle(alice)
    await stage.settle(bob)
    assert [e for e in alice.heard + bob.heard if e.tag == f"{C}message"] == []
    for person in (alice, bob):
        assert [body for _, _, body in await stage.history(person.bare)] == ["before"]
    await unblocks(bob, alice.bare)
    await alice.says(bob.bare, "again")
    await bob.hears_message("again")
    assert bob.messages() == []


@play
async def test_a_bounce_is_that_of_an_address_that_does_not_exist(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await blocks(bob, alice.bare)
    refusals = []
    for to in (bob.bare, "nob@example.com"):
        await alice.says(to, "hello?", stanza_id="m")
        error = await alice.hears(is_error)
        attributes = {key: value.replace(to, "X") for key, value in error.attrib.items()}
        refusals.append((attributes, [(e.tag, e.attrib, e.text) for e in error.iter()][1:]))
    assert refusals[0] == refusals[1]


@play
async def test_a_blocker_who_writes_is_told_that_he_blocks(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await blocks(bob, alice.bare, "nobody@example.com")
    for number, to in enumerate((alice.bare, alice.jid, "nobody@example.com")):
        await bob.says(to, "hello", stanza_id=f"m{number}")
        error = await bob.hears(is_error)
        assert (error.get("id"), error.get("from"), condition(error)) == (f"m{number}", to, "not-acceptable")
        assert error.find(f"{C}error").get("type") == "cancel"
        assert len(list(error.iter(BLOCKED))) == 1
    await bob.sends(f"<message to='{alice.bare}' type='error' id='e'/>")
    await stage.settle(bob)
    await stage.settle(alice)
    assert not list(filter(is_error, bob.heard))
    assert alice.messages() == []
    assert await stage.history(bob.bare) == []


@play
async def test_requests_and_answers_do_not_pass(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.sends(f"<iq type='get' id='early' to='{bob.jid}'>{PING}</iq>")
    await bob.hears(lambda e: e.get("id") == "early")
    await blocks(bob, alice.bare)
    await settled(stage, alice, bob)
    assert condition(await alice.asks(PING, to=bob.jid)) == "service-unavailable"
    assert condition(await alice.asks(INFO, to=bob.jid)) == "service-unavailable"
    refused = await bob.asks(PING, to=alice.jid)
    assert (condition(refused), len(list(refused.iter(BLOCKED)))) == ("not-acceptable", 1)
    assert condition(await bob.asks(PING, to=f"{alice.bare}/gone")) == "not-acceptable"
    await bob.sends(f"<iq type='result' id='early' to='{alice.jid}'/>")
    await alice.sends(f"<iq type='result' id='x' to='{bob.jid}'/><iq type='error' id='y' to='{bob.jid}'/>")
    await stage.settle(alice)
    await stage.settle(bob)
    assert [e for e in alice.heard + bob.heard if e.tag == f"{C}iq"] == []
    assert not is_error(await bob.asks(PING, to="example.com")), "the server is still there"


@play
async def test_what_the_domain_tells_of_a_contact_does_not_change(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")

    async def looks() -> list[list[tuple]]:
        answers = [await alice.asks(payload, to=bob.bare) for payload in (CARD, INFO)]
        return [[(e.tag, e.text, sorted(e.attrib.items())) for e in answer[0].iter()] for answer in answers]

    before = await looks()
    await blocks(bob, alice.bare)
    assert await looks() == before


@play
async def test_what_waited_when_the_block_began_is_history_but_not_delivered(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", is_present=False)
    await alice.says(bob.bare, "first")
    await alice.says(SALES, "second")
    await stage.settle(alice)
    await blocks(bob, alice.bare)
    carol = await stage.enter("carol")
    await carol.hears_message("second")
    await carol.says(bob.bare, "third")
    await stage.settle(carol)
    await bob.is_present()
    await bob.hears_message("third")
    assert bob.messages() == []
    assert [body for _, _, body in await stage.history(bob.bare)] == ["first", "second", "third"]


@pytest.mark.parametrize("kind", ["chat", "normal", "headline", "groupchat"])
@play
async def test_every_kind_of_message_bounces(stage: Stage, kind: str):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await blocks(bob, alice.bare)
    await alice.says(bob.bare, "psst", kind)
    assert (await hears_refusal(alice))[1:] == ("service-unavailable", False)
    await bob.says(alice.bare, "psst", kind)
    assert (await hears_refusal(bob))[1:] == ("not-acceptable", True)


# -- aliases -----------------------------------------------------------------------------------------------------------


@play
async def test_an_alias_passes_over_members_who_block_its_sender(stage: Stage):
    alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
    await blocks(bob, alice.bare)
    await alice.says(SALES, "hello team")
    await carol.hears_message("hello team")
    await alice.sends(f"<message to='{SALES}' type='chat'><active xmlns='urn:x'/></message>")
    await alice.hears_presence(carol.jid)
    await carol.leaves()
    await alice.hears_unavailable(carol.jid)
    await settled(stage, alice)
    await alice.says(SALES, "who is left?")
    await stage.settle(alice)
    await stage.settle(bob)
    assert alice.heard == []
    assert [e for e in bob.heard if e.tag == f"{C}message"] == []
    assert await stage.ledger("hello team") == {
        "alice@example.com": "sent",
        "carol@example.com": "received",
        "dan@example.com": "absent",
    }
    assert await stage.ledger("who is left?") == {
        "alice@example.com": "sent",
        "carol@example.com": "received",
        "dan@example.com": "received",
    }
    again = await stage.enter("carol")
    await again.hears_message("who is left?")


@play
async def test_an_alias_passes_over_members_who_block_it(stage: Stage):
    alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
    await bob.hears_presence(SALES)
    await blocks(bob, SALES)
    await bob.hears_unavailable(SALES)
    await alice.says(SALES, "hello team")
    await carol.hears_message("hello team")
    await alice.says(bob.bare, "and you?")
    await bob.hears_message("and you?")
    assert bob.messages() == []
    await bob.says(SALES, "me too")
    assert (await hears_refusal(bob))[1:] == ("not-acceptable", True)


@play
async def test_a_message_that_no_member_wants_is_the_senders_alone(stage: Stage):
    await stage.operate(AddAlias(address="desk@example.com", members=("bob@example.com",)))
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await blocks(bob, alice.bare)
    await settled(stage, alice, bob)
    await alice.says("desk@example.com", "anybody?")
    await stage.settle(alice)
    await stage.settle(bob)
    assert (alice.heard, bob.messages()) == ([], [])
    assert await stage.ledger("anybody?") == {"alice@example.com": "sent"}


@play
async def test_who_writes_to_a_team_reaches_whom_he_blocks(stage: Stage):
    bob, carol = await stage.enter("bob"), await stage.enter("carol")
    await blocks(bob, carol.bare)
    await bob.says(SALES, "to all of you")
    await carol.hears_message("to all of you", bob.jid)


# -- those who go and come ---------------------------------------------------------------------------------------------


@play
async def test_a_list_goes_with_its_owner_and_entries_about_him_stay(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await blocks(alice, "erin@example.com")
    await blocks(bob, alice.bare)
    await stage.operate(RemoveUser(address=alice.bare))
    await alice.hears_stream_error()
    await stage.operate(AddUser(user=NewUser(address=alice.bare, name="Alice Ames")))
    assert await blocked(bob) == [alice.bare]
    newcomer = await stage.enter("alice")
    assert await blocked(newcomer) == []
    await newcomer.says(bob.bare, "I am new here")
    assert (await hears_refusal(newcomer))[1] == "service-unavailable"
    await stage.settle(newcomer)
    assert bob.jid not in newcomer.presences()
