"""The port of histories: one suite for both twins, over the archive that they read."""

from functools import partial

import pytest

from engine.limits import HISTORY_PAGE_BYTES
from engine.messages import ConversationsQuery, HistoryQuery
from engine.ports import StorageUnavailable, UnknownMessage
from index.archive import SqliteArchive
from index.memory_archive import MemoryArchive
from tests.index.stories import NOON, says, says_to_alias, values

A, B, C, D = "a@x.org", "b@x.org", "c@x.org", "d@x.org"
TEAM = "team@x.org"
NOON_ID = int(NOON * 1_000_000)


async def filled(archive, *drafts):
    """The ids of these, in an archive that had none."""
    return [stored.id for stored in await archive.commit(drafts)]


async def bodies(archive, **query):
    return [kept.chat.body for kept in (await archive.histories.page(HistoryQuery(**query))).kept]


@pytest.fixture
async def five(archive):
    """Five messages from a to b, and their ids."""
    return await filled(archive, *(says(A, B, str(n)) for n in range(5)))


# -- what is in a history ----------------------------------------------------------------------------------------------


async def test_a_message_is_in_both_histories_as_it_was(archive):
    draft = says(
        f"{A}/desk", f"{B}/phone", "text \x00 🦜", "origin", kind="normal", stanza_id="s1", language="de", displayed="x"
    )
    (message_id,) = await filled(archive, draft)
    for owner, is_sent in ((A, True), (B, False)):
        (kept,) = (await archive.histories.page(HistoryQuery(owner=owner))).kept
        assert kept.is_sent is is_sent
        expected = values(draft.chat) | {"id": message_id, "is_delayed": True, "displayed": ""}
        assert values(kept.chat) == expected


async def test_nobody_sees_what_is_not_his(archive, five):
    await filled(archive, says(A, C, "other"))
    assert await bodies(archive, owner=C) == ["other"]
    assert await bodies(archive, owner=D) == []
    assert await bodies(archive, owner="nobody@x.org") == []
    assert await archive.histories.count(HistoryQuery(owner="nobody@x.org")) == 0
    assert await archive.histories.bounds("nobody@x.org") is None


async def test_an_alias_conversation(archive):
    """The sender has it with the alias, the others with the sender, and who was absent has it not."""
    await filled(archive, says_to_alias(A, TEAM, f"{B} {C}", D, body="all"), says(B, A, "one"))
    assert await bodies(archive, owner=A, peer=TEAM) == ["all"]
    assert await bodies(archive, owner=A, peer=B) == ["one"]
    assert await bodies(archive, owner=B, peer=A) == ["all", "one"]
    assert await bodies(archive, owner=B, peer=TEAM) == []
    assert await bodies(archive, owner=D) == []
    assert await bodies(archive, owner=TEAM) == []


async def test_a_conversation_with_oneself(archive):
    await filled(archive, says(f"{A}/desk", f"{A}/phone", "note"), says(A, B, "other"))
    assert await bodies(archive, owner=A, peer=A) == ["note"]
    assert await bodies(archive, owner=A, peer=A, resource="desk") == ["note"]
    assert await bodies(archive, owner=A, peer=A, resource="phone") == ["note"]
    assert await bodies(archive, owner=A, peer=A, resource="car") == []


async def test_one_resource_of_the_peer(archive):
    await filled(
        archive, says(A, B, "to all"), says(A, f"{B}/r", "to r"), says(f"{B}/r", A, "r"), says(f"{B}/s", A, "s")
    )
    assert await bodies(archive, owner=A, peer=B, resource="r") == ["to r", "r"]
    assert await bodies(archive, owner=A, peer=B, resource="r", limit=1, is_backwards=True) == ["r"]
    assert await archive.histories.count(HistoryQuery(owner=A, peer=B, resource="r")) == 2
    assert await bodies(archive, owner=B, peer=A, resource="r") == []  # it is his own, not the peer's


async def test_who_has_an_address_again_begins_anew(archive, five, depart):
    await depart(B, five[2])
    assert await bodies(archive, owner=B) == ["3", "4"]
    assert await bodies(archive, owner=A) == ["0", "1", "2", "3", "4"]
    assert await archive.histories.count(HistoryQuery(owner=B, peer=A)) == 2
    oldest, _ = await archive.histories.bounds(B)
    assert oldest.chat.id == five[3]
    with pytest.raises(UnknownMessage):
        await bodies(archive, owner=B, after=five[2])
    assert await archive.mark_read([(B, five[2]), (B, five[3])]) == [False, True]


# -- which page --------------------------------------------------------------------------------------------------------


async def test_the_near_end_and_the_far_end(archive, five):
    read = archive.histories.page
    for peer in ("", A):
        query = partial(HistoryQuery, owner=B, peer=peer)
        first, last = await read(query(limit=2)), await read(query(limit=2, is_backwards=True))
        assert [kept.chat.body for kept in (*first.kept, *last.kept)] == ["0", "1", "3", "4"]
        assert (first.is_complete, last.is_complete, first.count) == (False, False, None)
        assert (await read(query(limit=5))).is_complete
        assert (await read(query(limit=4))).is_complete is False
        assert (await read(query(limit=5, is_backwards=True))).is_complete


