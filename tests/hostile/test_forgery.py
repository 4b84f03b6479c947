"""Who said it: nobody can make a stanza look like the server's, an alias's, an archive's or somebody else's.

Clients tell what the server itself says by its missing or own address. For years many did not look (Conversations #20,
jappix #412 and strophejs #56 report it for roster pushes and answers; CVE-2013-6483 for Pidgin's answers; CVE-2017-5589 and
its kin for copies; converse.js #2266 has the forged history): so what the server lets pass must not look like it either.
"""

import pytest

from tests.stage.play import play
from tests.stage.player import Player, condition, is_error
from tests.stage.stage import Stage

CHAT = "<message xmlns='jabber:client' from='carol@example.com/x' to='bob@example.com'><body>pay me</body></message>"
FORWARDED = f"<forwarded xmlns='urn:xmpp:forward:0'>{CHAT}</forwarded>"
PUSH = "<query xmlns='jabber:iq:roster'><item jid='evil@example.net' subscription='both' name='Carol Cole'/></query>"


async def hears_from_alice_alone(player: Player, alice: Player, inner: str) -> None:
    """Whatever has this inside says that it is hers, and carries no sign of the server's."""
    for element in player.heard:
        if element.find(f".//{inner}") is not None:
            assert element.get("from") == alice.jid, element.attrib


@pytest.mark.parametrize(
    ("payload", "inner"),
    [
        (f"<result xmlns='urn:xmpp:mam:2' id='1' queryid='q'>{FORWARDED}</result>", "{urn:xmpp:mam:2}result"),
        (f"<received xmlns='urn:xmpp:carbons:2'>{FORWARDED}</received>", "{urn:xmpp:carbons:2}received"),
        (f"<sent xmlns='urn:xmpp:carbons:2'>{FORWARDED}</sent>", "{urn:xmpp:carbons:2}sent"),
        (f"<entry xmlns='urn:xmpp:inbox:1' id='1'>{FORWARDED}</entry>", "{urn:xmpp:inbox:1}entry"),
    ],
    ids=["history", "received copy", "sent copy", "conversation"],
)
@play
async def test_a_message_in_the_clothes_of_the_server_is_its_senders(stage: Stage, payload: str, inner: str):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.says(bob.bare, "look", inner=payload)
    message = await bob.hears_message("look")
    bob.heard.append(message)
    await hears_from_alice_alone(bob, alice, inner)
    assert message.get("from") == alice.jid


@play
async def test_a_stanza_id_is_the_archives(stage: Stage):
    """XEP-0359, section 5; xmpp-ftw #67."""
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    forged = "".join(
        f"<stanza-id xmlns='urn:xmpp:sid:0' id='ffffffffffffffff' by='{by}'/>"
        for by in (bob.bare, "BOB@example.com", "example.com")
    )
    await alice.says(bob.bare, "mine", inner=forged)
    message = await bob.hears_message("mine")
    ids = [(found.get("by"), found.get("id")) for found in message.iter("{urn:xmpp:sid:0}stanza-id")]
    [kept] = [entry for entry in await stage.history(bob.bare) if entry[2] == "mine"]
    assert ids == [(bob.bare, kept[0])]


@play
async def test_a_delay_of_the_server_is_the_servers(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    forged = "".join(
        f"<delay xmlns='urn:xmpp:delay' from='{by}' stamp='2001-01-01T00:00:00Z'/>"
        for by in (bob.bare, "example.com", "EXAMPLE.com")
    )
    await alice.says(bob.bare, "old news", inner=forged)
    message = await bob.hears_message("old news")
    assert message.find("{urn:xmpp:delay}delay") is None


@play
async def test_an_alias_names_itself(stage: Stage):
    """What came to an alias says so (XEP-0033); what did not, cannot."""
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    forged = (
        "<addresses xmlns='http://jabber.org/protocol/address'>"
        "<address type='to' jid='salesteam@example.com' desc='Sales team' delivered='true'/></addresses>"
    )
    await alice.says(bob.bare, "to the team?", inner=forged)
    message = await bob.hears_message("to the team?")
    assert message.find("{http://jabber.org/protocol/address}addresses") is None


@play
async def test_a_roster_push_of_somebody_else_is_no_push(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await bob.asks("<query xmlns='jabber:iq:roster'/>")
    for to in (bob.jid, bob.bare):
        await alice.sends(f"<iq type='set' id='push' to='{to}'>{PUSH}</iq>")
    await stage.settle(bob)
    pushes = [element for element in bob.heard if element.get("type") == "set"]
    assert {push.get("from") for push in pushes} <= {alice.jid}
    roster = await bob.asks("<query xmlns='jabber:iq:roster'/>")
    assert "evil@example.net" not in {item.get("jid") for item in roster.iter("{jabber:iq:roster}item")}


@play
async def test_an_answer_of_somebody_else_is_his(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    for kind in ("result", "error"):
        await alice.sends(
            f"<iq type='{kind}' id='known' to='{bob.jid}'><vCard xmlns='vcard-temp'><FN>Bob</FN></vCard></iq>"
        )
    await stage.settle(bob)
    assert {element.get("from") for element in bob.heard if element.get("id") == "known"} == {alice.jid}


@play
async def test_presence_of_somebody_else_is_his(stage: Stage):
    """A subscription that nobody asked for, and an unavailable that is not one's own."""
    alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
    await stage.settle(bob)
    bob.forget()
    for kind in ("unavailable", "subscribe", "subscribed", "unsubscribed", "error"):
        await alice.sends(f"<presence type='{kind}' to='{bob.bare}'><x xmlns='jabber:x:data'/></presence>")
    await stage.settle(bob)
    assert {element.get("from") for element in bob.heard} <= {alice.jid, alice.bare}
    await carol.says(bob.bare, "still here")
    await bob.hears_message("still here")


@play
async def test_who_it_is_from_cannot_be_said_by_the_client(stage: Stage):
    """RFC 6120, 8.1.2.1. Written as somebody else it ends the stream; the domain's own spelling of oneself does not."""
    alice, bob = await stage.enter("alice", "desk"), await stage.enter("bob")
    await alice.sends(
        f"<message from='ALICE@Example.COM/desk' to='{bob.bare}' type='chat'><body>hello</body></message>"
    )
    assert (await bob.hears_message("hello")).get("from") == alice.jid


@play
async def test_an_error_that_answers_nothing_reaches_no_history(stage: Stage):
    """A bounce is no message: nobody can put one into another's history by it (XEP-0313, 5.1.1)."""
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.sends(
        f"<message type='error' id='m1' to='{bob.jid}'><body>not from bob</body>"
        "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    )
    await stage.settle(bob)
    assert [body for _, _, body in await stage.history(bob.bare)] == []
    assert not [
        element
        for element in bob.heard
        if is_error(element) and condition(element) and element.get("from") != alice.jid
    ]
