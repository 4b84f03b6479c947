"""Plays about blocking (XEP-0191): who is shut out gets the answers of an address where nobody is."""

from itertools import pairwise

import pytest

from engine.administration import AddAlias, AddUser, NewUser, RemoveUser
from engine.limits import BLOCKED_ADDRESSES
from tests.stage.play import play
from tests.stage.player import C, Player, condition, is_error
from tests.stage.stage import Stage

NS = "urn:xmpp:blocking"
BLOCKED = "{urn:xmpp:blocking:errors}blocked"
SALES = "salesteam@example.com"
LIST = f"<blocklist xmlns='{NS}'/>"
PING = "<ping xmlns='urn:xmpp:ping'/>"
CARD = "<vCard xmlns='vcard-temp'/>"
INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


def command(kind: str, *addresses: str) -> str:
    items = "".join(f"<item jid='{address}'/>" for address in addresses)
    return f"<{kind} xmlns='{NS}'>{items}</{kind}>"


async def tries(player: Player, kind: str, *addresses: str) -> str:
    """The condition with which a command is refused; empty when it is not."""
    answer = await player.asks(command(kind, *addresses), "set")
    return condition(answer) if is_error(answer) else ""


async def blocks(player: Player, *addresses: str) -> None:
    assert await tries(player, "block", *addresses) == ""


async def unblocks(player: Player, *addresses: str) -> None:
    assert await tries(player, "unblock", *addresses) == ""


async def blocked(player: Player) -> list[str]:
    answer = await player.asks(LIST)
    return [item.get("jid", "") for item in answer.iter(f"{{{NS}}}item")]


async def hears_push(player: Player) -> tuple[str, list[str]]:
    push = await player.hears(lambda e: e.tag == f"{C}iq" and e.get("type") == "set", "a push")
    assert push.get("from") is None
    return push[0].tag.rpartition("}")[2], [item.get("jid", "") for item in push[0]]


async def hears_refusal(player: Player) -> tuple[str, str, bool]:
    """Of the next stanza that is refused: its id, the condition, and whether it says that the sender blocks."""
    error = await player.hears(is_error, "a refusal")
    return error.get("id", ""), condition(error), next(error.iter(BLOCKED), None) is not None


async def settled(stage: Stage, *players: Player) -> None:
    for player in players:
        await stage.settle(player)
    for player in players:
        player.forget()


# -- the list ----------------------------------------------------------------------------------------------------------


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


# -- presence ----------------------------------------------------------------------------------------------------------


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


# -- messages and requests ---------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("kind", ["chat", "normal", "headline", "groupchat"])
@play
async def test_every_kind_of_message_bounces(stage: Stage, kind: str):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await blocks(bob, alice.bare)
    await alice.says(bob.bare, "psst", kind)
    assert (await hears_refusal(alice))[1:] == ("service-unavailable", False)
    await bob.says(alice.bare, "psst", kind)
    assert (await hears_refusal(bob))[1:] == ("not-acceptable", True)
