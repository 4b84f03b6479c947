"""Who missed nothing is told so without a look at the archive; who may have missed something never is."""

from hypothesis import given
from hypothesis import strategies as st

from engine import standing as module
from engine.jid import Jid
from engine.messages import FetchMissed, MissedFetched, MoveCursor
from engine.ports import Cursor
from engine.standing import Standings

ANN = Jid("ann@x.org", "desk")


def question(family: str | None = "desk", after: int = 0) -> FetchMissed:
    return FetchMissed(ANN, 7, family, after)


def test_a_client_that_is_not_known_is_for_the_archive():
    assert Standings(5).answer(question()) is None


def test_a_client_that_has_everything_missed_nothing():
    standings = Standings(5)
    assert standings.move(MoveCursor(ANN.bare, "desk", 2, 5, True)) == Cursor(2, 5, True)
    standings.grow(6, ["ben@x.org"])
    assert standings.answer(question()) == MissedFetched(7, (), 5, 6, is_last=True, fetches=True)
    standings.grow(7, ["ben@x.org", ANN.bare])
    assert standings.answer(question()) is None
    assert standings.answer(question(None, after=7)) == MissedFetched(7, (), 7, 7, is_last=True)


def test_whose_address_is_given_again_begins_with_new_clients():
    standings = Standings(5)
    standings.move(MoveCursor(ANN.bare, "desk", 2, 5))
    standings.move(MoveCursor("ben@x.org", "desk", 2, 5))
    standings.forget_cursors(ANN.bare)
    assert standings.answer(question()) is None
    assert standings.answer(FetchMissed(Jid("ben@x.org", "desk"), 7, "desk")) is not None


def test_what_was_there_before_the_server_started_counts_as_new():
    standings = Standings(5)
    standings.move(MoveCursor(ANN.bare, "desk", 2, 4))
    assert standings.answer(question()) is None


def test_a_cursor_is_written_when_it_has_moved():
    standings = Standings(5)
    standings.move(MoveCursor(ANN.bare, "desk", 2, 5))
    assert standings.move(MoveCursor(ANN.bare, "desk", 4, 3)) is None
    assert standings.move(MoveCursor(ANN.bare, "desk", 4, 6)) == Cursor(2, 6)
    standings.forget_cursors()
    assert standings.move(MoveCursor(ANN.bare, "desk", 2, 6)) == Cursor(2, 6)


OWNERS = ["ann@x.org", "ben@x.org", "cyd@x.org", "dan@x.org"]
STEPS = st.lists(
    st.tuples(st.just("grow"), st.sets(st.sampled_from(OWNERS), min_size=1))
    | st.tuples(st.just("move"), st.sampled_from(OWNERS)),
    max_size=40,
)


@given(STEPS, st.integers(1, 3))
def test_whatever_is_forgotten_nobody_is_told_that_he_missed_nothing_when_he_did(steps, kept):
    limit, module.STANDINGS = module.STANDINGS, kept
    try:
        standings = Standings(10)
        newest, cursors, number = dict.fromkeys(OWNERS, 10), dict[str, int](), 10
        for kind, who in steps:
            if kind == "grow":
                number += 1
                standings.grow(number, who)
                newest.update(dict.fromkeys(who, number))
            else:
                standings.move(MoveCursor(who, "desk", 10, number))
                cursors[who] = number
            for owner in OWNERS:
                answer = standings.answer(FetchMissed(Jid(owner, "desk"), 1, "desk"))
                assert answer is None or (answer.after, answer.up_to) == (cursors[owner], number)
                assert answer is None or newest[owner] <= answer.after
    finally:
        module.STANDINGS = limit
