"""The twins of the histories are twins: the same archive and the same question give the same answer."""

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.jid import Jid
from engine.messages import ConversationsQuery, HistoryQuery
from engine.ports import Draft, UnknownMessage
from index.archive import SqliteArchive
from index.asyncio_island import Island
from index.memory_archive import MemoryArchive
from tests.index.stories import Clock, chat, values

A, B, C, D = "a@x.org", "b@x.org", "c@x.org", "d@x.org"
TEAM = "team@x.org"

PEOPLE = st.sampled_from([A, A, A, B, B, C, D])
RESOURCES = st.sampled_from(["", "/r", "/s"])
NAMES = st.sampled_from(["", "1", "2", "3"])


def draft(sender, to, resource, via, others, absent, **fields):
    if not via:
        return Draft(chat(f"{sender}/r", to + resource, **fields), (to,))
    return Draft(chat(f"{sender}/r", TEAM, via=Jid(TEAM), **fields), (to, *others), tuple(absent))


MESSAGES = st.builds(
    draft,
    PEOPLE,
    PEOPLE,
    RESOURCES,
    st.sampled_from([False, False, True]),
    st.lists(PEOPLE, max_size=3),
    st.lists(PEOPLE, max_size=2),
    body=st.sampled_from(["", "hello", "hello"]),
    origin=st.sampled_from(["", "", "o1", "o2", "o3", "o4", "o5"]),
    stanza_id=NAMES,
)
MARKERS = st.builds(
    lambda sender, to, called: Draft(chat(f"{sender}/r", to, "", displayed=called), (to,)),
    PEOPLE,
    PEOPLE,
    st.sampled_from(["1", "2", "3", "o1", "o2", "o3"]),
)
DRAFTS = st.one_of(MESSAGES, MARKERS)
PLACES = st.one_of(st.none(), st.none(), st.integers(-1, 30))
QUERIES = st.fixed_dictionaries(
    {
        "owner": PEOPLE,
        "peer": st.sampled_from(["", A, B, C, TEAM, "nobody@x.org"]),
        "resource": st.sampled_from(["", "", "r", "s"]),
        "start": st.one_of(st.just(0), st.integers(0, 30)),
        "end": PLACES,
        "after": PLACES,
        "before": PLACES,
        "ids": st.one_of(st.just([]), st.lists(st.integers(-1, 30), max_size=3)),
        "limit": st.integers(0, 6),
        "is_backwards": st.booleans(),
    }
)
LISTS = st.fixed_dictionaries(
    {
        "owner": PEOPLE,
        "older_than": PLACES,
        "newer_than": PLACES,
        "is_unread": st.booleans(),
        "limit": st.integers(0, 4),
        "is_backwards": st.booleans(),
    }
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.lists(DRAFTS, min_size=6, max_size=16)),
        st.tuples(st.just("mark"), PEOPLE, st.integers(-1, 30)),
        st.tuples(st.just("clock"), st.floats(-10, 10)),
    ),
    min_size=2,
    max_size=6,
)


def comparable(answer):
    """An answer with its chats by value."""
    match answer:
        case tuple() | list():
            return [comparable(each) for each in answer]
        case object(kept=kept, is_complete=is_complete):
            return comparable(kept), is_complete
        case object(chat=message, is_sent=is_sent):
            return values(message), is_sent
        case object(conversations=conversations):
            return (
                comparable(conversations),
                answer.is_complete,
                answer.count,
                answer.total,
                answer.unread,
                answer.unread_messages,
            )
        case object(newest=newest):
            return answer.peer, comparable(newest), answer.unread, answer.read
    return answer


async def answer_of(ask, question):
    try:
        return comparable(await ask(question))
    except UnknownMessage:
        return "unknown"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.lists(QUERIES, min_size=8, max_size=16), st.lists(LISTS, min_size=2, max_size=4))
def test_the_same_questions_get_the_same_answers(tmp_path_factory, steps, queries, lists):
    async def play():
        clock = Clock()
        memory = MemoryArchive(clock)
        folder = tmp_path_factory.mktemp("twins")
        async with Island() as island, SqliteArchive(island, folder / "archive.sqlite", clock=clock) as disk:
            given_out = [1]

            def known_id(age):
                return age and given_out[age % len(given_out)] + (age == -1)

            for step in steps:
                match step:
                    case ("commit", drafts):
                        stored = await memory.commit(drafts)
                        assert await disk.commit(drafts) == stored
                        given_out += [s.id for s in stored]
                    case ("mark", owner, age):
                        marks = [(owner, known_id(age))]
                        assert await disk.mark_read(marks) == await memory.mark_read(marks)
                    case ("clock", seconds):
                        clock.now += seconds
            for port, question in questions(queries, lists, known_id):
                ask, ask_twin = getattr(disk.histories, port), getattr(memory.histories, port)
                assert await answer_of(ask, question) == await answer_of(ask_twin, question)
            assert await disk.problems() == []

    trio.run(play)


def questions(queries, lists, known_id):
    """Which method is asked what."""
    for shape in queries:
        places = {name: known_id(shape[name]) for name in ("start", "end", "after", "before")}
        query = HistoryQuery(**{**shape, **places, "ids": tuple(map(known_id, shape["ids"]))})
        yield "page", query
        yield "count", query
    for owner in (A, B, C, D):
        yield "page", HistoryQuery(owner=owner)
        yield "bounds", owner
        yield "conversations", ConversationsQuery(owner=owner)
    for shape in lists:
        places = {name: known_id(shape[name]) for name in ("older_than", "newer_than")}
        yield "conversations", ConversationsQuery(**{**shape, **places})
