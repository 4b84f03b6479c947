"""Talk goes on during a purge, and an export takes little memory; in full: ``python -m tests.scale.retention``."""

import statistics

import pytest
import trio

from tests.scale import retention

pytestmark = pytest.mark.alone
MESSAGES = 4_000
NOTICED_MS = 500.0
"""What people notice. The machine that tests run on may be busy; measured alone it is a few milliseconds."""


def test_nobody_waits_for_a_purge(tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "TALK_SECONDS", 1.0)
    figures = trio.run(retention.measure, MESSAGES, tmp_path)
    lines = "\n".join(figures.lines())
    assert f"removed {MESSAGES // 2} messages" in figures.said
    assert len(figures.purging) > 10, lines
    assert statistics.median(figures.purging) < NOTICED_MS, lines
    assert figures.export_peak_mib < 150, lines
