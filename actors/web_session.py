"""A browser session: what webmail is to its account. Its wire is shared by the tabs of a browser (`gateways.webmail_session`).

It reads the archive itself, so it is given nothing that it missed; it gets copies of what the account's other clients say, and
is told when its own messages are on disk. Its wire is always there: tabs come and go behind it, and it ends with the wire.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from actors.directory import Directory
from actors.runtime import Runtime
from actors.session_base import SessionBase
from engine import messages as m
from engine.errors import Condition
from engine.jid import Jid
from engine.ports import Wire

FAMILY: Final = "webmail"
"""All browsers are one client to `engine.clients`: each of them reads the archive."""


class WebSession(SessionBase):
    """The actor of one browser session.

    Args:
        jid: full JID.
        wire: the browser's end.
        runtime: for timers.
        directory: where the others are found.
        since: archive id up to which the browser asks for the history itself; what follows is given to it.
    """

    def __init__(self, jid: Jid, wire: Wire, runtime: Runtime, directory: Directory, since: int) -> None:
        super().__init__(jid, wire, runtime, directory, is_generated=False)
        self._missed.restore(since, FAMILY)
        self._missed.has_copies = True

    def on_start(self) -> None:
        """Take the address and ask the account in."""
        self._user = self._directory.resolve(self.jid.bare)
        if self._user is None:  # the account was removed while its owner logged in
            self._outlet.tell(m.SessionRefused(self.jid, Condition.NOT_ALLOWED))
            self.stop()
        else:
            self._open()

    def _opened(self, event: m.SessionOpened) -> None:
        self._introduce()
        self.give(event)

    def _introduce(self) -> None:
        super()._introduce()
        self.tell_user(m.EnableCopies(m.Request(self.jid, ""), is_on=True, has_own=True))

    def _disconnected(self, _: m.Disconnect) -> None:
        self._leave()

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        **SessionBase._handlers,  # noqa: SLF001 -- its own table, and more
        m.SessionOpened: _opened,
        m.Disconnect: _disconnected,
        m.ChatArchived: SessionBase.give,
        m.PresencesFetched: SessionBase.give,
        m.StatusFetched: SessionBase.give,
        m.SendChat: SessionBase.tell_user,
        m.FetchPresences: SessionBase.tell_user,
        m.FetchStatus: SessionBase.tell_user,
    }
