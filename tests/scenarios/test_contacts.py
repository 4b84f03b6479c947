"""Plays about the contact list: the roster is the domain, live, with one's own additions (RFC 6121 section 2)."""

from xml.etree.ElementTree import Element

from engine.administration import AddAlias, AddUser, ChangeUser, NewUser, RemoveAlias, RemoveUser
from tests.stage.play import play
from tests.stage.player import C, Player, condition
from tests.stage.stage import Stage

ROSTER = "{jabber:iq:roster}"
SEARCH = "<query xmlns='jabber:iq:search'>{}</query>"


async def roster(player: Player, version: str | None = None) -> Element:
    attribute = "" if version is None else f" ver='{version}'"
    return await player.asks(f"<query xmlns='jabber:iq:roster'{attribute}/>")


def items(answer: Element) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        item.get("jid", ""): (item.get("name", ""), tuple(group.text or "" for group in item))
        for item in answer.iter(f"{ROSTER}item")
    }


async def hears_push(player: Player, jid: str) -> Element:
    push = await player.hears(
        lambda e: e.tag == f"{C}iq" and e.get("type") == "set" and jid in items(e), f"a roster push for {jid}"
    )
    await player.sends(f"<iq type='result' id='{push.get('id')}'/>")
    return next(push.iter(f"{ROSTER}item"))


@play
async def test_every_member_and_alias_is_on_the_roster(stage: Stage):
    alice = await stage.enter("alice")
    answer = await roster(alice)
    assert items(answer) == {
        "bob@example.com": ("Bob Baker", ("Sales",)),
        "carol@example.com": ("Carol Cole", ("Sales",)),
        "dan@example.com": ("Dan Drew", ("Support",)),
        "erin@example.com": ("Erin Eve", ()),
        "salesteam@example.com": ("Sales team", ("Aliases",)),
    }
    assert {item.get("subscription") for item in answer.iter(f"{ROSTER}item")} == {"both"}


@play
async def test_an_unchanged_roster_is_one_empty_result(stage: Stage):
    alice = await stage.enter("alice")
    version = (await roster(alice)).find(f"{ROSTER}query").get("ver")
    assert list(await roster(alice, version)) == []
    await stage.settle(alice)
    assert [e for e in alice.heard if e.get("type") == "set"] == []


@play
async def test_a_known_version_gets_what_changed(stage: Stage):
    alice = await stage.enter("alice")
    version = (await roster(alice)).find(f"{ROSTER}query").get("ver")
    await alice.leaves()
    await stage.operate(AddUser(user=NewUser(address="fred@example.com", name="Fred Fox", department="Support")))
    await stage.operate(RemoveUser(address="erin@example.com"))
    alice = await stage.enter("alice")
    assert list(await roster(alice, version)) == []
    assert (await hears_push(alice, "fred@example.com")).get("subscription") == "both"
    assert (await hears_push(alice, "erin@example.com")).get("subscription") == "remove"
    newer = (await roster(alice)).find(f"{ROSTER}query").get("ver")
    assert newer != version
    assert list(await roster(alice, newer)) == []


@play
async def test_a_version_from_elsewhere_gets_the_whole_list(stage: Stage):
    alice = await stage.enter("alice")
    for version in ("", "nonsense", "999999-0", "0-999"):
        assert len(items(await roster(alice, version))) == 5


