"""What Pykka documents of actors holds for `TrioActor` as it does for `pykka.ThreadingActor`.

Every test runs once with each of them, in a thread, as a user of Pykka would write it. Only the last section knows of trio.
"""

import threading

import pykka
import pytest
import trio

from actors.runtime import Runtime, TrioActor


@pytest.fixture
async def runtime(nursery):
    runtime = Runtime()
    await nursery.start(runtime.run)
    yield runtime
    await trio.to_thread.run_sync(pykka.ActorRegistry.stop_all)


@pytest.fixture(params=[TrioActor, pykka.ThreadingActor], ids=["trio", "threading"])
def base(request, runtime):
    return request.param


async def in_thread(test, *args):
    return await trio.to_thread.run_sync(test, *args)


def make(base):
    """An actor class that writes down what happens to it."""

    class Recorder(base):
        def __init__(self, greeting="hello"):
            super().__init__()
            self.greeting = greeting
            self.events = happened
            self.in_constructor = (self.actor_urn, self.actor_inbox, self.actor_ref, self.actor_stopped)

        def on_start(self):
            self.events.append("on_start")

        def on_stop(self):
            self.events.append("on_stop")

        def on_failure(self, exception_type, exception_value, traceback):
            self.events.append(("on_failure", exception_type, str(exception_value), traceback is not None))
            FAILED.set()

        def on_receive(self, message):
            self.events.append(message)
            if message == "fail":
                raise ValueError("as told")
            if message == "stop yourself":
                self.stop()
            if isinstance(message, threading.Event):
                message.set()
            if message == "wait":
                GO_ON.wait(10)
            return f"{self.greeting}, {message}"

    return Recorder


@pytest.fixture(autouse=True)
def events():
    happened.clear()
    FAILED.clear()
    GO_ON.clear()
    return happened


happened: list = []
FAILED = threading.Event()
GO_ON = threading.Event()


def wait_for_death(ref):
    assert ref.stop(timeout=10) in (True, False)
    assert not ref.is_alive()


# -- start -------------------------------------------------------------------------------------------------------------


async def test_start_gives_a_reference_to_a_living_actor(base):
    def test():
        actor_class = make(base)
        ref = actor_class.start(greeting="hi")
        assert isinstance(ref, pykka.ActorRef)
        assert ref.is_alive()
        assert ref.actor_class is actor_class
        assert str(ref) == f"Recorder ({ref.actor_urn})"
        assert repr(ref) == f"<ActorRef for Recorder ({ref.actor_urn})>"
        assert ref.ask("you", timeout=10) == "hi, you"
        assert happened == ["on_start", "you"]
        ref.stop(timeout=10)

    await in_thread(test)


async def test_what_the_constructor_can_use(base):
    def test():
        ref = make(base).start()
        urn, inbox, own_ref, stopped = ref.ask(pykka.messages.ProxyGetAttr(("in_constructor",)), timeout=10)
        assert (urn, inbox, stopped) == (ref.actor_urn, ref.actor_inbox, ref.actor_stopped)
        assert own_ref.actor_urn == ref.actor_urn
        assert own_ref.ask("x", timeout=10) == "hello, x"
        ref.stop(timeout=10)

    await in_thread(test)


async def test_every_actor_has_its_own_urn(base):
    def test():
        refs = [make(base).start() for _ in range(3)]
        assert len({ref.actor_urn for ref in refs}) == 3
        assert all(ref.actor_urn.startswith("urn:") for ref in refs)
        for ref in refs:
            ref.stop(timeout=10)

    await in_thread(test)


async def test_a_start_that_fails_stops_the_actor_without_a_hook(base):
    class Stillborn(make(base)):
        def on_start(self):
            raise ValueError

    def test():
        ref = Stillborn.start()
        with pytest.raises(pykka.ActorDeadError):
            ref.ask("anyone?", timeout=10)
        assert not ref.is_alive()
        assert happened == []

    await in_thread(test)


# -- tell and ask ------------------------------------------------------------------------------------------------------


async def test_messages_are_handled_one_by_one_in_order(base):
    def test():
        ref = make(base).start()
        for number in range(100):
            ref.tell(number)
        ref.ask("last", timeout=10)
        assert happened == ["on_start", *range(100), "last"]
        assert ref.tell("returns nothing") is None
        ref.stop(timeout=10)

    await in_thread(test)


async def test_ask_without_blocking_gives_a_future(base):
    def test():
        ref = make(base).start()
        future = ref.ask("you", block=False)
        assert isinstance(future, pykka.Future)
        assert future.get(timeout=10) == "hello, you"
        assert future.get() == "hello, you"
        ref.stop(timeout=10)

    await in_thread(test)


async def test_an_error_is_the_answer_of_an_ask_and_the_actor_lives_on(base):
    def test():
        ref = make(base).start()
        with pytest.raises(ValueError, match="as told"):
            ref.ask("fail", timeout=10)
        assert ref.ask("still there", timeout=10) == "hello, still there"
        assert not FAILED.is_set()
        ref.stop(timeout=10)

    await in_thread(test)


async def test_ask_and_tell_to_a_dead_actor(base):
    def test():
        ref = make(base).start()
        ref.stop(timeout=10)
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            ref.tell("x")
        with pytest.raises(pykka.ActorDeadError, match="not found"):
            ref.ask("x", timeout=10)
        with pytest.raises(pykka.ActorDeadError):
            ref.ask("x", block=False).get(timeout=10)
        with pytest.raises(pykka.ActorDeadError):
            ref.proxy()

    await in_thread(test)


