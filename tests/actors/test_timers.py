"""Messages that come later."""

import pytest
import trio

from actors.runtime import TrioActor
from actors.timers import COMPACT_FROM


class Clock(TrioActor):
    def __init__(self, heard):
        super().__init__()
        self.heard = heard

    def on_receive(self, message):
        self.heard.append((message, trio.current_time()))


@pytest.fixture
def heard():
    return []


async def test_they_come_when_they_are_due_whatever_their_order(runtime, heard, autojump_clock):
    ref, now = runtime.start(Clock, heard), trio.current_time()
    for delay in (30, 10, 20):
        runtime.schedule(delay, ref, delay)
    await trio.sleep(31)
    assert heard == [(10, now + 10), (20, now + 20), (30, now + 30)]
    assert runtime.status.timers == 0


async def test_those_of_one_moment_keep_their_order(runtime, heard, autojump_clock):
    ref = runtime.start(Clock, heard)
    for number in range(5):
        runtime.schedule(1, ref, number)
    await trio.sleep(2)
    assert [message for message, _ in heard] == [0, 1, 2, 3, 4]


async def test_an_earlier_one_moves_the_alarm(runtime, heard, autojump_clock):
    ref = runtime.start(Clock, heard)
    runtime.schedule(1000, ref, "late")
    await trio.sleep(1)
    runtime.schedule(1, ref, "soon")
    await trio.sleep(2)
    assert [message for message, _ in heard] == ["soon"]


@pytest.mark.parametrize("delay", [0, -5])
async def test_what_is_due_already_comes_at_once(runtime, heard, delay, autojump_clock):
    runtime.schedule(delay, runtime.start(Clock, heard), "now")
    await trio.sleep(0.001)
    assert len(heard) == 1


async def test_a_cancelled_one_does_not_come(runtime, heard, autojump_clock):
    ref = runtime.start(Clock, heard)
    timer = runtime.schedule(1, ref, "no")
    assert timer.is_pending
    timer.cancel()
    timer.cancel()
    assert not timer.is_pending
    assert timer.message is None
    await trio.sleep(2)
    assert heard == []
    assert len(runtime._timers) == runtime._timers.heap_size == 0


async def test_cancel_after_it_came_does_nothing(runtime, heard, autojump_clock):
    timer = runtime.schedule(1, runtime.start(Clock, heard), "yes")
    await trio.sleep(2)
    assert not timer.is_pending
    timer.cancel()
    assert len(runtime._timers) == 0


async def test_cancelled_ones_do_not_pile_up(runtime, heard, autojump_clock):
    ref = runtime.start(Clock, heard)
    kept = [runtime.schedule(1, ref, number) for number in range(3)]
    for _ in range(10_000):
        runtime.schedule(3600, ref, "no").cancel()
        assert runtime._timers.heap_size <= max(COMPACT_FROM, 2 * len(kept)) + len(kept)
    await trio.sleep(2)
    assert [message for message, _ in heard] == [0, 1, 2]


async def test_a_timer_of_a_stopped_actor_is_dropped(runtime, heard, autojump_clock):
    ref = runtime.start(Clock, heard)
    runtime.schedule(1, ref, "no")
    await ref.stop(block=False)
    await trio.sleep(2)
    assert heard == []


async def test_timers_with_slack_fire_together(runtime, heard, autojump_clock):
    ref, asked = runtime.start(Clock, heard), []
    for number in range(100):
        asked.append(trio.current_time())
        runtime.schedule(0.2, ref, number, 0.2)
        await trio.sleep(0.015)
    await trio.sleep(1)
    assert [message for message, _ in heard] == list(range(100))
    assert all(0.2 <= round(at - then, 6) <= 0.4 for then, (_, at) in zip(asked, heard, strict=True))
    assert len({at for _, at in heard}) <= 9  # in 1.7 s
