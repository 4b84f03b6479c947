"""Nothing twice, nothing lost, in order: a session that catches up, beside one that simply has everything."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import catch_up as module
from engine.catch_up import EARLY_CHATS, CatchUp
from engine.jid import Jid
from engine.limits import CLIENT_BYTES
from engine.messages import Chat, DeliverChat

ANN, BEN = Jid("ann@x.org", "desk"), Jid("ben@x.org")


def told(number: int, body: str = "") -> DeliverChat:
    return DeliverChat(Chat(sender=ANN, to=BEN, id=number, body=body))


def ids(events) -> list[int]:
    return [event.chat.id for event in events]


def test_live_chats_are_given_as_they_come():
    catch_up = CatchUp()
    catch_up.begin()
    assert catch_up.finish((), 5, is_last=True) == []
    assert [catch_up.take(told(number)) for number in (6, 7, 0)] == [True, True, True]
    assert catch_up.given == 7
    assert not catch_up.take(told(7)), "it was given"


def test_what_comes_meanwhile_follows_in_its_place():
    catch_up = CatchUp(2)
    catch_up.begin()
    assert [catch_up.take(told(number)) for number in (5, 0, 6)] == [False] * 3
    assert ids(catch_up.finish([told(3), told(4), told(5)], 5, is_last=True)) == [3, 4, 5, 0, 6]
    assert catch_up.is_current
    assert catch_up.given == 6


def test_what_the_other_device_has_got_meanwhile_is_given_to_this_one_too():
    """A client that was never here begins where its account's others are; that may be behind what it was told itself."""
    catch_up = CatchUp()
    catch_up.begin()
    catch_up.take(told(8))
    catch_up.given = catch_up.begins_behind(9)
    assert catch_up.given == 7
    assert ids(catch_up.finish((), 9, is_last=True)) == [8]
    assert catch_up.given == 9


def test_a_client_begins_where_it_was_if_nothing_came_meanwhile():
    catch_up = CatchUp()
    catch_up.begin()
    catch_up.take(told(0))
    assert catch_up.begins_behind(9) == 9


def test_what_belongs_behind_the_next_page_waits_for_it():
    catch_up = CatchUp()
    catch_up.begin()
    catch_up.take(told(9))
    assert ids(catch_up.finish([told(1), told(2)], 2, is_last=False)) == [1, 2]
    assert catch_up.is_fetching
    assert ids(catch_up.finish([told(7), told(9)], 9, is_last=True)) == [7, 9]


def test_what_was_given_early_is_not_given_again():
    catch_up = CatchUp()
    assert catch_up.take(told(4))
    assert not catch_up.take(told(4))
    catch_up.begin()
    assert ids(catch_up.finish([told(3), told(4), told(5)], 5, is_last=True)) == [3, 5]


def test_a_client_that_reads_the_archive_is_given_what_it_cannot_have_read():
    catch_up = CatchUp()
    catch_up.begin()
    catch_up.take(told(3))
    catch_up.take(told(8))
    catch_up.pass_over(5)
    assert ids(catch_up.finish([told(4), told(6)], 6, is_last=True)) == [6, 8]
    assert catch_up.is_current


def test_what_does_not_fit_is_read_once_more(monkeypatch):
    monkeypatch.setattr(module, "HELD_CHATS", 2)
    catch_up = CatchUp()
    catch_up.begin()
    for number in (3, 4, 5, 6):
        catch_up.take(told(number))
    assert ids(catch_up.finish([told(1), told(3), told(5)], 5, is_last=True)) == [1, 3, 4]
    assert catch_up.is_fetching
    assert catch_up.given == 4
    assert ids(catch_up.finish([told(5), told(6)], 6, is_last=True)) == [5, 6]
    assert catch_up.is_current


def test_of_long_chats_fewer_are_held():
    catch_up = CatchUp()
    catch_up.begin()
    for number in (3, 4, 5, 6):
        catch_up.take(told(number, "x" * (CLIENT_BYTES // 2)))
    assert ids(catch_up.finish([told(1)], 5, is_last=True)) == [1, 3, 4]
    assert ids(catch_up.finish([told(5), told(6)], 6, is_last=False)) == [5, 6]
    catch_up.take(told(7, "x" * CLIENT_BYTES))  # there is room again
    assert ids(catch_up.finish([], 7, is_last=True)) == [7]
    assert catch_up.is_current


def test_memory_of_what_was_early_is_bounded():
    catch_up = CatchUp()
    for number in range(1, EARLY_CHATS + 10):
        assert catch_up.take(told(number))
    assert len(catch_up._early) == EARLY_CHATS


@pytest.mark.parametrize("held", [3, 1000])
@given(data=st.data())
def test_everything_once_and_in_order(held, data):
    """Chats are said; the session fetches in pages of any size, or takes none for a while."""
    module_limit, module.HELD_CHATS = module.HELD_CHATS, held
    try:
        assert list(story(data)) == sorted(set(story.said))
    finally:
        module.HELD_CHATS = module_limit


def story(data) -> Iterator[int]:
    catch_up, said, is_asked = CatchUp(), [], False
    story.said = said
    answer_up_to = 0
    for step in data.draw(st.lists(st.sampled_from("sssaagl"), max_size=40)) + list("agagagag"):
        if step == "s":
            said.append(len(said) + 1)
            if (catch_up.is_current or catch_up.is_fetching) and catch_up.take(told(said[-1])):
                yield said[-1]
        elif step == "a" and not catch_up.is_current:
            if not catch_up.is_fetching:
                catch_up.begin()
            is_asked, answer_up_to = True, len(said)
        elif step == "g" and is_asked:
            is_asked = False
            start = catch_up.given
            size = data.draw(st.integers(1, 10))
            page = [told(number) for number in said[start:answer_up_to]][:size]
            is_last = start + len(page) >= answer_up_to
            up_to = max(answer_up_to, start) if is_last else page[-1].chat.id
            yield from ids(catch_up.finish(page, up_to, is_last=is_last))
        elif step == "l":
            catch_up.lapse()
            is_asked = False
    while not catch_up.is_current:
        if not catch_up.is_fetching:
            catch_up.begin()
        page = [told(number) for number in said[catch_up.given :]]
        yield from ids(catch_up.finish(page, max(len(said), catch_up.given), is_last=True))
