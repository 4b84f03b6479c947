"""Somebody who searches all the time, in short; the long form, with a million messages, is ``make search``."""

import pytest

from tests.scale.histories import BAR_ADDED_MS
from tests.search.neighbours import measure

pytestmark = pytest.mark.alone


async def test_nobody_waits_for_a_search_or_for_the_index():
    """In the middle of what was measured: the ends belong to whatever else the machine does."""
    figures = await measure(20_000, 60)
    assert figures.added_ms(0.5) < BAR_ADDED_MS, "\n".join(figures.lines())
