"""What goes for good, and what stays: one suite for both twins, then the disk alone, byte by byte."""

import random
import re
import sqlite3

import msgspec
import pytest
import trio

from engine.jid import Jid
from engine.messages import ConversationsQuery, HistoryQuery
from engine.ports import Cursor, Notes, StorageUnavailable
from engine.retention import Extent, Step
from index import retention
from index.archive import SqliteArchive
from index.ledger import Entry, Role
from index.memory_archive import MemoryArchive
from tests.index.stories import NOON, says, says_to_alias, ten_messages

A, B, C, D, TEAM = "a@x.org", "b@x.org", "c@x.org", "d@x.org", "team@x.org"
NOON_ID = int(NOON * 1_000_000)
SECOND = 1_000_000


async def fill(archive, clock):
    """A message a second, from 0 to 9."""
    ids = []
    for n, draft in enumerate(ten_messages()):
        clock.now = NOON + n
        (stored,) = await archive.commit([draft])
        ids.append(stored.id)
    return ids


async def bodies(archive, owner):
    page = await archive.histories.page(HistoryQuery(owner=owner, limit=100))
    return "".join(kept.chat.body for kept in page.kept)


async def purge(archive, before):
    """To the end; what was removed in all."""
    total = Step()
    while True:
        step = await archive.retention.purge(before)
        if step.is_done:
            return total
        total = Step(total.removed + step.removed, total.octets + step.octets)


async def depart(archive, owner):
    removed = 0
    while not (step := await archive.retention.depart(owner)).is_done:
        removed += step.removed
    return removed


# -- too old -----------------------------------------------------------------------------------------------------------


async def test_what_is_older_goes_from_every_history(archive, clock):
    ids = await fill(archive, clock)
    before = await archive.retention.extent(ids[5])
    assert await purge(archive, ids[5]) == Step(before.messages, before.octets)
    assert [await bodies(archive, owner) for owner in (A, B, C, D)] == ["56789", "579", "8", "5"]
    assert await archive.retention.extent(ids[5]) == Extent()
    for message_id in ids[:5]:
        assert await archive.ledger(message_id) == []
    assert await archive.ledger(ids[5]) == [
        Entry(D, TEAM, Role.SENT),
        Entry(A, D, Role.RECEIVED),
        Entry(B, D, Role.RECEIVED),
    ]
    assert await archive.problems() == []


async def test_the_extent_says_what_goes(archive, clock):
    ids = await fill(archive, clock)
    assert await archive.retention.extent(ids[0]) == Extent()
    octets = len("0<body>0</body>")
    assert await archive.retention.extent(ids[1]) == Extent(1, octets, conversations=1, members=2, waiting=1)
    # a-b, a-c, c-b; a to the team; what b and c got of it is with a. Nobody was ever there.
    assert await archive.retention.extent(ids[5]) == Extent(5, 5 * octets, conversations=4, members=3, waiting=5)


async def test_what_was_written_to_oneself_waits_for_nobody(archive):
    await archive.commit([says(A, A)])
    assert (await archive.retention.extent(NOON_ID + SECOND)).waiting == 0


async def test_what_a_client_was_given_does_not_wait(archive, clock):
    ids = await fill(archive, clock)
    given = {(B, "desk"): Cursor(0, ids[3]), (B, "phone"): Cursor(0, ids[1]), (C, "desk"): Cursor(ids[1], ids[1])}
    await archive.commit((), Notes(given))
    # b got all of his up to 3, 4 waits for b and c, 2 for c; a was never there.
    assert (await archive.retention.extent(ids[4])).waiting == 2
    assert (await archive.retention.extent(ids[5])).waiting == 3


async def test_who_leaves_takes_clients_and_readings_along(archive, clock):
    ids = await fill(archive, clock)
    cursors = {(B, "desk"): Cursor(0, ids[9]), (A, "desk"): Cursor(0, ids[9])}
    await archive.commit((), Notes(cursors))
    await archive.mark_read([(B, ids[9]), (A, ids[8])])
    await depart(archive, B)
    assert await archive.cursor(B, "desk") == (None, 0)
    assert (await archive.cursor(A, "desk"))[0] == Cursor(0, ids[9])
    (new,) = await archive.commit([says(A, B, "welcome")])
    page = await archive.histories.conversations(ConversationsQuery(owner=B))
    assert [(one.peer, one.newest.chat.id, one.unread, one.read) for one in page.conversations] == [(A, new.id, 1, 0)]
    assert await archive.missed(Jid(B, "desk"), 0, 100, has_copies=True) != []
    assert [chat.body for chat in await archive.missed(Jid(B, "desk"), 0, 100, has_copies=True)] == ["welcome"]
    assert await archive.problems() == []


