"""Where sessions come from: a client binds a resource, or goes on with a session that it had."""

from collections.abc import Callable
from typing import Any

from actors.directory import Directory
from actors.runtime import ActorRef, Runtime
from actors.session import Attach, Session, token_address
from actors.web_session import WebSession
from engine.jid import Jid
from engine.ports import Wire
from engine.resumption import SessionJournal


class Sessions:
    """Starts the sessions of one process; their owner is their domain.

    Args:
        runtime: runs them.
        directory: where they are found.
        journal: where sessions are kept that can be resumed.
        new_token: makes an unguessable text.
    """

    def __init__(
        self, runtime: Runtime, directory: Directory, journal: SessionJournal, new_token: Callable[[], str]
    ) -> None:
        self._runtime = runtime
        self._directory = directory
        self._journal = journal
        self._new_token = new_token
        self.keep = journal.flush
        """Keep what the sessions have noted: to be called before anything is written to a client."""

    def start(self, jid: Jid, wire: Wire, *, is_generated: bool = False) -> ActorRef[Any]:
        """A new session of this full JID; `is_generated`: the server chose the resource."""
        return self._start(jid, wire, is_generated=is_generated)

    def start_web(self, jid: Jid, wire: Wire, since: int) -> ActorRef[Any]:
        """A new browser session of this full JID; `since`: archive id up to which it asks for the history itself."""
        owner = self._directory.find(jid.domain)
        return self._runtime.start(WebSession, jid, wire, self._runtime, self._directory, since, owner=owner)

    def resume(self, account: Jid, token: str, handled: int, wire: Wire) -> ActorRef[Any]:
        """The session of this token, if it is the account's; whether it is, it says by the wire."""
        session = self._directory.find(token_address(token))
        if session is None:
            return self._start(account, wire, resumes=(token, handled))
        session.tell(Attach(account, wire, handled))
        return session

    def _start(self, jid: Jid, wire: Wire, **options: Any) -> ActorRef[Any]:
        owner = self._directory.find(jid.domain)
        kept = {"journal": self._journal, "new_token": self._new_token}
        return self._runtime.start(Session, jid, wire, self._runtime, self._directory, owner=owner, **kept, **options)
