"""The archive on disk and the one in memory: the same steps give the same results."""

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.jid import Jid
from engine.ports import Cursor, Draft, Notes
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.memory_archive import MemoryArchive
from tests.index.stories import Clock, chat, values

A, B, C, D = "a@x.org", "b@x.org", "c@x.org", "d@x.org"
TEAM = "team@x.org"

PEOPLE = st.sampled_from([A, B, C, D])
DRAFTS = st.builds(
    lambda sender, to, via, others, absent, body, origin, is_copied: Draft(
        chat(sender, to, body, origin, via=Jid(TEAM) if via else None, is_copied=is_copied),
        (to, *others) if via else (to,),
        tuple(absent) if via else (),
    ),
    st.sampled_from([f"{person}/{resource}" for person in (A, B, C, D) for resource in ("r", "s")]),
    PEOPLE,
    st.booleans(),
    st.lists(PEOPLE, max_size=3),
    st.lists(PEOPLE, max_size=2),
    st.text(max_size=5),
    st.sampled_from(["", "", "1", "2", "3"]),
    st.booleans(),
)
AGES = st.integers(-1, 40)
CLIENTS = st.tuples(PEOPLE, st.sampled_from(["", "psi"]))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.lists(DRAFTS, max_size=6), st.dictionaries(CLIENTS, AGES, max_size=2)),
        st.tuples(st.just("missed"), PEOPLE, AGES, st.integers(0, 5), st.booleans()),
        st.tuples(st.just("clock"), st.floats(-3600, 3600)),
        st.tuples(st.just("restart")),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_the_same_steps_give_the_same_results(tmp_path_factory, steps):
    async def play():
        clock = Clock()
        folder = tmp_path_factory.mktemp("twins")
        memory = MemoryArchive(clock)
        async with Island() as island:
            disk = SqliteArchive(island, folder / "archive.sqlite", clock=clock)
            await disk.open()
            given_out = [0]

            def known_id(age):
                return given_out[age % len(given_out)] + (age == -1)

            try:
                for step in steps:
                    match step:
                        case ("commit", drafts, cursors):
                            moved = {client: Cursor(0, known_id(age)) for client, age in cursors.items()}
                            stored = await memory.commit(drafts, Notes(cursors=moved))
                            assert await disk.commit(drafts, Notes(cursors=moved)) == stored
                            given_out += [s.id for s in stored]
                        case ("missed", owner, age, limit, has_copies):
                            session = Jid(owner, "r")
                            expected = await memory.missed(session, known_id(age), limit, has_copies=has_copies)
                            found = await disk.missed(session, known_id(age), limit, has_copies=has_copies)
                            assert [values(c) for c in found] == [values(c) for c in expected]
                            assert await disk.cursor(owner, "psi") == await memory.cursor(owner, "psi")
                        case ("clock", seconds):
                            clock.now += seconds
                        case ("restart",):
                            await disk.close()
                            disk = SqliteArchive(island, folder / "archive.sqlite", clock=clock)
                            await disk.open()
                            # Ids of duplicates at the end are given again after a restart; nobody has seen them.
                            memory._ids._last = await memory.newest()
                    assert await disk.newest() == await memory.newest()
                for message_id in set(given_out):
                    assert await disk.ledger(message_id) == await memory.ledger(message_id)
                assert await disk.problems() == []
            finally:
                await disk.close()

    trio.run(play)