async def test_a_resend_of_what_was_removed_is_new(archive, clock):
    ids = await fill(archive, clock)
    await purge(archive, ids[5])
    (stored,) = await archive.commit([says(A, B, "0", origin="o")])
    assert not stored.duplicate


async def test_ids_are_never_given_again(archive, clock):
    ids = await fill(archive, clock)
    clock.now = NOON + 100
    await purge(archive, int(clock.now * SECOND))
    assert await bodies(archive, A) == ""
    assert await archive.newest() >= ids[-1]
    clock.now = NOON - 3600
    (stored,) = await archive.commit([says(A, B)])
    assert stored.id > ids[-1]


async def test_an_unfinished_purge_is_remembered(archive, clock, monkeypatch):
    ids = await fill(archive, clock)
    assert await archive.retention.unfinished() is None
    monkeypatch.setattr(retention, "STEP_MESSAGES", 2)
    assert 0 < (await archive.retention.purge(ids[5])).removed <= 2
    assert await archive.retention.unfinished() == ids[5]
    await purge(archive, ids[3])
    assert await archive.retention.unfinished() == ids[5]
    await purge(archive, ids[5])
    assert await archive.retention.unfinished() is None


async def test_steps_are_bounded(archive, clock, monkeypatch):
    monkeypatch.setattr(retention, "STEP_MESSAGES", 4)
    monkeypatch.setattr(retention, "STEP_ROWS", 5)
    everyone = [f"p{n}@x.org" for n in range(12)]
    ids = await fill(archive, clock)
    (large,) = await archive.commit([says_to_alias(A, TEAM, " ".join(everyone), f"{C} {D}")])
    (last,) = await archive.commit([says(A, B, "last")])
    steps = []
    while not (step := await archive.retention.purge(last.id)).is_done:
        steps.append(step.removed)
        assert step.removed <= 4
        assert await archive.problems() == []  # the tables hold together between all steps
        if await archive.ledger(large.id):
            assert Entry(A, TEAM, Role.SENT) in await archive.ledger(large.id)
    assert sum(steps) == len(ids) + 1
    assert await bodies(archive, A) == "last"


# -- who left ----------------------------------------------------------------------------------------------------------


async def test_who_leaves_takes_his_history_and_the_others_keep_theirs(archive, clock):
    ids = await fill(archive, clock)
    assert await depart(archive, A) == 9
    assert [await bodies(archive, owner) for owner in (A, B, C, D)] == ["", "0134579", "2348", "5"]
    assert await archive.ledger(ids[6]) == []  # what he wrote to himself is nobody's
    assert await archive.ledger(ids[0]) == [Entry(B, A, Role.RECEIVED)]
    assert await archive.histories.bounds(A) is None
    assert await archive.problems() == []
    assert await depart(archive, A) == 0
    assert await depart(archive, "nobody@x.org") == 0


async def test_what_is_in_nobodys_history_goes(archive, clock):
    ids = await fill(archive, clock)
    for owner in (A, B):
        await depart(archive, owner)
    assert [bool(await archive.ledger(message_id)) for message_id in ids] == [
        *(False, False, True, True, True, True, False, False, True, False)
    ]
    await depart(archive, C)
    await depart(archive, D)
    assert await archive.retention.extent(ids[-1] + 1) == Extent()
    assert await archive.problems() == []


async def test_an_address_that_is_given_again_begins_anew(archive, clock):
    await fill(archive, clock)
    await archive.mark_read([(B, NOON_ID)])
    await depart(archive, B)
    await archive.commit([says(A, B, "welcome"), says(B, A, "thanks")])
    assert await bodies(archive, B) == "welcomethanks"
    assert await bodies(archive, A) == "012456789welcomethanks"
    assert await archive.problems() == []
    await depart(archive, B)
    assert await bodies(archive, B) == ""
    assert await bodies(archive, A) == "012456789welcomethanks"
    assert await archive.problems() == []


async def test_a_departure_goes_in_steps(archive, clock, monkeypatch):
    monkeypatch.setattr(retention, "STEP_ROWS", 4)
    monkeypatch.setattr(retention, "STEP_SCATTERED", 1)
    await fill(archive, clock)
    await depart(archive, A)
    removed = []
    while not (step := await archive.retention.depart(B)).is_done:
        removed.append(step.removed)
        assert 0 < step.removed <= 4
        assert await archive.problems() == []
    assert sum(removed) == 7
    assert len(removed) > 2
    assert await bodies(archive, C) == "2348"


