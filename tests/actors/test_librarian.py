"""The librarian: everybody's turn comes, and what goes wrong with a question is told to who asked."""

import itertools

import pytest
import trio

from actors.archiver import Archiver
from actors.directory import ARCHIVER, LIBRARIAN, SURVEYOR, Directory
from actors.librarian import Librarian
from engine import messages as m
from engine.errors import Condition
from engine.jid import Jid
from engine.limits import HISTORY_QUESTIONS
from engine.messages import ConversationsQuery, HistoryQuery, Request
from engine.ports import StorageUnavailable
from engine.standing import Standings
from index.memory_archive import MemoryArchive
from index.memory_histories import MemoryHistories
from index.session_journal import MemoryJournal
from tests.actors.recorder import Recorder
from tests.index.stories import says

A, B = "a@x.org", "b@x.org"


class SlowHistories(MemoryHistories):
    """Histories on a disk that takes its time, and that notes whose question it reads for."""

    def __init__(self, archive):
        super().__init__(archive._chats, archive._entries, archive._reach_disk)
        self.read = []
        self.times = []
        self.poison = ""

    async def page(self, query):
        self.read.append(query.owner)
        self.times.append(trio.current_time())
        if query.owner == self.poison:
            raise ValueError("not this one")
        await trio.sleep(0.01)
        return await super().page(query)


