"""A long history; in full, with a million messages: ``python -m tests.scale.histories``."""

import pytest
import trio

from tests.scale.histories import BAR_ADDED_MS, BAR_LAST_PAGE_MS, BAR_LOOP_MS, BAR_PAGE_MS, measure

pytestmark = pytest.mark.alone
MESSAGES = 20_000
TIMES = 60
ROUNDS = 3


@pytest.fixture(scope="module")
def figures():
    return trio.run(measure, MESSAGES, TIMES, ROUNDS)


def test_any_page_is_there_at_once(figures):
    """In the middle of what was measured: the ends belong to whatever else the machine does."""
    assert max(kind.at(0.5) for kind in figures.pages) < BAR_PAGE_MS, "\n".join(figures.lines())
    assert figures.last_page.at(0.5) < BAR_LAST_PAGE_MS, "\n".join(figures.lines())


def test_a_page_costs_the_same_at_every_depth(figures):
    middles = sorted(kind.at(0.5) for kind in figures.pages)
    assert middles[-1] < 4 * middles[0], "\n".join(figures.lines())


def test_nobody_waits_for_somebody_who_reads(figures):
    assert figures.rendering.at(0.9) < BAR_LOOP_MS, "\n".join(figures.lines())
    assert figures.added_ms(0.5) < BAR_ADDED_MS, "\n".join(figures.lines())
