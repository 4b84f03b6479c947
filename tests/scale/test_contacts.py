"""Finding a contact among many; in full, with a hundred thousand: ``python -m tests.scale.contacts``."""

import pytest

from tests.scale.contacts import BAR_LIVE_SECONDS, BAR_MS, measure, percentile

pytestmark = pytest.mark.alone


async def test_a_contact_among_ten_thousand_is_found_at_once():
    figures = await measure(10_000, 500)
    assert figures.hits > 500
    assert percentile(figures.cpu_ms, 0.95) < BAR_MS, "\n".join(figures.lines())
    assert figures.live_seconds < 5 * BAR_LIVE_SECONDS, "\n".join(figures.lines())
