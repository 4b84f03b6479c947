"""Client state indication (XEP-0352): nobody looks, so presence waits, and messages do not."""

from tests.stage.play import play
from tests.stage.player import C
from tests.stage.stage import Stage

INACTIVE, ACTIVE = "<inactive xmlns='urn:xmpp:csi:0'/>", "<active xmlns='urn:xmpp:csi:0'/>"
STATE = "http://jabber.org/protocol/chatstates"


@play
async def test_only_the_last_presence_is_told_when_somebody_looks_again(stage: Stage):
    phone, bob = await stage.enter("alice", "phone"), await stage.enter("bob")
    await phone.hears_presence(bob.jid)
    await stage.settle(phone)
    phone.forget()
    await phone.sends(INACTIVE)
    await stage.settle(phone)
    for show in ("away", "xa", "dnd"):
        await bob.is_present(show)
        await stage.settle(bob)
    await bob.sends(f"<message to='{phone.bare}' type='chat'><composing xmlns='{STATE}'/></message>")
    await bob.says(phone.bare, "wake up")
    await phone.hears_message("wake up")
    await stage.settle(phone)
    assert [e for e in phone.heard if e.tag in {f"{C}presence", f"{C}message"}] == []
    await phone.sends(ACTIVE)
    await phone.hears_presence(bob.jid, "dnd")
    await stage.settle(phone)
    assert bob.jid not in phone.presences()