# -- the search index --------------------------------------------------------------------------------------------------


async def test_whether_the_index_is_to_be_made_anew(archive, clock):
    assert await archive.retention.erased() == (0, False)
    ids = await fill(archive, clock)
    await purge(archive, ids[1])
    erased, is_stale = await archive.retention.erased()
    assert is_stale
    await depart(archive, B)  # while the index is made
    await archive.retention.renewed(erased)
    now, is_stale = await archive.retention.erased()
    assert (now > erased, is_stale) == (True, True)
    await archive.retention.renewed(now)
    assert await archive.retention.erased() == (now, False)
    await archive.retention.renewed(erased)  # an older one that ends later
    assert await archive.retention.erased() == (now, False)
    await purge(archive, ids[1])
    await depart(archive, B)
    assert await archive.retention.erased() == (now, False)  # there was nothing to do


async def test_the_memory_twin_plays_a_failing_disk(clock):
    archive = MemoryArchive(clock)
    archive.fail_with = StorageUnavailable("disk full")
    for call in (archive.retention.extent, archive.retention.purge, archive.retention.depart):
        with pytest.raises(StorageUnavailable, match="disk full"):
            await call(1 if call != archive.retention.depart else A)


# -- the twins are twins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
async def test_the_same_steps_give_the_same_archives(tmp_path, island, clock, seed):
    rnd = random.Random(seed)
    people = [A, B, C, D]
    memory = MemoryArchive(clock)
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as disk:
        for _ in range(30):
            clock.now += rnd.random() * 2
            sender, *others = rnd.sample(people, 4)
            draft = rnd.choice(
                [
                    says(sender, others[0]),
                    says(sender, sender),
                    says_to_alias(sender, TEAM, " ".join(others[:2]), others[2]),
                ]
            )
            ids = []
            for archive in (memory, disk):
                ids += [stored.id for stored in await archive.commit([draft])]
            assert ids[0] == ids[1]
            if rnd.random() < 0.2:
                before = int((NOON + rnd.random() * (clock.now - NOON)) * SECOND)
                assert await memory.retention.extent(before) == await disk.retention.extent(before)
                assert await purge(memory, before) == await purge(disk, before)
                assert await memory.retention.extent(ids[0]) == await disk.retention.extent(ids[0])
            if rnd.random() < 0.2:
                owner = rnd.choice(people)
                assert await depart(memory, owner) == await depart(disk, owner)
            for owner in people:
                assert await bodies(memory, owner) == await bodies(disk, owner)
            assert await memory.ledger(ids[0]) == await disk.ledger(ids[0])
            assert await memory.newest() == await disk.newest()
        assert await disk.problems() == []


# -- on disk -----------------------------------------------------------------------------------------------------------


def words_on_disk(folder):
    """The numbers of all words that are in any file of a folder, whoever would read them."""
    found = set()
    for file in folder.rglob("*"):
        if file.is_file():
            found |= {int(number) for number in re.findall(rb"w(\d{7})q", file.read_bytes())}
    return found


SIZES = {
    "short": [5, 20, 60],
    "mixed": [5, 60, 200, 900, 3000, 9000],
    "pages": [900, 1300, 2000],
    "long": [4000, 9000, 20_000],
}


