"""Whose turn it is: ready queue, budgets, flushes, batches, other threads, start and stop."""

import logging
import threading
from functools import partial

import pytest
import trio
import trio.testing
from pykka import ActorDeadError

from actors.dispatcher import ACTOR_MESSAGES, TURN_MESSAGES
from actors.mailbox import MailboxFull, Policy
from actors.runtime import FutureNotReady, Runtime, TrioActor, TrioFuture


class Recorder(TrioActor):
    """Writes (name, message) to a shared log; calls messages that can be called."""

    def __init__(self, log, name="", peer=None):
        super().__init__()
        self.log, self.name, self.peer = log, name, peer

    def on_start(self):
        self.log.append((self.name, "started"))

    def on_stop(self):
        self.log.append((self.name, "stopped"))

    def on_receive(self, message):
        if callable(message):
            message(self)
        else:
            self.log.append((self.name, message))


class Small(Recorder):
    mailbox_limit = 2
    mailbox_policy = Policy.REFUSE


class SmallAndForgetful(Recorder):
    mailbox_limit = 2
    mailbox_policy = Policy.DROP_NEWEST


@pytest.fixture
async def runtime(nursery):
    runtime = Runtime()
    await nursery.start(runtime.run)
    return runtime


@pytest.fixture
def log():
    return []


# -- turns -------------------------------------------------------------------------------------------------------------


async def test_on_start_comes_before_the_first_message(runtime, log):
    ref = runtime.start(Recorder, log)
    ref.tell(1)
    ref.tell(2)
    assert log == []
    await runtime.quiescent()
    assert log == [("", "started"), ("", 1), ("", 2)]


async def test_messages_of_one_sender_keep_their_order(runtime, log):
    ref = runtime.start(Recorder, log)
    for number in range(3 * TURN_MESSAGES):
        ref.tell(number)
    await runtime.quiescent()
    assert [message for _, message in log[1:]] == list(range(3 * TURN_MESSAGES))


async def test_a_flood_for_one_does_not_starve_the_others(runtime, log):
    flooded, other = runtime.start(Recorder, log, "flooded"), runtime.start(Recorder, log, "other")
    await runtime.quiescent()
    log.clear()
    with runtime.batch():
        for number in range(TURN_MESSAGES):
            flooded.tell(number)
        other.tell("me too")
    assert log.index(("other", "me too")) == ACTOR_MESSAGES
    await runtime.quiescent()


async def test_actors_that_never_rest_let_io_go_on(runtime, log):
    ref = runtime.start(Recorder, log)
    rounds = 0

    def again(actor):
        nonlocal rounds
        rounds += 1
        if rounds < 10 * TURN_MESSAGES:
            actor.actor_ref.tell(again)

    ref.tell(again)
    for _ in range(5):
        await trio.lowlevel.checkpoint()
    assert 0 < rounds < 10 * TURN_MESSAGES
    await runtime.quiescent()
    assert rounds == 10 * TURN_MESSAGES


async def test_drain_runs_what_is_ready_and_what_that_makes_ready(runtime, log):
    second = runtime.start(Recorder, log, "second")
    first = runtime.start(Recorder, log, "first")
    first.tell(lambda _: second.tell("hello"))
    runtime.drain()
    assert log[-1] == ("second", "hello")


async def test_drain_has_a_budget_and_the_dispatcher_does_the_rest(runtime, log):
    ref = runtime.start(Recorder, log)
    for number in range(TURN_MESSAGES + 10):
        ref.tell(number)
    runtime.drain()
    assert len(log) == 1 + TURN_MESSAGES
    await runtime.quiescent()
    assert len(log) == 1 + TURN_MESSAGES + 10


async def test_drain_within_a_handler_does_not_nest(runtime, log):
    other = runtime.start(Recorder, log, "other")
    ref = runtime.start(Recorder, log)

    def handler(actor):
        other.tell("later")
        runtime.drain()
        with runtime.batch():
            other.tell("later still")
        actor.log.append("end of handler")

    ref.tell(handler)
    runtime.drain()
    assert log[-3:] == ["end of handler", ("other", "later"), ("other", "later still")]


