"""One client session: what it said of itself, and the wire that is attached to it.

The wire hands in the client's commands, the session passes them to its user; what the user, the domain and others tell the
session goes out through its `actors.outlet`. What its client missed is the business of `actors.missed`, how far both sides are
that of `actors.tally`. The session keeps what only it knows: its newest presence and to whom it sent directed presence, so that
it can say goodbye for a client that did not (RFC 6121, 4.6.3) and introduce itself again when its user began anew.

**Resumption (XEP-0198).** A session that counts outlives its wire. For `QUIET_SECONDS` nobody notices; then the others see it
leave; after `RESUME_SECONDS` it ends. A client that comes back later than the server was started finds its session in the
archive (`engine.messages.SessionState`).

**Life.** A session is bound in the directory under its full JID, and under its token if it can be resumed. A newer session of
the same resource takes the address over; the older one is closed with ``conflict`` (RFC 6120, 7.7.2.2). What a session knows
cannot be made anew: when it fails at something that its own client sent, the client is told, and logs in again; what others
sent and it cannot bear is set aside.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec

from actors.directory import ARCHIVER, Directory
from actors.mailbox import MailboxFull
from actors.missed import EndPatience, Missed
from actors.outlet import Outlet
from actors.runtime import ActorRef, Runtime, Timer, TrioActor
from actors.tally import AskForAck, Keep, Tally
from engine import messages as m
from engine.blocking import Side
from engine.errors import Condition, StreamCondition
from engine.intake import Intake
from engine.jid import Jid
from engine.limits import DIRECTED_PRESENCES
from engine.outbox import WRAP, AckedTooMuch, Outbox, got_by
from engine.ports import Wire
from engine.presence import Presence, takes_chats

QUIET_SECONDS: Final = 60.0
"""How long a client may be away without others noticing: a change of network takes seconds, and nobody should look available
who has been gone for longer."""

RESUME_SECONDS: Final = 300
"""How long a client may come back: a tunnel, a lift, a reboot. The session costs some KB meanwhile."""


class GoQuiet(msgspec.Struct, frozen=True):
    """session -> itself: the client has been gone for so long that others shall know."""


class Expire(msgspec.Struct, frozen=True):
    """session -> itself: the client does not come back."""


class Attach(msgspec.Struct, frozen=True):
    """connection -> session, in this process: the client of this account is back, on another wire, with so many stanzas got."""

    account: Jid
    wire: Wire
    handled: int


def token_address(token: str) -> str:
    """Where in the directory the session of a token is found."""
    return f"_session:{token}"


class Session(TrioActor):
    """The actor of one full JID.

    Args:
        jid: full JID; of a session that is to be found in the archive the bare one, until it is found.
        wire: the client's end.
        runtime: for timers.
        directory: where the others are found.
        new_token: makes an unguessable text.
        is_generated: the server chose the resource.
        resumes: token, and number of stanzas that the client has got, of a session that is to be found in the archive.
    """

    supervised = False

    def __init__(
        self,
        jid: Jid,
        wire: Wire,
        runtime: Runtime,
        directory: Directory,
        *,
        new_token: Callable[[], str],
        is_generated: bool = False,
        resumes: tuple[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.jid = jid
        self._runtime = runtime
        self._directory = directory
        self._new_token = new_token
        self._outlet = Outlet(wire, self._keep)
        self._missed = Missed(self, self._outlet, is_generated=is_generated)
        self._tally: Tally | None = None
        self._user: ActorRef[Any] | None = None
        self._presence: Presence | None = None
        self._directed: set[Jid] = set()
        self._knows_blocked = False  # its client asked for the block list, and is told of changes
        self._roster_version: str | None = None
        self._token = ""
        self._coming_back: Attach | None = None
        self._is_quiet = False
        self._ends: tuple[Timer, ...] = ()
        self._resumes = resumes

    # -- life ----------------------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Take the address and ask the account in."""
        self._user = self._directory.resolve(self.jid.bare)
        wire = self._outlet.wire
        if self._user is None or wire is None:  # the account was removed while its owner logged in
            self._outlet.tell(m.SessionRefused(self.jid, Condition.NOT_ALLOWED))
            self.stop()
        elif self._resumes is not None:
            self._token, handled = self._resumes
            self._coming_back = Attach(self.jid, wire, handled)
            self._outlet.detach()
            address = token_address(self._token)
            self._directory.bind(address, self.actor_ref)
            self.tell_archiver(m.FetchSession(self._token, self.jid.bare, address))
        else:
            self._open()

    def on_receive(self, message: Any) -> None:
        """Handle a client's command, which may end the session; or pass on an event, which must not."""
        try:
            self._handlers[type(message)](self, message)
        except Exception as error:
            if type(message) in _OF_THE_CLIENT:
                raise
            self._runtime.supervision.give_up(self.actor_inbox, message, error)

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:  # noqa: ARG002
        """It cannot go on: its client is told and logs in again."""
        self._close(m.CloseSession(StreamCondition.INTERNAL_SERVER_ERROR))

    def _open(self) -> None:
        older = self._directory.find(self.jid.full)
        self._directory.bind(self.jid.full, self.actor_ref)
        if older is not None:
            older.tell(m.CloseSession(StreamCondition.CONFLICT, "the same resource was bound again"))
        self.tell_user(m.OpenSession(self.jid))

    def _opened(self, event: m.SessionOpened) -> None:
        if self._coming_back is None:
            self.give(event)
        else:
            self._introduce()
            self._come_back()

    def _refused(self, refusal: m.SessionRefused) -> None:
        self._outlet.tell(refusal)
        if self._coming_back is not None:
            self._coming_back.wire.deliver(m.ResumeRefused(refusal.condition))
        self._leave()

    def _reopen(self, _: m.ReopenSessions) -> None:
        wire = self._outlet.wire
        if wire is not None and self._tally is not None and self._tally.intake.has_pending:
            # What became of these chats only the old user knew. The client comes back and sends again what is not on disk.
            wire.close(StreamCondition.RESET, "")
            self._lose_wire()
        self.tell_user(m.OpenSession(self.jid, again=True))
        self._introduce()
        catch_up = self._missed.catch_up
        if catch_up.is_current or catch_up.is_fetching:
            self._missed.resume()

    def _introduce(self) -> None:
        """Tell the account what a session is that it has not seen before."""
        if self._roster_version is not None:
            self.tell_user(m.WatchRoster(self.jid, (), self._roster_version))
        if self._missed.has_copies:
            self.tell_user(m.EnableCopies(m.Request(self.jid, ""), is_on=True))
        if self._presence is not None and not self._is_quiet:
            self.tell_user(m.SetPresence(self.jid, self._presence))

    def _close(self, command: m.CloseSession) -> None:
        wire = self._outlet.wire
        if wire is not None:
            wire.close(command.condition, command.text)
        if self._coming_back is not None:
            self._coming_back.wire.deliver(m.ResumeRefused(Condition.ITEM_NOT_FOUND))
        self._leave()

    def _disconnected(self, event: m.Disconnect) -> None:
        wire = self._outlet.wire if self._coming_back is None else self._coming_back.wire
        if wire is None or event.wire not in {0, id(wire)}:
            return  # the session has gone on to another one
        if self._coming_back is not None:
            self._coming_back = None
            if self._resumes is not None:
                self._leave()
        elif self._token and not event.is_goodbye and self._outlet.is_whole:
            self._lose_wire()
        else:
            self._leave()

    def _leave(self) -> None:
        for timer in self._ends:
            timer.cancel()
        self._missed.cancel()
        if self._tally is not None:
            self._tally.close()
        if self._token:
            self._directory.unbind(token_address(self._token), self.actor_ref)
            if self._resumes is None:
                self.tell_archiver(m.ForgetSession(self._token))
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
        elif self._tally is not None:
            self._tally.look()

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

    def schedule(self, seconds: float, message: Any) -> Timer:
        """Tell the session itself, later."""
        return self._runtime.schedule(seconds, self.actor_ref, message)

    # -- what the client says of itself --------------------------------------------------------------------------------

    def _set_presence(self, command: m.SetPresence) -> None:
        could_take = takes_chats(self._presence)
        self._presence = command.presence
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

    def _give_iq(self, event: m.DeliverIq) -> None:
        stop = self._directory.blocks(self.jid.domain).stop_iq(event.iq)
        if stop is None:
            self.give(event)
        elif stop.refusal is not None:  # it was on its way when the block began
            self._directory.tell(event.iq.sender.full, stop.refusal)

    def _fetch_blocked(self, command: m.FetchBlocked) -> None:
        self._knows_blocked = True
        self.tell_user(command)

    def _blocked_changed(self, event: m.BlockedChanged) -> None:
        blocks = self._directory.blocks(self.jid.domain)
        for to in blocks.told_by(self.jid, self._directed, event.addresses):
            self._directed.discard(to)
            self.tell_user(m.SendPresence(self.jid, to, None))
        if self._knows_blocked:
            self.give(event)

    def _enable_copies(self, command: m.EnableCopies) -> None:
        self._missed.has_copies = command.is_on
        self.tell_user(command)

    def _fetch_history(self, command: m.FetchHistory) -> None:
        self._missed.archive_is_read()
        self.tell_user(command)

    def _set_client_state(self, command: m.ClientState) -> None:
        if command.is_active:
            self._outlet.look()
        else:
            self._outlet.is_active = False

    # -- what the client is told ---------------------------------------------------------------------------------------

    def _give_chat(self, event: m.DeliverChat | m.DeliverCopy) -> None:
        chat = event.chat
        if self._outlet.wire is None or (chat.is_typing and not self._outlet.is_active):
            return  # what is archived is fetched when the client is back
        if self._missed.catch_up.take(event):
            self.give(event, chat.id)
            if chat.id:
                self._missed.note()

    def _give_roster(self, event: m.RosterFetched | m.RosterChanged) -> None:
        self._roster_version = event.version
        self.give(event)

    def _missed_fetched(self, page: m.MissedFetched) -> None:
        blocks = self._directory.blocks(self.jid.domain)
        told = tuple(chat for chat in page.chats if not blocks.shuts_out(self.jid.bare, chat))
        self._missed.fetched(msgspec.structs.replace(page, chats=told))

    def _end_patience(self, _: EndPatience) -> None:
        self._missed.end_patience()

    # -- counting ------------------------------------------------------------------------------------------------------

    def _enable_acks(self, command: m.EnableAcks) -> None:
        if self._tally is not None:
            self._outlet.tell(m.AcksRefused(Condition.UNEXPECTED_REQUEST))
            return
        if command.is_resumable:
            self._token = self._new_token()
            self._directory.bind(token_address(self._token), self.actor_ref)
        self._outlet.tell(m.AcksEnabled(self._token, RESUME_SECONDS if self._token else 0))
        self._count(Outbox(0, self._missed.catch_up.given), None)

    def _count(self, outbox: Outbox, intake: Intake | None) -> None:
        self._outlet.outbox, self._outlet.is_resumable = outbox, bool(self._token)
        self._tally = Tally(self, self._outlet, self._token, self._state, intake)
        self._tally.keep()

    def _state(self) -> m.SessionState:
        outbox, missed = self._outlet.outbox, self._missed
        if outbox is None:
            raise RuntimeError("the session does not count")
        return m.SessionState(
            acked=outbox.acked,
            acked_id=outbox.acked_id,
            chats=outbox.chats(),
            given=missed.catch_up.given,
            family=missed.family or "",
            presence=self._presence,
            roster_version=self._roster_version,
            has_copies=missed.has_copies,
        )

    def _keep(self) -> None:
        if self._tally is not None:
            self._tally.keep()

    def _send_chat(self, command: m.SendChat) -> None:
        if self._tally is not None:
            self._tally.intake.begin(command.number)
            command = m.SendChat(command.chat, command.number, self._token)
        self.tell_user(command)

    def _of_tally(self, message: Any) -> None:
        if self._tally is not None:
            self._tally_handlers[type(message)](self._tally, message)
            self._come_back()

    def _acked(self, event: m.Acked) -> None:
        if self._tally is not None and self._tally.acked(event.handled):
            self._missed.note()

    # -- away and back -------------------------------------------------------------------------------------------------

    def _lose_wire(self) -> None:
        self._outlet.detach()
        self._missed.lapse()
        if self._tally is not None:
            self._tally.close()
        self.tell_user(m.SessionDetached(self.jid))
        self._ends = (self.schedule(QUIET_SECONDS, GoQuiet()), self.schedule(RESUME_SECONDS, Expire()))

    def _go_quiet(self, _: GoQuiet) -> None:
        self._is_quiet = True
        if self._presence is not None:
            self.tell_user(m.SetPresence(self.jid, None))

    def _expire(self, _: Expire) -> None:
        self._leave()

    def _attach(self, command: Attach) -> None:
        if command.account.bare != self.jid.bare or not self._outlet.is_whole:
            command.wire.deliver(m.ResumeRefused(Condition.ITEM_NOT_FOUND))
            return
        text = "the session was resumed elsewhere"
        if self._outlet.wire is not None:
            self._outlet.wire.close(StreamCondition.CONFLICT, text)
            self._lose_wire()
        elif self._coming_back is not None:
            self._coming_back.wire.close(StreamCondition.CONFLICT, text)
        self._coming_back = command
        if self._tally is not None:
            self._tally.want_settled()
        self._come_back()

    def _come_back(self) -> None:
        """Go on with the client that is back, as soon as everything is done that it sent before."""
        back, tally, outbox = self._coming_back, self._tally, self._outlet.outbox
        if back is None or tally is None or outbox is None or not tally.is_settled:
            return
        self._coming_back = None
        for timer in self._ends:
            timer.cancel()
        self._outlet.attach(back.wire)
        self._outlet.tell(m.SessionResumed(self.jid, self._token, tally.intake.handled % WRAP))
        try:
            self._outlet.resend(back.handled)
        except AckedTooMuch:
            self._outlet.tell(m.AckedTooMuch(back.handled, outbox.sent % WRAP))
            return
        tally.look()
        self.tell_user(m.SessionDetached(self.jid, is_back=True))
        if self._is_quiet:
            self._is_quiet = False
            self.tell_user(m.SetPresence(self.jid, self._presence))
        if takes_chats(self._presence):
            self._missed.resume()

    def _found(self, event: m.SessionFetched) -> None:
        """The server was started anew meanwhile; this is what was kept of the session."""
        back, state = self._coming_back, event.state
        got = None if back is None else got_by(state, back.handled)
        if got is None or event.session is None or self._directory.find(event.session.full) is not None:
            self._close(m.CloseSession())
            return
        number, archive_id = got
        self.jid, self._resumes = event.session, None
        self._presence, self._roster_version = state.presence, state.roster_version
        self._missed.has_copies = state.has_copies
        self._missed.restore(archive_id, state.family)
        self._count(Outbox(number, archive_id), Intake(is_resumable=True, kept=event.done))
        self._open()

    _tally_handlers: ClassVar[dict[type, Callable[[Tally, Any], None]]] = {
        m.StanzasReceived: lambda tally, event: tally.intake.count(event.count),
        m.RequestAck: lambda tally, _: tally.requested(),
        m.ChatSettled: Tally.settled,
        m.SessionKept: Tally.kept,
        AskForAck: lambda tally, _: tally.ask(),
        Keep: lambda tally, _: tally.keep(),
    }

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        # what the client wants
        m.SendChat: _send_chat,
        m.SetPresence: _set_presence,
        m.SendPresence: _send_presence,
        m.FetchBlocked: _fetch_blocked,
        m.EnableCopies: _enable_copies,
        m.FetchHistory: _fetch_history,
        m.ClientState: _set_client_state,
        m.EnableAcks: _enable_acks,
        m.Acked: _acked,
        m.Disconnect: _disconnected,
        # what the client is told
        m.SessionOpened: _opened,
        m.SessionRefused: _refused,
        m.DeliverChat: _give_chat,
        m.DeliverCopy: _give_chat,
        m.DeliverIq: _give_iq,
        m.BlockedChanged: _blocked_changed,
        m.RosterFetched: _give_roster,
        m.RosterChanged: _give_roster,
        # from the user, the archive, the operator, and itself
        m.MissedFetched: _missed_fetched,
        m.SessionFetched: _found,
        m.ReopenSessions: _reopen,
        m.CloseSession: _close,
        Attach: _attach,
        EndPatience: _end_patience,
        GoQuiet: _go_quiet,
        Expire: _expire,
        **dict.fromkeys(_tally_handlers, _of_tally),
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
                m.ChangeBlocked,
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
                m.BlockedFetched,
                m.RequestDone,
                m.RequestRefused,
                m.Answer,
            ),
            give,
        ),
    }


_OF_THE_CLIENT: Final = frozenset(
    {
        m.SendChat,
        m.SendIq,
        m.SetPresence,
        m.SendPresence,
        m.ProbePresence,
        m.Subscribe,
        m.FetchRoster,
        m.SetPersonalContact,
        m.FetchContact,
        m.FetchCard,
        m.SetPhoto,
        m.SearchContacts,
        m.FetchBlocked,
        m.ChangeBlocked,
        m.FetchHistory,
        m.EnableCopies,
        m.EnableAcks,
        m.ClientState,
        m.StanzasReceived,
        m.RequestAck,
        m.Acked,
        m.Answer,
        m.Disconnect,
        Attach,
    }
)
