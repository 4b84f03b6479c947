"""The way out of a session: what its client is told, when, and what waits.

An event goes to the wire at once, unless

- the session counts (XEP-0198): the event gets its number in the outbox, where it stays until the client acknowledges it;
- the session can be resumed after a kill: then it is noted first which number a chat has, so that whatever the client has got,
  the server can tell from its count alone (`actors.notebook`);
- nobody looks at the client (XEP-0352), or it is gone and may come back: presence waits, the newest of each session; typing is
  dropped; of what is archived nothing waits here, it is fetched when the client is back.

**Limits**: the outbox's, and `WAITING_EVENTS` for a client that is gone; beyond, `is_whole` is false and it cannot come back.
"""

import logging
from typing import Any, Final

from actors.notebook import Notebook
from actors.seat import describe
from engine import messages as m
from engine.jid import Jid
from engine.outbox import UNACKED_BYTES, Outbox
from engine.ports import Wire
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

    Attributes:
        wire: None: the client is gone.
        outbox: None: the session does not count.
        notebook: of a session that can be resumed after a kill.
        is_active: somebody looks at the client.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire: Wire | None = wire
        self.outbox: Outbox | None = None
        self.notebook: Notebook | None = None
        self.is_active = True
        self._waiting: list[Any] = []
        self._waiting_bytes = 0  # of what others ask a client that is gone
        self._presences: dict[Jid, PresenceChange] = {}
        self._has_lost = False

    @property
    def is_attached(self) -> bool:
        """What is given now reaches the client, or stays in the outbox until it has."""
        return self.wire is not None and (self.outbox is None or self.wire.is_open)

    @property
    def is_whole(self) -> bool:
        """Everything that the client has not got is here or in the archive."""
        return not self._has_lost and (self.outbox is None or self.outbox.is_whole)

    @property
    def unacked(self) -> int:
        """Events that the client has not acknowledged; 0 also if the session does not count."""
        outbox = self.outbox
        return 0 if outbox is None else len(outbox)

    def give(self, event: Any, archive_id: int = 0) -> bool:
        """Tell the client, now or later; `archive_id`: of a chat. False: this very event cannot be told."""
        wire, outbox = self.wire, self.outbox
        if wire is None or (not self.is_active and type(event) is m.PresenceSeen):
            self._wait(event)
            return True
        try:
            if outbox is None:
                wire.deliver(event)
            elif wire.is_open:
                self._number(wire, outbox, event, archive_id)
            else:
                self._wait(event)
        except Exception as error:  # noqa: BLE001 -- one bad chat must not take a page of others along
            log.error("%s cannot be told to a client: %s", type(event).__name__, describe(error))  # noqa: TRY400
            return False
        return True

    def tell(self, event: Any) -> None:
        """Tell the client something that has no number; if it is gone, it is not told."""
        if self.wire is not None:
            self.wire.deliver(event)

    def begin_behind(self, archive_id: int) -> None:
        """Nothing up to here is for this client to get."""
        if self.outbox is not None and not self.outbox.has_chats:
            self.outbox.acked_id = max(self.outbox.acked_id, archive_id)

    def got(self, given: int) -> int | None:
        """Up to which archive id the client has got what it was given up to `given`; None: `Written` will say it."""
        if self.outbox is not None:
            return self.outbox.acked_id if self.outbox.has_chats else given
        if self.wire is not None:
            self.wire.tell_when_written(m.Written(given))
        return None

    def tell_when_written(self, message: Any) -> None:
        """Have the session told this when what was given before is out of this process; never, if the client is gone."""
        if self.wire is not None:
            self.wire.tell_when_written(message)

    def detach(self) -> None:
        """The client is gone and may come back."""
        self.wire = None

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
        if self.notebook is not None:
            self.notebook.note_new_numbers(self.outbox.acked, self.outbox.acked_id)
        for event in again:
            self.give(event, _archive_id(event))
        waiting, self._waiting = self._waiting, []
        self._waiting_bytes = 0
        for event in waiting:
            self.give(event)
        self.look()
        if self.notebook is not None:
            self.notebook.keep()

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
        if archive_id and self.notebook is not None:
            self.notebook.note_chat(number, archive_id)
        wire.write(burst)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes that somebody else wrote can reach the client, or may wait for it."""
        return self.is_attached or self._waiting_bytes + size <= UNACKED_BYTES

    def _wait(self, event: Any) -> None:
        if type(event) is m.PresenceSeen:
            for change in event.changes:
                self._presences[change.jid] = change
            if len(self._presences) > WAITING_PRESENCES and self.wire is not None:
                self.look()
                self.is_active = False
        elif len(self._waiting) < WAITING_EVENTS:
            self._waiting.append(event)
            if type(event) is m.DeliverIq:
                self._waiting_bytes += len(event.iq.payload)
        else:
            self._has_lost = True


_OTHERS: Final = frozenset({m.DeliverChat, m.DeliverCopy, m.DeliverIq})
"""What somebody else wrote; see `engine.outbox.UNACKED_BYTES`."""


def _archive_id(event: Any) -> int:
    return event.chat.id if isinstance(event, m.DeliverChat | m.DeliverCopy) else 0
