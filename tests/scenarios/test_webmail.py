"""Plays of webmail: browsers and XMPP clients in the same conversations."""

import base64

import trio

from engine import administration as a
from gateways.webmail_session import GRACE_SECONDS
from tests.stage.memory_stage import memory_stage
from tests.stage.play import play
from tests.stage.player import C
from tests.stage.stage import Stage

TEAM = "salesteam@example.com"
CARBONS = "{urn:xmpp:carbons:2}"
MARKERS = "{urn:xmpp:chat-markers:0}"


@play
async def test_a_browser_and_an_xmpp_client_talk(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter("bob")
    origin = await alice.says(bob.bare, "hello <b>Bob</b> & co \N{SLIGHTLY SMILING FACE}")
    heard = await bob.hears_message("hello <b>Bob</b> & co \N{SLIGHTLY SMILING FACE}", alice.jid)
    kept = await alice.hears("chat", lambda frame: frame["origin"] == origin)
    stanza_id = heard.find("{urn:xmpp:sid:0}stanza-id")
    assert stanza_id is not None
    assert kept["id"] == stanza_id.get("id")
    await bob.says(alice.bare, "hello Alice")
    answer = await alice.hears_message("hello Alice")
    assert (answer["from"], answer["to"]) == (bob.bare, alice.bare)
    assert kept["id"] < answer["id"]


@play
async def test_the_snapshot_has_people_and_conversations(stage: Stage):
    bob = await stage.enter("bob", show="dnd")
    await bob.says("alice@example.com", "are you there?")
    await stage.settle(bob)
    alice = await stage.enter_web("alice")
    assert alice.knows.people[TEAM]["alias"]
    assert alice.knows.people[bob.bare] == {"address": bob.bare, "name": "Bob Baker", "department": "Sales"}
    assert alice.knows.newest[bob.bare]["body"] == "are you there?"
    await alice.sees(bob.bare, "Busy")
    assert "zoe@example.org" not in alice.knows.people


@play
async def test_statuses_are_seen_both_ways(stage: Stage):
    alice, bob, carol = await stage.enter_web("alice"), await stage.enter("bob"), await stage.enter_web("carol", "Away")
    await alice.sees(bob.bare, "Available")
    await alice.sees(carol.bare, "Away")
    await bob.hears_presence(alice.jid)
    for status, show in (("Busy", "dnd"), ("Away", "away"), ("Available", "")):
        await alice.sets_status(status, f"now {status}")
        seen = await bob.hears_presence(alice.jid, show)
        assert seen.findtext(f"{C}status") == f"now {status}"
        await carol.sees(alice.bare, status)
    await bob.is_present("xa")
    await alice.sees(bob.bare, "Away")


@play
async def test_a_photo_is_set_and_seen_on_both_channels(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter("bob")
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
    assert (await alice.asks("photo", photo=png))["t"] == "done"
    card = await bob.asks("<vCard xmlns='vcard-temp'/>", to=alice.bare)
    assert card.findtext("{vcard-temp}vCard/{vcard-temp}PHOTO/{vcard-temp}BINVAL") == png
    assert (await alice.asks("card", address=alice.bare))["photo"] == f"data:image/png;base64,{png}"
    svg = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode()
    assert (await alice.asks("photo", photo=svg))["condition"] == "not-acceptable"
    assert (await alice.asks("photo"))["t"] == "done"
    assert "photo" not in await alice.asks("card", address=alice.bare)


@play
async def test_how_long_a_status_lasts_is_told_to_who_may_see_it(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter("bob", show="dnd")
    await alice.sees(bob.bare, "Busy")
    for address in (bob.bare, TEAM):
        since = await alice.asks("since", address=address)
        assert (since["address"], since["seconds"] < 60) == (address, True)
    assert "seconds" not in await alice.asks("since", address="erin@example.com")  # was never there
    await bob.leaves()
    await alice.sees(bob.bare)
    assert "seconds" in await alice.asks("since", address=bob.bare)
    await alice.sets_status("Offline")
    assert "seconds" not in await alice.asks("since", address=bob.bare)


async def test_a_status_that_did_not_change_lasts(autojump_clock):
    async with memory_stage() as stage:
        alice, bob = await stage.enter_web("alice"), await stage.enter("bob")
        await trio.sleep(30)
        await bob.is_present("", "new words")
        await trio.sleep(30)
        await stage.settle(alice)
        assert (await alice.asks("since", address=bob.bare))["seconds"] in (60, 61)


@play
async def test_offline_in_webmail_is_offline_there_only(stage: Stage):
    web, phone = await stage.enter_web("alice"), await stage.enter("alice", "phone")
    bob = await stage.enter("bob")
    await bob.hears_presence(phone.jid)
    await web.sees(bob.bare, "Available")
    await web.sets_status("Offline")
    await bob.hears_unavailable(web.jid)
    assert web.knows.devices == {}
    await bob.says(web.bare, "to the phone only")
    await phone.hears_message("to the phone only")
    await bob.is_present("away")
    await stage.settle(web)
    assert web.messages() == []
    assert web.knows.devices == {}
    assert not any(sender == phone.jid for sender in bob.presences())  # the phone goes on as it was
    # a new tab of the same browser is offline, too
    other = await stage.open_tab(web)
    assert other.knows.status == ("Offline", "")
    await stage.settle(other)
    assert other.knows.devices == {}
    # and what was said meanwhile is there when it is back
    await web.sets_status("Available")
    await bob.hears_presence(web.jid)
    await web.sees(bob.bare, "Away")
    await web.hears_message("to the phone only")


@play
async def test_a_browser_that_begins_offline_is_seen_by_nobody(stage: Stage):
    bob = await stage.enter("bob")
    alice = await stage.enter_web("alice", "Offline")
    await stage.settle(alice)
    await stage.settle(bob)
    assert alice.knows.devices == {}
    assert not any(sender.startswith("alice") for sender in bob.presences())


@play
async def test_an_alias_reaches_browsers_and_clients(stage: Stage):
    alice, bob, carol = await stage.enter_web("alice"), await stage.enter_web("bob"), await stage.enter("carol")
    await alice.sees(TEAM, "Available")
    await alice.says(TEAM, "who can help?")
    mine = await alice.hears_message("who can help?")
    assert (mine["to"], mine["via"]) == (TEAM, TEAM)
    theirs = await bob.hears_message("who can help?")
    assert (theirs["from"], theirs["via"]) == (alice.bare, TEAM)
    await carol.hears_message("who can help?", alice.jid)


@play
async def test_typing_and_reading_are_seen(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter_web("bob")
    await alice.sends("typing", peer=bob.bare, on=True)
    assert (await bob.hears("typing"))["peer"] == alice.bare
    await alice.says(bob.bare, "read me")
    message = await bob.hears_message("read me")
    await bob.sends("read", peer=alice.bare, id=message["id"], name=message["name"])
    displayed = await alice.hears("displayed")
    assert (displayed["from"], displayed["name"]) == (bob.bare, message["name"])


@play
async def test_an_xmpp_client_sees_that_a_browser_has_read(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter("bob")
    await bob.says(alice.bare, "read me", inner="<markable xmlns='urn:xmpp:chat-markers:0'/>", stanza_id="m1")
    message = await alice.hears_message("read me")
    await alice.sends("read", peer=bob.bare, id=message["id"], name=message["name"])
    marker = await bob.hears(lambda e: e.find(f"{MARKERS}displayed") is not None)
    assert marker.find(f"{MARKERS}displayed").get("id") == "m1"
    again = await alice.asks("conversations")
    assert [one.get("unread", 0) for one in again["conversations"]] == [0]


@play
async def test_what_other_devices_say_is_told(stage: Stage):
    web, phone, bob = await stage.enter_web("alice"), await stage.enter("alice", "phone"), await stage.enter("bob")
    await phone.asks("<enable xmlns='urn:xmpp:carbons:2'/>", "set")
    await phone.says(bob.bare, "from the phone")
    assert (await web.hears_message("from the phone"))["to"] == bob.bare
    await web.says(bob.bare, "from the browser")
    await phone.hears(lambda e: e.find(f"{CARBONS}sent") is not None)


@play
async def test_corrections_retractions_and_replies(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter("bob")
    first = await alice.says(bob.bare, "helo")
    await alice.says(bob.bare, "hello", replaces=first)
    await bob.hears_message("helo")
    corrected = await bob.hears_message("hello")
    assert corrected.find("{urn:xmpp:message-correct:0}replace").get("id") == first
    await alice.says(bob.bare, "", retracts=first)
    gone = await bob.hears(lambda e: e.find("{urn:xmpp:message-retract:1}retract") is not None)
    assert gone.findtext(f"{C}body") is None
    told = [await alice.hears("chat") for _ in range(3)]
    assert [(one.get("replaces"), one.get("retracts")) for one in told] == [(None, None), (first, None), (None, first)]
    await bob.says(alice.bare, "what?", inner=f"<reply xmlns='urn:xmpp:reply:0' id='{first}' to='{alice.bare}'/>")
    assert (await alice.hears_message("what?"))["reply"] == first


@play
async def test_all_tabs_of_a_browser_are_told(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter_web("bob")
    second = await stage.open_tab(alice)
    assert second.epoch == alice.epoch
    assert second.jid == alice.jid
    await second.sees(bob.bare, "Available")
    await alice.says(bob.bare, "one")
    await second.hears_message("one")
    await bob.says(alice.bare, "two")
    for tab in (alice, second):
        await tab.hears_message("two")
    await second.sets_status("Busy")
    for tab in (alice, second):
        await tab.sees(alice.bare, "Busy")
        await stage.settle(tab)
    assert alice.knows == second.knows


@play
async def test_a_tab_that_comes_back_gets_what_it_missed(stage: Stage):
    alice, bob, carol = await stage.enter_web("alice"), await stage.enter_web("bob"), await stage.enter("carol")
    await carol.hears_presence(alice.jid)
    await bob.says(alice.bare, "one")
    await alice.hears_message("one")
    await alice.is_cut_off()
    await bob.says(alice.bare, "two")
    await bob.sets_status("Busy")
    await stage.settle(bob)
    welcome = await stage.come_back(alice)
    assert not welcome.get("fresh")
    await alice.hears_message("two")
    await alice.sees(bob.bare, "Busy")
    await bob.says(alice.bare, "three")
    await alice.hears_message("three")
    assert alice.messages() == []
    await stage.settle(carol)
    assert alice.jid not in carol.presences()  # nobody saw it go and come


@play
async def test_a_message_that_is_said_again_is_the_same(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter("bob")
    await alice.says(bob.bare, "once", id="the-same")
    kept = await alice.hears_message("once")
    await alice.is_cut_off()
    await stage.come_back(alice)
    await alice.says(bob.bare, "once", id="the-same")
    again = await alice.hears_message("once")
    assert again["id"] == kept["id"]
    await bob.hears_message("once")
    await stage.settle(bob)
    assert bob.messages() == []
    assert [body for _, _, body in await stage.history(bob.bare)] == ["once"]


@play
async def test_who_is_nobody_gets_no_message(stage: Stage):
    alice = await stage.enter_web("alice")
    for to in ("nobody@example.com", "zoe@example.org", "not an address"):
        origin = await alice.says(to, "hello?")
        refused = await alice.hears("failed", lambda frame, origin=origin: frame["origin"] == origin)
        assert refused["condition"] in {"service-unavailable", "jid-malformed"}


@play
async def test_history_is_read_page_by_page(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter("bob")
    for number in range(5):
        await bob.says(alice.bare, f"{number}")
    await alice.hears_message("4")
    page = await alice.asks("history", peer=bob.bare, limit=2)
    assert ([one["body"] for one in page["items"]], page.get("complete")) == (["3", "4"], None)
    page = await alice.asks("history", peer=bob.bare, limit=2, before=page["items"][0]["id"])
    assert [one["body"] for one in page["items"]] == ["1", "2"]
    page = await alice.asks("history", peer=bob.bare, limit=2, before=page["items"][0]["id"])
    assert ([one["body"] for one in page["items"]], page["complete"]) == (["0"], True)
    page = await alice.asks("history", peer=bob.bare, limit=9, after=page["items"][0]["id"])
    assert [one["body"] for one in page["items"]] == ["1", "2", "3", "4"]


@play
async def test_contacts_are_found_and_changes_are_told(stage: Stage):
    alice = await stage.enter_web("alice")
    found = await alice.asks("find", text="bo ba")
    assert found["addresses"] == ["bob@example.com"]
    await stage.operate(a.AddUser(user=a.NewUser(address="fay@example.com", name="Fay Fox")))
    changed = await alice.hears("contacts", lambda frame: not frame.get("all"))
    assert changed["contacts"] == [{"address": "fay@example.com", "name": "Fay Fox"}]
    await stage.operate(a.RemoveUser(address="fay@example.com"))
    assert (await alice.hears("contacts", lambda frame: "removed" in frame))["removed"] == ["fay@example.com"]


@play
async def test_who_is_removed_is_signed_out(stage: Stage):
    erin = await stage.enter_web("erin")
    await stage.operate(a.RemoveUser(address="erin@example.com"))
    assert (await erin.hears("bye"))["reason"] == "signed-out"


async def test_a_browser_that_stays_away_is_seen_to_go(autojump_clock):
    async with memory_stage() as stage:
        alice, bob = await stage.enter_web("alice"), await stage.enter("bob")
        await bob.hears_presence(alice.jid)
        await alice.is_cut_off()
        await trio.sleep(GRACE_SECONDS - 1)
        assert alice.jid not in bob.presences()
        await trio.sleep(2)
        await bob.hears_unavailable(alice.jid)
        await bob.says(alice.bare, "are you back?")
        epoch = alice.epoch
        assert (await stage.come_back(alice))["fresh"]
        assert alice.epoch != epoch
        await alice.hears("conversations")
        assert alice.knows.newest[bob.bare]["body"] == "are you back?"
