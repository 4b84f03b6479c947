"""Actors that await: batches, order, failures, the end."""

import pytest
import trio
import trio.testing
from pykka import ActorDeadError

from actors.mailbox import MailboxFull
from actors.runtime import ActorStopped, Runtime, TrioActor
from actors.supervision import RESTARTS
from actors.worker import Worker


class Scribe(Worker):
    """Writes batches down, each when it is let; fails on messages that are errors."""

    batch_limit = 4

    def __init__(self, written, gate=None):
        super().__init__()
        self.written, self.gate = written, gate

    def on_restart(self, failed_message, _):
        self.written.append(("restart", failed_message))

    def on_stop(self):
        self.written.append("stop")

    def on_failure(self, exception_type, *_):
        self.written.append(("failure", exception_type.__name__))

    async def handle(self, batch):
        if self.gate is not None:
            await self.gate.wait()
        for message in batch:
            if isinstance(message, Exception):
                raise message
        self.written.append(list(batch))

    def length(self):
        return len(self.written)


class Unsupervised(Scribe):
    supervised = False


class Tiny(Scribe):
    mailbox_limit = 2


class Owner(TrioActor):
    def __init__(self, heard):
        super().__init__()
        self.heard = heard

    def on_receive(self, message):
        self.heard.append(message)


@pytest.fixture
def set_aside():
    return []


@pytest.fixture
async def runtime(nursery, set_aside):
    runtime = Runtime(on_set_aside=lambda *told: set_aside.append(told[1]))
    await nursery.start(runtime.run)
    return runtime


@pytest.fixture
def written():
    return []


async def test_what_came_meanwhile_is_one_batch(runtime, written):
    gate = trio.Event()
    ref = runtime.start(Scribe, written, gate)
    ref.tell(0)
    await trio.testing.wait_all_tasks_blocked()
    for number in range(1, 7):
        ref.tell(number)
    gate.set()
    await runtime.quiescent()
    assert written == [[0], [1, 2, 3, 4], [5, 6]]


async def test_quiescent_waits_for_workers(runtime, written, autojump_clock):
    class Slow(Scribe):
        async def handle(self, batch):
            await trio.sleep(60)
            await super().handle(batch)

    runtime.start(Slow, written).tell("x")
    await runtime.quiescent()
    assert written == [["x"]]
    assert trio.current_time() >= 60


async def test_a_worker_sleeps_and_wakes_many_times(runtime, written):
    ref = runtime.start(Scribe, written)
    for number in range(5):
        ref.tell(number)
        await runtime.quiescent()
    assert written == [[0], [1], [2], [3], [4]]
    assert runtime.status.busy_workers == 0


async def test_started_before_the_runtime_runs(nursery, written):
    runtime = Runtime()
    runtime.start(Scribe, written).tell("early")
    await nursery.start(runtime.run)
    await runtime.quiescent()
    assert written == [["early"]]


async def test_stop_comes_behind_what_waits(runtime, written):
    ref = runtime.start(Scribe, written)
    for number in range(5):
        ref.tell(number)
    assert await ref.stop(block=False) is True
    assert written == [[0, 1, 2, 3], [4], "stop"]
    with pytest.raises(ActorDeadError):
        ref.tell("late")
    assert await ref.stop(block=False) is False


async def test_stop_all_waits_for_a_worker_at_work(runtime, written):
    gate = trio.Event()
    runtime.start(Scribe, written, gate).tell("last words")
    async with trio.open_nursery() as stopping:
        stopping.start_soon(runtime.stop_all)
        await trio.testing.wait_all_tasks_blocked()
        assert runtime.status.actors == 1
        gate.set()
    assert written == [["last words"], "stop"]
    assert runtime.status.actors == 0


async def test_an_ask_is_answered_when_its_batch_is_done(runtime, written):
    ref = runtime.start(Scribe, written)
    ref.tell(1)
    assert await ref.ask(2, block=False) is None
    assert written == [[1, 2]]
    with pytest.raises(LookupError):
        await ref.ask(LookupError(), block=False)
    assert runtime.status.restarts == 0


async def test_proxies_work_between_batches(runtime, written):
    ref = runtime.start(Scribe, written)
    await runtime.quiescent()
    ref.tell(1)
    length = ref.proxy().length()
    ref.tell(2)
    assert await length == 1
    await runtime.quiescent()
    assert written == [[1], [2]]


async def test_one_bad_message_does_not_take_its_batch_along(runtime, written, set_aside):
    ref, bad = runtime.start(Scribe, written), ValueError()
    for message in (1, bad, 2):
        ref.tell(message)
    answer = ref.ask(3, block=False)
    await answer
    ref.tell(4)
    await runtime.quiescent()
    assert written == [("restart", (1, bad, 2, 3)), [1], ("restart", bad), [2], [3], [4]]
    assert set_aside == [bad]


async def test_many_bad_messages_do_not_stop_a_worker(runtime, written, set_aside, autojump_clock):
    ref = runtime.start(Scribe, written)
    for _ in range(RESTARTS):
        ref.tell(ValueError())
        await runtime.quiescent()
    for _ in range(20):
        ref.tell(ValueError())
        await trio.sleep(3)
    ref.tell("still there")
    await runtime.quiescent()
    assert written[-1] == ["still there"]
    assert len(set_aside) == RESTARTS + 20


async def test_a_batch_of_asks_only_gets_each_its_own_error(runtime, written):
    ref = runtime.start(Scribe, written)
    answers = [ref.ask(message, block=False) for message in (1, ValueError("b"), 2)]
    await answers[0]
    with pytest.raises(ValueError, match="b"):
        await answers[1]
    await answers[2]
    assert ref.is_alive()


async def test_an_unsupervised_worker_stops_at_its_first_failure(runtime, written):
    ref = runtime.start(Unsupervised, written)
    ref.tell(ValueError())
    answer = ref.ask(1, block=False)
    with pytest.raises(ActorDeadError):
        await answer
    await runtime.quiescent()
    assert written == [("failure", "ValueError")]
    assert not ref.is_alive()


async def test_an_owner_is_told_of_a_worker_that_is_lost(runtime, written, set_aside):
    class NeverStarts(Scribe):
        def on_start(self):
            raise OSError

    heard = []
    runtime.start(NeverStarts, written, owner=runtime.start(Owner, heard))
    await runtime.quiescent()
    assert isinstance(heard[0], ActorStopped)
    assert written == [("failure", "OSError")]
    assert set_aside == []


async def test_a_worker_refuses_at_its_limit(runtime, written):
    gate = trio.Event()
    ref = runtime.start(Tiny, written, gate)
    ref.tell(1)
    ref.tell(2)
    with pytest.raises(MailboxFull):
        ref.tell(3)
    gate.set()
    await runtime.quiescent()
    assert written == [[1, 2]]


async def test_cancelling_the_runtime_is_no_failure_of_a_worker(nursery, written, set_aside):
    runtime = Runtime()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as inner:
            await inner.start(runtime.run)
            ref = runtime.start(Scribe, written, trio.Event())
            ref.tell(1)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert written == []
    assert not ref.is_alive()
    assert runtime.status.restarts == 0
    assert runtime.status.busy_workers == 0
