"""What a failure does: restart in place, set aside, give up, escalate."""

import logging

import pytest
import trio

from actors.runtime import ActorStopped, Decision, Escalation, Runtime, TrioActor
from actors.supervision import RESTART_SECONDS, RESTARTS, SET_ASIDE_KEPT


class Fragile(TrioActor):
    """Counts what it handles; calls what can be called. `log` outlives the instances."""

    def __init__(self, log, *, name="fragile"):
        super().__init__()
        self.log, self.name, self.count = log, name, 0

    def on_start(self):
        self.log.append("start")

    def on_restart(self, failed_message, error):
        self.log.append(("restart", type(failed_message).__name__, type(error).__name__))

    def on_stop(self):
        self.log.append("stop")

    def on_failure(self, exception_type, *_):
        self.log.append(("failure", exception_type.__name__))

    def on_receive(self, message):
        self.count += 1
        if callable(message):
            return message(self)
        self.log.append((message, self.count))
        return self.count


class BrokenStart(Fragile):
    def on_start(self):
        super().on_start()
        raise OSError("no")


class Unsupervised(Fragile):
    supervised = False


class Owner(TrioActor):
    def __init__(self, log, decision=Decision.RESTART):
        super().__init__()
        self.log, self.decision = log, decision

    def on_receive(self, message):
        self.log.append(message)

    def on_child_failure(self, *_):
        if self.decision is None:
            raise LookupError
        return self.decision


class Bomb:
    """A message that fails the first `times` times."""

    def __init__(self, times=1_000):
        self.times = times

    def __call__(self, actor):
        self.times -= 1
        if self.times >= 0:
            raise ValueError("what someone wrote")
        actor.log.append("survived")


@pytest.fixture
def set_aside():
    return []


@pytest.fixture
async def runtime(nursery, set_aside):
    runtime = Runtime(on_set_aside=lambda ref, message, error: set_aside.append((ref, message, error)))
    await nursery.start(runtime.run)
    return runtime


async def test_a_failing_actor_is_restarted_in_place_and_the_message_tried_again(runtime, log, set_aside):
    ref = runtime.start(Fragile, log)
    ref.tell("before")
    ref.tell(Bomb(1))
    ref.tell("after")
    await runtime.quiescent()
    assert log == ["start", ("before", 1), "start", ("restart", "Bomb", "ValueError"), "survived", ("after", 2)]
    assert ref.is_alive()
    assert set_aside == []
    assert runtime.status.restarts == 1


async def test_a_message_that_fails_twice_is_set_aside(runtime, log, set_aside, caplog):
    ref, bomb = runtime.start(Fragile, log), Bomb()
    ref.tell(bomb)
    ref.tell("after")
    with caplog.at_level(logging.INFO, "actors"):
        await runtime.quiescent()
    assert log[-1] == ("after", 1)
    [(failed, message, error)] = set_aside
    assert (failed, message, type(error)) == (ref, bomb, ValueError)
    [record] = runtime.supervision.set_aside
    assert (record.actor, record.message_type) == (str(ref), "Bomb")
    assert "ValueError at" in record.reason
    assert "__call__" in record.reason
    assert runtime.status.set_aside == 1
    assert "Bomb set aside: ValueError" in caplog.text
    assert "restarted" in caplog.text
    assert "what someone wrote" not in caplog.text


async def test_the_reference_its_proxies_and_pending_asks_survive(runtime, log):
    ref = runtime.start(Fragile, log, name="same again")
    await runtime.quiescent()
    proxy = ref.proxy()
    ref.tell(Bomb(1))
    answer = ref.ask("question", block=False)
    assert await answer.wait() == 2
    assert await proxy.name == "same again"
    assert await ref.proxy().count == 2


async def test_bad_messages_of_a_stranger_do_not_stop_an_actor(runtime, log, set_aside):
    ref = runtime.start(Fragile, log)
    for _ in range(5 * RESTARTS):
        ref.tell(Bomb())
    ref.tell("still there")
    await runtime.quiescent()
    assert log[-1] == ("still there", 1)
    assert len(set_aside) == 5 * RESTARTS


async def test_the_record_of_set_aside_messages_is_bounded(runtime, log):
    ref = runtime.start(Fragile, log)
    for _ in range(SET_ASIDE_KEPT + 5):
        ref.tell(Bomb())
    await runtime.quiescent()
    assert len(runtime.supervision.set_aside) == SET_ASIDE_KEPT
    assert runtime.supervision.set_aside_count == SET_ASIDE_KEPT + 5


async def test_an_actor_that_keeps_failing_is_given_up_and_its_owner_told(runtime, log, set_aside):
    heard = []
    owner = runtime.start(Owner, heard)
    ref = runtime.start(Fragile, log, owner=owner)
    for _ in range(RESTARTS + 1):
        ref.tell(Bomb(1))
    pending = ref.ask("too late", block=False)
    await runtime.quiescent()
    assert log.count("start") == 1 + RESTARTS
    assert log[-1] == ("failure", "ValueError")
    assert not ref.is_alive()
    [told] = heard
    assert isinstance(told, ActorStopped)
    assert told.ref is ref
    assert isinstance(told.error, ValueError)
    assert len(set_aside) == 1  # whoever sent the message that it ended with hears of it
    with pytest.raises(Exception, match="stopped before handling"):
        pending.get()