async def test_a_batch_drains_at_its_end_even_if_it_fails(runtime, log):
    ref = runtime.start(Recorder, log)

    def feed():
        with runtime.batch():
            ref.tell("told")
            assert log == []
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        feed()
    assert log[-1] == ("", "told")
    ref.tell("the dispatcher still wakes up")
    await runtime.quiescent()
    assert len(log) == 3


async def test_cancellation_and_interrupts_are_no_failures(runtime, log):
    ref = runtime.start(Recorder, log)

    def interrupt(_):
        raise KeyboardInterrupt

    ref.tell(interrupt)
    ref.tell("next")
    with pytest.raises(KeyboardInterrupt):
        runtime.drain()
    assert ref.is_alive()
    assert runtime.status.restarts == 0
    await runtime.quiescent()
    assert log[-1] == ("", "next")


async def test_status(runtime, log):
    ref = runtime.start(Recorder, log)
    runtime.schedule(1, ref, "tick")
    ref.tell(1)
    assert (runtime.status.actors, runtime.status.ready, runtime.status.timers) == (1, 1, 1)
    await runtime.quiescent()
    assert (runtime.status.ready, runtime.status.messages) == (0, 1)


# -- after a turn ------------------------------------------------------------------------------------------------------


class Wire:
    def __init__(self, runtime):
        self.runtime, self.buffer, self.sent = runtime, [], []

    def deliver(self, event):
        self.buffer.append(event)
        self.runtime.after_turn(self.flush)

    def flush(self):
        self.sent.append(self.buffer)
        self.buffer = []


async def test_what_arrives_together_leaves_together(runtime, log):
    one, two, ref = Wire(runtime), Wire(runtime), runtime.start(Recorder, log)
    with runtime.batch():
        for number in range(3):
            ref.tell(lambda _, number=number: one.deliver(number))
        ref.tell(lambda _: two.deliver("x"))
        assert one.sent == []
    assert one.sent == [[0, 1, 2]]
    assert two.sent == [["x"]]
    with runtime.batch():
        ref.tell(lambda _: one.deliver(3))
    assert one.sent == [[0, 1, 2], [3]]
    assert len(two.sent) == 1


async def test_a_flush_outside_of_a_turn_comes_with_the_next_one(runtime):
    wire = Wire(runtime)
    wire.deliver("by the gateway itself")
    await runtime.quiescent()
    assert wire.sent == [["by the gateway itself"]]


async def test_a_flush_that_fails_concerns_nobody_else(runtime, caplog):
    wire = Wire(runtime)

    def broken():
        raise ValueError("secret words")

    runtime.after_turn(broken)
    wire.deliver("x")
    with caplog.at_level(logging.INFO, "actors"):
        await runtime.quiescent()
    assert wire.sent == [["x"]]
    assert "a flush failed: ValueError" in caplog.text
    assert "secret words" not in caplog.text


async def test_a_flush_may_tell_and_that_is_flushed_as_well(runtime, log):
    wire, ref = Wire(runtime), runtime.start(Recorder, log)
    runtime.after_turn(lambda: ref.tell(lambda _: wire.deliver("x")))
    runtime.drain()
    assert wire.sent == [["x"]]


# -- limits ------------------------------------------------------------------------------------------------------------


async def test_a_full_mailbox_refuses_and_recovers(runtime, log):
    ref = runtime.start(Small, log)
    ref.tell(1)
    ref.tell(2)
    with pytest.raises(MailboxFull):
        ref.tell(3)
    with pytest.raises(MailboxFull):
        ref.ask(3, block=False)
    ref.stop(block=False)
    await runtime.quiescent()
    assert log[1:] == [("", 1), ("", 2), ("", "stopped")]


