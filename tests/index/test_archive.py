"""The archive port: one suite for both twins."""

import msgspec
import pytest
import trio

from engine.jid import Jid
from engine.limits import WAITING_PAGE_BYTES
from engine.ports import Cursor, Draft, Notes, StorageUnavailable, Stored
from index.archive import SqliteArchive
from index.clients import CLIENTS_PER_ACCOUNT
from index.ledger import Entry, Role
from index.memory_archive import MemoryArchive
from tests.index.stories import NOON, chat, says, says_to_alias, values

A, B, C, D = "a@x.org", "b@x.org", "c@x.org", "d@x.org"
TEAM = "team@x.org"
NOON_ID = int(NOON * 1_000_000)


async def bodies(archive, owner, after=0, limit=100):
    return [c.body for c in await archive.missed(Jid(owner, "new"), after, limit, has_copies=False)]


# -- ids ---------------------------------------------------------------------------------------------------------------


async def test_ids_are_microseconds_and_grow(archive):
    assert await archive.newest() == 0
    stored = await archive.commit([says(A, B), says(B, A)])
    assert stored == [Stored(NOON_ID), Stored(NOON_ID + 1)]
    assert await archive.newest() == NOON_ID + 1


async def test_ids_grow_when_the_clock_goes_back_an_hour(archive, clock):
    (first,) = await archive.commit([says(A, B, "one")])
    clock.now -= 3600
    (second,) = await archive.commit([says(A, B, "two")])
    assert second.id == first.id + 1
    clock.now = NOON + 5
    (third,) = await archive.commit([says(A, B, "three")])
    assert third.id == NOON_ID + 5_000_000
    assert await bodies(archive, B) == ["one", "two", "three"]


async def test_a_commit_without_drafts_takes_no_id(archive, clock):
    for notes in (Notes(), Notes(cursors={(B, ""): Cursor(0, 1)})):
        assert await archive.commit([], notes) == []
    assert await archive.newest() == 0
    clock.now -= 1
    assert await archive.commit([says(A, B)]) == [Stored(NOON_ID - 1_000_000)]


# -- duplicates --------------------------------------------------------------------------------------------------------


async def test_a_resend_is_the_same_message(archive):
    (first,) = await archive.commit([says(A, B, origin="o1")])
    again = await archive.commit([says(A, B, "other", origin="o2"), says(f"{A}/phone", B, origin="o1")])
    assert [s.duplicate for s in again] == [False, True]
    assert again[1].id == first.id
    assert await bodies(archive, B) == ["hello", "other"]
    assert await archive.newest() == again[0].id


async def test_a_resend_within_the_batch(archive):
    stored = await archive.commit([says(A, B, origin="o"), says(A, B, origin="o"), says(A, B)])
    assert [s.duplicate for s in stored] == [False, True, False]
    assert stored[1].id == stored[0].id
    assert len(await bodies(archive, B)) == 2


async def test_a_resend_of_an_old_one_twice_in_a_batch(archive):
    (first,) = await archive.commit([says(A, B, origin="o")])
    assert await archive.commit([says(A, B, origin="o")] * 2) == [Stored(first.id, duplicate=True)] * 2
    assert await archive.newest() == first.id


async def test_the_origin_id_is_the_senders_own(archive):
    stored = await archive.commit([says(A, B, origin="o"), says(B, A, origin="o"), says(A, B), says(A, B)])
    assert not any(s.duplicate for s in stored)


async def test_many_resends_in_a_large_batch(archive):
    first = await archive.commit([says(A, B, origin=f"o{n}") for n in range(0, 700, 2)])
    again = await archive.commit([says(A, B, origin=f"o{n}") for n in range(700)])
    assert [s.id for s in again[::2]] == [s.id for s in first]
    assert [s.duplicate for s in again] == [n % 2 == 0 for n in range(700)]
    assert len(await bodies(archive, B, limit=1000)) == 700


# -- what comes back ---------------------------------------------------------------------------------------------------