async def test_restarts_are_forgotten_with_time(runtime, log, autojump_clock):
    ref = runtime.start(Fragile, log)
    for _ in range(3):
        for _ in range(RESTARTS):
            ref.tell(Bomb(1))
        await trio.sleep(RESTART_SECONDS)
    assert ref.is_alive()
    assert runtime.status.restarts == 3 * RESTARTS


async def test_a_start_that_fails_costs_the_budget_too(runtime, log):
    heard = []
    ref = runtime.start(BrokenStart, log, owner=runtime.start(Owner, heard))
    await runtime.quiescent()
    assert log == ["start"] * (1 + RESTARTS) + [("failure", "OSError")]
    assert heard[0].ref is ref


async def test_a_constructor_that_fails_at_restart(runtime, log):
    heard, fail = [], []

    class Moody(Fragile):
        def __init__(self, log):
            super().__init__(log)
            if fail:
                raise MemoryError

    ref = runtime.start(Moody, log, owner=runtime.start(Owner, heard))
    await runtime.quiescent()
    fail.append(True)
    ref.tell(Bomb(1))
    await runtime.quiescent()
    assert log == ["start", ("failure", "MemoryError")]
    assert isinstance(heard[0].error, MemoryError)


async def test_an_owner_may_decide_to_stop(runtime, log):
    heard = []
    ref = runtime.start(Fragile, log, owner=runtime.start(Owner, heard, Decision.STOP))
    ref.tell(Bomb())
    await runtime.quiescent()
    assert log == ["start", ("failure", "ValueError")]
    assert heard[0].ref is ref


async def test_an_owner_that_cannot_decide_gets_the_default(runtime, log):
    ref = runtime.start(Fragile, log, owner=runtime.start(Owner, [], None))
    ref.tell(Bomb(1))
    await runtime.quiescent()
    assert ref.is_alive()


@pytest.mark.parametrize("actor_class", [Fragile, Unsupervised])
async def test_an_unsupervised_actor_stops_at_its_first_failure(runtime, log, actor_class):
    ref = runtime.start(Unsupervised, log) if actor_class is Unsupervised else Fragile.start(log)
    ref.tell(Bomb(1))
    ref.tell("never handled")
    await runtime.quiescent()
    assert log == ["start", ("failure", "ValueError")]
    assert not ref.is_alive()


async def test_an_unsupervised_actor_with_an_owner_tells_it(runtime, log):
    heard = []
    ref = runtime.start(Unsupervised, log, owner=runtime.start(Owner, heard))
    ref.tell(Bomb(1))
    await runtime.quiescent()
    assert heard[0].ref is ref


async def test_an_actor_whose_owner_is_gone_just_ends(runtime, log):
    owner = runtime.start(Owner, [])
    ref = runtime.start(Fragile, log, owner=owner)
    for _ in range(RESTARTS + 1):
        ref.tell(Bomb(1))
    owner.actor_stopped.set()
    await runtime.quiescent()
    assert not ref.is_alive()


async def test_an_ask_that_fails_is_answered_and_is_no_failure(runtime, log):
    ref = runtime.start(Fragile, log)
    with pytest.raises(ValueError, match="what someone wrote"):
        await ref.ask(Bomb(1), block=False)
    assert runtime.status.restarts == 0


async def test_an_actor_may_stop_itself_in_its_last_hook(runtime, log):
    class Polite(Unsupervised):
        def on_failure(self, *args):
            super().on_failure(*args)
            self.stop()

    runtime.start(Polite, log).tell(Bomb(1))
    await runtime.quiescent()
    assert log == ["start", ("failure", "ValueError")]


async def test_a_hook_that_fails_harms_nobody(runtime, log, caplog):
    def broken(ref, message, error):
        raise LookupError("secret")

    runtime.on_set_aside = broken
    ref = runtime.start(Fragile, log)
    ref.tell(Bomb())
    ref.tell("after")
    await runtime.quiescent()
    assert log[-1] == ("after", 1)
    assert "on_set_aside failed: LookupError" in caplog.text


async def test_without_an_owner_the_process_ends(log):
    runtime = Runtime()
    other = runtime.start(Fragile, [])
    ref = runtime.start(Fragile, log)
    for _ in range(RESTARTS + 1):
        ref.tell(Bomb(1))
    with pytest.raises(Escalation) as caught:
        await runtime.run()
    assert isinstance(caught.value.__cause__, ValueError)
    assert "what someone wrote" not in str(caught.value)
    assert not ref.is_alive()
    assert not other.is_alive()


async def test_a_timer_outlives_a_restart(runtime, log, autojump_clock):
    ref = runtime.start(Fragile, log)
    runtime.schedule(5, ref, "tick")
    ref.tell(Bomb(1))
    await trio.sleep(6)
    assert log[-1] == ("tick", 2)
