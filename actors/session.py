"""One client session: what it said of itself, and the wire that is attached to it.

The wire hands in the client's commands, the session passes them to its user; what the user, the domain and others tell the
session goes out through the wire. The session keeps what only it knows: its newest presence and to whom it sent directed
presence, so that it can say goodbye for a client that did not (RFC 6121, 4.6.3) and introduce itself again when its user
began anew.

A session is bound in the directory under its full JID. A newer session of the same resource takes the address over; the older
one is closed with ``conflict`` (RFC 6120, 7.7.2.2) and leaves without a word about the presence that is no longer its own.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from actors.directory import Directory
from actors.runtime import ActorRef, TrioActor
from engine import messages as m
from engine.blocking import Side
from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.limits import DIRECTED_PRESENCES
from engine.ports import Wire
from engine.presence import Presence


class Session(TrioActor):
    """The actor of one full JID."""

    def __init__(self, jid: Jid, wire: Wire, directory: Directory) -> None:
        super().__init__()
        self._jid = jid
        self._wire = wire
        self._directory = directory
        self._user: ActorRef[Any] | None = None
        self._presence: Presence | None = None
        self._directed: set[Jid] = set()
        self._knows_blocked = False  # its client asked for the block list, and is told of changes

    def on_start(self) -> None:
        """Take the address and ask the account in."""
        self._user = self._directory.resolve(self._jid.bare)
        if self._user is None:  # the account was removed while its owner logged in
            self._wire.deliver(m.SessionRefused(self._jid, Condition.NOT_ALLOWED))
            self.stop()
            return
        older = self._directory.find(self._jid.full)
        if older is self.actor_ref:  # began anew after a failure; for the account nothing has changed
            return
        self._directory.bind(self._jid.full, self.actor_ref)
        if older is not None:
            older.tell(m.CloseSession(StreamCondition.CONFLICT, "the same resource was bound again"))
        self._user.tell(m.OpenSession(self._jid))

    def on_receive(self, message: Any) -> None:
        """Handle a client's command or pass on an event."""
        self._handlers[type(message)](self, message)

    def _forward(self, message: Any) -> None:
        if self._user is not None:
            self._user.tell(message)

    def _deliver(self, event: Any) -> None:
        self._wire.deliver(event)

    def _refused(self, refusal: m.SessionRefused) -> None:
        self._wire.deliver(refusal)
        self._leave()

    def _set_presence(self, command: m.SetPresence) -> None:
        self._presence = command.presence
        self._forward(command)
        if command.presence is None:
            self._take_back_directed(command.text)

    def _send_presence(self, command: m.SendPresence) -> None:
        is_farewell = command.presence is None
        stop = self._directory.blocks(self._jid.domain).stop_presence(self._jid, command.to, is_farewell=is_farewell)
        if stop is not None and stop.side is Side.SENDER:
            if stop.refusal is not None:
                self._wire.deliver(stop.refusal)
            return
        if command.presence is None:
            self._directed.discard(command.to)
        elif len(self._directed) < DIRECTED_PRESENCES or command.to in self._directed:
            self._directed.add(command.to)
        else:
            request = m.Request(self._jid, "", command.to.full, kind="presence")
            self._wire.deliver(m.RequestRefused(request, Condition.POLICY_VIOLATION, "too many directed presences"))
            return
        self._forward(command)

    def _take_back_directed(self, text: str) -> None:
        for to in self._directed:
            self._forward(m.SendPresence(self._jid, to, None, text))
        self._directed.clear()

    def _deliver_iq(self, event: m.DeliverIq) -> None:
        stop = self._directory.blocks(self._jid.domain).stop_iq(event.iq)
        if stop is None:
            self._wire.deliver(event)
        elif stop.refusal is not None:  # it was on its way when the block began
            self._directory.tell(event.iq.sender.full, stop.refusal)

    def _fetch_blocked(self, command: m.FetchBlocked) -> None:
        self._knows_blocked = True
        self._forward(command)

    def _blocked_changed(self, event: m.BlockedChanged) -> None:
        blocks = self._directory.blocks(self._jid.domain)
        for to in blocks.told_by(self._jid, self._directed, event.addresses):
            self._directed.discard(to)
            self._forward(m.SendPresence(self._jid, to, None))
        if self._knows_blocked:
            self._wire.deliver(event)

    def _reopen(self, _: m.ReopenSessions) -> None:
        self._forward(m.OpenSession(self._jid))
        if self._presence is not None:
            self._forward(m.SetPresence(self._jid, self._presence))

    def _close(self, command: m.CloseSession) -> None:
        self._wire.close(command.condition, command.text)
        self._leave()

    def _disconnected(self, _: m.Disconnect) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._directory.find(self._jid.full) is self.actor_ref:
            self._take_back_directed("")
            self._directory.unbind(self._jid.full, self.actor_ref)
            self._forward(m.SessionClosed(self._jid))
        self.stop()

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:  # noqa: ARG002
        """A session that cannot go on: its client is told and logs in again."""
        self._wire.close(StreamCondition.INTERNAL_SERVER_ERROR, "")
        self._leave()

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        # what the client wants
        m.SendChat: _forward,
        m.SendIq: _forward,
        m.SetPresence: _set_presence,
        m.SendPresence: _send_presence,
        m.ProbePresence: _forward,
        m.Subscribe: _forward,
        m.FetchRoster: _forward,
        m.SetPersonalContact: _forward,
        m.FetchContact: _forward,
        m.FetchCard: _forward,
        m.SetPhoto: _forward,
        m.SearchContacts: _forward,
        m.FetchBlocked: _fetch_blocked,
        m.ChangeBlocked: _forward,
        m.Disconnect: _disconnected,
        # what the client is told
        m.SessionOpened: _deliver,
        m.SessionRefused: _refused,
        m.DeliverChat: _deliver,
        m.DeliverIq: _deliver_iq,
        m.PresenceSeen: _deliver,
        m.SubscriptionAnswered: _deliver,
        m.RosterFetched: _deliver,
        m.RosterChanged: _deliver,
        m.ContactFetched: _deliver,
        m.CardFetched: _deliver,
        m.ContactsFound: _deliver,
        m.BlockedFetched: _deliver,
        m.BlockedChanged: _blocked_changed,
        m.RequestDone: _deliver,
        m.RequestRefused: _deliver,
        # from the user and the operator
        m.ReopenSessions: _reopen,
        m.CloseSession: _close,
    }
