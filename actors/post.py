"""The way in for other threads.

Owns what other threads sent and the runtime's thread has not taken yet. Everything else in a runtime is touched by its own
thread only; here is the one lock. What is under way is bounded by the limit of the inbox that it goes to.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

import trio
from pykka import ActorDeadError

from actors.mailbox import MailboxFull, Policy, answer_full, is_system
from actors.seat import Seat

ADMIT: Final = object()
"""Posted by a thread that started an actor, ahead of whatever it tells it."""


class Post:
    """What goes from other threads to the inboxes of one runtime.

    Args:
        admit: called on the runtime's thread with the seat of an actor that another thread started.
    """

    def __init__(self, admit: Callable[[Seat], None]) -> None:
        self._admit = admit
        self._lock = threading.Lock()
        self._items: list[tuple[Seat, Any]] = []
        self._is_noticed = False
        self._token: trio.lowlevel.TrioToken | None = None

    def open(self) -> None:
        """From now on, what comes in wakes this trio run; what came before is taken at once."""
        self._token = trio.lowlevel.current_trio_token()
        self.deliver()

    def send(self, seat: Seat, item: Any) -> None:
        """Send an item from any thread.

        Raises:
            ActorDeadError: the loop is gone.
            MailboxFull: the mailbox is full and its policy is to refuse.
        """
        with self._lock:
            if len(seat) + seat.posted >= seat.limit and not (item is ADMIT or is_system(item)):
                if seat.policy is Policy.REFUSE:
                    seat.count_dropped(Policy.REFUSE)
                    raise MailboxFull(f"the limit is {seat.limit}")
                if seat.posted >= seat.limit:  # whatever the policy: here is no order yet in which to drop the oldest
                    seat.count_dropped(Policy.DROP_NEWEST)
                    answer_full(item)
                    return
            seat.posted += 1
            self._items.append((seat, item))
            is_noticed, self._is_noticed = self._is_noticed, True
        if self._token is not None and not is_noticed:
            try:
                self._token.run_sync_soon(self.deliver)
            except trio.RunFinishedError:
                raise ActorDeadError(f"{seat.title} not found") from None

    def deliver(self) -> None:
        """Put what came in into the inboxes; on the runtime's thread."""
        with self._lock:
            items, self._items = self._items, []
            self._is_noticed = False
        for seat, item in items:
            if item is ADMIT:
                seat.posted -= 1
                self._admit(seat)
            else:
                seat.take_posted(item)
