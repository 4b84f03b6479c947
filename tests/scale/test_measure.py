"""What must not grow with the members; in full: ``make scale``."""

import statistics

import pytest
import trio

from tests.scale.measure import BAR_RATIO, BAR_ROSTER_MS, measure

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def figures():
    return trio.run(measure, 50, 20, 2)


def test_a_known_roster_of_ten_thousand_is_answered_at_once(figures):
    assert statistics.median(figures.known_roster_ms) < BAR_ROSTER_MS, figures.known_roster_ms


def test_costs_do_not_grow_with_the_members(figures):
    costs = {cost.what: cost.ratio for cost in figures.costs}
    assert {what: ratio for what, ratio in costs.items() if ratio > BAR_RATIO} == {}, "\n".join(figures.lines())
