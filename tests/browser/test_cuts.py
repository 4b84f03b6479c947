"""What is written arrives once and in order, however often the sockets break. The long form: ``make cuts``."""

import pytest

from tests.browser.cuts import play

pytestmark = pytest.mark.timeout(120)


def test_sockets_that_break(office):
    outcome = play(office, cuts=25, seed=7)
    assert (outcome.lost, outcome.doubled, outcome.disordered) == (0, 0, 0), outcome
