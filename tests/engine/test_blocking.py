"""What a block list names, and what that stops."""

import pytest

from engine.blocking import TABLE, BlockList, BlockLists, Kind, Side, changed, table_lines
from engine.errors import Condition, Detail, Refusal
from engine.jid import Jid
from engine.limits import BLOCKED_ADDRESSES
from engine.messages import Chat, Iq
from engine.presence import Presence, PresenceChange

X = "x.org"
ANN, BOB = "ann@x.org", "bob@x.org"


def lists(**items: str) -> BlockLists:
    return BlockLists(X, {f"{owner}@{X}": addresses.split() for owner, addresses in items.items()})


def chat(sender: str, to: str, **fields) -> Chat:
    return Chat(sender=Jid.parse(sender), to=Jid.parse(to), stanza_id="m1", body="hello", **fields)


def iq(kind: str) -> Iq:
    return Iq(sender=Jid.parse("ann@x.org/1"), to=Jid.parse("bob@x.org/2"), kind=kind, stanza_id="q1", payload="")


def here(address: str) -> PresenceChange:
    return PresenceChange(Jid.parse(address), Presence())


# -- what an item names (section 5) ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "named", "others"),
    [
        ("bob@x.org/desk", "bob@x.org/desk", "bob@x.org bob@x.org/phone bob@x.org/desk2 carol@x.org/desk x.org"),
        ("bob@x.org", "bob@x.org bob@x.org/desk", "carol@x.org/bob x.org bob@y.org xbob@x.org"),
        ("y.org/room", "y.org/room", "y.org y.org/hall bob@y.org bob@y.org/room"),
        ("y.org", "y.org y.org/room bob@y.org bob@y.org/desk", "sub.y.org bob@sub.y.org y.organic"),
        ("x.org", "bob@x.org bob@x.org/desk carol@x.org", "x.org ann@x.org ann@x.org/desk y.org x.org/room"),
        ("ann@x.org", "", "ann@x.org ann@x.org/desk bob@x.org x.org"),
        ("ann@x.org/desk", "", "ann@x.org/desk ann@x.org"),
    ],
)
def test_an_item_names(item, named, others):
    of_ann = lists(ann=item)
    assert [text for text in named.split() if not of_ann.is_blocked(ANN, Jid.parse(text))] == []
    assert [text for text in others.split() if of_ann.is_blocked(ANN, Jid.parse(text))] == []


def test_nobody_blocks_anyone():
    nobody = lists()
    assert not nobody
    assert nobody.side(Jid(ANN), Jid(BOB)) is None
    assert nobody.stop_chat(chat(ANN, BOB)) is nobody.stop_iq(iq("get")) is None
    assert nobody.of(ANN).items == frozenset()


def test_lists_come_and_go():
    current = lists(ann="bob@x.org")
    then = current.copy()
    current.put(ANN, ["carol@x.org/1", "y.org"])
    assert current.of(ANN) == BlockList(
        frozenset({"carol@x.org/1", "y.org"}), frozenset({"carol@x.org"}), has_domain=False
    )
    assert not current.is_blocked(ANN, Jid(BOB))
    assert then.is_blocked(ANN, Jid(BOB))
    current.put(ANN, ())
    assert not current
    assert current.withhold([here("carol@x.org/1")])[1] == set()


# -- what is stopped (section 3.3) -------------------------------------------------------------------------------------

BLOCKED = (Condition.NOT_ACCEPTABLE, Detail.BLOCKED)
ABSENT = (Condition.SERVICE_UNAVAILABLE, None)


def told(stop):
    return stop.refusal and (stop.refusal.condition, stop.refusal.detail)


@pytest.mark.parametrize(
    ("who", "message", "request_", "presence"),
    [("ann", BLOCKED, BLOCKED, BLOCKED), ("bob", ABSENT, ABSENT, None)],
)
def test_what_the_sender_is_told(who, message, request_, presence):
    blocks = lists(**{who: "ann@x.org bob@x.org"})
    assert told(blocks.stop_chat(chat("ann@x.org/1", BOB))) == message
    assert told(blocks.stop_chat(chat("ann@x.org/1", BOB, kind="error"))) is None
    for kind in ("get", "set"):
        assert told(blocks.stop_iq(iq(kind))) == request_
    for kind in ("result", "error"):
        assert told(blocks.stop_iq(iq(kind))) is None
    assert told(blocks.stop_presence(Jid(ANN, "1"), Jid(BOB))) == presence
    assert told(blocks.stop_presence(Jid(ANN, "1"), Jid(BOB), is_farewell=True)) is None