# The first three had text left when only what goes was overwritten, and not its neighbours.
@pytest.mark.parametrize(
    ("sizes", "seed"),
    [("mixed", 1), ("mixed", 29), ("short", 4), ("short", 0), ("pages", 0), ("pages", 1), ("long", 0)],
)
async def test_nothing_of_what_went_is_in_any_file(tmp_path, island, clock, monkeypatch, sizes, seed):
    """Random sizes, purges and departures, with what SQLite moves about between them; see `index.erasure`."""
    rnd = random.Random(f"{sizes}{seed}")
    monkeypatch.setattr(retention, "STEP_MESSAGES", rnd.randrange(5, 60))
    people = [f"p{n}@x.org" for n in range(6)]
    folder = tmp_path / "data"
    async with SqliteArchive(island, folder / "archive.sqlite", clock=clock) as archive:
        held = {}  # number -> id, owners
        number = 0
        for _ in range(5):
            drafts = []
            for _ in range(rnd.randrange(50, 300)):
                sender, to = rnd.choices(people, k=2)
                word = f"w{number:07d}q"
                number += 1
                drafts.append(
                    (number - 1, says(sender, to, word + "ü" * (rnd.randrange(rnd.choice(SIZES[sizes])) // 2)))
                )
            clock.now += 1000
            stored = await archive.commit([draft for _, draft in drafts])
            for (name, draft), one in zip(drafts, stored, strict=True):
                held[name] = one.id, {draft.chat.sender.bare, *draft.recipients}
            before = rnd.choice(sorted(held.values(), key=lambda each: each[0]))[0]
            await purge(archive, before)
            held = {name: each for name, each in held.items() if each[0] >= before}
            owner = rnd.choice(people)
            await depart(archive, owner)
            held = {name: (each, owners - {owner}) for name, (each, owners) in held.items() if owners - {owner}}
            assert await archive.retention.empty_log()
            assert words_on_disk(folder) == set(held)
            assert await archive.problems() == []
        texts = dict(await everything(archive))
        assert {int(body[1:8]) for body in texts.values()} == set(held)
        assert all(re.fullmatch("w[0-9]{7}qü*", body) for body in texts.values())


async def everything(archive):
    read = lambda connection: connection.execute("SELECT id, body FROM message").fetchall()  # noqa: E731
    return await archive._island.run(archive._database.read, read)


async def test_the_log_cannot_be_emptied_while_another_program_reads(tmp_path, island, clock, monkeypatch):
    monkeypatch.setattr("index.database.EMPTY_LOG_ATTEMPTS", 3)
    path = tmp_path / "archive.sqlite"
    async with SqliteArchive(island, path, clock=clock) as archive:
        (stored,) = await archive.commit([says(A, B, "w0000001q")])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM message").fetchone()
        await purge(archive, stored.id + 1)
        assert not await archive.retention.empty_log()
        assert words_on_disk(tmp_path) == {1}
        await archive.commit([says(A, B, "chat goes on")])
        other.execute("ROLLBACK")
        other.close()
        assert await archive.retention.empty_log()
        assert words_on_disk(tmp_path) == set()


async def test_commits_go_on_between_the_steps(tmp_path, island, clock):
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        for _ in range(20):
            await archive.commit([says(A, B, "x" * 500) for _ in range(200)])
        (last,) = await archive.commit([says(A, B, "last")])
        committed = []

        async def chat():
            while (await archive.retention.extent(last.id)).messages:
                committed.extend(await archive.commit([says(A, B, "new")]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(chat)
            await purge(archive, last.id)
        assert len(committed) > 5
        assert (await bodies(archive, A)).startswith("lastnew")
        assert await archive.problems() == []


async def test_a_purge_goes_on_after_a_restart(tmp_path, island, clock, monkeypatch):
    monkeypatch.setattr(retention, "STEP_MESSAGES", 2)
    path = tmp_path / "archive.sqlite"
    async with SqliteArchive(island, path, clock=clock) as archive:
        ids = await fill(archive, clock)
        await archive.retention.purge(ids[5])
    clock.now = NOON - 3600
    async with SqliteArchive(island, path, clock=clock) as archive:
        assert await archive.retention.unfinished() == ids[5]
        await purge(archive, ids[9] + 1)
    async with SqliteArchive(island, path, clock=clock) as archive:
        assert await archive.newest() == ids[9]
        (stored,) = await archive.commit([says(A, B)])
        assert stored.id == ids[9] + 1
        for owner in (A, B):
            await depart(archive, owner)
    async with SqliteArchive(island, path, clock=clock) as archive:
        assert await archive.newest() == stored.id


async def test_strictness(tmp_path, island, clock):
    """An entry that is missing is a fault unless its owner left after it."""
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        await archive.commit([says(A, B, "before")])
        await depart(archive, A)
        (after,) = await archive.commit([says(A, B, "after")])
        assert await archive.problems() == []

        def tamper(connection):
            connection.execute("DELETE FROM entry WHERE id = ? AND role = 1", (after.id,))

        await island.run_to_end(archive._database.write, tamper)
        assert await archive.problems() == [f"archive.sqlite: message {after.id} has no sent entry of its sender {A}"]
        tamper_all = lambda connection: connection.execute("DELETE FROM entry").rowcount  # noqa: E731
        await island.run_to_end(archive._database.write, tamper_all)
        assert f"archive.sqlite: message {after.id} is in nobody's history" in await archive.problems()


def test_steps_are_values():
    assert msgspec.json.decode(msgspec.json.encode(Extent(1, 2)), type=Extent) == Extent(1, 2)
