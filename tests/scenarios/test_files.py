"""Plays of files: browsers and XMPP clients share them, and only those get them who have the message."""

from engine.files import safe_name
from tests.stage.play import play
from tests.stage.player import is_error
from tests.stage.stage import Stage

TEAM = "salesteam@example.com"
OOB = "{jabber:x:oob}"
SLOT = "{urn:xmpp:http:upload:0}"
BODY = "{jabber:client}body"
IMAGE = b"\x89PNG and so on"


def is_file(frame: dict) -> bool:
    return "file" in frame


@play
async def test_a_browser_shares_a_file_with_both_kinds_of_clients(stage: Stage):
    alice, bob, phone = await stage.enter_web("alice"), await stage.enter_web("bob"), await stage.enter("bob")
    eve = await stage.enter_web("erin")
    ticket = await stage.upload(alice, "très cool.png", IMAGE)
    await alice.sends("say", id="f1", to=bob.bare, file=ticket)
    heard = await bob.hears("chat", is_file)
    assert "body" not in heard
    file = heard["file"]
    assert (file["name"], file["size"], file["type"]) == ("très cool.png", len(IMAGE), "image/png")
    assert (await alice.hears("chat", is_file))["file"] == file  # the archive's echo
    message = await phone.hears(lambda e: e.find(f"{OOB}x") is not None)
    address = message.findtext(f"{OOB}x/{OOB}url")
    assert address == message.findtext(BODY)
    assert address.endswith(f"/upload/{ticket}")
    assert await stage.fetch(alice, file["path"]) == IMAGE
    assert await stage.fetch(bob, file["path"]) == IMAGE
    assert await stage.fetch(eve, file["path"]) is None
    assert ticket.partition("/")[0] not in str(heard)  # no browser is told what opens the file without a login


@play
async def test_a_client_shares_what_it_put_where_it_was_told(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter_web("bob")
    asked = f"<request xmlns='{SLOT[1:-1]}' filename='../été 1.png' size='11' content-type='image/png'/>"
    slot = await alice.asks(asked, to="example.com")
    put, get = (slot.find(f"{SLOT}slot/{SLOT}{name}").get("url") for name in ("put", "get"))
    assert put == get
    assert put.endswith("/11/%C3%A9t%C3%A9%201.png")
    assert safe_name("../été 1.png") == "été 1.png"
    await alice.says(bob.bare, get, inner=f"<x xmlns='{OOB[1:-1]}'><url>{get}</url></x>")
    heard = await bob.hears("chat", is_file)
    assert heard["file"]["name"] == "été 1.png"
    assert await stage.fetch(bob, heard["file"]["path"]) is None  # nothing was put there


@play
async def test_what_is_said_beside_an_address_stays(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter_web("bob")
    address = "https://chat.example.com/upload/" + "s" * 32 + "/7/a.pdf"
    oob = f"<x xmlns='{OOB[1:-1]}'><url>{{}}</url></x>"
    await alice.says(bob.bare, "the contract", inner=oob.format(address))
    heard = await bob.hears("chat", is_file)
    assert (heard["body"], heard["file"]["type"]) == ("the contract", "application/pdf")
    await alice.sends(f"<message to='{bob.bare}' type='chat'>{oob.format(address)}</message>")
    assert "body" not in await bob.hears("chat", is_file)
    await alice.says(bob.bare, "https://cats.example/cat.png", inner=oob.format("https://cats.example/cat.png"))
    assert "file" not in await bob.hears_message("https://cats.example/cat.png")


@play
async def test_a_place_is_refused_with_the_reason(stage: Stage):
    alice = await stage.enter("alice")

    async def ask(**attributes: str):
        text = " ".join(f"{name}='{value}'" for name, value in attributes.items())
        return await alice.asks(f"<request xmlns='{SLOT[1:-1]}' {text}/>", to="example.com")

    refused = await ask(filename="film.mov", size="99000000000")
    assert is_error(refused)
    most = refused.findtext(f".//{SLOT}file-too-large/{SLOT}max-file-size")
    assert int(most) in {1_000_000, 52_428_800}
    for attributes in (
        {"filename": "a"},
        {"size": "1"},
        {"filename": "a", "size": "-1"},
        {"filename": "a", "size": "0"},
    ):
        answer = await ask(**attributes)
        assert answer.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}bad-request") is not None
    info = await alice.asks("<query xmlns='http://jabber.org/protocol/disco#info'/>", to="example.com")
    assert info.find(f".//*[@var='{SLOT[1:-1]}']") is not None
    assert info.findtext(".//{jabber:x:data}field[@var='max-file-size']/{jabber:x:data}value") == most


@play
async def test_a_file_for_an_alias_is_for_the_members_that_it_reached(stage: Stage):
    alice, bob, carol = await stage.enter_web("alice"), await stage.enter_web("bob"), await stage.enter_web("carol")
    dan = await stage.enter_web("dan", "Offline")
    await stage.settle(dan)
    await alice.sends("say", id="f1", to=TEAM, file=await stage.upload(alice, "offer.pdf", b"%PDF"))
    heard = await bob.hears("chat", is_file)
    assert heard["via"] == TEAM
    path = heard["file"]["path"]
    await carol.hears("chat", is_file)
    assert await stage.fetch(bob, path) == await stage.fetch(carol, path) == b"%PDF"
    assert await stage.fetch(dan, path) is None


@play
async def test_the_files_of_a_conversation_are_listed(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter_web("bob")
    for number in range(3):
        await alice.says(bob.bare, f"text {number}")
        ticket = await stage.upload(alice, f"{number}.png", IMAGE)
        await alice.sends("say", id=f"f{number}", to=bob.bare, file=ticket)
        await bob.hears("chat", is_file)
    listed = await bob.asks("history", peer=alice.bare, files=True, limit=2)
    assert [item["file"]["name"] for item in listed["items"]] == ["1.png", "2.png"]
    assert "complete" not in listed
    rest = await bob.asks("history", peer=alice.bare, files=True, before=listed["items"][0]["id"])
    assert [item["file"]["name"] for item in rest["items"]] == ["0.png"]
    assert rest["complete"]
    whole = await bob.asks("history", peer=alice.bare)
    assert len(whole["items"]) == 6


@play
async def test_a_file_goes_without_a_text(stage: Stage):
    alice = await stage.enter_web("alice")
    ticket = await stage.upload(alice, "a.png", IMAGE)
    for fields in ({"body": "see"}, {"replaces": "x"}, {"file": "nonsense"}, {"file": ticket.replace("/", "/../", 1)}):
        await alice.sends("say", **{"id": "1", "to": "bob@example.com", "file": ticket, **fields})
        assert (await alice.hears("failed"))["condition"] == "bad-request"


@play
async def test_a_file_that_is_taken_back_is_there_for_nobody_else(stage: Stage):
    alice, bob = await stage.enter_web("alice"), await stage.enter_web("bob")
    await alice.sends("say", id="f1", to=bob.bare, file=await stage.upload(alice, "a.png", IMAGE))
    heard = await bob.hears("chat", is_file)
    assert await stage.fetch(bob, heard["file"]["path"]) == IMAGE
    await alice.sends("say", id="f2", to=bob.bare, retracts=heard["name"])
    await bob.hears("chat", lambda frame: frame.get("retracts") == heard["name"])
    assert await stage.fetch(bob, heard["file"]["path"]) is None
    assert "items" not in await bob.asks("history", peer=alice.bare, files=True)
