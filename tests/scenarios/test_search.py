"""Searching one's own history (XEP-0431)."""

import pytest
import trio

from tests.stage.play import play
from tests.stage.player import Player
from tests.stage.reading import Page, read_page
from tests.stage.stage import Stage

pytestmark = pytest.mark.alone
ALICE, BOB, CAROL, TEAM = (f"{name}@example.com" for name in ("alice", "bob", "carol", "salesteam"))
TEXT = "{urn:xmpp:fulltext:0}fulltext"
SECOND = 1.0
LOOK_SECONDS = 0.05


async def search(player: Player, text: str, paging: str = "", **fields: object) -> Page:
    return await read_page(player, paging, **{TEXT: text}, **fields)


async def finds(player: Player, text: str, count: int = 1, **fields: object) -> Page:
    """Look until so many are found; within one second they must be."""
    with trio.fail_after(SECOND):
        while True:
            page = await search(player, text, **fields)
            if len(page.ids) == count:
                return page
            await trio.sleep(LOOK_SECONDS)


@play
async def test_what_is_said_is_found_within_a_second(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    for number in range(3):
        await alice.says(BOB, f"Émile's report number{number} is ready")
        await bob.hears_message(f"Émile's report number{number} is ready")
        for player in (alice, bob):
            page = await finds(player, f"EMILE number{number}")
            assert page.bodies == [f"Émile's report number{number} is ready"]
            assert page.is_complete
    assert (await search(alice, "nothing")).bodies == []


@play
async def test_words_narrow_and_so_do_person_and_dates(stage: Stage):
    alice, bob, carol = [await stage.enter(name) for name in ("alice", "bob", "carol")]
    await alice.says(BOB, "budget for spring")
    await bob.says(ALICE, "spring is late")
    await alice.says(CAROL, "東京都の予算 for spring")
    await alice.says(TEAM, "spring cleaning")
    await carol.hears_message("spring cleaning")
    found = await finds(alice, "spr", 4)
    assert found.bodies == ["budget for spring", "spring is late", "東京都の予算 for spring", "spring cleaning"]
    for text, fields, expected in (
        ("spring bud", {}, [0]),
        ("spring", {"with_": BOB}, [0, 1]),
        ("spring", {"with_": bob.jid}, [1]),
        ("spring", {"with_": TEAM}, [3]),
        ("京都", {}, [2]),
        ("予算 spring", {"with_": CAROL}, [2]),
        ("pring", {}, []),
        ("* OR 1=1", {}, []),
        ("spring", {"start": "2001-01-01T00:00:00Z"}, [0, 1, 2, 3]),
        ("spring", {"end": "2001-01-01T00:00:00Z"}, []),
        ("spring", {"ids": [found.ids[1], found.ids[3]]}, [1, 3]),
    ):
        page = await search(alice, text, **fields)
        assert page.ids == [found.ids[place] for place in expected], (text, fields)


@play
async def test_a_hit_opens_with_its_context(stage: Stage):
    alice = await stage.enter("alice")
    for number in range(9):
        await alice.says(BOB, "the needle" if number == 4 else f"hay {number}")
    [hit] = (await finds(alice, "needle")).ids
    before = await read_page(alice, "<max>2</max><before/>", with_=BOB, before_id=hit)
    after = await read_page(alice, "<max>2</max>", with_=BOB, after_id=hit)
    assert (before.bodies, after.bodies) == (["hay 2", "hay 3"], ["hay 5", "hay 6"])


@play
async def test_hits_page_by_page(stage: Stage):
    alice = await stage.enter("alice")
    for number in range(10):
        await alice.says(BOB, f"hello {number}")
        await alice.says(BOB, f"goodbye {number}")
    await finds(alice, "hello", 10)
    newest = await search(alice, "hello", "<max>4</max><before/>")
    assert (newest.bodies, newest.is_complete) == ([f"hello {number}" for number in (6, 7, 8, 9)], False)
    earlier = await search(alice, "hello", f"<max>4</max><before>{newest.first}</before>")
    assert (earlier.bodies, earlier.is_complete) == ([f"hello {number}" for number in (2, 3, 4, 5)], False)
    oldest = await search(alice, "hello", f"<max>4</max><before>{earlier.first}</before>")
    assert (oldest.bodies, oldest.is_complete) == (["hello 0", "hello 1"], True)
    count = await search(alice, "hello", "<max>0</max>")
    assert (count.count, count.bodies) == ("10", [])
    page = await search(alice, "hello", "<max>1</max>", after_id="0" * 16)
    assert page.error == "item-not-found"


@play
async def test_nobody_finds_what_is_not_his(stage: Stage):
    alice, bob, erin = [await stage.enter(name) for name in ("alice", "bob", "erin")]
    zoe = await stage.enter("zoe", domain="example.org")
    await alice.says(BOB, "the password is swordfish")
    await finds(bob, "swordfish")
    for player in (erin, zoe):
        assert (await search(player, "swordfish")).bodies == []
        assert (await search(player, f"swordfish owner:{ALICE} {BOB}")).bodies == []
        for somebody in (ALICE, BOB, "example.com"):
            page = await search(player, "swordfish", to=somebody)
            assert (page.error, page.bodies) == ("service-unavailable", [])


@play
async def test_the_form_says_that_it_can_be_searched(stage: Stage):
    alice = await stage.enter("alice")
    form = await alice.asks("<query xmlns='urn:xmpp:mam:2'/>")
    fields = {field.get("var"): field.get("type") for field in form.iter("{jabber:x:data}field")}
    assert fields[TEXT] == "text-single"
    disco = await alice.asks("<query xmlns='http://jabber.org/protocol/disco#info'/>")
    features = {feature.get("var", "") for feature in disco.iter("{http://jabber.org/protocol/disco#info}feature")}
    assert "urn:xmpp:fulltext:0" in features
