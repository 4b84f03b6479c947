"""Plays about chat between two people: RFC 6121 section 8, waiting messages, order, resends."""

from tests.stage.play import play
from tests.stage.player import C, condition, is_error
from tests.stage.stage import Stage

SID = "{urn:xmpp:sid:0}stanza-id"
ORIGIN = "<origin-id xmlns='urn:xmpp:sid:0' id='{}'/>"
COMPOSING = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"


@play
async def test_two_people_chat(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")

    await alice.says(bob.bare, "hello <bob> & all")
    heard = await bob.hears_message("hello <bob> & all", alice.jid)
    assert heard.get("to") == bob.bare
    assert heard.get("type") == "chat"

    await bob.says(alice.jid, "hello alice")
    assert (await alice.hears_message("hello alice", bob.jid)).get("to") == alice.jid


@play
async def test_a_message_is_on_disk_in_both_archives_when_it_is_heard(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.says(bob.bare, "keep this")
    heard = await bob.hears_message("keep this")
    [mark] = heard.findall(SID)
    assert mark.get("by") == bob.bare
    assert await stage.history(alice.bare) == [(mark.get("id"), "alice@example.com", "keep this")]
    assert await stage.history(bob.bare) == await stage.history(alice.bare)


@play
async def test_all_sessions_of_the_contact_hear_it(stage: Stage):
    alice = await stage.enter("alice")
    desk, phone = await stage.enter("bob", "desk"), await stage.enter("bob", "phone")
    await alice.says(desk.bare, "everywhere")
    ids = {(await device.hears_message("everywhere")).find(SID).get("id") for device in (desk, phone)}
    assert len(ids) == 1, "one message has one id for ever"


@play
async def test_a_full_jid_reaches_that_session_alone(stage: Stage):
    alice = await stage.enter("alice")
    desk, phone = await stage.enter("bob", "desk"), await stage.enter("bob", "phone")
    await stage.settle(desk)  # what it missed before it was here is not the question
    await alice.says(phone.jid, "only there")
    await phone.hears_message("only there")
    await stage.settle(desk)
    assert desk.messages() == []


@play
async def test_a_full_jid_that_is_gone_is_treated_as_the_bare_one(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", "desk")
    await alice.says(f"{bob.bare}/gone", "still for you")
    await bob.hears_message("still for you")


@play
async def test_negative_priority_takes_no_messages_to_the_bare_jid(stage: Stage):
    alice = await stage.enter("alice")
    desk, robot = await stage.enter("bob", "desk"), await stage.enter("bob", "robot", priority=-1)
    await alice.says(desk.bare, "for people")
    await desk.hears_message("for people")
    await stage.settle(robot)
    assert robot.messages() == []
    await alice.says(robot.jid, "for the robot")
    await robot.hears_message("for the robot")


@play
async def test_what_comes_while_nobody_is_there_waits_and_comes_once(stage: Stage):
    alice = await stage.enter("alice")
    await alice.says("bob@example.com", "first")
    await alice.says("bob@example.com", "second", kind="normal")
    await stage.settle(alice)

    bob = await stage.enter("bob")
    first = await bob.hears_message("first", alice.jid)
    assert first.find("{urn:xmpp:delay}delay").get("from") == "example.com"
    await bob.hears_message("second", alice.jid)
    await alice.says(bob.bare, "live")
    assert (await bob.hears_message("live")).find("{urn:xmpp:delay}delay") is None

    await bob.leaves()
    again = await stage.enter("bob")
    await stage.settle(again)
    assert again.messages() == []


@play
async def test_many_waiting_messages_come_in_order(stage: Stage):
    alice = await stage.enter("alice")
    said = [f"line {number}" for number in range(1203)]
    for line in said:
        await alice.says("bob@example.com", line)
    await stage.settle(alice)
    bob = await stage.enter("bob")
    await bob.hears_message(said[-1])
    assert bob.messages() == said[:-1]


@play
async def test_messages_wait_while_the_only_session_is_unavailable(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob", is_present=False)
    await alice.says(bob.bare, "for later")
    await stage.settle(alice)
    await stage.settle(bob)
    assert bob.messages() == []
    await bob.is_present()
    await bob.hears_message("for later")


@play
async def test_a_resend_with_the_same_origin_id_makes_no_second_message(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    for _ in range(3):
        await alice.says(bob.bare, "once", inner=ORIGIN.format("o1"))
    await alice.says(bob.bare, "twice", inner=ORIGIN.format("o2"))
    await bob.hears_message("twice")
    assert bob.messages() == ["once"]
    assert [body for _, _, body in await stage.history(bob.bare)] == ["once", "twice"]


@play
async def test_typing_does_not_overtake_what_was_said_and_is_not_history(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    for number in range(20):
        await alice.says(bob.bare, f"said {number}")
        await alice.sends(f"<message to='{bob.bare}' type='chat'>{COMPOSING}</message>")
    await alice.says(bob.bare, "end")
    await bob.hears_message("end")
    heard = [e.findtext(f"{C}body") or "typing" for e in bob.heard if e.tag == f"{C}message"]
    assert heard == [word for number in range(20) for word in (f"said {number}", "typing")]
    assert len(await stage.history(bob.bare)) == 21


@play
async def test_typing_does_not_wait_for_people_who_are_away(stage: Stage):
    alice = await stage.enter("alice")
    await alice.sends(f"<message to='bob@example.com' type='chat'>{COMPOSING}</message>")
    bob = await stage.enter("bob")
    await stage.settle(alice)
    await stage.settle(bob)
    assert [e for e in bob.heard if e.tag == f"{C}message"] == []


@play
async def test_what_a_client_claims_in_the_servers_name_is_taken_out(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    forged = (
        f"<stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='{bob.bare}'/>"
        "<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2001-01-01T00:00:00Z'/>"
    )
    await alice.says(bob.bare, "true", inner=forged)
    heard = await bob.hears_message("true")
    assert [mark.get("id") for mark in heard.findall(SID)] != ["forged"]
    assert len(heard.findall(SID)) == 1
    assert heard.find("{urn:xmpp:delay}delay") is None


@play
async def test_nobody_and_strangers_cannot_be_told_apart(stage: Stage):
    alice, stranger = await stage.enter("alice"), await stage.enter("zoe", domain="example.org")
    answers = []
    for to in ("nobody@example.com", stranger.bare, stranger.jid, "nobody@example.org", "who@example.net"):
        await alice.says(to, "is anybody there?", stanza_id="m1")
        error = await alice.hears(is_error)
        assert error.get("from") == to
        answers.append((condition(error), error.find(f"{C}error").get("type"), len(error)))
    assert set(answers) == {("service-unavailable", "cancel", len(error))}
    await stage.settle(stranger)
    assert stranger.messages() == []


@play
async def test_rooms_are_refused_and_errors_are_not_answered(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.says(bob.bare, "to a room", kind="groupchat")
    assert condition(await alice.hears(is_error)) == "service-unavailable"
    await alice.says("nobody@example.com", "an error", kind="error")
    await stage.settle(alice)
    assert not list(filter(is_error, alice.heard))


@play
async def test_a_note_to_oneself(stage: Stage):
    alice = await stage.enter("alice")
    await alice.says(alice.bare, "buy milk")
    await alice.hears_message("buy milk", alice.jid)
    assert len(await stage.history(alice.bare)) == 1


@play
async def test_a_disk_that_cannot_write_refuses_and_recovers(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    with stage.broken_archive():
        await alice.says(bob.bare, "lost?", stanza_id="m1")
        error = await alice.hears(is_error)
        assert (error.get("id"), condition(error)) == ("m1", "resource-constraint")
        assert error.find(f"{C}error").get("type") == "wait"
        await alice.is_present("away")  # presence and requests go on
        await bob.hears_presence(alice.jid, "away")
        await stage.settle(bob)
        assert bob.messages() == []
    await alice.says(bob.bare, "again")
    await bob.hears_message("again")
    assert [body for _, _, body in await stage.history(bob.bare)] == ["again"]


@play
async def test_iqs_pass_between_sessions_of_a_domain(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.sends(f"<iq type='get' id='x1' to='{bob.jid}'><query xmlns='urn:example'/></iq>")
    asked = await bob.hears(lambda e: e.get("id") == "x1")
    assert asked.get("from") == alice.jid
    await bob.sends(f"<iq type='result' id='x1' to='{alice.jid}'/>")
    assert (await alice.hears(lambda e: e.get("id") == "x1")).get("from") == bob.jid
    gone = await alice.asks("<query xmlns='urn:example'/>", to=f"{bob.bare}/gone")
    assert condition(gone) == "service-unavailable"


@play
async def test_one_resource_twice_closes_the_older_stream(stage: Stage):
    older = await stage.enter("alice", "desk")
    newer = await stage.enter("alice", "desk")
    assert await older.hears_stream_error() == "conflict"
    bob = await stage.enter("bob")
    await bob.says(newer.bare, "hello")
    await newer.hears_message("hello")
