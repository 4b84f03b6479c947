"""Whether, and how fast, one client is read.

Owns the reasons for which a connection is not read just now; several may hold at once, and it is read when none does. One of
them is speed: over `Limits.bytes_per_second`, with a burst of `BURST_SECONDS`, reading pauses until the client is back below
its rate. The network holds what it sends meanwhile, so it sends more slowly, and nothing is lost.
"""

from enum import IntFlag
from typing import Final

from gateways.deadlines import Deadlines
from gateways.transport import Transport

BURST_SECONDS: Final = 4.0
"""Of the rate that may come at once: a client that logs in sends most in its first seconds."""


class Hold(IntFlag):
    """Why a connection is not read."""

    TURN = 1
    """Its address opened many; it waits for its turn."""
    LOGIN = 2
    """A login step is under way."""
    SPEED = 4
    """It sent more than it may."""
    OUTPUT = 8
    """It does not read what it is sent."""


class Tap:
    """The tap of one connection; closed for `Hold.TURN` at first.

    Args:
        transport: paused at first.
        deadlines: call back when a fast client may go on.
        rate: bytes per second; 0: any.
    """

    __slots__ = ("_deadlines", "_full_until", "_holds", "_rate", "_transport")

    def __init__(self, transport: Transport, deadlines: Deadlines, rate: int) -> None:
        self._transport = transport
        self._deadlines = deadlines
        self._rate = rate
        self._full_until = 0.0
        self._holds: int = Hold.TURN

    def hold(self, reason: Hold) -> None:
        """Do not read, for this reason."""
        if not self._holds:
            self._transport.pause()
        self._holds |= reason

    def release(self, reason: int) -> None:
        """This reason holds no more."""
        if self._holds & reason:
            self._holds &= ~reason
            if not self._holds:
                self._transport.resume()

    def release_all(self) -> None:
        """Read, whatever held it: the end of the stream is what is waited for now."""
        self._rate = 0
        self.release(self._holds)

    def count(self, size: int, now: float) -> None:
        """So many bytes came."""
        if not self._rate:
            return
        self._full_until = max(self._full_until, now) + size / self._rate
        ahead = self._full_until - now
        if ahead > BURST_SECONDS:
            self.hold(Hold.SPEED)
            # To half a burst, so that it is not stopped again at once.
            self._deadlines.add(ahead - BURST_SECONDS / 2, lambda: self.release(Hold.SPEED))
