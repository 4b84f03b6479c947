"""What a client was told and has not acknowledged yet (XEP-0198, 4 and 5; the web socket counts its events the same way).

Each stanza has a number; the client says now and then up to which it has got them. What it has not got can be told again on
another connection, in the same order, under the numbers that follow the one the client names. Events are kept, not bytes: an
event of several stanzas that was got in part is told again as a whole.

Numbers here grow without an end; on the wire they wrap at 2**32 (XEP-0198, 4).

**Limits**: `UNACKED_EVENTS`, and `UNACKED_BYTES` of what others wrote. A client that reads on and does not acknowledge has
its oldest events forgotten; then `is_whole` is false, and its session cannot be resumed until it has acknowledged those,
too. Chats are in the archive anyway, and which of them were forgotten for their size is still known.
"""

from collections import deque
from typing import Any, Final

import msgspec

WRAP: Final = 1 << 32

UNACKED_EVENTS: Final = 2_000
"""At some 100 bytes each: events are shared between sessions. Clients acknowledge some ten at a time."""


UNACKED_BYTES: Final = 65_536
"""Of chats and requests that nobody else may hold any more: an hour of talk in a tunnel. What the server itself says (roster,
presence) is shared between sessions and is not counted."""


class AckedTooMuch(ValueError):  # noqa: N818 -- what the client did
    """The client acknowledges what it was never sent."""


class Unacked(msgspec.Struct, frozen=True):
    """One event on its way.

    Attributes:
        number: of its last stanza.
        archive_id: of the chat that it is; 0: it is none.
        event: None: forgotten for its size.
        size: in bytes, of what somebody else wrote.
    """

    number: int
    archive_id: int
    event: Any
    size: int = 0


class Outbox:
    """The numbered events of one session.

    Args:
        acked: the number that the client has got already.
        acked_id: the archive id of the newest chat that it has got.

    Attributes:
        sent: number of the last stanza.
        acked: number of the last stanza that the client has got.
        acked_id: everything given up to this archive id has been got.
    """

    def __init__(self, acked: int = 0, acked_id: int = 0) -> None:
        self.sent = self.acked = acked
        self.acked_id = acked_id
        self._forgotten = self.acked  # number of the newest event that was forgotten before it was acknowledged
        self._size = 0
        self._hollow = 0  # entries at the beginning that have forgotten their event
        self._chats = 0
        self._unacked: deque[Unacked] = deque()

    def __len__(self) -> int:
        return len(self._unacked)

    @property
    def is_whole(self) -> bool:
        """Nothing that is not acknowledged was forgotten."""
        return self._forgotten <= self.acked

    @property
    def has_chats(self) -> bool:
        """Some chats were not acknowledged."""
        return self._chats > 0

    def add(self, event: Any, count: int, archive_id: int = 0, size: int = 0) -> int:
        """One more event of so many stanzas; the number of its last. `size`: of what somebody else wrote, in bytes."""
        self.sent += count
        self._unacked.append(Unacked(self.sent, archive_id, event, size))
        self._size += size
        self._chats += archive_id > 0
        if len(self._unacked) > UNACKED_EVENTS:
            self._forgotten = max(self._forgotten, self._take().number)
        while self._size > UNACKED_BYTES:
            oldest = self._unacked[self._hollow]
            self._unacked[self._hollow] = Unacked(oldest.number, oldest.archive_id, None)
            self._hollow += 1
            self._size -= oldest.size
            self._forgotten = oldest.number
        return self.sent

    def _take(self) -> Unacked:
        oldest = self._unacked.popleft()
        self._size -= oldest.size
        self._chats -= oldest.archive_id > 0
        self._hollow = max(0, self._hollow - 1)
        return oldest

    def acknowledge(self, handled: int) -> None:
        """The client has got everything up to this number, which may have wrapped.

        Raises:
            AckedTooMuch: it was not sent so much.
        """
        number = unwrap(handled, self.acked)
        if number > self.sent:
            raise AckedTooMuch(f"{handled} of {self.sent % WRAP} stanzas acknowledged")
        self.acked = number
        unacked = self._unacked
        while unacked and unacked[0].number <= number:
            self.acked_id = max(self.acked_id, self._take().archive_id)

    def resume(self, handled: int) -> list[Any]:
        """The client goes on behind this number: what it has not got, to be added again.

        Raises:
            AckedTooMuch: it was not sent so much.
        """
        self.acknowledge(handled)
        events = [entry.event for entry in self._unacked]
        self._unacked.clear()
        self._size = self._hollow = self._chats = 0
        self.sent = self.acked
        return events

    def chats(self) -> tuple[tuple[int, int], ...]:
        """Number and archive id of each chat that was not acknowledged."""
        return tuple((entry.number, entry.archive_id) for entry in self._unacked if entry.archive_id)


def unwrap(wrapped: int, base: int) -> int:
    """The number, not below `base`, that this is on the wire."""
    return base + (wrapped - base) % WRAP
