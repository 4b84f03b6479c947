"""What is known of a session after a kill."""

import pytest

from engine.jid import Jid
from engine.messages import SessionState
from engine.resumption import KeptSession, got_by, with_chat, with_done, with_new_numbers

STATE = SessionState(acked=5, acked_id=50, chats=((6, 61), (9, 91)), given=99)


@pytest.mark.parametrize(
    ("handled", "got"),
    [(5, (5, 50)), (6, (6, 61)), (8, (8, 61)), (9, (9, 99)), (12, (12, 99))],
)
def test_what_a_client_of_an_earlier_life_has_got(handled, got):
    assert got_by(STATE, handled) == got


def test_a_client_that_has_told_more_before():
    assert got_by(STATE, 4) is None


def test_a_chat_that_was_noted_can_be_missing():
    kept = with_chat(KeptSession(Jid("ann@example.com", "desk"), 0, STATE), 10, 101, 101)
    assert got_by(kept.state, 10) == (10, 101)
    assert got_by(kept.state, 9) == (9, 91)


def test_a_chat_out_of_order_does_not_say_that_all_before_it_was_given():
    kept = with_chat(KeptSession(Jid("ann@example.com", "desk"), 0, STATE), 10, 120, 99)
    assert got_by(kept.state, 10) == (10, 99)


def test_numbers_begin_anew_behind_what_the_client_has_got():
    kept = with_new_numbers(KeptSession(Jid("ann@example.com", "desk"), 0, STATE), 7, 61)
    assert got_by(kept.state, 7) == (7, 61)
    assert got_by(kept.state, 6) is None
    kept = with_chat(kept, 8, 91, 91)
    assert got_by(kept.state, 7) == (7, 61)
    assert got_by(kept.state, 8) == (8, 91)


def test_what_is_done_never_moves_back():
    kept = KeptSession(Jid("ann@example.com", "desk"), 5, STATE)
    assert with_done(kept, 7).done == 7
    assert with_done(kept, 3).done == 5
