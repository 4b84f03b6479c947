"""Moments of a session that is resumed which no client can bring about at will."""

import gc

import trio
from trio.testing import MockClock

from actors.missed import NEW_CLIENT_SECONDS
from actors.session_base import PRESENCES_FOR_ACK
from engine.limits import QUIET_SECONDS, WAITING_PAGE
from tests.stage.memory_stage import memory_stage


def test_what_comes_when_the_connection_is_gone_and_the_session_does_not_know_it_yet():
    async def main() -> None:
        async with memory_stage() as stage:
            alice, bob = await stage.enter("alice"), await stage.enter("bob", "desk")
            await bob.counts()
            await stage.settle(bob)
            line = bob.line
            line._is_closed = True  # the socket broke; the session is told in a moment
            await alice.says(bob.bare, "in between")
            await alice.is_present("away")
            await stage.settle(alice)
            line._is_closed = False
            await bob.is_cut_off()
            await stage.resume(bob)
            await bob.hears_message("in between")
            await bob.hears_presence(alice.jid, "away")

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_what_was_missed_comes_as_fast_as_the_line_takes_it():
    """Who logs in over a slow line must not be cut for what has waited for him."""

    async def main() -> None:
        async with memory_stage() as stage:
            alice = await stage.enter("alice")
            for number in range(WAITING_PAGE + 1):
                await alice.says("bob@example.com", str(number))
            await stage.settle(alice)
            bob = await stage.enter("bob", is_present=False)
            written, tell = [], bob.line.tell_when_written
            bob.line.tell_when_written = written.append
            await bob.is_present()
            await trio.sleep(NEW_CLIENT_SECONDS + 1.0)
            await stage.settle(bob)
            assert len(bob.messages()) == WAITING_PAGE
            await alice.says(bob.bare, "meanwhile")
            await stage.settle(bob)
            assert len(bob.messages()) == WAITING_PAGE
            bob.line.tell_when_written = tell
            tell(written[-1])
            await bob.hears_message("meanwhile")
            assert bob.messages() == [str(number) for number in range(WAITING_PAGE + 1)]

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_nobody_is_asked_whether_he_has_got_presence_but_for_much_of_it():
    def is_asked(player) -> int:
        return sum(element.tag.endswith("}r") for element in player.heard)

    async def main() -> None:
        async with memory_stage() as stage:
            alice, bob = await stage.enter("alice"), await stage.enter("bob")
            await stage.settle(bob)
            await bob.counts()
            for number in range(PRESENCES_FOR_ACK - 1):
                await alice.is_present("away", text=str(number))
                await trio.sleep(1.0)
            assert not is_asked(bob)
            await alice.is_present("away", text="once more")
            await trio.sleep(1.0)
            assert is_asked(bob) == 1
            await bob.acknowledges()
            bob.forget()
            await alice.says(bob.bare, "hello")
            await trio.sleep(1.0)
            assert is_asked(bob) == 1

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_who_does_not_come_back_after_a_kill_is_told_as_gone():
    """To a client that resumed its session and would see him for ever."""

    async def main() -> None:
        async with memory_stage() as stage:
            alice, bob, carol = (
                await stage.enter("alice", "desk"),
                await stage.enter("bob", "pc"),
                await stage.enter("carol"),
            )
            for player in (alice, bob):
                await player.counts()
            await alice.hears_presence(carol.jid)
            await stage.settle(alice)
            await stage.restart()
            for player in (alice, bob):
                await stage.resume(player)
            await stage.settle(alice)
            alice.heard.clear()
            await trio.sleep(QUIET_SECONDS + 1.0)
            await stage.settle(alice)
            assert {e.get("from"): e.get("type") for e in alice.heard if e.tag.endswith("}presence")} == {
                carol.jid: "unavailable"
            }

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_session_that_ended_is_gone_from_memory():
    """It does not wait for the garbage collector, which would not come for what has lived for long."""

    async def main() -> None:
        async with memory_stage() as stage:
            alice, bob = await stage.enter("alice"), await stage.enter("bob")
            await bob.says(alice.bare, "hello")
            await stage.settle(alice)
            session = stage._directory.find(bob.jid)._actor_weakref
            assert session() is not None
            gc.disable()
            try:
                await bob.leaves()
                await alice.hears_unavailable(bob.jid)
                await stage.settle(alice)
                assert session() is None
            finally:
                gc.enable()

    trio.run(main, clock=MockClock(autojump_threshold=0))
