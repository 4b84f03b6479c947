"""Moments of a session that is resumed which no client can bring about at will."""

import trio
from trio.testing import MockClock

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