@play
async def test_changes_are_pushed_to_everyone_online(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await roster(alice)
    await roster(bob)
    await stage.operate(AddUser(user=NewUser(address="fred@example.com", name="Fred Fox")))
    for player in (alice, bob):
        assert (await hears_push(player, "fred@example.com")).get("name") == "Fred Fox"
    fred = await stage.enter("fred")
    await alice.hears_presence(fred.jid)
    await stage.operate(AddAlias(address="board@example.com", members=("fred@example.com",), name="The board"))
    assert (await hears_push(alice, "board@example.com")).get("name") == "The board"
    await alice.hears_presence("board@example.com")
    await stage.operate(RemoveAlias(address="board@example.com"))
    assert (await hears_push(alice, "board@example.com")).get("subscription") == "remove"
    await stage.operate(RemoveUser(address="fred@example.com"))
    await fred.hears_cut()
    await alice.hears_unavailable(fred.jid)
    assert (await hears_push(alice, "fred@example.com")).get("subscription") == "remove"


@play
async def test_own_names_and_groups_are_kept_over_the_domains(stage: Stage):
    desk, phone = await stage.enter("alice", "desk"), await stage.enter("alice", "phone")
    await roster(desk)
    await roster(phone)
    own = "<item jid='bob@example.com' name='Bobby'><group>Friends</group><group>Lunch</group></item>"
    assert (await desk.asks(f"<query xmlns='jabber:iq:roster'>{own}</query>", "set")).get("type") == "result"
    for device in (desk, phone):
        pushed = await hears_push(device, "bob@example.com")
        assert (pushed.get("name"), sorted(g.text for g in pushed)) == ("Bobby", ["Friends", "Lunch"])
    name, groups = items(await roster(phone))["bob@example.com"]
    assert (name, sorted(groups)) == ("Bobby", ["Friends", "Lunch"])
    bob = await stage.enter("bob")
    assert items(await roster(bob))["alice@example.com"][0] == "Alice Archer"

    drop = "<item jid='bob@example.com' subscription='remove'/>"
    assert (await desk.asks(f"<query xmlns='jabber:iq:roster'>{drop}</query>", "set")).get("type") == "result"
    assert items(await roster(phone))["bob@example.com"] == ("Bob Baker", ("Sales",))


@play
async def test_moving_a_contact_to_a_group_does_not_pin_its_name(stage: Stage):
    alice = await stage.enter("alice")
    await roster(alice)
    own = "<item jid='bob@example.com' name='Bob Baker'><group>Friends</group></item>"
    await alice.asks(f"<query xmlns='jabber:iq:roster'>{own}</query>", "set")
    await hears_push(alice, "bob@example.com")
    await stage.operate(ChangeUser(address="bob@example.com", name="Bob Butcher"))
    renamed = await hears_push(alice, "bob@example.com")
    assert (renamed.get("name"), [group.text for group in renamed]) == ("Bob Butcher", ["Friends"])


@play
async def test_only_contacts_can_be_set(stage: Stage):
    alice = await stage.enter("alice")
    await stage.enter("zoe", domain="example.org")
    answers = set()
    for jid in ("nobody@example.com", "zoe@example.org", "who@example.net"):
        answer = await alice.asks(f"<query xmlns='jabber:iq:roster'><item jid='{jid}'/></query>", "set")
        answers.add(condition(answer))
    assert answers == {"item-not-found"}


@play
async def test_a_contact_is_found_by_any_word(stage: Stage):
    alice = await stage.enter("alice")
    await stage.enter("zoe", domain="example.org")
    for text, found in {
        "bak": ["bob@example.com"],
        "BOB sales": ["bob@example.com"],
        "@#%": [],
        "nobody": [],
        "head of": ["carol@example.com"],
        "zoe": [],
    }.items():
        form = (
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>jabber:iq:search</value></field>"
            f"<field var='search'><value>{text}</value></field></x>"
        )
        answer = await alice.asks(SEARCH.format(form), "set", to="example.com")
        values = [
            field.findtext("{jabber:x:data}value")
            for item in answer.iter("{jabber:x:data}item")
            for field in item
            if field.get("var") == "jid"
        ]
        assert values == found, text


@play
async def test_a_new_member_is_found_at_once_by_the_old_fields_too(stage: Stage):
    alice = await stage.enter("alice")
    await stage.operate(AddUser(user=NewUser(address="fred@example.com", name="Fred Fox")))
    answer = await alice.asks(SEARCH.format("<first>fred</first>"), "set", to="example.com")
    assert [item.get("jid") for item in answer.iter("{jabber:iq:search}item")] == ["fred@example.com"]


@play
async def test_vcards_come_from_the_directory_with_ones_own_photo(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    card = "<vCard xmlns='vcard-temp'>{}</vCard>"
    photo = "<PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO>"
    assert (await bob.asks(card.format("<FN>Emperor</FN>" + photo), "set")).get("type") == "result"
    answer = await alice.asks(card.format(""), to=bob.bare)
    assert answer.findtext(".//{vcard-temp}FN") == "Bob Baker"
    assert answer.findtext(".//{vcard-temp}BINVAL") == "iVBORw0KGgo="
    team = await alice.asks(card.format(""), to="salesteam@example.com")
    assert "carol@example.com" in "".join(team.itertext())


@play
async def test_nothing_of_another_domain_is_shown(stage: Stage):
    alice, zoe = await stage.enter("alice"), await stage.enter("zoe", domain="example.org")
    for payload in (
        "<vCard xmlns='vcard-temp'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='jabber:iq:version'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
    ):
        answers = set()
        for to in (alice.bare, "nobody@example.com", alice.jid, "example.com", "example.net", "nobody@example.org"):
            answer = await zoe.asks(payload, to=to)
            answers.add((answer.get("type"), condition(answer) if answer.get("type") == "error" else ""))
        assert answers == {("error", "service-unavailable")}, payload
