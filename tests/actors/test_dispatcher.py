"""Whose turn it is: order, budgets, batches, flushes."""

import logging

import pytest
import trio

from actors import dispatcher
from actors.dispatcher import ACTOR_MESSAGES, TURN_MESSAGES, TURN_SECONDS
from tests.actors.recorder import Recorder

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
    await runtime.quiescent()
    assert log.index(("other", "me too")) == ACTOR_MESSAGES


async def test_actors_that_take_long_let_io_go_on(runtime, log, monkeypatch):
    now = 0.0
    monkeypatch.setattr(dispatcher, "perf_counter", lambda: now)

    def take_long(actor):
        nonlocal now
        now += TURN_SECONDS / 2
        log.append(actor)

    refs = [runtime.start(Recorder, log) for _ in range(10)]
    await runtime.quiescent()
    log.clear()
    with runtime.batch():
        for ref in refs:
            ref.tell(take_long)
    assert len(log) == 3
    await runtime.quiescent()
    assert len(log) == len(refs)


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