async def test_a_timer_is_heard_by_a_full_mailbox(runtime, log):
    ref = runtime.start(Small, log)
    runtime.schedule(0, ref, "tick")
    ref.tell(1)
    ref.tell(2)
    runtime._timers._fire_due()
    await runtime.quiescent()
    assert log[1:] == [("", 1), ("", 2), ("", "tick")]


# -- other threads -----------------------------------------------------------------------------------------------------


async def test_tell_and_ask_from_another_thread(runtime, log):
    ref = runtime.start(Recorder, log)

    def thread():
        for number in range(1000):
            ref.tell(number)
        return ref.ask(lambda actor: actor.log.append("asked"))

    await trio.to_thread.run_sync(thread)
    assert [entry[1] for entry in log[1:-1]] == list(range(1000))
    assert log[-1] == "asked"


async def test_start_from_another_thread(runtime, log):
    def thread():
        ref = runtime.start(Recorder, log)
        assert TrioActor.start().is_alive()
        ref.tell("hello")
        assert ref.stop() is True
        with pytest.raises(ActorDeadError):
            ref.tell("too late")

    await trio.to_thread.run_sync(thread)
    assert log == [("", "started"), ("", "hello"), ("", "stopped")]


async def test_a_plain_thread_can_use_a_runtime_that_it_holds(runtime, log):
    ref = runtime.start(Recorder, log)
    thread = threading.Thread(target=partial(ref.tell, "from afar"))
    thread.start()
    await trio.to_thread.run_sync(thread.join)
    await runtime.quiescent()
    assert log[-1] == ("", "from afar")


async def test_limits_hold_for_other_threads(runtime, log):
    small, forgetful = runtime.start(Small, log), runtime.start(SmallAndForgetful, log)
    await runtime.quiescent()

    def flood():
        small.tell(1)
        small.tell(2)
        with pytest.raises(MailboxFull):
            small.tell(3)
        for number in range(4):
            forgetful.tell(number)
        with pytest.raises(MailboxFull):
            forgetful.ask(4, block=False).get(timeout=0)

    thread = threading.Thread(target=flood)  # the loop stands still meanwhile, so nothing is taken from the inboxes
    thread.start()
    thread.join()
    await runtime.quiescent()
    assert [message for _, message in log[2:]] == [1, 2, 0, 1]
    assert small.actor_inbox.status.dropped == {"refuse": 1}
    assert forgetful.actor_inbox.status.dropped == {"drop-newest": 3}


async def test_who_asks_from_a_thread_is_answered_when_the_runtime_ends(nursery, log):
    scope, runtime = trio.CancelScope(), Runtime()

    async def run(task_status):
        with scope:
            await runtime.run(task_status)

    await nursery.start(run)
    ref = runtime.start(Recorder, log)

    def handler(actor):
        pending.append(actor.actor_ref.ask("never handled", block=False))
        scope.cancel()
        for _ in range(2 * TURN_MESSAGES):
            actor.actor_ref.tell("x")

    pending = []
    for _ in range(TURN_MESSAGES + 1):
        ref.tell(lambda _: None)
    ref.tell(handler)
    runtime.drain()
    runtime.drain()
    late = ref.ask("never handled", block=False)
    with pytest.raises(ActorDeadError):
        await late.wait()
    assert not ref.is_alive()
    with pytest.raises(ActorDeadError):
        ref.tell("gone")


# -- futures on trio ---------------------------------------------------------------------------------------------------


async def test_get_on_the_trio_thread_never_blocks(runtime, log):
    ref = runtime.start(Recorder, log)
    future = ref.ask("a", block=False)
    with pytest.raises(FutureNotReady):
        future.get()
    with pytest.raises(FutureNotReady):
        ref.ask("b")
    with pytest.raises(FutureNotReady):
        ref.stop()
    assert await future.wait() is None
    assert future.get() is None
    assert log == [("", "started"), ("", "a")]  # what would have blocked was not even sent