async def test_before_and_after(archive, five):
    assert await bodies(archive, owner=A, after=five[1]) == ["2", "3", "4"]
    assert await bodies(archive, owner=A, before=five[3]) == ["0", "1", "2"]
    assert await bodies(archive, owner=A, after=five[0], before=five[4]) == ["1", "2", "3"]
    assert await bodies(archive, owner=A, after=five[0], before=five[4], limit=2, is_backwards=True) == ["2", "3"]
    assert await bodies(archive, owner=A, after=five[4]) == []
    assert await bodies(archive, owner=A, after=five[3], before=five[1]) == []


async def test_from_a_time_to_a_time(archive, clock):
    ids = []
    for n in range(5):
        ids += await filled(archive, says(A, B, str(n)))
        clock.now += 1
    assert ids == [NOON_ID + n * 1_000_000 for n in range(5)]
    assert await bodies(archive, owner=A, start=ids[1], end=ids[3]) == ["1", "2", "3"]
    assert await bodies(archive, owner=A, start=ids[1] + 1, end=ids[3] - 1) == ["2"]
    assert await bodies(archive, owner=A, start=ids[4] + 1) == []
    assert await bodies(archive, owner=A, end=0) == []
    assert await bodies(archive, owner=A, start=ids[1], after=ids[2], peer=B) == ["3", "4"]
    assert await bodies(archive, owner=A, start=-5, end=2**62) == ["0", "1", "2", "3", "4"]


async def test_by_ids(archive, five):
    assert await bodies(archive, owner=A, ids=(five[3], five[1], five[3])) == ["1", "3"]
    assert await bodies(archive, owner=A, ids=(five[3], five[1]), limit=1, is_backwards=True) == ["3"]
    assert await bodies(archive, owner=A, peer=B, ids=(five[3], five[1]), after=five[1]) == ["3"]
    assert await bodies(archive, owner=A, peer=C, ids=(five[3],)) == []


@pytest.mark.parametrize("place", ["after", "before", "ids", "known"])
async def test_an_id_that_is_not_in_the_history(archive, five, place):
    (foreign,) = await filled(archive, says(A, C, "not b's"))

    def query(message_id, owner=B):
        given = message_id if place in {"after", "before"} else (message_id,)
        return HistoryQuery(owner=owner, peer=A, **{place: given})

    for unknown in (foreign, five[0] - 1, foreign + 1, 1, (1 << 63) - 1):
        for ask in (archive.histories.page, archive.histories.count):
            with pytest.raises(UnknownMessage):
                await ask(query(unknown))
    with pytest.raises(UnknownMessage):
        await archive.histories.page(query(five[0], "nobody@x.org"))
    assert (await archive.histories.page(query(five[2]))).is_complete


async def test_an_id_of_another_conversation_is_a_place_all_the_same(archive):
    """XEP-0313 asks for ids of the archive, not of what matches."""
    first, _, _ = await filled(archive, says(A, B, "b"), says(A, C, "c"), says(A, B, "b2"))
    assert await bodies(archive, owner=A, peer=C, after=first) == ["c"]


async def test_counting(archive, five):
    def count(**query):
        return archive.histories.count(HistoryQuery(owner=A, limit=1, **query))

    await filled(archive, says(A, C, "x"))
    assert await count() == 6
    assert await count(peer=B) == 5
    assert await count(peer=D) == 0
    assert await count(after=five[1], peer=B) == 3
    assert await count(ids=(five[0], five[1])) == 2


async def test_the_bounds(archive, five):
    oldest, newest = await archive.histories.bounds(B)
    assert (oldest.chat.id, newest.chat.id) == (five[0], five[4])


