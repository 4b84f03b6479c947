"""What the historian answers."""

import pytest

from actors.directory import Directory
from actors.historian import Historian
from engine import messages as m
from engine.limits import WAITING_PAGE
from index.memory import MemoryArchive
from tests.actors.recorder import Recorder
from tests.index.stories import NOON, says

ANN, BEN = "ann@example.com/desk", "ben@example.com"


@pytest.fixture
async def answers(runtime):
    """Asks for what waits for Ben, as the archiver passes it on after so many commits, and gives the answers."""
    archive, directory, log = MemoryArchive(lambda: NOON), Directory(), []
    directory.bind(BEN, runtime.start(Recorder, log))
    historian = runtime.start(Historian, archive, runtime, directory)

    async def ask(waiting: int, committed: int) -> list[m.WaitingFetched]:
        stored = await archive.commit([says(ANN, BEN, str(number)) for number in range(waiting)], {})
        historian.tell(m.FetchWaiting(BEN, 0, stored[committed - 1].id if committed else 0))
        await runtime.quiescent()
        return [message for _, message in log if isinstance(message, m.WaitingFetched)]

    return ask


async def test_what_is_committed_later_is_not_what_waited(answers):
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
