"""What the historian answers."""

import pytest

from actors.directory import Directory
from actors.historian import Historian
from engine import messages as m
from engine.jid import Jid
from engine.limits import WAITING_PAGE, WAITING_PAGE_BYTES
from engine.ports import NOTHING, Cursor, Notes
from engine.resumption import KeptSession
from index.memory_archive import MemoryArchive
from index.session_journal import MemoryJournal
from tests.actors.recorder import Recorder
from tests.index.stories import NOON, says

ANN, BEN = "ann@example.com/desk", "ben@example.com"
DESK = Jid(BEN, "desk")


@pytest.fixture
async def answers(runtime):
    """Asks for what Ben's desk missed, as the archiver passes it on after so many commits, and gives the answers."""
    archive, directory, log = MemoryArchive(lambda: NOON), Directory(), []
    directory.bind(DESK.full, runtime.start(Recorder, log))
    historian = runtime.start(Historian, archive, MemoryJournal(), runtime, directory)

    async def ask(missed: int, committed: int, notes: Notes = NOTHING, family=None, padding=0) -> list[m.MissedFetched]:
        stored = await archive.commit([says(ANN, BEN, str(n) + " " * padding) for n in range(missed)], notes)
        up_to = stored[committed - 1].id if committed else 0
        historian.tell(m.FetchMissed(DESK, 1, family, up_to=up_to))
        await runtime.quiescent()
        return [message for _, message in log if isinstance(message, m.MissedFetched)]

    return ask


async def test_what_is_committed_later_is_not_what_was_missed(answers):
    """It is on its way to Ben already, without a stamp of delay."""
    (answer,) = await answers(3, committed=2)
    assert [chat.body for chat in answer.chats] == ["0", "1"]
    assert (answer.up_to, answer.is_last) == (answer.chats[-1].id, True)


async def test_a_full_page_is_the_last_one_if_the_rest_came_later(answers):
    (answer,) = await answers(WAITING_PAGE + 5, committed=WAITING_PAGE - 1)
    assert len(answer.chats) == WAITING_PAGE - 1
    assert answer.is_last


async def test_a_page_is_followed_by_another(answers):
    (answer,) = await answers(WAITING_PAGE + 5, committed=WAITING_PAGE + 1)
    assert len(answer.chats) == WAITING_PAGE
    assert (answer.up_to, answer.is_last) == (answer.chats[-1].id, False)


async def test_a_page_has_so_many_bytes_and_at_least_one_message(answers):
    (answer,) = await answers(0, committed=0)
    (_, answer) = await answers(3, committed=3, padding=WAITING_PAGE_BYTES // 2)
    assert (len(answer.chats), answer.up_to, answer.is_last) == (1, answer.chats[0].id, False)


async def test_a_client_goes_on_where_it_was(answers):
    first = int(NOON * 1_000_000)
    cursors = {(BEN, "psi"): Cursor(0, first, fetches=True), (BEN, "pidgin"): Cursor(0, first + 1)}
    (answer,) = await answers(4, committed=4, notes=Notes(cursors=cursors), family="psi")
    assert [chat.body for chat in answer.chats] == ["1", "2", "3"]
    assert (answer.after, answer.fetches) == (first, True)


async def test_a_new_client_begins_where_the_last_one_stopped(answers):
    first = int(NOON * 1_000_000)
    cursors = {(BEN, "psi"): Cursor(0, first), (BEN, "pidgin"): Cursor(0, first + 1)}
    (answer,) = await answers(4, committed=4, notes=Notes(cursors=cursors), family="new")
    assert [chat.body for chat in answer.chats] == ["2", "3"]
    assert answer.fetches is None


async def test_a_kept_session_is_its_accounts_alone(runtime):
    archive, journal, directory, log = MemoryArchive(lambda: NOON), MemoryJournal(), Directory(), []
    directory.bind("here", runtime.start(Recorder, log))
    historian = runtime.start(Historian, archive, journal, runtime, directory)
    journal.keep("t", KeptSession(DESK, 2, m.SessionState(given=7)))
    await archive.commit([], Notes(done={"t": 3}))
    for token, account in (("t", BEN), ("t", "ann@example.com"), ("u", BEN)):
        historian.tell(m.FetchSession(token, account, "here"))
    await runtime.quiescent()
    fetched = [message for _, message in log if isinstance(message, m.SessionFetched)]
    assert fetched[0] == m.SessionFetched(DESK, 3, m.SessionState(given=7))
    assert [answer.session for answer in fetched[1:]] == [None, None]