async def test_a_chat_comes_back_as_it_was(archive):
    original = chat(
        f"{A}/desk",
        f"{B}/phone",
        "text \x00 with 🦜 and <&>'\"",
        "origin",
        kind="normal",
        stanza_id="s1",
        language="de",
    )
    (stored,) = await archive.commit([Draft(original, (B,))])
    (back,) = await archive.missed(Jid(B, "new"), 0, 10, has_copies=False)
    assert values(back) == values(msgspec.structs.replace(original, id=stored.id, is_delayed=True))


async def test_an_alias_message_comes_back_with_its_alias(archive):
    await archive.commit([says_to_alias(f"{A}/desk", TEAM, f"{B} {C}")])
    for owner in (B, C):
        (back,) = await archive.missed(Jid(owner, "new"), 0, 10, has_copies=False)
        assert (back.sender.full, back.to, back.via) == (f"{A}/desk", Jid(TEAM), Jid(TEAM))


async def test_of_what_waits_little_more_than_a_page_is_read(archive):
    await archive.commit([says(A, B, "x" * (WAITING_PAGE_BYTES // 5)) for _ in range(20)])
    assert len(await bodies(archive, B)) == 3  # a body is in the payload, too
    await archive.commit([says(A, C, "x" * 2 * WAITING_PAGE_BYTES) for _ in range(3)])
    assert len(await bodies(archive, C)) == 2  # the first one in any case, and the one that shows that there are more


async def test_waiting_is_oldest_first_and_bounded(archive):
    stored = await archive.commit([says(A, B, str(n)) for n in range(5)])
    assert await bodies(archive, B, limit=2) == ["0", "1"]
    assert await bodies(archive, B, after=stored[1].id, limit=2) == ["2", "3"]
    assert await bodies(archive, B, after=stored[4].id) == []
    assert await bodies(archive, "nobody@x.org") == []
    assert await bodies(archive, A) == []


# -- cursors -----------------------------------------------------------------------------------------------------------


async def test_each_client_has_a_cursor(archive):
    assert await archive.cursor(B, "pidgin") == (None, 0)
    one, two = await archive.commit([says(A, B, "one"), says(A, B, "two")])
    await archive.commit([], Notes(cursors={(B, "pidgin"): Cursor(0, one.id)}))
    assert await archive.cursor(B, "pidgin") == (Cursor(0, one.id), one.id)
    assert await archive.cursor(B, "psi") == (None, one.id)
    await archive.commit([says(A, B)], Notes(cursors={(B, "psi"): Cursor(one.id, two.id, fetches=True)}))
    assert await archive.cursor(B, "psi") == (Cursor(one.id, two.id, fetches=True), two.id)
    assert await archive.cursor(B, "pidgin") == (Cursor(0, one.id), two.id)
    assert await archive.cursor(A, "pidgin") == (None, 0)


async def test_a_cursor_never_moves_back_and_keeps_its_beginning(archive):
    await archive.commit([], Notes(cursors={(D, "psi"): Cursor(3, 9, fetches=True)}))
    await archive.commit([], Notes(cursors={(D, "psi"): Cursor(5, 7)}))
    assert await archive.cursor(D, "psi") == (Cursor(3, 9, fetches=True), 9)


async def test_an_account_has_only_so_many_clients(archive):
    for number in range(CLIENTS_PER_ACCOUNT + 5):
        await archive.commit([], Notes(cursors={(B, f"c{number:03}"): Cursor(number, number)}))
    assert (await archive.cursor(B, "c000"))[0] is None
    assert (await archive.cursor(B, "c004"))[0] is None
    assert (await archive.cursor(B, "c005"))[0] == Cursor(5, 5)


async def test_what_was_missed_with_copies_of_what_others_sent(archive):
    await archive.commit(
        [
            says(f"{B}/old", C, "private"),
            Draft(chat(f"{B}/old", C, "copied", is_copied=True), (C,)),
            says(f"{B}/old", B, "a note to myself"),
            says(f"{B}/new", B, "my own note"),
            Draft(chat(f"{B}/new", C, "sent by this one", is_copied=True), (C,)),
            says(A, f"{B}/old", "received"),
        ]
    )

    async def missed(*, has_copies: bool) -> list[str]:
        return [c.body for c in await archive.missed(Jid(B, "new"), 0, 10, has_copies=has_copies)]

    assert await missed(has_copies=False) == ["a note to myself", "received"]
    assert await missed(has_copies=True) == ["copied", "a note to myself", "received"]


# -- sessions that can be resumed --------------------------------------------------------------------------------------


async def test_what_is_done_is_kept_with_the_chat_and_never_moves_back(archive):
    assert await archive.stanzas_done("t") == 0
    await archive.commit([says(B, C)], Notes(done={"t": 9, "u": 3}))
    await archive.commit([], Notes(done={"t": 2}))
    assert [await archive.stanzas_done(token) for token in "tu"] == [9, 3]


async def test_a_session_is_forgotten(archive):
    await archive.commit([], Notes(done={"a": 1, "b": 2}))
    await archive.commit([], Notes(forgotten=("a", "never there")))
    await archive.forget_stale_sessions()
    assert [await archive.stanzas_done(token) for token in "ab"] == [0, 2]


# -- the ledger --------------------------------------------------------------------------------------------------------


async def test_the_ledger_of_a_message_between_two(archive):
    (stored,) = await archive.commit([says(f"{A}/desk", f"{B}/phone")])
    assert await archive.ledger(stored.id) == [Entry(A, B, Role.SENT), Entry(B, A, Role.RECEIVED)]
    assert await archive.ledger(stored.id + 1) == []


async def test_the_ledger_of_an_alias_message(archive):
    (stored,) = await archive.commit([says_to_alias(A, TEAM, f"{B} {C}", absent=D)])
    assert await archive.ledger(stored.id) == [
        Entry(A, TEAM, Role.SENT),
        Entry(B, A, Role.RECEIVED),
        Entry(C, A, Role.RECEIVED),
        Entry(D, A, Role.ABSENT),
    ]
    assert await bodies(archive, D) == []
    assert await bodies(archive, TEAM) == []


async def test_a_sender_in_his_own_alias_has_only_sent(archive):
    (stored,) = await archive.commit([says_to_alias(A, TEAM, f"{B} {A}", absent=f"{C} {B} {A}")])
    assert await archive.ledger(stored.id) == [
        Entry(A, TEAM, Role.SENT),
        Entry(B, A, Role.RECEIVED),
        Entry(C, A, Role.ABSENT),
    ]
    assert await bodies(archive, A) == []


async def test_a_message_to_oneself_has_one_entry(archive):
    (stored,) = await archive.commit([says(f"{A}/desk", f"{A}/phone")])
    assert await archive.ledger(stored.id) == [Entry(A, A, Role.SENT)]


async def test_an_alias_of_many(archive):
    people = [f"p{n:04}@x.org" for n in range(3000)]
    (stored,) = await archive.commit([says_to_alias(A, TEAM, " ".join(people[:2000]), " ".join(people[2000:]))])
    ledger = await archive.ledger(stored.id)
    assert [e.owner for e in ledger] == [A, *people]
    assert [e.role for e in ledger] == [Role.SENT] + [Role.RECEIVED] * 2000 + [Role.ABSENT] * 1000


# -- together ----------------------------------------------------------------------------------------------------------


async def test_reads_go_on_beside_commits(archive):
    """A read sees a prefix of what is committed, and everything that was told before it began."""
    told = 0

    async def write(*, task_status):
        nonlocal told
        for number in range(60):
            await archive.commit([says(A, B, str(2 * number)), says(A, B, str(2 * number + 1))])
            told = 2 * number + 2
            if number == 0:
                task_status.started()

    async def read():
        while told < 120:
            at_least = told
            seen = await bodies(archive, B, limit=1000)
            assert seen == [str(n) for n in range(len(seen))]
            assert len(seen) >= at_least
            assert len(seen) % 2 == 0

    async with trio.open_nursery() as nursery:
        await nursery.start(write)
        nursery.start_soon(read)
        nursery.start_soon(read)


async def test_commits_from_several_tasks(archive):
    stored = []

    async def write(sender):
        for _ in range(20):
            stored.extend(await archive.commit([says(sender, B)] * 3))

    async with trio.open_nursery() as nursery:
        for sender in (A, C, D):
            nursery.start_soon(write, sender)
    ids = [s.id for s in stored]
    assert len(set(ids)) == 180
    assert [c.id for c in await archive.missed(Jid(B, "new"), 0, 1000, has_copies=False)] == sorted(ids)
    assert await archive.newest() == max(ids)


# -- on disk only ------------------------------------------------------------------------------------------------------


async def test_a_restart_keeps_everything_and_ids_grow(tmp_path, island, clock):
    path = tmp_path / "data" / "archive.sqlite"
    async with SqliteArchive(island, path, clock=clock) as archive:
        one, two = await archive.commit([says(A, B, "one", origin="o"), says(A, B, "two")])
        await archive.commit([], Notes(cursors={(B, "psi"): Cursor(0, one.id)}))
    assert [p.name for p in path.parent.iterdir()] == ["archive.sqlite"]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    clock.now -= 3600
    async with SqliteArchive(island, path, clock=clock) as archive:
        assert await archive.newest() == two.id
        assert await archive.cursor(B, "psi") == (Cursor(0, one.id), one.id)
        stored = await archive.commit([says(A, B, "three"), says(A, B, "one", origin="o")])
        assert stored == [Stored(two.id + 1), Stored(one.id, duplicate=True)]
        assert await bodies(archive, B) == ["one", "two", "three"]
        assert await archive.problems() == []


async def test_sessions_whose_clients_do_not_come_back_are_stale(tmp_path, island, clock):
    path = tmp_path / "archive.sqlite"
    async with SqliteArchive(island, path, clock=clock) as archive:
        await archive.commit([], Notes(done={"a": 1, "b": 2}))
    clock.now += 10
    async with SqliteArchive(island, path, clock=clock) as archive:
        await archive.commit([], Notes(done={"b": 3}))
        await archive.forget_stale_sessions()
        assert [await archive.stanzas_done(token) for token in "ab"] == [0, 3]


async def test_a_draft_that_cannot_be_written_leaves_nothing_of_its_batch(tmp_path, island, clock):
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        with pytest.raises(UnicodeEncodeError):
            await archive.commit([says(A, B, "fine"), says(C, D, "\ud800")])
        assert await archive.newest() == 0
        assert await bodies(archive, B) == []
        await archive.commit([says(C, D, "fine")])  # its address was not remembered from the failed one
        assert await bodies(archive, D) == ["fine"]
        assert await archive.problems() == []


async def test_more_addresses_than_the_cache_holds(tmp_path, island, clock, monkeypatch):
    monkeypatch.setattr("index.archive.ADDRESSES_CACHED", 10)
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        for n in range(30):
            await archive.commit([says(f"p{n}@x.org", f"p{n + 1}@x.org")])
            assert len(archive._numbers) <= 10
        for n in range(30):
            assert len(await archive.missed(Jid(f"p{n + 1}@x.org", "new"), 0, 10, has_copies=False)) == 1
        assert await archive.problems() == []


async def test_a_cancelled_commit_is_told_whole(tmp_path, island, clock):
    """A cancellation while the commit is under way waits for it; before it began, nothing was done."""
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        outcomes = []
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def commit():
                    outcomes.extend(await archive.commit([says(A, B)]))

                nursery.start_soon(commit)
                await trio.lowlevel.checkpoint()
                await trio.lowlevel.checkpoint()
                scope.cancel()
        assert len(outcomes) == len(await archive.missed(Jid(B, "new"), 0, 10, has_copies=False)) == 1
        with trio.CancelScope() as scope:
            scope.cancel()
            await archive.commit([says(A, B)])
        assert scope.cancelled_caught
        assert len(await archive.missed(Jid(B, "new"), 0, 10, has_copies=False)) == 1


async def test_the_memory_twin_plays_a_failing_disk(clock):
    archive = MemoryArchive(clock)
    archive.fail_with = StorageUnavailable("disk full")
    with pytest.raises(StorageUnavailable, match="disk full"):
        await archive.commit([says(A, B)], Notes(done={"t": 1}))
    with pytest.raises(StorageUnavailable):
        await archive.missed(Jid(B, "new"), 0, 1, has_copies=False)
    archive.fail_with = None
    assert await bodies(archive, B) == []
    assert len(await archive.commit([says(A, B)])) == 1