def test_a_refusal_goes_to_the_session_that_sent():
    refusal = lists(ann=BOB).stop_chat(chat("ann@x.org/1", "bob@x.org/2")).refusal
    assert (refusal.request.session.full, refusal.request.to, refusal.request.id, refusal.request.kind) == (
        "ann@x.org/1",
        "bob@x.org/2",
        "m1",
        "message",
    )


def test_of_two_who_block_each_other_the_sender_is_told_of_his_own():
    assert lists(ann=BOB, bob=ANN).side(Jid(ANN), Jid(BOB)) is Side.SENDER


def test_the_table_is_whole():
    assert all(TABLE[side].keys() == set(Kind) for side in Side)
    assert len(list(table_lines())) == len(Kind) + 1


def test_what_comes_through_an_alias():
    team = Jid.parse("team@x.org")
    sent = chat("ann@x.org/1", "team@x.org", via=team)
    assert lists(bob=ANN).shuts_out(BOB, sent)
    assert lists(bob="ann@x.org/1").shuts_out(BOB, sent)
    assert lists(bob="team@x.org").shuts_out(BOB, sent)
    assert not lists(bob="team@x.org").shuts_out(BOB, chat("ann@x.org/1", BOB))
    assert not lists(ann=BOB).shuts_out(BOB, sent)


# -- presence ----------------------------------------------------------------------------------------------------------


def test_two_accounts_are_separated_wholly_partly_or_not():
    blocks = lists(ann="bob@x.org carol@x.org/1 ann@x.org", dan=X)
    assert blocks.separates(ANN, BOB) is blocks.separates(BOB, ANN) is True
    assert blocks.separates(ANN, "carol@x.org") is None
    assert blocks.separates(BOB, "carol@x.org") is False
    assert blocks.separates("dan@x.org", BOB) is True
    assert blocks.separates(ANN, ANN) is False


def test_what_two_states_of_a_list_have_not_in_common():
    assert lists(ann="bob@x.org carol@x.org y.org").touched(ANN, lists(ann="carol@x.org dan@x.org/1")) == {
        BOB,
        "dan@x.org",
    }
    assert lists(ann="bob@x.org").touched(ANN, lists(ann="bob@x.org x.org")) is None
    assert lists(ann="x.org bob@x.org").touched(ANN, lists(ann="x.org")) == {BOB}


def test_a_tick_is_withheld_from_few():
    ann, bob, carol, dan = (here(f"{name}@x.org/1") for name in ("ann", "bob", "carol", "dan"))
    tick = (ann, bob, carol, dan)
    assert lists().withhold(tick) == (tick, set())
    assert lists(ann="erin@x.org").withhold((bob, carol)) == ((bob, carol), set()), "neither is concerned"
    assert lists(ann=BOB).withhold((bob,)) == ((bob,), {ANN})
    assert lists(ann=BOB).withhold((ann,)) == ((ann,), {BOB})
    assert lists(ann="bob@x.org/2").withhold(tick) == (tick, {ANN, BOB})
    assert lists(ann=X).withhold(tick) == ((bob, carol, dan), {ANN}), "what nobody else may see"


@pytest.mark.parametrize(
    "items", [{"ann": BOB}, {"ann": "bob@x.org/1"}, {"ann": X}, {"ann": "x.org bob@x.org", "bob": ANN}]
)
def test_whom_a_tick_is_not_withheld_from_sees_all_of_it(items):
    """The shortcut and the rule are the same."""
    blocks = lists(**items)
    tick = tuple(here(f"{name}@x.org/{number}") for name in ("ann", "bob", "carol") for number in (1, 2))
    for_all, accounts = blocks.withhold(tick)
    for viewer in (change.jid for change in tick):
        told = blocks.visible(tick, viewer) if viewer.bare in accounts else for_all
        assert told == tuple(change for change in tick if not blocks.is_hidden(viewer, change.jid))


# -- changing a list ---------------------------------------------------------------------------------------------------


def test_commands():
    assert changed([BOB], "block", [ANN, BOB]) == (ANN, BOB)
    assert changed([ANN, BOB], "unblock", [BOB, "c@x.org"]) == (ANN,)
    assert changed([ANN, BOB], "unblock", []) == ()
    full = [f"{number}@x.org" for number in range(BLOCKED_ADDRESSES)]
    assert len(changed([], "block", full)) == BLOCKED_ADDRESSES
    with pytest.raises(Refusal) as refused:
        changed(full, "block", [ANN])
    assert refused.value.condition is Condition.POLICY_VIOLATION
