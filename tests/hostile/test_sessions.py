"""Sessions: many of them, and those of others.

Precedents: CVE-2021-32918 and CVE-2026-43506 (Prosody: memory of those who are not logged in), ejabberd #222 (a resumption
that failed closed the session that it named), CVE-2018-17232 and CVE-2012-2086 (SQL by what is asked of an archive).
"""

import pytest

from engine import administration as a
from engine.limits import DIRECTED_PRESENCES
from engine.xmpp.scram import make_verifiers
from tests.stage.play import play
from tests.stage.player import SM, condition, is_error
from tests.stage.reading import read_page
from tests.stage.stage import Stage

WILD = (
    "' OR 1=1 --",
    "%",
    "*",
    "0005f000000000000",
    "-1",
    "\u0661",
    "ffffffffffffffff",
    "x" * 2_000,
    "'; DROP TABLE message; --",
)


@play
async def test_nobody_resumes_what_is_not_his(stage: Stage):
    alice, bob = await stage.enter("alice", "desk"), await stage.enter("bob")
    await alice.counts()
    thief = await stage.enter("bob", "thief")
    thief.token, token = alice.token, thief.token
    answer = await stage.resume(thief)
    assert answer.tag == f"{SM}failed"
    assert answer.find("{urn:ietf:params:xml:ns:xmpp-stanzas}item-not-found") is not None
    assert token == ""
    await bob.says(alice.bare, "still you?")
    await alice.hears_message("still you?")  # and whoever tried has not ended it either
    assert not alice.is_cut


@play
async def test_a_guessed_token_is_nobodys(stage: Stage):
    for token in ["", "nonsense", "&quot; OR 1=1 --", "_session:x", "x" * 3_000, "\u202e"]:
        bob = await stage.enter("bob")
        bob.token = token
        assert (await stage.resume(bob, handled=0)).tag == f"{SM}failed"


@play
async def test_who_claims_to_have_got_too_much_ends_his_session_only(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    await alice.counts()
    await alice.sends("<a xmlns='urn:xmpp:sm:3' h='4294967295'/>")
    assert await alice.hears_stream_error() == "undefined-condition"
    carol = await stage.enter("carol")
    await carol.says(bob.bare, "all right?")
    await bob.hears_message("all right?")


@pytest.mark.parametrize("paging", ["after", "before"])
@play
async def test_a_place_in_a_history_is_an_id_of_it_and_nothing_else(stage: Stage, paging: str):
    alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
    await carol.says(bob.bare, "between us")
    message = await bob.hears_message("between us")
    [theirs] = [found.get("id") for found in message.iter("{urn:xmpp:sid:0}stanza-id")]
    for text in (*WILD, theirs):
        escaped = text.replace("&", "&amp;").replace("<", "&lt;")
        page = await read_page(alice, f"<{paging}>{escaped}</{paging}>")
        assert page.error in {"item-not-found", "bad-request", "not-acceptable"}, (text, page.error)
        assert page.bodies == []


@play
async def test_a_number_that_is_none_is_refused_or_bounded(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    for text in ("one", "two"):
        await alice.says(bob.bare, text)
        await bob.hears_message(text)
    for number in ["-1", "99999999999999999999", "1e3", "", "NaN", "\u0663", "0x10"]:
        page = await read_page(alice, f"<max>{number}</max>")
        assert page.error in {"", "bad-request", "not-acceptable"}
        assert len(page.bodies) <= 2
    await alice.says(bob.bare, "three")
    await bob.hears_message("three")


@pytest.mark.parametrize("typed", ["alice@example.com", " ALICE@Example.COM "])
@play
async def test_a_new_password_ends_what_the_old_one_opened(stage: Stage, typed: str):
    """As CVE-2021-3740 was not: whoever stole the old one is out, on every device."""
    desk, phone, bob = await stage.enter("alice", "desk"), await stage.enter("alice", "phone"), await stage.enter("bob")
    browser = await stage.enter_web("alice")
    await phone.counts()
    await stage.operate(a.SetPassword(address=typed, verifiers=make_verifiers("another", iterations=4096)))
    for device in (desk, phone):
        assert await device.hears_stream_error() == "reset"
    assert (await browser.hears("bye"))["reason"] == "signed-out"
    await stage.settle(bob)
    await bob.asks("<ping xmlns='urn:xmpp:ping'/>")


@play
async def test_what_waits_for_somebody_who_is_away_is_bounded_and_his_session_goes_on(stage: Stage):
    """256 requests of 256 KiB would have been 64 MiB for each session of a victim that is in a tunnel."""
    alice, bob = await stage.enter("alice"), await stage.enter("bob", "desk")
    await bob.counts()
    await stage.settle(bob)
    await bob.is_cut_off()
    await stage.settle(alice)
    for number in range(10):
        await alice.sends(f"<iq type='get' id='{number}' to='{bob.jid}'><x xmlns='urn:x'>{'x' * 20_000}</x></iq>")
    for number in range(3, 10):
        error = await alice.hears(lambda e, number=number: is_error(e) and e.get("id") == str(number))
        assert condition(error) == "service-unavailable"
    assert (await stage.resume(bob)).tag == f"{SM}resumed"
    for number in range(3):
        await bob.hears(lambda e, number=number: e.get("id") == str(number))


@play
async def test_presence_that_is_sent_to_everybody_has_an_end(stage: Stage):
    alice, bob = await stage.enter("alice"), await stage.enter("bob")
    for number in range(DIRECTED_PRESENCES + 10):
        await alice.is_present(to=f"bob@example.com/r{number}")
    assert condition(await alice.hears(is_error)) == "policy-violation"
    await alice.says(bob.bare, "sorry")
    await bob.hears_message("sorry")


@play
async def test_a_resource_that_is_bound_again_and_again_is_one_session(stage: Stage):
    bob = await stage.enter("bob")
    for _ in range(30):
        alice = await stage.enter("alice", "desk")
    await stage.settle(bob)
    roster = {element.get("from") for element in bob.heard if element.get("from", "").startswith("alice@")}
    assert roster == {"alice@example.com/desk"}
    await bob.says(alice.bare, "one of you")
    await alice.hears_message("one of you")
