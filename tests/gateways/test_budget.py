"""What all clients together may have in memory."""

from hypothesis import given
from hypothesis import strategies as st

from gateways.budget import Budget


class Holder:
    def __init__(self) -> None:
        self.is_gone = False

    def give_up(self) -> None:
        self.is_gone = True


def test_what_is_free_is_not_counted():
    budget = Budget(free=10, shared=100)
    holders = [Holder() for _ in range(1_000)]
    for holder in holders:
        budget.hold(holder, 10)
    assert (budget.held, len(budget)) == (0, 0)
    assert not any(holder.is_gone for holder in holders)


def test_the_one_that_has_most_is_cut():
    budget = Budget(free=10, shared=100)
    small, large, newest = Holder(), Holder(), Holder()
    budget.hold(small, 20)
    budget.hold(large, 60)
    budget.hold(newest, 30)
    assert (small.is_gone, large.is_gone, newest.is_gone) == (False, True, False)
    assert (budget.held, budget.cut) == (50, 1)


def test_what_was_written_is_not_held_any_more():
    budget = Budget(free=10, shared=100)
    slow, other = Holder(), Holder()
    budget.hold(slow, 90)
    budget.hold(slow, 5)
    budget.hold(other, 90)
    assert not slow.is_gone
    assert not other.is_gone


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 200))))
def test_the_sum_is_right_and_bounded(steps):
    budget = Budget(free=10, shared=100)
    holders = [Holder() for _ in range(6)]
    has = dict.fromkeys(holders, 0)
    for number, count in steps:
        holder = holders[number]
        holder.is_gone = False
        has[holder] = count
        budget.hold(holder, count)
        for one in holders:
            if one.is_gone:
                has[one], one.is_gone = 0, False
        assert budget.held == sum(count for count in has.values() if count > 10) <= 100
