"""Whether, and how fast, one client is read.

Owns the reasons for which a connection is not read just now; several may hold at once, and it is read when none does. One
of them is speed: over `Limits.bytes_per_second` or `Limits.stanzas_per_second`, with a burst of `BURST_SECONDS`, reading
pauses until the client is back below its rate. The network holds what it sends meanwhile, so it sends more slowly, and
nothing is lost.
"""

from enum import IntFlag
from typing import Final

from engine.limits import Limits
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
        limits: bytes and stanzas per second; 0: any.
    """

    __slots__ = ("_byte_rate", "_bytes_until", "_deadlines", "_holds", "_stanza_rate", "_stanzas_until", "_transport")

    def __init__(self, transport: Transport, deadlines: Deadlines, limits: Limits) -> None:
        self._transport = transport
        self._deadlines = deadlines
        self._byte_rate = limits.bytes_per_second
        self._stanza_rate = limits.stanzas_per_second
        self._bytes_until = 0.0
        self._stanzas_until = 0.0
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
        self._byte_rate = self._stanza_rate = 0
        self.release(self._holds)

    def count_bytes(self, size: int, now: float) -> None:
        """So many bytes came."""
        if self._byte_rate:
            self._bytes_until = self._slow_down(self._bytes_until, now, size / self._byte_rate)

    def count_stanzas(self, number: int, now: float) -> None:
        """So many stanzas were among them."""
        if self._stanza_rate:
            self._stanzas_until = self._slow_down(self._stanzas_until, now, number / self._stanza_rate)

    def _slow_down(self, until: float, now: float, seconds: float) -> float:
        """Until when what came so far is worth, with what is worth `seconds` of the rate on top."""
        until = max(until, now) + seconds
        ahead = until - now
        if ahead > BURST_SECONDS and not self._holds & Hold.SPEED:
            self.hold(Hold.SPEED)
            # To half a burst, so that it is not stopped again at once.
            self._deadlines.add(ahead - BURST_SECONDS / 2, lambda: self.release(Hold.SPEED))
        return until
