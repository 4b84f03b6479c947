"""One account: its sessions, what goes out from them and what comes in to them.

**Out.** Whatever a session sends to others leaves here, in the order in which it was sent (RFC 6120, 10.1). A chat that is
history goes to the archiver, which delivers it after the commit; a chat to an alias asks the alias first, and what was sent
after it waits for the answer. Everything else (typing, IQs, presence) goes straight to its address, unless a chat of this
account is still at the archiver: then it takes the same way, so that it does not overtake.

**In.** A chat goes to the sessions that `engine.delivery` chooses; copies of it, and of what is sent, to those that asked for
them (XEP-0280). Who was not there is nobody's business here: each session knows what it was given, see `engine.catch_up`.

**Life.** Started by its domain when its address is first needed, and gone when nobody is left who needs it.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Final

from actors.directory import ARCHIVER, DESKS, REGISTRAR, Directory
from actors.mailbox import MailboxFull
from actors.own_contacts import OwnContacts
from actors.runtime import Runtime, TrioActor
from engine import delivery
from engine import messages as m
from engine.blocking import Stop
from engine.contacts import Contact
from engine.errors import Condition
from engine.jid import Jid
from engine.limits import ARCHIVING_BYTES, Limits
from engine.presence import Presence, PresenceChange, merge

RETRY_SECONDS: Final = 1.0
"""Until a question to an archiver whose mailbox is full is asked again."""


class User(TrioActor):
    """The actor of one bare JID."""

    def __init__(self, address: str, runtime: Runtime, directory: Directory, limits: Limits) -> None:
        super().__init__()
        self._runtime = runtime
        self._address = address
        self._domain = address.rpartition("@")[2]
        self._directory = directory
        self._limits = limits
        self._sessions: dict[str, Presence | None] = {}
        self._begins_anew = False
        self._own_contacts = OwnContacts(address, directory)
        self._copied: dict[str, None] = {}  # resources of sessions that asked for copies
        self._confirmed: set[str] = set()  # resources of those that are told what became of their own chats
        self._detached: dict[str, None] = {}  # of sessions whose client may come back; the oldest first
        self._outgoing: deque[m.SendChat | m.AskArchive] = deque()  # the first one waits for its alias
        self._at_archiver = 0
        self._bytes_at_archiver = 0

    def on_receive(self, message: Any) -> None:
        """Handle one message; the last one of an account that nobody needs any more ends the actor."""
        self._handlers[type(message)](self, message)
        if not self._sessions:
            self._leave_if_idle()

    def on_restart(self, failed_message: Any, error: BaseException) -> None:  # noqa: ARG002
        """Begin anew: the sessions know who they are, and one that goes just now is told as gone."""
        self._begins_anew = True
        for session in self._directory.sessions(self._address):
            session.tell(m.ReopenSessions())

    # -- sessions ------------------------------------------------------------------------------------------------------

    def _open_session(self, command: m.OpenSession) -> None:
        jid = command.session
        limit = self._limits.sessions_per_user
        if jid.resource not in self._sessions and limit and len(self._sessions) >= limit:
            if not self._detached:
                self._tell(jid.full, m.SessionRefused(jid, Condition.RESOURCE_CONSTRAINT))
                return
            oldest = next(iter(self._detached))  # whoever is here goes before who may come back
            del self._detached[oldest]
            self._tell(f"{self._address}/{oldest}", m.CloseSession())
        if self._sessions.get(jid.resource) is not None:  # an older session of this name gave way
            self._change_presence(jid, None, "")
        self._sessions[jid.resource] = None
        if not command.again:
            self._forget_wishes(jid.resource)
            self._tell(jid.full, m.SessionOpened(jid))

    def _close_session(self, event: m.SessionClosed) -> None:
        self._tell(self._domain, event)
        resource = event.session.resource
        if self._sessions.get(resource) is not None or (self._begins_anew and resource not in self._sessions):
            self._change_presence(event.session, None, event.text)
        self._sessions.pop(resource, None)
        self._forget_wishes(resource)
        self._detached.pop(resource, None)

    def _forget_wishes(self, resource: str) -> None:
        self._own_contacts.watchers.discard(resource)
        self._copied.pop(resource, None)
        self._confirmed.discard(resource)

    def _session_detached(self, event: m.SessionDetached) -> None:
        if event.is_back:
            self._detached.pop(event.session.resource, None)
        elif event.session.resource in self._sessions:
            self._detached[event.session.resource] = None

    def _enable_copies(self, command: m.EnableCopies) -> None:
        session = command.request.session
        if command.is_on:
            self._copied[session.resource] = None
        else:
            self._copied.pop(session.resource, None)
        if command.is_on and command.has_own:
            self._confirmed.add(session.resource)
        else:
            self._confirmed.discard(session.resource)
        if command.request.id:
            self._tell(session.full, m.RequestDone(command.request))

    def _announce_sessions(self, _: m.AnnounceSessions) -> None:
        for resource, presence in self._sessions.items():
            jid = Jid(self._address, resource)
            if resource in self._own_contacts.watchers:
                self._tell(self._domain, m.WatchRoster(jid, self._own_contacts.all))
            if presence is not None:
                self._change_presence(jid, presence, "")

    def _close_all(self, command: m.CloseSession) -> None:
        for session in self._directory.sessions(self._address):
            session.tell(command)

    def _leave_if_idle(self) -> None:
        if not (self._at_archiver or self._outgoing or self._directory.sessions(self._address)):
            self._directory.unbind(self._address, self.actor_ref)
            self.stop()

    # -- out -----------------------------------------------------------------------------------------------------------

    def _send_chat(self, command: m.SendChat) -> None:
        self._outgoing.append(command)
        if len(self._outgoing) == 1:
            self._send_outgoing()

    def _send_outgoing(self) -> None:
        while self._outgoing:
            sent = self._outgoing[0]
            if not isinstance(sent, m.SendChat):
                self._outgoing.popleft()
                self._ask_history(sent)
                continue
            chat = sent.chat
            if self._contact(self._address) is None:  # removed: nothing of this account comes into the archive any more
                self._refuse(sent, Condition.NOT_ALLOWED, "the account was removed")
                self._outgoing.popleft()
                continue
            stop = self._directory.blocks(self._domain).stop_chat(chat)
            if stop is not None:
                self._tell_refusal(stop)
                self._settle(sent)
                self._outgoing.popleft()
                continue
            contact = self._contact(chat.to.bare)
            # Only what the kindest state of the account would still turn away is decided without the recipient.
            account = delivery.Account.UNKNOWN if contact is None else delivery.Account.FULL_MATCH
            decided = delivery.outcome(account, chat.kind)
            if decided is delivery.Outcome.REFUSE:
                self._refuse(sent, Condition.SERVICE_UNAVAILABLE)
            elif contact is None:
                self._settle(sent)
            elif contact.is_alias:
                self._tell(contact.address, m.ExpandAlias(sent))
                return
            else:
                self._hand_over(sent, (contact.address,))
            self._outgoing.popleft()

    def _queue_question(self, question: m.AskArchive) -> None:
        self._outgoing.append(question)  # behind what was sent before it: a client reads its own writes
        if len(self._outgoing) == 1:
            self._send_outgoing()

    def _ask_history(self, question: m.AskArchive) -> None:
        if not self._tell_archiver(question):
            text = "too many questions wait; try again"
            refusal = m.RequestRefused(question.request, Condition.RESOURCE_CONSTRAINT, text)
            self._tell(question.request.session.full, refusal)

    def _send_expanded(self, event: m.AliasExpanded) -> None:
        if self._outgoing:
            self._outgoing.popleft()
            # The alias may have named somebody who was removed meanwhile; see `actors.departures`.
            contacts = self._directory.contacts(self._domain) or ()
            recipients, absent = (
                tuple([a for a in some if a in contacts]) for some in (event.recipients, event.absent)
            )
            self._hand_over(event.sent, recipients, absent)
            self._send_outgoing()

    def _hand_over(self, sent: m.SendChat, recipients: tuple[str, ...], absent: tuple[str, ...] = ()) -> None:
        chat = sent.chat
        if delivery.is_archived(chat):
            size = self._bytes_at_archiver + len(chat.payload)
            has_room = size <= ARCHIVING_BYTES or not self._bytes_at_archiver
            if has_room and self._tell_archiver(m.ArchiveChat(sent, recipients, absent)):
                self._at_archiver += 1
                self._bytes_at_archiver = size
            else:
                self._refuse(sent, Condition.RESOURCE_CONSTRAINT, "too much waits to be written; try again")
            return
        for recipient in recipients:
            self._pass_on(recipient, m.DeliverChat(chat))
        for resource in delivery.copies_of_sent(chat, self._sessions, self._copied):
            self._pass_on(f"{self._address}/{resource}", m.DeliverCopy(chat, is_sent=True))
        self._settle(sent)

    def _refuse(self, sent: m.SendChat, condition: Condition, text: str = "") -> None:
        self._tell(sent.chat.sender.full, m.RequestRefused.of_chat(sent.chat, condition, text))
        self._settle(sent)

    def _settle(self, sent: m.SendChat) -> None:
        if sent.number:
            self._tell(sent.chat.sender.full, m.ChatSettled(sent.number))

    def _chat_archived(self, event: m.ChatArchived) -> None:
        self._left_archiver(event)
        chat = event.chat
        if event.number:
            self._tell(chat.sender.full, m.ChatSettled(event.number))
        if chat.sender.resource in self._confirmed:
            self._tell(chat.sender.full, event)
        if not event.duplicate and self._copied:
            copy = m.DeliverCopy(chat, is_sent=True)
            for resource in delivery.copies_of_sent(chat, self._sessions, self._copied):
                self._tell(f"{self._address}/{resource}", copy)

    def _left_archiver(self, event: m.ChatArchived | m.ChatRefused | m.Relayed) -> None:
        self._at_archiver = max(0, self._at_archiver - 1)
        if not isinstance(event, m.Relayed):
            self._bytes_at_archiver = max(0, self._bytes_at_archiver - len(event.chat.payload))

    def _chat_refused(self, event: m.ChatRefused) -> None:
        self._refuse(m.SendChat(event.chat, event.number), event.condition, event.text)
        first = self._outgoing[0] if self._outgoing else None
        if isinstance(first, m.SendChat) and first.chat is event.chat:  # its alias failed
            self._outgoing.popleft()
            self._send_outgoing()
        else:
            self._left_archiver(event)

    def _send_iq(self, command: m.SendIq) -> None:
        iq = command.iq
        stop = self._directory.blocks(self._domain).stop_iq(iq)
        if stop is not None:
            self._tell_refusal(stop)
        elif iq.to.domain == self._domain and self._directory.find(iq.to.full) is not None:
            self._pass_on(iq.to.full, m.DeliverIq(iq))
        elif iq.kind in {"get", "set"}:
            self._tell(iq.sender.full, m.RequestRefused.of_iq(iq, Condition.SERVICE_UNAVAILABLE))

    def _tell_refusal(self, stop: Stop) -> None:
        if stop.refusal is not None:
            self._tell(stop.refusal.request.session.full, stop.refusal)

    def _pass_on(self, address: str, message: Any) -> None:
        if not self._at_archiver:
            self._tell(address, message)
        elif self._tell_archiver(m.Relay(address, message, self._address)):
            self._at_archiver += 1  # what follows must not overtake this one either
        # else its mailbox is full: what is not history may be lost, as on any network

    def _tell_archiver(self, message: Any) -> bool:
        try:
            return self._tell(ARCHIVER, message)
        except MailboxFull:
            return False

    # -- in ------------------------------------------------------------------------------------------------------------

    def _deliver_chat(self, event: m.DeliverChat) -> None:
        if self._directory.blocks(self._domain).shuts_out(self._address, event.chat):
            return  # it was sent before its sender was blocked: history, but told to nobody any more
        decided = delivery.choose(event.chat, self._address, self._sessions, self._copied)
        if decided.outcome is delivery.Outcome.REFUSE:
            self._tell(event.chat.sender.full, m.RequestRefused.of_chat(event.chat, Condition.SERVICE_UNAVAILABLE))
        for resource in decided.resources:
            self._tell(f"{self._address}/{resource}", event)
        if decided.copies:
            copy = m.DeliverCopy(event.chat, is_sent=False)
            for resource in decided.copies:
                self._tell(f"{self._address}/{resource}", copy)

    # -- presence ------------------------------------------------------------------------------------------------------

    def _set_presence(self, command: m.SetPresence) -> None:
        if command.session.resource in self._sessions:
            self._change_presence(command.session, command.presence, command.text)

    def _change_presence(self, jid: Jid, presence: Presence | None, text: str) -> None:
        self._sessions[jid.resource] = presence
        change = PresenceChange(jid, presence, text)
        self._pass_on(self._domain, m.PresenceChanged(change, merge(self._sessions.values())))

    def _send_presence(self, command: m.SendPresence) -> None:
        contact = self._contact(command.to.bare)
        if contact is not None and not contact.is_alias:  # nobody looks out of an alias
            self._pass_on(command.to.bare, command)

    def _see_presence(self, command: m.SendPresence) -> None:
        seen = m.PresenceSeen((PresenceChange(command.session, command.presence, command.text),))
        blocks = self._directory.blocks(self._domain)
        if blocks.is_blocked(self._address, command.session):
            return
        # Whoever begins to block somebody takes back what he directed to him: that is let through.
        is_taken_back = command.presence is None and blocks.is_blocked(command.session.bare, command.to)
        if command.to.is_bare:
            addressed = [resource for resource, presence in self._sessions.items() if presence is not None]
        else:
            addressed = [command.to.resource] if command.to.resource in self._sessions else []
        for jid in map(command.to.with_resource, addressed):
            if is_taken_back or not blocks.is_blocked(command.session.bare, jid):
                self._tell(jid.full, seen)

    def _direct_presence(self, command: m.SendPresence) -> None:
        # One message both ways: out from an own session, and in from a contact's (or from an own one to oneself).
        if command.session.bare == self._address and command.to.bare != self._address:
            self._send_presence(command)
        else:
            self._see_presence(command)

    def _ask_domain(self, command: m.ProbePresence | m.Subscribe) -> None:
        if self._contact(command.to.bare) is not None:
            self._tell(self._domain, command)

    def _ask_board(self, command: m.FetchPresences | m.FetchStatus) -> None:
        self._pass_on(self._domain, command)  # behind what the session has said of itself

    # -- contacts ------------------------------------------------------------------------------------------------------

    def _of_own_contacts(self, message: Any) -> None:
        OwnContacts.handlers[type(message)](self._own_contacts, message)

    def _fetch_contact(self, command: m.FetchContact) -> None:
        request = command.request
        self._tell(request.session.full, m.ContactFetched(request, self._contact(command.address)))

    def _fetch_card(self, command: m.FetchCard) -> None:
        if self._contact(command.address) is None:
            self._tell(command.request.session.full, m.RequestRefused(command.request, Condition.SERVICE_UNAVAILABLE))
        else:
            self._tell(REGISTRAR, command)

    def _ask_desk(self, command: Any) -> None:
        self._tell(DESKS[type(command)], command)

    def _ask_archive(self, command: m.FetchMissed) -> None:
        if not self._tell_archiver(command):  # nobody else would ask
            self._runtime.schedule(RETRY_SECONDS, self.actor_ref, command)

    def _contact(self, address: str) -> Contact | None:
        """A contact of one's own domain: nothing of another can be told apart from a name that does not exist."""
        return self._directory.contact(self._domain, address)

    def _tell(self, address: str, message: Any) -> bool:
        return self._directory.tell(address, message)

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.OpenSession: _open_session,
        m.SessionClosed: _close_session,
        m.AnnounceSessions: _announce_sessions,
        m.CloseSession: _close_all,
        m.SendChat: _send_chat,
        m.AliasExpanded: _send_expanded,
        m.ChatArchived: _chat_archived,
        m.Relayed: _left_archiver,
        m.ChatRefused: _chat_refused,
        m.SendIq: _send_iq,
        m.DeliverChat: _deliver_chat,
        m.FetchMissed: _ask_archive,
        m.EnableCopies: _enable_copies,
        m.SessionDetached: _session_detached,
        m.SetPresence: _set_presence,
        m.SendPresence: _direct_presence,
        m.ProbePresence: _ask_domain,
        m.Subscribe: _ask_domain,
        m.FetchPresences: _ask_board,
        m.FetchStatus: _ask_board,
        m.FetchContact: _fetch_contact,
        m.FetchCard: _fetch_card,
        m.FetchHistory: _queue_question,
        m.FetchHistoryBounds: _queue_question,
        m.FetchConversations: _queue_question,
        m.MarkRead: _queue_question,
        **dict.fromkeys(DESKS, _ask_desk),
        **dict.fromkeys(OwnContacts.handlers, _of_own_contacts),
    }