class House:
    """Archiver and librarians, and the sessions that hear their answers."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.directory = Directory()
        self.archive = MemoryArchive(lambda: 1_700_000_000 + trio.current_time())
        self.histories = self.archive.histories = SlowHistories(self.archive)
        self.heard = []
        self.asked = 0

    def open(self):
        common = self.runtime, self.directory
        self.directory.bind(
            ARCHIVER, self.runtime.start(Archiver, self.archive, MemoryJournal(), Standings(0), *common)
        )
        for address in (LIBRARIAN, SURVEYOR):
            self.directory.bind(address, self.runtime.start(Librarian, self.histories, *common))

    def enter(self, *owners):
        for owner in owners:
            self.directory.bind(f"{owner}/r", self.runtime.start(Recorder, self.heard, owner))

    def request(self, owner=A):
        self.asked += 1
        return Request(Jid(owner, "r"), str(self.asked))

    def ask(self, owner=A, **query):
        self.tell(m.FetchHistory(self.request(owner), HistoryQuery(owner=owner, **query)))

    def tell(self, message):
        self.directory.tell(ARCHIVER, message)

    def answers(self, kind=object):
        return [message for _, message in self.heard if isinstance(message, kind) and message != "started"]


@pytest.fixture
async def house(runtime, autojump_clock):
    house = House(runtime)
    house.open()
    house.enter(A, B)
    return house


async def test_a_question_sees_what_was_sent_before_it(house):
    for number in range(3):
        house.tell(m.ArchiveChat(m.SendChat(says(A, B, str(number)).chat), (B,)))
        house.ask()
        house.ask(limit=0)
        house.tell(m.FetchHistoryBounds(house.request()))
        house.tell(m.FetchConversations(house.request(), ConversationsQuery(owner=A)))
    await house.runtime.quiescent()
    for number, answer in enumerate([a for a in house.answers(m.HistoryFetched) if a.page.count is None]):
        assert len(answer.page.kept) >= number + 1
    assert all(answer.bounds is not None for answer in house.answers(m.HistoryBoundsFetched))
    assert all(answer.page.total == 1 for answer in house.answers(m.ConversationsFetched))
    assert len(house.answers()) == 12


async def test_whoever_asks_much_waits_for_himself(house):
    for _ in range(HISTORY_QUESTIONS):
        house.ask(A)
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(3):
        house.ask(B)
    await house.runtime.quiescent()
    last_of_b = max(place for place, owner in enumerate(house.histories.read) if owner == B)
    assert house.histories.read.count(A) == HISTORY_QUESTIONS
    assert last_of_b <= 7
    assert len(house.answers(m.HistoryFetched)) == HISTORY_QUESTIONS + 3


async def test_between_two_questions_of_one_who_does_not_stop_there_is_a_rest(house, autojump_clock):
    for _ in range(4):
        house.ask(A)
    await house.runtime.quiescent()
    gaps = [later - earlier for earlier, later in itertools.pairwise(house.histories.times)]
    assert gaps == pytest.approx([0.01 + 0.01] * 3)
    house.ask(B)
    await house.runtime.quiescent()
    begun = trio.current_time()
    house.ask(B)
    await house.runtime.quiescent()
    assert trio.current_time() - begun < 0.015, "who waits for the answer does not wait for more"


async def test_the_line_of_one_account_is_bounded(house):
    for _ in range(3 * HISTORY_QUESTIONS):
        house.ask(A)
    house.ask(B)
    await house.runtime.quiescent()
    refused = house.answers(m.RequestRefused)
    assert {(refusal.request.session.bare, refusal.condition) for refusal in refused} == {
        (A, Condition.RESOURCE_CONSTRAINT)
    }
    assert len(house.answers(m.HistoryFetched)) + len(refused) == 3 * HISTORY_QUESTIONS + 1
    assert len(house.answers(m.HistoryFetched)) >= HISTORY_QUESTIONS + 1


async def test_a_count_and_its_end(house):
    house.ask(limit=0)
    await house.runtime.quiescent()
    house.tell(m.ArchiveChat(m.SendChat(says(A, B).chat), (B,)))
    house.ask(limit=0)
    await house.runtime.quiescent()
    assert [(a.page.count, a.page.is_complete) for a in house.answers(m.HistoryFetched)] == [(0, True), (1, False)]


async def test_long_questions_have_a_librarian_of_their_own(house):
    desks = {
        "survey": ({"limit": 0}, {"peer": B, "resource": "r"}),
        "page": ({"peer": B},),
        "search": ({"text": "x", "limit": 0},),
    }
    for desk, queries in desks.items():
        assert {m.FetchHistory(house.request(), HistoryQuery(owner=A, **query)).desk for query in queries} == {desk}
    house.directory.find(LIBRARIAN).stop(block=False)
    await house.runtime.quiescent()
    house.ask(limit=0)
    house.ask(peer=B, resource="r")
    house.tell(m.FetchConversations(house.request(), ConversationsQuery(owner=A)))
    await house.runtime.quiescent()
    assert len(house.answers()) == 3


async def test_an_id_that_is_not_there(house):
    house.ask(after=5)
    house.ask(after=5, limit=0)
    await house.runtime.quiescent()
    assert [refusal.condition for refusal in house.answers(m.RequestRefused)] == [Condition.ITEM_NOT_FOUND] * 2


async def test_a_disk_that_fails(house):
    house.archive.fail_with = StorageUnavailable("on fire")
    house.ask()
    house.tell(m.MarkRead(house.request(), 1))
    await house.runtime.quiescent()
    assert [refusal.condition for refusal in house.answers(m.RequestRefused)] == [Condition.RESOURCE_CONSTRAINT] * 2
    house.archive.fail_with = None
    house.ask()
    await house.runtime.quiescent()
    assert len(house.answers(m.HistoryFetched)) == 1


async def test_a_question_that_fails_concerns_nobody_else(house, caplog):
    house.histories.poison = A
    house.ask(A)
    house.ask(B)
    house.ask(A)
    await house.runtime.quiescent()
    assert [refusal.condition for refusal in house.answers(m.RequestRefused)] == [Condition.INTERNAL_SERVER_ERROR] * 2
    assert len(house.answers(m.HistoryFetched)) == 1
    assert "a question failed: FetchHistory" in caplog.text


async def test_nobody_is_there_to_hear_it(house):
    house.ask("c@x.org")
    await house.runtime.quiescent()
    assert house.histories.read == []


async def test_marking_by_hand(house):
    house.tell(m.ArchiveChat(m.SendChat(says(A, B).chat), (B,)))
    await house.runtime.quiescent()
    known = await house.archive.newest()
    house.tell(m.MarkRead(house.request(B), known))
    house.tell(m.FetchConversations(house.request(B), ConversationsQuery(owner=B)))
    house.tell(m.MarkRead(house.request(B), known + 1))
    await house.runtime.quiescent()
    done, refused, read = house.answers()
    assert isinstance(done, m.RequestDone)
    assert refused.condition is Condition.ITEM_NOT_FOUND
    assert (read.page.total, read.page.unread) == (1, 0)
