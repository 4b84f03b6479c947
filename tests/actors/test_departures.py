"""The departures: what is waited for before a history goes, and what happens when the disk fails."""

import pytest
import trio
from trio.testing import MockClock

from actors.archiver import Archiver
from actors.departures import RETRY_SECONDS, Depart, Departed, DepartureDelayed, Departures
from actors.directory import ARCHIVER, REGISTRAR, Directory
from engine import administration as a
from engine import messages as m
from engine.contacts import Contact, ContactKind, RemovedContact
from engine.jid import Jid
from engine.ports import StorageUnavailable
from engine.standing import Standings
from index.memory_accounts import MemoryAccounts
from index.memory_archive import MemoryArchive
from index.session_journal import MemoryJournal
from tests.actors.recorder import Recorder
from tests.index.stories import NOON, chat, says
from tests.stage.memory_stage import MemoryStage, memory_stage

DOMAIN, ANN, BEN = "x.org", "ann@x.org", "ben@x.org"


class SlowArchive(MemoryArchive):
    """A commit takes a second."""

    async def commit(self, drafts, notes):
        await trio.sleep(1)
        return await super().commit(drafts, notes)


@pytest.fixture
async def accounts():
    accounts = MemoryAccounts()
    await accounts.add_domain(DOMAIN)
    await accounts.put([Contact(address=ANN), Contact(address=BEN)])
    return accounts


@pytest.fixture
def archive():
    return MemoryArchive(lambda: NOON)


@pytest.fixture
def told(runtime, log):
    """What the registrar was told."""
    directory = Directory()
    directory.bind(REGISTRAR, runtime.start(Recorder, log))
    return directory, lambda: [message for _, message in log if not isinstance(message, str)]


def start(archive, accounts, runtime, directory):
    kept = archive.retention, accounts
    return runtime.start(Departures, *kept, runtime, directory, files=archive.files, clock=lambda: NOON)


async def test_what_an_earlier_process_left_is_done_at_the_start(runtime, told, accounts, archive):
    directory, heard = told
    await archive.commit([says(ANN, BEN), says(BEN, ANN)])
    await accounts.remove([ANN])
    start(archive, accounts, runtime, directory)
    await runtime.quiescent()
    assert heard() == [Departed(ANN, 2)]
    assert await accounts.departing() == []
    assert await archive.histories.bounds(ANN) is None
    assert await archive.histories.bounds(BEN) is not None


async def test_what_is_on_its_way_to_the_archive_is_waited_for(runtime, told, accounts, autojump_clock):
    directory, heard = told
    archive = SlowArchive(lambda: NOON)
    directory.bind(ARCHIVER, runtime.start(Archiver, archive, MemoryJournal(), Standings(0), runtime, directory))
    departures = start(archive, accounts, runtime, directory)
    await runtime.quiescent()
    for draft in (says(BEN, ANN, "one"), says(BEN, ANN, "two")):
        directory.tell(ARCHIVER, m.ArchiveChat(m.SendChat(draft.chat), draft.recipients))
    await accounts.remove([ANN])
    departures.tell(Depart())
    with trio.fail_after(60):
        await trio.sleep(10)
    assert heard() == [Departed(ANN, 2)]
    assert await archive.histories.bounds(ANN) is None
    assert await archive.histories.bounds(BEN) is not None


async def test_whoever_gets_the_address_again_begins_with_new_clients(runtime, told, archive, accounts):
    directory, _ = told
    standings = Standings(0)
    directory.bind(ARCHIVER, runtime.start(Archiver, archive, MemoryJournal(), standings, runtime, directory))
    for owner in (ANN, BEN):
        directory.tell(ARCHIVER, m.MoveCursor(owner, "desk", 0, 5))
    await accounts.remove([ANN])
    start(archive, accounts, runtime, directory)
    await runtime.quiescent()
    questions = {owner: m.FetchMissed(Jid(owner, "desk"), 1, "desk") for owner in (ANN, BEN)}
    assert standings.answer(questions[BEN]) is not None
    assert standings.answer(questions[ANN]) is None
    assert await archive.cursor(ANN, "desk") == (None, 0)


async def test_a_disk_that_fails_is_tried_again(runtime, told, accounts, archive, autojump_clock):
    directory, heard = told
    await archive.commit([says(ANN, BEN)])
    await accounts.remove([ANN])
    archive.fail_with = StorageUnavailable("the disk is full")
    start(archive, accounts, runtime, directory)
    await trio.sleep(1)
    assert heard() == [DepartureDelayed()]
    assert await accounts.departing() == [ANN]
    archive.fail_with = None
    await trio.sleep(RETRY_SECONDS)
    assert heard() == [DepartureDelayed(), Departed(ANN, 1)]
    assert await accounts.departing() == []


# -- in the whole system ------------------------------------------------------------------------------------------------

ALICE, BOB, TEAM, GHOST = "alice@example.com", "bob@example.com", "salesteam@example.com", "ghost@example.com"


def on_stage(scene):
    async def main():
        async with memory_stage() as stage:
            await scene(stage)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_an_alias_that_does_not_know_yet_brings_nothing_into_the_history():
    async def scene(stage: MemoryStage):
        alice = await stage.enter("alice")
        stage.tell(TEAM, m.SetMembers((BOB, GHOST), {}))
        await alice.says(TEAM, "to the team")
        await stage.settle(alice)
        assert [body for _, _, body in await stage.history(BOB)] == ["to the team"]
        assert await stage.history(GHOST) == []

    on_stage(scene)


def test_the_last_words_of_a_session_that_is_not_closed_yet_are_refused():
    async def scene(stage: MemoryStage):
        alice = await stage.enter("alice", "desk")
        with stage._runtime.batch():
            removed = RemovedContact(address=ALICE, kind=ContactKind.MEMBER, changed=99)
            stage.tell("example.com", m.ContactsChanged("example.com", (removed,)))
            stage.tell(ALICE, m.SendChat(chat(f"{ALICE}/desk", BOB, "too late")))
        await alice.hears_cut()
        await stage.settle(alice)
        assert await stage.history(BOB) == []

    on_stage(scene)


def test_the_operator_is_told_how_much_went_and_does_not_wait_for_a_broken_disk():
    async def scene(stage: MemoryStage):
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await alice.says(BOB, "hello")
        await bob.hears_message("hello")
        assert await stage.command(a.RemoveUser(ALICE)) == a.Done(
            "user alice@example.com removed", ("its history removed: 1 message; the others keep theirs",)
        )
        with stage.broken_archive():
            result = await stage.command(a.RemoveUser(BOB))
            assert isinstance(result, a.Done)
            assert "is removed as soon as the archive can be written" in result.notes[-1]
            refused = await stage.command(a.AddUser(user=a.NewUser(address=BOB)))
            assert isinstance(refused, a.Refused)
            assert "its history is still being removed; try again in a moment" in refused.text
        await trio.sleep(RETRY_SECONDS * 2)
        assert await stage.command(a.AddUser(user=a.NewUser(address=BOB))) == a.Done(f"user {BOB} added")
        assert await stage.history(BOB) == []

    on_stage(scene)
