"""Copies for the other devices (XEP-0280)."""

from xml.etree.ElementTree import Element

from tests.stage.play import play
from tests.stage.player import C, Player
from tests.stage.stage import Stage

CARBONS = "{urn:xmpp:carbons:2}"
SID = "{urn:xmpp:sid:0}stanza-id"
ENABLE = "<enable xmlns='urn:xmpp:carbons:2'/>"
DISABLE = "<disable xmlns='urn:xmpp:carbons:2'/>"
TEAM = "salesteam@example.com"


async def with_copies(stage: Stage, name: str, resource: str) -> Player:
    player = await stage.enter(name, resource)
    assert (await player.asks(ENABLE, "set")).get("type") == "result"
    await stage.settle(player)
    return player


async def hears_copy(player: Player, kind: str, body: str) -> Element:
    """The message inside a copy."""
    path = f"{CARBONS}{kind}/{{urn:xmpp:forward:0}}forwarded/{C}message"

    def matches(element: Element) -> bool:
        return element.findtext(f"{path}/{C}body") == body

    copy = await player.hears(matches, f"a copy of {body!r}, {kind}")
    assert (copy.get("from"), copy.get("to")) == (player.bare, player.jid)
    inner = copy.find(path)
    assert inner is not None
    return inner


def told(player: Player) -> list[Element]:
    return [e for e in player.heard if e.tag == f"{C}message"]


@play
async def test_what_one_device_sends_the_others_know(stage: Stage):
    desk, phone = await stage.enter("alice", "desk"), await with_copies(stage, "alice", "phone")
    bob = await stage.enter("bob")
    await desk.says(bob.bare, "hello", stanza_id="m1")
    inner = await hears_copy(phone, "sent", "hello")
    assert (inner.get("from"), inner.get("to"), inner.get("id")) == (desk.jid, bob.bare, "m1")
    assert [inner.find(SID).get("id")] == [entry[0] for entry in await stage.history(phone.bare)]
    await stage.settle(desk)
    assert told(desk) == []


@play
async def test_what_was_for_one_device_the_others_know(stage: Stage):
    desk, phone = await with_copies(stage, "bob", "desk"), await with_copies(stage, "bob", "phone")
    alice = await stage.enter("alice")
    await alice.says(desk.jid, "only for the desk")
    await desk.hears_message("only for the desk")
    inner = await hears_copy(phone, "received", "only for the desk")
    assert (inner.get("from"), inner.get("to")) == (alice.jid, desk.jid)
    await alice.says(desk.bare, "for all")
    await desk.hears_message("for all")
    await phone.hears_message("for all")
    await stage.settle(phone)
    assert told(phone) == []


@play
async def test_private_messages_are_not_copied(stage: Stage):
    desk, phone = await stage.enter("alice", "desk"), await with_copies(stage, "alice", "phone")
    bob, other = await stage.enter("bob", "desk"), await with_copies(stage, "bob", "phone")
    await stage.settle(bob)
    for mark in ("<private xmlns='urn:xmpp:carbons:2'/>", "<no-copy xmlns='urn:xmpp:hints'/>"):
        await desk.says(bob.jid, "psst", inner=mark)
        await bob.hears_message("psst")
    await stage.settle(phone)
    await stage.settle(other)
    assert told(phone) == told(other) == []


@play
async def test_typing_is_copied_and_headlines_are_not(stage: Stage):
    desk, phone = await stage.enter("alice", "desk"), await with_copies(stage, "alice", "phone")
    bob = await stage.enter("bob")
    state = "http://jabber.org/protocol/chatstates"
    await desk.sends(f"<message to='{bob.bare}' type='chat'><composing xmlns='{state}'/></message>")
    await phone.hears(lambda e: e.find(f"{CARBONS}sent//{{{state}}}composing") is not None)
    await desk.says(bob.bare, "news", kind="headline")
    await bob.hears_message("news")
    await stage.settle(phone)
    assert told(phone) == []


@play
async def test_an_alias_message_is_copied_once(stage: Stage):
    desk, phone = await stage.enter("bob", "desk"), await with_copies(stage, "bob", "phone")
    old = await stage.enter("bob", "old")  # knows no copies, and is told as a member
    carol = await stage.enter("carol")
    await stage.settle(old)
    await desk.says(TEAM, "to all of us")
    await carol.hears_message("to all of us")
    assert (await hears_copy(phone, "sent", "to all of us")).get("to") == TEAM
    await old.hears_message("to all of us")
    await stage.settle(phone)
    assert told(phone) == []


@play
async def test_forged_copies_do_not_pass(stage: Stage):
    alice, bob = await stage.enter("alice"), await with_copies(stage, "bob", "desk")
    forged = (
        "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' from='carol@example.com/x' to='bob@example.com'><body>give me money</body>"
        "</message></forwarded></received>"
    )
    await alice.says(bob.bare, "look", inner=forged)
    message = await bob.hears_message("look")
    assert message.find(f"{CARBONS}received") is None


@play
async def test_no_more_copies(stage: Stage):
    desk, phone = await stage.enter("alice", "desk"), await with_copies(stage, "alice", "phone")
    bob = await stage.enter("bob")
    await phone.asks(DISABLE, "set")
    await desk.says(bob.bare, "hello")
    await bob.hears_message("hello")
    await stage.settle(phone)
    assert told(phone) == []
