"""What every session is: a client of one account, with presence, that is given what concerns it.

The wire hands in the client's commands, the session passes them to its user; what the user, the domain and others tell the
session goes out through its `actors.outlet`. What its client missed is the business of `actors.missed`. The session keeps what
only it knows: its newest presence and to whom it sent directed presence, so that it can say goodbye for a client that did not
(RFC 6121, 4.6.3) and introduce itself again when its user began anew.

**Failure.** What a session knows cannot be made anew: when it fails at something that its own client sent, the client is told,
and logs in again; what others sent and it cannot bear is set aside.

Counting and resumption are `actors.session`'s.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec

from actors.directory import ARCHIVER, Directory
from actors.mailbox import MailboxFull
from actors.missed import EndPatience, Missed
from actors.outlet import Outlet
from actors.runtime import ActorRef, Runtime, Timer, TrioActor
from engine import messages as m
from engine.blocking import Side
from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.limits import DIRECTED_PRESENCES
from engine.ports import Wire
from engine.presence import Presence, takes_chats

PRESENCES_FOR_ACK: Final = 64
"""Nobody asks a client whether it has got some presence: when it comes back without, it is told again. But not more than so
much: what waits for an acknowledgement stays in memory."""


class SessionBase(TrioActor):
    """A session without counting.

    Args:
        jid: full JID.
        wire: the client's end.
        runtime: for timers.
        directory: where the others are found.
        is_generated: the server chose the resource.
    """

    supervised = False

    def __init__(self, jid: Jid, wire: Wire, runtime: Runtime, directory: Directory, *, is_generated: bool) -> None:
        super().__init__()
        self.jid = jid
        self._runtime = runtime
        self._directory = directory
        self._outlet = Outlet(wire)
        self._missed = Missed(self, self._outlet, is_generated=is_generated)
        self._user: ActorRef[Any] | None = None
        self._presence: Presence | None = None
        self._directed: set[Jid] = set()
        self._knows_blocked = False  # its client asked for the block list, and is told of changes
        self._roster_version: str | None = None

    # -- life ----------------------------------------------------------------------------------------------------------

    def on_receive(self, message: Any) -> None:
        """Handle a client's command, which may end the session; or pass on an event, which must not."""
        try:
            self._handlers[type(message)](self, message)
        except Exception as error:
            if type(message) in OF_THE_CLIENT:
                raise
            self._runtime.supervision.give_up(self.actor_inbox, message, error)

    def let_go(self) -> None:
        """Its parts know it: without this a session that lived for long stays in memory until a collection that never comes."""
        vars(self).clear()

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:  # noqa: ARG002
        """It cannot go on: its client is told and logs in again."""
        self._close(m.CloseSession(StreamCondition.INTERNAL_SERVER_ERROR))

    def _open(self) -> None:
        older = self._directory.find(self.jid.full)
        self._directory.bind(self.jid.full, self.actor_ref)
        if older is not None:
            older.tell(m.CloseSession(StreamCondition.CONFLICT, "the same resource was bound again"))
        self.tell_user(m.OpenSession(self.jid))

    def _refused(self, refusal: m.SessionRefused) -> None:
        self._outlet.tell(refusal)
        self._leave()

    def _introduce(self) -> None:
        """Tell the account what a session is that it has not seen before."""
        if self._roster_version is not None:
            self.tell_user(m.WatchRoster(self.jid, (), self._roster_version))
        if self._missed.has_copies:
            self.tell_user(m.EnableCopies(m.Request(self.jid, ""), is_on=True))
        if self._presence is not None:
            self.tell_user(m.SetPresence(self.jid, self._presence))

    def _reopen(self, _: m.ReopenSessions) -> None:
        self.tell_user(m.OpenSession(self.jid, again=True))
        self._introduce()
        catch_up = self._missed.catch_up
        if catch_up.is_current or catch_up.is_fetching:
            self._missed.resume()

    def _close(self, command: m.CloseSession) -> None:
        if self._outlet.wire is not None:
            self._outlet.wire.close(command.condition, command.text)
        self._leave()

    def _leave(self) -> None:
        self._missed.cancel()
        if self._directory.find(self.jid.full) is self.actor_ref:
            self._take_back_directed("")
            self._directory.unbind(self.jid.full, self.actor_ref)
            self.tell_user(m.SessionClosed(self.jid))
        self.stop()

    # -- for its parts -------------------------------------------------------------------------------------------------

    def give(self, event: Any, archive_id: int = 0) -> None:
        """Tell the client; `archive_id`: of a chat."""
        if not self._outlet.give(event, archive_id):
            if isinstance(event, m.DeliverChat):  # whoever sent what cannot be told is told
                refusal = m.RequestRefused.of_chat(event.chat, Condition.INTERNAL_SERVER_ERROR)
                self._directory.tell(event.chat.sender.full, refusal)
        elif type(event) is not m.PresenceSeen or self._outlet.unacked >= PRESENCES_FOR_ACK:
            self._look_after_ack()

    def tell_user(self, message: Any) -> None:
        """Tell the account."""
        if self._user is not None:
            self._user.tell(message)

    def tell_archiver(self, message: Any) -> bool:
        """Tell the archiver; False: it has no room just now."""
        try:
            return self._directory.tell(ARCHIVER, message)
        except MailboxFull:
            return False

    def schedule(self, seconds: float, message: Any, slack: float = 0.0) -> Timer:
        """Tell the session itself, later; see `actors.runtime.Runtime.schedule`."""
        return self._runtime.schedule(seconds, self.actor_ref, message, slack)

    def keep(self) -> None:
        """Note what the session is now, if it can be resumed after a kill."""

    def _look_after_ack(self) -> None:
        """Something was given."""

    # -- what the client says of itself --------------------------------------------------------------------------------

    def _set_presence(self, command: m.SetPresence) -> None:
        could_take = takes_chats(self._presence)
        self._presence = command.presence
        self.keep()
        self.tell_user(command)
        if command.presence is None:
            self._take_back_directed(command.text)
        can_take = takes_chats(command.presence)
        if command.presence is not None and can_take and not could_take:
            self._missed.begin(command.presence)
        elif could_take and not can_take:
            self._missed.lapse()

    def _send_presence(self, command: m.SendPresence) -> None:
        is_farewell = command.presence is None
        stop = self._directory.blocks(self.jid.domain).stop_presence(self.jid, command.to, is_farewell=is_farewell)
        if stop is not None and stop.side is Side.SENDER:
            if stop.refusal is not None:
                self.give(stop.refusal)
            return
        if command.presence is None:
            self._directed.discard(command.to)
        elif len(self._directed) < DIRECTED_PRESENCES or command.to in self._directed:
            self._directed.add(command.to)
        else:
            request = m.Request(self.jid, "", command.to.full, kind="presence")
            self.give(m.RequestRefused(request, Condition.POLICY_VIOLATION, "too many directed presences"))
            return
        self.tell_user(command)

    def _take_back_directed(self, text: str) -> None:
        for to in self._directed:
            self.tell_user(m.SendPresence(self.jid, to, None, text))
        self._directed.clear()

    def _enable_copies(self, command: m.EnableCopies) -> None:
        self._missed.has_copies = command.is_on
        self.keep()
        self.tell_user(command)

    def _fetch_history(self, command: m.FetchHistory) -> None:
        self._missed.archive_is_asked()
        self.tell_user(command)

    def _set_client_state(self, command: m.ClientState) -> None:
        if command.is_active:
            self._outlet.look()
        else:
            self._outlet.is_active = False

    def _fetch_blocked(self, command: m.FetchBlocked) -> None:
        self._knows_blocked = True
        self.keep()
        self.tell_user(command)

    # -- what the client is told ---------------------------------------------------------------------------------------

    def _give_chat(self, event: m.DeliverChat | m.DeliverCopy) -> None:
        chat = event.chat
        if not self._outlet.is_attached or (chat.is_typing and not self._outlet.is_active):
            return  # what is archived is fetched when the client is back
        if self._missed.catch_up.take(event):
            self.give(event, chat.id)
            if chat.id and self._outlet.outbox is None:  # who counts is noted when he acknowledges
                self._missed.note()

    def _give_roster(self, event: m.RosterFetched | m.RosterChanged) -> None:
        self._roster_version = event.version
        self.keep()
        self.give(event)

    def _give_iq(self, event: m.DeliverIq) -> None:
        stop = self._directory.blocks(self.jid.domain).stop_iq(event.iq)
        if stop is None:
            if self._outlet.has_room(len(event.iq.payload)):
                self.give(event)
            elif event.iq.kind in {"get", "set"}:
                refusal = m.RequestRefused.of_iq(event.iq, Condition.SERVICE_UNAVAILABLE)
                self._directory.tell(event.iq.sender.full, refusal)
        elif stop.refusal is not None:  # it was on its way when the block began
            self._directory.tell(event.iq.sender.full, stop.refusal)

    def _blocked_changed(self, event: m.BlockedChanged) -> None:
        blocks = self._directory.blocks(self.jid.domain)
        for to in blocks.told_by(self.jid, self._directed, event.addresses):
            self._directed.discard(to)
            self.tell_user(m.SendPresence(self.jid, to, None))
        if self._knows_blocked:
            self.give(event)

    def _give_history(self, event: m.HistoryFetched) -> None:
        self.give(event)
        self._missed.archive_is_read(event.up_to)

    def _missed_fetched(self, page: m.MissedFetched) -> None:
        blocks = self._directory.blocks(self.jid.domain)
        told = tuple(chat for chat in page.chats if not blocks.shuts_out(self.jid.bare, chat))
        self._missed.fetched(msgspec.structs.replace(page, chats=told))

    def _written(self, event: m.Written) -> None:
        self._missed.note_delivered(event.archive_id)

    def _page_written(self, event: m.PageWritten) -> None:
        self._missed.page_written(event)

    def _end_patience(self, _: EndPatience) -> None:
        self._missed.end_patience()

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        # what the client wants
        m.SetPresence: _set_presence,
        m.SendPresence: _send_presence,
        m.EnableCopies: _enable_copies,
        m.FetchHistory: _fetch_history,
        m.ClientState: _set_client_state,
        m.FetchBlocked: _fetch_blocked,
        # what the client is told
        m.SessionRefused: _refused,
        m.DeliverChat: _give_chat,
        m.DeliverCopy: _give_chat,
        m.DeliverIq: _give_iq,
        m.BlockedChanged: _blocked_changed,
        m.HistoryFetched: _give_history,
        m.RosterFetched: _give_roster,
        m.RosterChanged: _give_roster,
        # from the user, the archive, the operator, and itself
        m.MissedFetched: _missed_fetched,
        m.Written: _written,
        m.PageWritten: _page_written,
        m.ReopenSessions: _reopen,
        m.CloseSession: _close,
        EndPatience: _end_patience,
        **dict.fromkeys(
            (
                m.SendIq,
                m.ProbePresence,
                m.Subscribe,
                m.FetchRoster,
                m.SetPersonalContact,
                m.FetchContact,
                m.FetchCard,
                m.SetPhoto,
                m.SearchContacts,
                m.RequestSlot,
                m.ChangeBlocked,
                m.FetchHistoryBounds,
                m.FetchConversations,
                m.MarkRead,
            ),
            tell_user,
        ),
        **dict.fromkeys(
            (
                m.PresenceSeen,
                m.SubscriptionAnswered,
                m.ContactFetched,
                m.CardFetched,
                m.ContactsFound,
                m.SlotGiven,
                m.BlockedFetched,
                m.HistoryBoundsFetched,
                m.ConversationsFetched,
                m.RequestDone,
                m.RequestRefused,
                m.Answer,
            ),
            give,
        ),
    }


OF_THE_CLIENT: Final = frozenset(
    {
        m.SendChat,
        m.SendIq,
        m.SetPresence,
        m.SendPresence,
        m.ProbePresence,
        m.FetchPresences,
        m.FetchStatus,
        m.Subscribe,
        m.FetchRoster,
        m.SetPersonalContact,
        m.FetchContact,
        m.FetchCard,
        m.SetPhoto,
        m.SearchContacts,
        m.RequestSlot,
        m.FetchBlocked,
        m.ChangeBlocked,
        m.FetchHistory,
        m.FetchHistoryBounds,
        m.FetchConversations,
        m.MarkRead,
        m.EnableCopies,
        m.EnableAcks,
        m.ClientState,
        m.StanzasReceived,
        m.RequestAck,
        m.Acked,
        m.Answer,
        m.Disconnect,
    }
)
"""What a session may fail at: it concerns its own client alone."""