async def test_a_page_is_bounded_by_its_bytes(archive):
    large = "x" * (HISTORY_PAGE_BYTES // 4 - 100)
    ids = await filled(
        archive, *(says(A, B, large) for _ in range(6)), says(A, B, "é" * HISTORY_PAGE_BYTES), says(A, B)
    )

    async def ids_of(**query):
        page = await archive.histories.page(HistoryQuery(owner=A, **query))
        assert page.is_complete is (page.kept[0].chat.id == ids[0] if query.get("is_backwards") else False)
        return [kept.chat.id for kept in page.kept]

    assert await ids_of() == ids[:4]
    assert await ids_of(after=ids[3]) == ids[4:6]
    assert await ids_of(after=ids[5]) == ids[6:7]  # one is always there
    assert await ids_of(is_backwards=True) == ids[7:]
    assert await ids_of(is_backwards=True, before=ids[7]) == ids[6:7]
    assert await ids_of(is_backwards=True, before=ids[5]) == ids[1:5]
    assert await ids_of(is_backwards=True, before=ids[1]) == ids[:1]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("peer", ["", B])
async def test_paging_both_ways_gives_everything_once(archive, limit, peer):
    drafts = [says(*pair, str(n)) for n, pair in enumerate([(A, B), (B, A), (A, C), (D, A)] * 10)]
    await filled(archive, *drafts)
    expected = [d.chat.body for d in drafts if not peer or peer in {d.chat.to.bare, d.chat.sender.bare}]
    forth, back, place = [], [], {}
    while True:
        page = await archive.histories.page(HistoryQuery(owner=A, peer=peer, limit=limit, **place))
        forth += [kept.chat.body for kept in page.kept]
        if page.is_complete:
            break
        place = {"after": page.kept[-1].chat.id}
    place = {}
    while True:
        page = await archive.histories.page(HistoryQuery(owner=A, peer=peer, limit=limit, is_backwards=True, **place))
        back = [kept.chat.body for kept in page.kept] + back
        if page.is_complete:
            break
        place = {"before": page.kept[0].chat.id}
    assert forth == back == expected


# -- on disk -----------------------------------------------------------------------------------------------------------


async def test_no_plan_scans(tmp_path, island, clock, monkeypatch):
    """Each statement of every kind of query searches an index; only what was made on the way is scanned."""
    statements = []

    def trace(work):
        def traced(connection):
            connection.set_trace_callback(statements.append)
            try:
                return work(connection)
            finally:
                connection.set_trace_callback(None)

        return traced

    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        ids = await filled(archive, *(says(A, B, str(n), displayed="1") for n in range(5)))
        for name in ("read", "survey", "write"):
            run = getattr(archive._database, name)
            monkeypatch.setattr(archive._database, name, lambda work, run=run: run(trace(work)))
        histories = archive.histories
        for peer in ({}, {"peer": B}, {"peer": B, "resource": "r"}):
            for place in ({}, {"after": ids[0]}, {"before": ids[4]}, {"start": 1, "end": 2**60}, {"ids": tuple(ids)}):
                for is_backwards in (False, True):
                    query = HistoryQuery(owner=A, is_backwards=is_backwards, **peer, **place)
                    await histories.page(query)
                    await histories.count(query)
        await histories.bounds(A)
        await histories.conversations(ConversationsQuery(owner=A))
        await archive.mark_read([(A, ids[0])])
        await archive.commit([says(B, A, displayed="0")])

        def explain(connection):
            selects = [
                sql for sql in statements if sql.lstrip().startswith(("SELECT", "WITH", "INSERT OR FAIL INTO r"))
            ]
            selects += [sql for sql in statements if "INTO reading" in sql]
            return [(sql, step[3]) for sql in selects for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]

        plans = await island.run(archive._database.read, explain)
    tables = ("message", "entry", "address", "sender", "target", "via", "reading", "departure")
    assert len({sql for sql, _ in plans}) > 30
    assert [(sql, step) for sql, step in plans if step.startswith("SCAN") and step.split()[1] in tables] == []
    sorts = [
        (sql, step) for sql, step in plans if "TEMP B-TREE" in step and " ids" not in sql and "IN (VALUES" not in sql
    ]
    assert sorts == []


async def test_what_fails_is_said(tmp_path, island, clock):
    async with SqliteArchive(island, tmp_path / "archive.sqlite", clock=clock) as archive:
        await filled(archive, says(A, B))
        (tmp_path / "archive.sqlite").rename(tmp_path / "gone.sqlite")
        for ask in (
            archive.histories.count,
            archive.histories.conversations,
        ):  # over a connection that is yet to be made
            with pytest.raises(StorageUnavailable):
                await ask(HistoryQuery(owner=A) if ask == archive.histories.count else ConversationsQuery(owner=A))
        (tmp_path / "gone.sqlite").rename(tmp_path / "archive.sqlite")


async def test_the_memory_twin_plays_a_failing_disk(clock):
    archive = MemoryArchive(clock)
    (message_id,) = await filled(archive, says(A, B))
    archive.fail_with = StorageUnavailable("disk full")
    histories = archive.histories
    for ask, question in (
        (histories.page, HistoryQuery(owner=A)),
        (histories.count, HistoryQuery(owner=A)),
        (histories.bounds, A),
        (histories.conversations, ConversationsQuery(owner=A)),
        (archive.mark_read, [(A, message_id)]),
    ):
        with pytest.raises(StorageUnavailable, match="disk full"):
            await ask(question)


async def test_a_message_by_its_id_costs_the_same_in_a_long_history(archive):
    if isinstance(archive, MemoryArchive):
        pytest.skip("looks at everything")

    async def steps(message_id):
        """Of SQLite's machine."""
        counted = []
        handler = partial(counted.append, 1)
        read = partial(archive._island.run, archive._database.read)
        await read(lambda connection: connection.set_progress_handler(handler, 1))
        await archive.histories.page(
            HistoryQuery(owner=A, ids=(message_id,), after=message_id - 1, known=(message_id,))
        )
        await read(lambda connection: connection.set_progress_handler(None, 1))
        return len(counted)

    first, second = await filled(archive, says(A, B), says(A, B))
    short = await steps(second)
    await filled(archive, *(says(A, B) for _ in range(2_000)))
    assert await steps(second) <= short + 20
    assert first == second - 1
