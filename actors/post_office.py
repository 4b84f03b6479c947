"""What the parts of a session need of the world around it: whom it tells, its timers, its address."""

from typing import Any, Protocol

from actors.runtime import Timer
from engine.jid import Jid


class PostOffice(Protocol):
    """The session, as its parts see it."""

    @property
    def jid(self) -> Jid:
        """Full JID."""

    def give(self, event: Any, archive_id: int = 0) -> None:
        """Tell the client; `archive_id`: of a chat."""

    def tell_user(self, message: Any) -> None:
        """Tell the account."""

    def tell_archiver(self, message: Any) -> bool:
        """Tell the archiver; False: it has no room just now."""

    def keep(self) -> None:
        """Note what the session is now, if it can be resumed after a kill."""

    def schedule(self, seconds: float, message: Any, slack: float = 0.0) -> Timer:
        """Tell the session itself, later; see `actors.runtime.Runtime.schedule`."""
