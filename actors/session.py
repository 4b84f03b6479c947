"""A client session that counts, and can be resumed (XEP-0198).

How far both sides are is the business of `actors.tally`. Without counting, a session ends with its wire. With it, a session
outlives its wire: for `QUIET_SECONDS` nobody notices; then the others see it leave; after `RESUME_SECONDS` it ends. A client
that comes back later than the server was started finds its session in the journal (`engine.resumption`).

A session is bound in the directory under its full JID, and under its token if it can be resumed. A newer session of the same
resource takes the address over; the older one is closed with ``conflict`` (RFC 6120, 7.7.2.2). Of two clients that resume one
session the last one has it.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from actors.directory import Directory
from actors.notebook import Notebook
from actors.runtime import Runtime, Timer
from actors.session_base import SessionBase
from actors.tally import AskForAck, Tally
from engine import messages as m
from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.limits import QUIET_SECONDS, RESUME_SECONDS
from engine.outbox import WRAP, AckedTooMuch, Outbox
from engine.ports import Wire
from engine.presence import takes_chats
from engine.resumption import KeptSession, SessionJournal, got_by


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


class Session(SessionBase):
    """The actor of one full JID.

    Args:
        jid: full JID; of a session that is to be found in the journal the bare one, until it is found.
        wire: the client's end.
        runtime: for timers.
        directory: where the others are found.
        journal: where sessions are kept that can be resumed.
        new_token: makes an unguessable text.
        is_generated: the server chose the resource.
        resumes: token, and number of stanzas that the client has got, of a session that is to be found in the journal.
    """

    def __init__(
        self,
        jid: Jid,
        wire: Wire,
        runtime: Runtime,
        directory: Directory,
        *,
        journal: SessionJournal,
        new_token: Callable[[], str],
        is_generated: bool = False,
        resumes: tuple[str, int] | None = None,
    ) -> None:
        super().__init__(jid, wire, runtime, directory, is_generated=is_generated)
        self._journal = journal
        self._new_token = new_token
        self._tally: Tally | None = None
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

    def _opened(self, event: m.SessionOpened) -> None:
        if self._coming_back is None:
            self.give(event)
        else:
            self._introduce()
            self._come_back()

    def _refused(self, refusal: m.SessionRefused) -> None:
        self._refuse_to_come_back(refusal.condition)
        super()._refused(refusal)

    def _close(self, command: m.CloseSession) -> None:
        self._refuse_to_come_back(Condition.ITEM_NOT_FOUND)
        super()._close(command)

    def _refuse_to_come_back(self, condition: Condition) -> None:
        back, self._coming_back = self._coming_back, None
        if back is not None:
            back.wire.deliver(m.ResumeRefused(condition))

    def _reopen(self, event: m.ReopenSessions) -> None:
        wire = self._outlet.wire
        if wire is not None and self._tally is not None and not self._tally.intake.is_settled:
            # What became of these chats only the old user knew. The client comes back and sends again what is not on disk.
            wire.close(StreamCondition.RESET, "")
            self._lose_wire()
        super()._reopen(event)
        if self._outlet.wire is None:
            self.tell_user(m.SessionDetached(self.jid))
        if self._is_quiet:
            self.tell_user(m.SetPresence(self.jid, None))

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
        if self._tally is not None:
            self._tally.close()
        if self._token:
            self._directory.unbind(token_address(self._token), self.actor_ref)
            if self._resumes is None:
                self._journal.forget(self._token)
                self.tell_archiver(m.ForgetSession(self._token))
        super()._leave()

    # -- counting ------------------------------------------------------------------------------------------------------

    def _enable_acks(self, command: m.EnableAcks) -> None:
        if self._tally is not None:
            self._outlet.tell(m.AcksRefused(Condition.UNEXPECTED_REQUEST))
            return
        if command.is_resumable:
            self._token = self._new_token()
            self._directory.bind(token_address(self._token), self.actor_ref)
        self._outlet.tell(m.AcksEnabled(self._token, RESUME_SECONDS if self._token else 0))
        self._count(Outbox(0, self._missed.catch_up.given), 0)

    def _count(self, outbox: Outbox, done: int) -> None:
        self._outlet.outbox = outbox
        if self._token:
            self._outlet.notebook = Notebook(
                self._journal, self._token, self._kept, lambda: self._missed.catch_up.given
            )
        self._tally = Tally(self, self._outlet, self._outlet.notebook, done)
        self.keep()

    def _kept(self) -> KeptSession:
        outbox, tally, missed = self._outlet.outbox, self._tally, self._missed
        if outbox is None or tally is None:
            raise RuntimeError("the session does not count")
        state = m.SessionState(
            acked=outbox.acked,
            acked_id=outbox.acked_id,
            chats=outbox.chats(),
            given=missed.catch_up.given,
            family=missed.family or "",
            presence=self._presence,
            roster_version=self._roster_version,
            has_copies=missed.has_copies,
            knows_blocked=self._knows_blocked,
        )
        return KeptSession(self.jid, tally.intake.done, state)

    def keep(self) -> None:
        """See `actors.post_office.PostOffice.keep`."""
        if self._outlet.notebook is not None:
            self._outlet.notebook.keep()

    def _look_after_ack(self) -> None:
        if self._tally is not None:
            self._tally.look()

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
        self._come_back()

    def _come_back(self) -> None:
        """Go on with the client that is back, as soon as everything is done that it sent before."""
        back, tally, outbox = self._coming_back, self._tally, self._outlet.outbox
        if back is None or tally is None or outbox is None or not tally.intake.is_settled:
            return
        self._coming_back = None
        for timer in self._ends:
            timer.cancel()
        self._outlet.attach(back.wire)
        self._outlet.tell(m.SessionResumed(self.jid, self._token, tally.promise()))
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
        self._user = self._directory.resolve(self.jid.bare)  # it may have left meanwhile, as nobody seemed to need it
        is_taken = event.session is None or self._directory.find(event.session.full) is not None
        if got is None or event.session is None or is_taken or self._user is None:
            self._close(m.CloseSession())
            return
        number, archive_id = got
        self.jid, self._resumes = event.session, None
        self._presence, self._roster_version = state.presence, state.roster_version
        self._missed.has_copies, self._knows_blocked = state.has_copies, state.knows_blocked
        self._missed.restore(archive_id, state.family)
        self._count(Outbox(number, archive_id), event.done)
        self._open()

    _tally_handlers: ClassVar[dict[type, Callable[[Tally, Any], None]]] = {
        m.StanzasReceived: lambda tally, event: tally.intake.count(event.count),
        m.RequestAck: lambda tally, _: tally.requested(),
        m.ChatSettled: Tally.settled,
        AskForAck: lambda tally, _: tally.ask(),
    }

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        **SessionBase._handlers,  # noqa: SLF001 -- its own class
        m.SendChat: _send_chat,
        m.EnableAcks: _enable_acks,
        m.Acked: _acked,
        m.Disconnect: _disconnected,
        m.SessionOpened: _opened,
        m.SessionRefused: _refused,
        m.SessionFetched: _found,
        m.ReopenSessions: _reopen,
        m.CloseSession: _close,
        Attach: _attach,
        GoQuiet: _go_quiet,
        Expire: _expire,
        **dict.fromkeys(_tally_handlers, _of_tally),
    }
