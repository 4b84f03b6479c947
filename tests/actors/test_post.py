"""Other threads: tell, ask, start, stop, and the limits that hold for them."""

import threading
from functools import partial

import pytest
import trio
from pykka import ActorDeadError

from actors.mailbox import MailboxFull
from actors.runtime import TrioActor
from tests.actors.recorder import Recorder, Small, SmallAndForgetful


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
