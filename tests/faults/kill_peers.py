"""Kill -9 of somebody else's server while people talk, and what it knows after its restart.

Three people talk with each other, as fast as they are heard; at a random moment all processes of the server are killed, and it
starts again on its files. Known is what was acknowledged to its sender (XEP-0198) or shown to its reader before the kill. Two
questions: is the text anywhere in the files, and was the reader shown it, then or when he came back and waited.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from tests.faults.outcome import has_time, part_of
from tests.faults.peers import enter_peer, kept_texts, kill, start_again
from tests.faults.talk import ALICE, BOB, CAROL, Talk, Talker, until
from tests.load.peers.peer import Peer

SPEAKERS = (ALICE, BOB, CAROL)
ROUNDS = 12
SECONDS_UNTIL_KILL = (0.3, 1.2)
SECONDS_TO_COME = 4.0
"""How long a reader who is back waits for what he has not seen."""

AHEAD = 20
PAUSE_SECONDS = 0.01


async def chatters(talker: Talker, dice: random.Random) -> None:
    """Say something to the others until nobody is there any more."""
    talk, mine = talker.talk, 0
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while not talker.is_cut and not talker.is_mute:
            known = sum(talk.sent[origin].sender == talker.jid for origin in talk.acknowledged)
            if mine - known < AHEAD:
                mine += 1
                await talker.talks(dice.choice([person for person in SPEAKERS if person != talker.bare]))
            await trio.sleep(dice.random() * PAUSE_SECONDS)


async def play_round(peer: Peer, dice: random.Random) -> Counter[str]:
    """One kill."""
    talk = Talk()
    async with trio.open_nursery() as nursery:
        cast = [await enter_peer(nursery, peer, talk, person, counts=True) for person in SPEAKERS]
        async with trio.open_nursery() as speakers:
            for talker in cast:
                speakers.start_soon(chatters, talker, random.Random(dice.random()))
            await trio.sleep(dice.uniform(*SECONDS_UNTIL_KILL))
            kill(peer)
        for talker in cast:
            await until(lambda talker=talker: talker.is_cut, 2.0)
        nursery.cancel_scope.cancel()
    known = dict(talk.promised())
    await trio.to_thread.run_sync(start_again, peer)
    async with trio.open_nursery() as nursery:
        for person in SPEAKERS:
            await enter_peer(nursery, peer, talk, person)
        await until(lambda: all(talk.has(talk.sent[origin]) for origin in known), SECONDS_TO_COME)
        nursery.cancel_scope.cancel()
    text = kept_texts(peer.folder)
    gone = sum(f"{origin}w" not in text for origin in known)
    unseen = sum(not talk.has(talk.sent[origin]) for origin in known)
    return Counter(rounds=1, known=len(known), gone=gone, unseen=unseen)


def asking(seed: int) -> Callable[[Peer], Awaitable[str]]:
    """What is to be asked of each peer."""

    async def ask(peer: Peer) -> str:
        dice, total = random.Random(seed), Counter[str]()
        for _ in range(part_of(ROUNDS)):
            if has_time():
                total += await play_round(peer, dice)
        return (
            f"of {total['known']:,} known messages in {total['rounds']} kills, {total['gone']:,} are in no file, "
            f"{total['unseen']:,} were not shown to whom they are for"
        )

    return ask