async def test_unhandled_messages_are_logged(base, caplog):
    def test():
        ref = base.start()
        assert ref.ask("what is this", timeout=10) is None
        ref.stop(timeout=10)

    await in_thread(test)
    assert "Unexpected message received by" in caplog.text


async def test_pykkas_own_messages_may_be_told(base):
    def test():
        ref = make(base).start()
        ref.tell(pykka.messages.ProxySetAttr(("greeting",), "bye"))
        ref.tell(pykka.messages.ProxyCall(("on_receive",), ("called",), {}))
        assert ref.ask("you", timeout=10) == "bye, you"
        assert happened == ["on_start", "called", "you"]
        ref.stop(timeout=10)

    await in_thread(test)


# -- failure -----------------------------------------------------------------------------------------------------------


async def test_a_failure_stops_the_actor_and_calls_on_failure(base):
    def test():
        ref = make(base).start()
        ref.tell("fail")
        assert FAILED.wait(10)
        wait_for_death(ref)
        assert happened == ["on_start", "fail", ("on_failure", ValueError, "as told", True)]

    await in_thread(test)


async def test_on_failure_may_fail(base):
    class Worse(make(base)):
        def on_failure(self, *args):
            super().on_failure(*args)
            raise LookupError

    def test():
        ref = Worse.start()
        ref.tell("fail")
        assert FAILED.wait(10)
        wait_for_death(ref)

    await in_thread(test)


async def test_a_deferred_call_that_fails_is_a_failure(base):
    def test():
        ref = make(base).start()
        ref.proxy().on_receive.defer("fail")
        assert FAILED.wait(10)
        wait_for_death(ref)

    await in_thread(test)


# -- stop --------------------------------------------------------------------------------------------------------------


async def test_stop_answers_whether_there_was_something_to_stop(base):
    def test():
        ref = make(base).start()
        assert ref.stop(timeout=10) is True
        assert ref.stop(timeout=10) is False
        assert ref.stop(block=False).get(timeout=10) is False
        assert happened == ["on_start", "on_stop"]

    await in_thread(test)


async def test_what_was_sent_before_the_stop_is_handled(base):
    def test():
        ref = make(base).start()
        for number in range(10):
            ref.tell(number)
        assert ref.stop(block=False).get(timeout=10) is True
        assert happened == ["on_start", *range(10), "on_stop"]

    await in_thread(test)


async def test_an_actor_stops_itself_behind_what_waits(base):
    def test():
        ref = make(base).start()
        first = ref.ask("stop yourself", block=False)
        assert first.get(timeout=10) == "hello, stop yourself"
        wait_for_death(ref)
        assert happened[-1] == "on_stop"

    await in_thread(test)


async def test_an_on_stop_that_fails_does_not_keep_the_actor(base):
    class Clinging(make(base)):
        def on_stop(self):
            super().on_stop()
            raise ValueError

    def test():
        ref = Clinging.start()
        assert ref.stop(timeout=10) is True
        assert not ref.is_alive()
        assert happened == ["on_start", "on_stop"]

    await in_thread(test)


async def test_asks_that_are_pending_at_the_stop_are_answered(base):
    class Busy(make(base)):
        def on_receive(self, message):
            if message == "stop with these waiting":
                ref = self.actor_ref
                answers = (ref.stop(block=False), ref.ask("x", block=False), ref.stop(block=False))
                ref.tell("y")
                return answers
            return super().on_receive(message)

    def test():
        stopped, asked, stopped_again = Busy.start().ask("stop with these waiting", timeout=10)
        assert stopped.get(timeout=10) is True
        with pytest.raises(pykka.ActorDeadError, match="stopped before handling the message"):
            asked.get(timeout=10)
        assert stopped_again.get(timeout=10) is True
        assert happened == ["on_start", "on_stop"]

    await in_thread(test)


async def test_asks_that_are_pending_at_a_failure_are_answered(base):
    class Doomed(make(base)):
        def on_receive(self, message):
            if message == "ask yourself":
                self.actor_ref.tell("fail")
                return self.actor_ref.ask("never", block=False)
            return super().on_receive(message)

    def test():
        pending = Doomed.start().ask("ask yourself", timeout=10)
        with pytest.raises(pykka.ActorDeadError):
            pending.get(timeout=10)

    await in_thread(test)


# -- the end of all ----------------------------------------------------------------------------------------------------


async def test_stop_all_stops_the_youngest_first(runtime):
    class Named(TrioActor):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def on_stop(self):
            happened.append(self.name)

    refs = [Named.start(number) for number in range(5)]
    await runtime.stop_all()
    assert happened == [4, 3, 2, 1, 0]
    assert not any(ref.is_alive() for ref in refs)


async def test_timeout_of_an_ask(base):
    class Waiting(make(base)):
        def on_receive(self, message):
            return FUTURES[-1] if message == "future" else super().on_receive(message)

    def test():
        ref = Waiting.start()
        FUTURES.append(base._create_future())
        never = ref.ask("future", timeout=10)
        with pytest.raises(pykka.Timeout):
            never.get(timeout=0.01)
        ref.stop(timeout=10)

    await in_thread(test)


FUTURES: list = []
