"""The bounded inbox of one actor, with a stated policy at its limit.

Owns the messages that wait for one actor, and counts what its limit cost: depth, high-water mark, dropped by reason.

Rules:

- First in, first out. Nothing is copied: a message is frozen before it is told.
- At the limit the actor class's `Policy` decides. System messages (`_ActorStop`, `ActorStopped`) and the messages of an
  actor's own timers are never refused and never dropped: their number is bounded by those who send them.
- An ask that is dropped is answered with `MailboxFull`, so that nobody waits for an answer that never comes.
- An idle mailbox holds no queue: an empty deque costs 0.7 KB, and of 20,000 actors nearly all are idle.

One thread uses a mailbox, the one of the runtime; tells from other threads come through `Runtime.post`.
"""

from collections import deque
from enum import StrEnum
from typing import Any, Final

import msgspec
from pykka import ActorRef
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

MAILBOX_LIMIT: Final = 10_000
"""Messages of an ordinary actor. One turn handles 32 at a time and 10,000 take about 0.1 s: who is further behind does not
catch up. It holds one presence of each member of a large domain, which is the largest burst that is nobody's mistake."""

WORKER_MAILBOX_LIMIT: Final = 20_000
"""Messages of a worker: 3 s of group commits at 6,600 messages/s, so that a stalled disk is bridged and a dead one is told to
the senders while they still wait for it."""


class Policy(StrEnum):
    """What happens to a message that comes to a full mailbox."""

    REFUSE = "refuse"
    """The teller gets `MailboxFull` and decides. For mailboxes whose tellers are prepared for it."""
    DROP_NEWEST = "drop-newest"
    """The message is dropped and counted: what came first goes first."""
    DROP_OLDEST = "drop-oldest"
    """The oldest message is dropped and counted: for states of which the newest counts."""


class MailboxFull(Exception):  # noqa: N818 - a state that the teller asks about, like queue.Full
    """The mailbox is at its limit; the message was not taken."""


class ActorStopped(msgspec.Struct, frozen=True, eq=False):
    """System message to an owner: its actor failed and was not restarted any more.

    Attributes:
        ref: the actor that is gone.
        error: what stopped it.
    """

    ref: ActorRef[Any]
    error: BaseException


class MailboxStatus(msgspec.Struct, frozen=True):
    """The counters of one mailbox.

    Attributes:
        depth: messages that wait now.
        high_water: most messages that ever waited.
        limit: messages that may wait.
        dropped: messages lost at the limit, by reason (``drop-newest``, ``drop-oldest``, ``refuse``: refused to a teller).
    """

    depth: int
    high_water: int
    limit: int
    dropped: dict[str, int]


def is_system(item: Any) -> bool:
    """Whether this item (a message or Pykka's envelope of one) is never refused or dropped."""
    return type(item.message if type(item) is Envelope else item) in _SYSTEM


_SYSTEM: Final = frozenset((_ActorStop, ActorStopped))


class Mailbox:
    """A bounded queue of messages and Pykka envelopes.

    Implements Pykka's ``ActorInbox`` (`put`, `get`, `empty`); never blocks.

    Args:
        limit: messages that may wait, at least 1.
        policy: what happens beyond that.

    Attributes:
        items: what waits, oldest first; None or empty when nothing does.
        is_scheduled: whoever handles the messages knows that there are some; while it is false, a put calls `_announce`.
    """

    __slots__ = ("dropped", "high_water", "is_scheduled", "items", "limit", "policy")

    def __init__(self, limit: int = MAILBOX_LIMIT, policy: Policy = Policy.DROP_NEWEST) -> None:
        self.limit = limit
        self.policy = policy
        self.items: deque[Any] | None = None
        self.is_scheduled = False
        self.high_water = 0
        self.dropped: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.items) if self.items is not None else 0

    def put(self, item: Any, /) -> None:
        """Take one message, or an envelope of one.

        Raises:
            MailboxFull: at the limit, when the policy is `Policy.REFUSE`.
        """
        items = self.items
        if items is None:
            self.items = deque((item,))
        elif (depth := len(items)) < self.limit or self._make_room(item, items):
            items.append(item)
            if depth >= self.high_water:
                self.high_water = depth + 1
        else:
            return
        if not self.is_scheduled:
            self.is_scheduled = True
            self._announce()

    def put_beyond(self, item: Any) -> None:
        """Take one message whatever the limit says; its sender bounds how many there are."""
        if self.items is None:
            self.items = deque()
        self.items.append(item)
        self.high_water = max(self.high_water, len(self.items))
        if not self.is_scheduled:
            self.is_scheduled = True
            self._announce()

    def get(self) -> Envelope[Any]:
        """Take the oldest message out.

        Raises:
            IndexError: nothing waits.
        """
        if not self.items:
            raise IndexError("the mailbox is empty")
        item = self.items.popleft()
        return item if type(item) is Envelope else Envelope(item)

    def empty(self) -> bool:
        """Nothing waits."""
        return not self.items

    @property
    def status(self) -> MailboxStatus:
        """The counters as of now."""
        depth = len(self)
        # A mailbox that never held two at once does not count its high-water mark: that keeps the common put short.
        high_water = max(self.high_water, depth)
        return MailboxStatus(depth, high_water, self.limit, dict(self.dropped or ()))

    def count_dropped(self, reason: str) -> None:
        """Count one lost message."""
        if self.dropped is None:
            self.dropped = {}
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def _announce(self) -> None:
        """The first message came in; `is_scheduled` was set just now."""

    def _make_room(self, item: Any, items: deque[Any]) -> bool:
        """Apply the policy at the limit; whether the item may be taken."""
        if is_system(item):
            return True
        if self.policy is Policy.REFUSE:
            self.count_dropped(Policy.REFUSE)
            raise MailboxFull(f"{len(items)} messages wait, the limit is {self.limit}")
        self.count_dropped(self.policy)
        if self.policy is Policy.DROP_NEWEST:
            answer_full(item)
            return False
        for position, old in enumerate(items):
            if not is_system(old):
                del items[position]
                answer_full(old)
                break
        return True


def answer_full(item: Any) -> None:
    """Tell whoever asked with a dropped item; a tell has nobody to be told."""
    if type(item) is Envelope and item.reply_to is not None:
        error = MailboxFull("the mailbox was full and the message was dropped")
        item.reply_to.set_exception((MailboxFull, error, None))
