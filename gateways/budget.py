"""What all clients together may have in memory: pieces of stanzas that are not complete, and what slow readers leave unread.

Owns the sum. A client is free to have `CLIENT_BYTES`; those who have more are known here, with how much. When they have
more than `SHARED_BYTES` together, the one that has most is cut, until they fit. So what the process needs for its clients
is bounded by `CLIENT_BYTES` for each and `SHARED_BYTES` for all, whatever they send or leave unread; and one who uses
little is never the one who is cut. What is counted is bytes as they came or wait, not every object around them.
"""

from typing import Protocol

from engine.limits import CLIENT_BYTES, SHARED_BYTES


class Holder(Protocol):
    """Somebody who has something in memory for a client."""

    def give_up(self) -> None:
        """Let go of all of it, and of the client."""


class Budget:
    """The sum of one process.

    Args:
        free: bytes that everybody may have.
        shared: bytes that all may have together beyond that.

    Attributes:
        held: bytes of those who have more than is free.
        cut: how many had to go.
    """

    def __init__(self, free: int = CLIENT_BYTES, shared: int = SHARED_BYTES) -> None:
        self.free = free
        self.held = 0
        self.cut = 0
        self._shared = shared
        self._holders: dict[Holder, int] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def hold(self, holder: Holder, count: int) -> None:
        """This one has so many bytes now."""
        self.held -= self._holders.pop(holder, 0)
        if count <= self.free:
            return
        self._holders[holder] = count
        self.held += count
        while self.held > self._shared:
            largest = max(self._holders, key=self._holders.__getitem__)
            self.held -= self._holders.pop(largest)
            self.cut += 1
            largest.give_up()
