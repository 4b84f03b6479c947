"""What is not archived keeps its order among itself, too, while the archive is busy with others (RFC 6120, 10.1)."""

import trio
from trio.testing import wait_all_tasks_blocked

from tests.stage.memory_stage import memory_stage
from tests.stage.player import C

TYPING = "<message to='{}' type='chat' id='{}'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"


class SlowDisk:
    """Stands before an archive: a commit waits until it is let through."""

    def __init__(self, archive) -> None:
        self._commit = archive.commit
        self._permits = trio.Semaphore(0)
        archive.commit = self.commit

    async def commit(self, drafts, notes):
        await self._permits.acquire()
        return await self._commit(drafts, notes)

    async def lets_through(self, commits: int = 1) -> None:
        for _ in range(commits):
            self._permits.release()
        await wait_all_tasks_blocked()


class Scene:
    """Alice and Bob, and a disk that is slow."""

    def __init__(self, stage) -> None:
        self._stage = stage

    async def opens(self):
        self._carol = await self._stage.enter("carol")
        self.alice, self.bob = await self._stage.enter("alice"), await self._stage.enter("bob")
        await self.alice.hears_presence(self.bob.jid)
        await self._stage.settle(self.alice)
        self._disk = SlowDisk(self._stage._ports.archive)
        return self

    async def is_kept_behind_a_commit(self, act) -> None:
        """Bob says something and then acts; his words are written, what he did waits for those of another."""
        await self.bob.says(self.alice.bare, "words")
        await wait_all_tasks_blocked()
        await act
        await self._carol.says("dan@example.com", "other words")
        await self._disk.lets_through()
        await self.alice.hears_message("words")

    async def goes_on(self) -> None:
        await self._disk.lets_through(100)
        await self._stage.settle(self.alice)

    def shown(self, tag: str) -> list[str | None]:
        """Of messages the id, of presences the status, that Alice was shown from Bob, in order."""
        return [
            e.get("id") or e.findtext(f"{C}status")
            for e in self.alice.heard
            if e.tag == f"{C}{tag}" and e.get("from") == self.bob.jid
        ]


async def test_typing_does_not_overtake_typing(autojump_clock):
    async with memory_stage() as stage:
        scene = await Scene(stage).opens()
        bob, alice = scene.bob, scene.alice
        await scene.is_kept_behind_a_commit(bob.sends(TYPING.format(alice.bare, "first")))
        await bob.sends(TYPING.format(alice.bare, "second"))
        await scene.goes_on()
        assert scene.shown("message") == ["first", "second"]


async def test_the_last_presence_wins(autojump_clock):
    async with memory_stage() as stage:
        scene = await Scene(stage).opens()
        await scene.is_kept_behind_a_commit(scene.bob.is_present("away", "first"))
        await scene.bob.is_present("dnd", "second")
        await scene.goes_on()
        assert scene.shown("presence")[-1] == "second"


async def test_who_left_stays_away(autojump_clock):
    async with memory_stage() as stage:
        scene = await Scene(stage).opens()
        await scene.is_kept_behind_a_commit(scene.bob.is_present("away", "first"))
        await scene.bob.leaves()
        await scene.goes_on()
        last = [e for e in scene.alice.heard if e.tag == f"{C}presence" and e.get("from") == scene.bob.jid][-1]
        assert last.get("type") == "unavailable"
