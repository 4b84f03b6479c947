"""The life of actors: start, limits, owners, stop, the end of the runtime."""

import pytest
import trio
from pykka import ActorDeadError

from actors.dispatcher import TURN_MESSAGES
from actors.mailbox import MailboxFull
from actors.runtime import Runtime, TrioActor
from tests.actors.recorder import Recorder, Small


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
        gone_ref = weakref.ref(ref)
        del ref
        assert gone_ref() is None, "with its seat"
    finally:
        gc.enable()


async def test_no_actor_is_in_pykkas_registry(runtime, log):
    from pykka import ActorRegistry

    ref = runtime.start(Recorder, log)
    Recorder.start(log)
    assert ActorRegistry.get_all() == []
    await ref.stop(block=False)


async def test_who_asks_is_answered_when_the_runtime_ends(nursery, log):
    scope, runtime = trio.CancelScope(), Runtime()

    async def run(task_status):
        with scope:
            await runtime.run(task_status)

    await nursery.start(run)
    ref = runtime.start(Recorder, log)
    for number in range(2 * TURN_MESSAGES):
        ref.tell(number)
    pending = ref.ask("never handled", block=False)
    scope.cancel()
    with pytest.raises(ActorDeadError):
        await pending
    assert not ref.is_alive()
    with pytest.raises(ActorDeadError):
        ref.tell("gone")


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