async def test_a_handler_that_would_wait_for_another_fails_at_once(runtime, log):
    ref = runtime.start(Recorder, log)
    with pytest.raises(FutureNotReady):
        await ref.ask(lambda actor: actor.actor_ref.ask("myself", block=False).get(), block=False).wait()


async def test_wait_for_futures_made_of_others(runtime, log):
    one, two = TrioFuture(), TrioFuture()
    both = one.join(two).map(sum)
    results = []

    async def wait(future):
        results.append(await future)

    async with trio.open_nursery() as waiting:
        waiting.start_soon(wait, both)
        waiting.start_soon(wait, both)
        await trio.testing.wait_all_tasks_blocked()
        one.set(1)
        await trio.testing.wait_all_tasks_blocked()
        await trio.to_thread.run_sync(two.set, 2)
    assert results == [3, 3]


async def test_wait_raises_what_was_set():
    future = TrioFuture()
    future.set_exception((ValueError, ValueError("no"), None))
    with pytest.raises(ValueError, match="no"):
        await future.wait()


async def test_wait_can_be_cancelled():
    with trio.move_on_after(0) as scope:
        await TrioFuture().wait()
    assert scope.cancelled_caught


# -- start and stop ----------------------------------------------------------------------------------------------------


async def test_current(runtime, nursery):
    assert Runtime.current() is runtime
    with pytest.raises(RuntimeError):
        await trio.to_thread.run_sync(lambda: trio.run(nothing))


async def nothing():
    Runtime.current()


def test_there_is_no_runtime_outside_of_trio():
    with pytest.raises(RuntimeError):
        TrioActor.start()


async def test_actors_may_be_started_before_the_runtime_runs(nursery, log):
    runtime = Runtime()
    ref = runtime.start(Recorder, log)
    ref.tell("early")
    await nursery.start(runtime.run)
    await runtime.quiescent()
    assert log == [("", "started"), ("", "early")]


async def test_a_constructor_must_call_its_super(runtime):
    class Forgetful(TrioActor):
        def __init__(self):
            pass

    with pytest.raises(TypeError, match="super"):
        runtime.start(Forgetful)
    assert runtime.status.actors == 0


async def test_stop_all_stops_children_before_their_owners(runtime, log):
    owner = runtime.start(Recorder, log, "owner")
    child = runtime.start(Recorder, log, "child", owner=owner)
    runtime.start(Recorder, log, "grandchild", owner=child)
    runtime.start(Recorder, log, "younger")
    child.tell("waits already")
    await runtime.stop_all()
    assert [entry for entry in log if entry[1] != "started"] == [
        ("child", "waits already"),
        ("younger", "stopped"),
        ("grandchild", "stopped"),
        ("child", "stopped"),
        ("owner", "stopped"),
    ]
    assert runtime.status.actors == 0


async def test_a_stopped_owner_takes_its_children_along(runtime, log):
    owner = runtime.start(Recorder, log, "owner")
    child = runtime.start(Recorder, log, "child", owner=owner)
    other = runtime.start(Recorder, log, "other")
    runtime.start(Recorder, log, "gone before", owner=owner).stop(block=False)
    await runtime.quiescent()
    owner.stop(block=False)
    await runtime.quiescent()
    assert not child.is_alive()
    assert other.is_alive()
    assert log[-3:] == [("gone before", "stopped"), ("owner", "stopped"), ("child", "stopped")]


async def test_an_actor_that_stopped_is_freed_at_once(runtime, log):
    import gc
    import weakref

    ref = runtime.start(Recorder, log)
    await runtime.quiescent()
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(ref.actor_inbox.actor)
        await ref.stop(block=False)
        assert gone() is None
    finally:
        gc.enable()


async def test_no_actor_is_in_pykkas_registry(runtime, log):
    from pykka import ActorRegistry

    ref = runtime.start(Recorder, log)
    Recorder.start(log)
    assert ActorRegistry.get_all() == []
    await ref.stop(block=False)
