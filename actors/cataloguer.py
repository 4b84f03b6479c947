"""The cataloguer: tells the scribe now and then that the archive has grown.

The archiver tells of each commit, and one commit may hold one message. To wake a worker costs more than to tell an actor: so
the scribe is woken once in `GATHER_SECONDS`, for all that came.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec

from actors.directory import SCRIBE, Directory
from actors.runtime import Runtime, TrioActor
from engine import messages as m

GATHER_SECONDS: Final = 0.4
"""From a commit to a search that finds it. Fetching costs the same for one message as for some."""


class Tell(msgspec.Struct, frozen=True):
    """cataloguer -> itself: enough has been waited."""


class Cataloguer(TrioActor):
    """Gathers notices."""

    def __init__(self, newest: int, runtime: Runtime, directory: Directory) -> None:
        super().__init__()
        self._newest = newest
        self._runtime = runtime
        self._directory = directory
        self._is_due = False

    def on_receive(self, message: Any) -> None:
        """Handle one message."""
        self._handlers[type(message)](self, message)

    def _grew(self, event: m.ArchiveGrew) -> None:
        self._newest = event.newest
        if not self._is_due:
            self._is_due = True
            self._runtime.schedule(GATHER_SECONDS, self.actor_ref, Tell())

    def _tell(self, _: Tell) -> None:
        self._is_due = False
        self._directory.tell(SCRIBE, m.ArchiveGrew(self._newest))

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {m.ArchiveGrew: _grew, Tell: _tell}
