"""Numbers that wrap, what is told again, and what is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.outbox import UNACKED_BYTES, UNACKED_EVENTS, WRAP, AckedTooMuch, Outbox, unwrap


def test_what_is_acknowledged_is_not_told_again():
    outbox = Outbox()
    assert [outbox.add("roster", 3), outbox.add("one", 1, 11), outbox.add("two", 1, 12)] == [3, 4, 5]
    outbox.acknowledge(4)
    assert (outbox.acked_id, outbox.chats()) == (11, ((5, 12),))
    assert outbox.resume(4) == ["two"]
    assert outbox.add("two", 1, 12) == 5


def test_an_event_that_came_in_part_is_told_as_a_whole():
    outbox = Outbox()
    outbox.add("three presences", 3)
    outbox.acknowledge(2)
    assert outbox.resume(2) == ["three presences"]
    assert outbox.add("three presences", 3) == 5


def test_numbers_wrap():
    outbox = Outbox(WRAP - 1, 7)
    assert outbox.add("before", 1, 8) == WRAP
    outbox.add("behind", 1, 9)
    outbox.acknowledge(0)
    assert outbox.chats() == ((WRAP + 1, 9),)
    outbox.acknowledge(1)
    assert (outbox.chats(), outbox.acked_id) == ((), 9)


@pytest.mark.parametrize("handled", [4, 1000, WRAP - 1])
def test_more_than_was_sent(handled):
    outbox = Outbox()
    outbox.add("three", 3)
    with pytest.raises(AckedTooMuch):
        outbox.acknowledge(handled)


def test_less_than_before_is_taken_for_too_much():
    outbox = Outbox()
    outbox.add("three", 3)
    outbox.acknowledge(3)
    with pytest.raises(AckedTooMuch):
        outbox.acknowledge(2)


def test_a_client_that_never_acknowledges_cannot_resume():
    outbox = Outbox()
    for number in range(UNACKED_EVENTS):
        outbox.add(number, 1)
    assert outbox.is_whole
    outbox.add("one more", 1)
    assert not outbox.is_whole
    assert len(outbox) == UNACKED_EVENTS


@given(st.integers(0, 1 << 70), st.integers(0, WRAP - 1))
def test_the_next_number_that_looks_so(base, step):
    assert unwrap((base + step) % WRAP, base) == base + step


def test_what_is_too_large_is_forgotten_until_it_is_acknowledged():
    outbox = Outbox()
    outbox.add("roster", 1)
    outbox.add("large", 1, 11, UNACKED_BYTES)
    assert outbox.is_whole
    outbox.add("small", 1, 12, 1)
    assert not outbox.is_whole
    assert outbox.chats() == (
        (2, 11),
        (3, 12),
    )  # which they are is still known: a kill of the server loses none of them
    outbox.acknowledge(1)
    assert not outbox.is_whole
    outbox.acknowledge(2)
    assert outbox.is_whole
    assert outbox.resume(2) == ["small"]
    outbox.add("larger", 1, 13, UNACKED_BYTES + 1)
    assert not outbox.is_whole
    assert outbox.chats() == ((3, 13),)
    outbox.acknowledge(3)
    assert outbox.is_whole


@given(st.lists(st.tuples(st.sampled_from(["add", "ack"]), st.integers(0, UNACKED_BYTES))))
def test_the_bytes_of_an_outbox_are_bounded(steps):
    outbox = Outbox()
    for step, size in steps:
        if step == "add":
            outbox.add("x" * size, 1, 7, size)
        else:
            outbox.acknowledge(min(outbox.sent, outbox.acked + size % 3))
        assert sum(len(entry.event or "") for entry in outbox._unacked) <= UNACKED_BYTES
        assert len(outbox.chats()) == outbox.sent - outbox.acked
