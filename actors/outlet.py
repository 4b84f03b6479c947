"""The way out of a session: what its client is told, when, and what waits.

An event goes to the wire at once, unless

- the session counts (XEP-0198): the event gets its number in the outbox, where it stays until the client acknowledges it;
- the session can be resumed after a kill: then a chat, and everything behind it, is held until it is on disk that this chat has
  this number, some tenths of a millisecond later. So whatever the client has got, the server can tell from its count alone.
  When a client comes back, numbers begin anew behind the one it names: everything is held until that is on disk;
- nobody looks at the client (XEP-0352), or it is gone and may come back: presence waits, the newest of each session; typing is
  dropped; of what is archived nothing waits here, it is fetched when the client is back.

**Limits**: the outbox's, and `WAITING_EVENTS` for a client that is gone; beyond, `is_whole` is false and it cannot come back.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from actors.seat import describe
from engine import messages as m
from engine.jid import Jid
from engine.outbox import Outbox
from engine.ports import Burst, Wire
from engine.presence import PresenceChange

log = logging.getLogger(__name__)

WAITING_EVENTS: Final = 256
"""Answers and roster changes for a client that is gone: it asked for a few, and comes back within minutes."""

WAITING_PRESENCES: Final = 20_000
"""Of as many sessions, gone ones among them, while nobody looks; beyond, the client is told all the same."""

WRITTEN_FOR_ACK: Final = 10
"""Events without an acknowledgement after which the client is asked for one."""


class Outlet:
    """What goes out to one client.

    Args:
        wire: the client's end.
        keep: called when something is held until the session's state is on disk.

    Attributes:
        wire: None: the client is gone.
        outbox: None: the session does not count.
        is_resumable: chats wait until it is on disk which number they have.
        is_active: somebody looks at the client.
    """

    def __init__(self, wire: Wire, keep: Callable[[], None]) -> None:
        self.wire: Wire | None = wire
        self.outbox: Outbox | None = None
        self.is_resumable = False
        self.is_active = True
        self._keep = keep
        self._held: deque[tuple[int, Burst]] = deque()
        self._waiting: deque[Any] = deque()
        self._presences: dict[Jid, PresenceChange] = {}
        self._has_lost = False
        self._is_together = self._is_keep_due = False
        self._renumbered_up_to: int | None = None  # until it is on disk, what is given waits

    @property
    def is_attached(self) -> bool:
        """What is given now reaches the client, or stays in the outbox until it has."""
        return self.wire is not None and (self.outbox is None or self.wire.is_open)

    @property
    def is_whole(self) -> bool:
        """Everything that the client has not got is here or in the archive."""
        return not self._has_lost and (self.outbox is None or self.outbox.is_whole)

    @property
    def wants_ack(self) -> bool:
        """The client should say how far it is."""
        return self.outbox is not None and len(self.outbox) >= WRITTEN_FOR_ACK

    def give(self, event: Any, archive_id: int = 0) -> bool:
        """Tell the client, now or later; `archive_id`: of a chat. False: this very event cannot be told."""
        if self.wire is None or not self.is_attached or (not self.is_active and type(event) is m.PresenceSeen):
            self._wait(event)
            return True
        try:
            if self.outbox is None:
                self.wire.deliver(event)
            else:
                self._number(self.wire, self.outbox, event, archive_id)
        except Exception as error:  # noqa: BLE001 -- one bad chat must not take a page of others along
            log.error("%s cannot be told to a client: %s", type(event).__name__, describe(error))  # noqa: TRY400
            return False
        return True

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is given within is kept as one: what a session notes of a page is true when all of it has its numbers."""
        self._is_together, self._is_keep_due = True, False
        try:
            yield
        finally:
            self._is_together = False
        if self._is_keep_due:
            self._keep()

    def tell(self, event: Any) -> None:
        """Tell the client something that has no number; if it is gone, it is not told."""
        if self.wire is not None:
            self.wire.deliver(event)

    def begin_behind(self, archive_id: int) -> None:
        """Nothing up to here is for this client to get."""
        if self.outbox is not None and not self.outbox.chats():
            self.outbox.acked_id = max(self.outbox.acked_id, archive_id)

    def got(self, given: int) -> int | None:
        """Up to which archive id the client has got what it was given up to `given`; None: `Written` will say it."""
        if self.outbox is not None:
            return self.outbox.acked_id if self.outbox.chats() else given
        if self.wire is not None:
            self.wire.tell_when_written(m.Written(given))
        return None

    def tell_when_written(self, message: Any) -> None:
        """Have the session told this when what was given before is out of this process; never, if the client is gone."""
        if self.wire is not None:
            self.wire.tell_when_written(message)

    def release(self, number: int, *, is_all: bool) -> None:
        """It is on disk what has the numbers up to this one; `is_all`: nothing that follows need wait."""
        if self._renumbered_up_to is not None and number >= self._renumbered_up_to:
            self._renumbered_up_to = None
        while self._held and (is_all or self._held[0][0] <= number):
            _, burst = self._held.popleft()
            if self.wire is not None:
                self.wire.write(burst)

    def detach(self) -> None:
        """The client is gone and may come back."""
        self.wire = None
        self._held.clear()

    def attach(self, wire: Wire) -> None:
        """It is back; `resend` follows."""
        self.wire = wire
        self.is_active = True

    def resend(self, handled: int) -> None:
        """Tell it again what it has not got, then what waited.

        Raises:
            AckedTooMuch: it claims to have got more than there was.
        """
        if self.outbox is None:
            raise RuntimeError("the session does not count")
        again = self.outbox.resume(handled)
        self._renumbered_up_to = self.outbox.sent if self.is_resumable else None
        with self.together():
            self._is_keep_due = self.is_resumable
            for event in again:
                self.give(event, _archive_id(event))
            waiting, self._waiting = self._waiting, deque()
            for event in waiting:
                self.give(event)
            self.look()
            if self._renumbered_up_to is not None:
                self._renumbered_up_to = self.outbox.sent

    def look(self) -> None:
        """Somebody looks at the client again: it is told the presences that it was spared."""
        self.is_active = True
        presences, self._presences = self._presences, {}
        if presences:
            self.give(m.PresenceSeen(tuple(presences.values())))

    def _number(self, wire: Wire, outbox: Outbox, event: Any, archive_id: int) -> None:
        burst = wire.render(event)
        if burst is None:
            return
        number = outbox.add(event, burst.count, archive_id, len(burst.data) if type(event) in _OTHERS else 0)
        is_to_be_kept = bool(archive_id) and self.is_resumable
        if is_to_be_kept or self._held or self._renumbered_up_to is not None:
            self._held.append((number, burst))
            if is_to_be_kept and self._is_together:
                self._is_keep_due = True
            elif is_to_be_kept:
                self._keep()
        else:
            wire.write(burst)

    def _wait(self, event: Any) -> None:
        if type(event) is m.PresenceSeen:
            for change in event.changes:
                self._presences[change.jid] = change
            if len(self._presences) > WAITING_PRESENCES and self.wire is not None:
                self.look()
                self.is_active = False
        elif len(self._waiting) < WAITING_EVENTS:
            self._waiting.append(event)
        else:
            self._has_lost = True


_OTHERS: Final = frozenset({m.DeliverChat, m.DeliverCopy, m.DeliverIq})
"""What somebody else wrote; see `engine.outbox.UNACKED_BYTES`."""


def _archive_id(event: Any) -> int:
    return event.chat.id if isinstance(event, m.DeliverChat | m.DeliverCopy) else 0
