"""The bounded inbox: order, limits, policies, counters."""

import pytest
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.future import TrioFuture
from actors.mailbox import ActorStopped, Mailbox, MailboxFull, Policy


class Announced(Mailbox):
    __slots__ = ("announced",)

    def __init__(self, *args):
        super().__init__(*args)
        self.announced = 0

    def _announce(self):
        self.announced += 1


def filled(policy, limit=3):
    mailbox = Mailbox(limit, policy)
    for number in range(limit):
        mailbox.put(number)
    return mailbox


def contents(mailbox):
    return [mailbox.get().message for _ in range(len(mailbox))]


def test_first_in_first_out():
    mailbox = filled(Policy.REFUSE)
    assert contents(mailbox) == [0, 1, 2]
    assert mailbox.empty()
    with pytest.raises(IndexError):
        mailbox.get()


def test_only_the_first_message_is_announced_until_someone_has_looked():
    mailbox = Announced(10, Policy.REFUSE)
    mailbox.put("a")
    mailbox.put("b")
    mailbox.put_beyond("c")
    assert mailbox.announced == 1
    contents(mailbox)
    mailbox.is_scheduled = False
    mailbox.put("d")
    assert mailbox.announced == 2


def test_envelopes_stay_what_they_are():
    mailbox, envelope = Mailbox(), Envelope("question", TrioFuture())
    mailbox.put(envelope)
    assert mailbox.get() is envelope


def test_refuse_tells_the_teller():
    mailbox = filled(Policy.REFUSE)
    with pytest.raises(MailboxFull):
        mailbox.put("too much")
    assert contents(mailbox) == [0, 1, 2]
    assert mailbox.status.dropped == {"refuse": 1}


def test_drop_newest_keeps_what_came_first():
    mailbox = filled(Policy.DROP_NEWEST)
    mailbox.put("too much")
    assert contents(mailbox) == [0, 1, 2]
    assert mailbox.status.dropped == {"drop-newest": 1}


def test_drop_oldest_keeps_what_came_last():
    mailbox = filled(Policy.DROP_OLDEST)
    mailbox.put("new")
    assert contents(mailbox) == [1, 2, "new"]
    assert mailbox.status.dropped == {"drop-oldest": 1}


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize(
    "message", [_ActorStop(), ActorStopped(None, ValueError()), Envelope(_ActorStop(), TrioFuture())]
)
def test_system_messages_are_never_refused(policy, message):
    mailbox = filled(policy)
    mailbox.put(message)
    assert len(mailbox) == 4
    assert mailbox.status.dropped == {}


def test_system_messages_are_not_the_oldest_to_be_dropped():
    mailbox = Mailbox(2, Policy.DROP_OLDEST)
    mailbox.put(_ActorStop())
    mailbox.put("a")
    mailbox.put("b")
    assert contents(mailbox) == [_ActorStop(), "b"]


def test_a_full_house_of_system_messages_drops_nothing():
    mailbox = Mailbox(1, Policy.DROP_OLDEST)
    mailbox.put(_ActorStop())
    mailbox.put("a")
    assert len(mailbox) == 2


@pytest.mark.parametrize(("policy", "is_newest_lost"), [(Policy.DROP_NEWEST, True), (Policy.DROP_OLDEST, False)])
def test_an_ask_that_is_dropped_is_answered(policy, is_newest_lost):
    mailbox = Mailbox(1, policy)
    first, second = TrioFuture(), TrioFuture()
    mailbox.put(Envelope("first", first))
    mailbox.put(Envelope("second", second))
    lost, kept = (second, first) if is_newest_lost else (first, second)
    with pytest.raises(MailboxFull):
        lost.get(timeout=0)
    assert mailbox.get().reply_to is kept


def test_timers_go_beyond_the_limit():
    mailbox = filled(Policy.REFUSE)
    mailbox.put_beyond("tick")
    assert contents(mailbox) == [0, 1, 2, "tick"]


def test_counters():
    mailbox = Mailbox(5, Policy.REFUSE)
    assert mailbox.status.high_water == 0
    mailbox.put(1)
    assert mailbox.status.high_water == 1
    mailbox.put(2)
    mailbox.put(3)
    contents(mailbox)
    status = mailbox.status
    assert (status.depth, status.high_water, status.limit, status.dropped) == (0, 3, 5, {})
