"""How one session comes to know what was said while it was not there, and nothing of it twice.

The archive is read page by page; what is said meanwhile is held. A chat has its place by its archive id, which grows from one
to the next; what is not archived (typing) keeps its place among what was held. `given` is the id up to which everything has
been given to this client, or is none of its business. What is told with a smaller id came twice and is dropped.

A session that takes no chats (not available, negative priority) may still get one that is addressed to it alone. Such are
remembered, so that they are not given again when the session catches up.

**Limits**: `HELD_CHATS`, `CLIENT_BYTES` of them, and `EARLY_CHATS`. What is not held is read from the archive once more.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from engine.limits import CLIENT_BYTES
from engine.messages import DeliverChat, DeliverCopy

HELD_CHATS: Final = 1_000
"""Chats that may come while a session catches up, which takes milliseconds; the rest is fetched after it."""

EARLY_CHATS: Final = 1_000
"""Chats to a session that does not take any from others; beyond, the oldest may come again when it does."""


Given = DeliverChat | DeliverCopy
"""A chat, or a copy of one."""


class CatchUp:
    """What one session has been given.

    Args:
        given: archive id to begin with.

    Attributes:
        given: everything up to here is given.
        is_current: nothing is missing: chats are given as they come.
        is_fetching: the archive is being read; chats are held.
    """

    def __init__(self, given: int = 0) -> None:
        self.given = given
        self.is_current = False
        self.is_fetching = False
        self._held: list[Given] = []  # nearly always empty, where a deque takes 0.7 KB
        self._held_bytes = 0
        self._first_dropped = 0
        self._early: dict[int, None] = {}

    def begin(self) -> None:
        """From now on chats are held until `finish`."""
        self.is_current = False
        self.is_fetching = True

    def lapse(self) -> None:
        """The session takes no chats for now; what comes meanwhile is fetched later."""
        self.is_current = self.is_fetching = False
        self._held.clear()
        self._held_bytes = 0
        self._first_dropped = 0

    def take(self, event: Given) -> bool:
        """One chat came; whether it is to be given at once."""
        number = event.chat.id
        if self.is_fetching:
            self._hold(event)
            return False
        if not number:
            return True
        if number <= self.given or number in self._early:
            return False
        if self.is_current:
            self.given = number
        else:
            if len(self._early) >= EARLY_CHATS:
                del self._early[next(iter(self._early))]
            self._early[number] = None
        return True

    def begins_behind(self, after: int) -> int:
        """Where the client begins that was at this id the last time, or whose account was.

        What is held came when it took chats already: it is new to this client, even if the account's other session has got it
        meanwhile, and the archive has noted that.
        """
        first = next((event.chat.id for event in self._held if event.chat.id), 0)
        return min(after, first - 1) if first else after

    def pass_over(self, up_to: int) -> None:
        """Everything up to this id is none of ours: the client has read it in the archive."""
        self.given = max(self.given, up_to)

    def finish(self, fetched: Iterable[Given], up_to: int, *, is_last: bool) -> list[Given]:
        """A page of the archive: what is to be given now, in order. Another one is needed while `is_fetching`.

        Args:
            fetched: all that the session missed after `given`, oldest first.
            up_to: the archive id up to which this is all.
            is_last: there is nothing after `up_to` but what is held.
        """
        held_ids = {event.chat.id for event in self._held}
        held, self._held = deque(self._held), []
        missed = deque(event for event in fetched if self._is_new(event) and event.chat.id not in held_ids)
        events: list[Given] = []
        while held and (is_last or held[0].chat.id <= up_to):
            event = held.popleft()
            self._held_bytes -= _size_of(event)
            number = event.chat.id
            while number and missed and missed[0].chat.id < number:
                events.append(missed.popleft())
            if not number or self._is_new(event):
                events.append(event)
        self._held += held
        events += missed
        self.given = max(self.given, up_to, *(event.chat.id for event in events))
        self._end(is_last=is_last)
        return events

    def _is_new(self, event: Given) -> bool:
        number = event.chat.id
        is_in_order = not self._first_dropped or number < self._first_dropped
        return is_in_order and number > self.given and number not in self._early

    def _end(self, *, is_last: bool) -> None:
        dropped = self._first_dropped
        if dropped and (is_last or self.given >= dropped):  # it is in the archive by now, with all that follow
            self.given = min(self.given, dropped - 1)
            self._first_dropped = 0
        elif is_last:
            self.is_current, self.is_fetching = True, False
            self._early.clear()

    def _hold(self, event: Given) -> None:
        size = self._held_bytes + _size_of(event)
        if len(self._held) < HELD_CHATS and size <= CLIENT_BYTES and not self._first_dropped:
            self._held.append(event)
            self._held_bytes = size
        elif event.chat.id and not self._first_dropped:
            self._first_dropped = event.chat.id
        # what is not archived may be lost, as on any network


def _size_of(event: Given) -> int:
    return len(event.chat.payload) + len(event.chat.body)
