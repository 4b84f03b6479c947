"""Every command of the contract, stopped, running and as the demo; in full: ``python -m tests.scale.commands``."""

import pytest
import trio

from tests.scale.commands import tour_demo, tour_running, tour_stopped

pytestmark = pytest.mark.timeout(300)  # a hundred commands, each a process
USERS = 500


async def test_every_command_works_stopped_and_running(tmp_path):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tour_stopped, tmp_path / "stopped", USERS)
        nursery.start_soon(tour_running, tmp_path / "running", USERS)


async def test_the_demo_lets_alice_in(tmp_path):
    await tour_demo(tmp_path)
