"""A client's end."""

from typing import Protocol

import msgspec

from engine.errors import StreamCondition


class Burst(msgspec.Struct, frozen=True):
    """What the client is told of one event: so many stanzas, one after the other."""

    data: bytes
    count: int


class Wire(Protocol):
    """A client's end, attached to a session. Calls come from the session's handler, never from another thread."""

    @property
    def is_open(self) -> bool:
        """Somebody is there to be told; if not, the session hears of it in a moment (`Disconnect`)."""

    def deliver(self, event: msgspec.Struct) -> None:
        """Render the event and have it written at the end of this turn."""

    def render(self, event: msgspec.Struct) -> Burst | None:
        """The event as this client is told of it; None: it is told nothing."""

    def write(self, burst: Burst) -> None:
        """Have it written at the end of this turn."""

    def tell_when_written(self, message: msgspec.Struct) -> None:
        """Tell the session this when everything before it is out of this process; of several the newest is enough."""

    def close(self, condition: StreamCondition | None, text: str) -> None:
        """Say goodbye and close."""
