"""One domain: its contact list, its aliases, and the presence of everyone, broadcast.

**Presence.** The board holds the newest presence of every session and alias. Changes are collected and told in one
`PresenceSeen` to every session that sees others: the first after a quiet time at once, the following ones of a burst at most
`window` later, of each session or alias only the last. So a tick costs changes plus sessions, not their product: the object is
the same for all and is rendered once. A session that becomes available is told at once what was on the board at the last
tick, which is one object for all newcomers until the next, and its own presence; and from then on every tick. Who was there
before the server was started, and does not come back for `QUIET_SECONDS`, is told as gone: a client that resumed its session
still sees him (`engine.resumption.SessionJournal`).

**Blocking** (`engine.blocking`). While nobody blocks anyone a tick is told as above. Otherwise accounts that may not see all
of it are told what they may see; the others share the one object. A changed list holds at once; what it hides or shows is told
with the next tick, from the board, so that blocking and unblocking in turns costs others no more than presence does.

**Contacts.** The registrar tells what was added, changed or removed; the domain keeps the list in the directory current, pushes
the change to the sessions that fetched the roster, and tells aliases who their members are.

An island: only addresses of this domain come here, see `User._contact`.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar

import msgspec
import trio

from actors.alias import Alias
from actors.directory import Directory
from actors.rosters import Rosters
from actors.runtime import ActorDeadError, ActorRef, ActorStopped, Runtime, TrioActor
from actors.user import User
from engine import alias as aliases
from engine import messages as m
from engine.blocking import BlockLists
from engine.board import Board, without
from engine.contacts import Contact, ContactList, RemovedContact
from engine.errors import StreamCondition
from engine.jid import Jid
from engine.limits import PRESENCE_WINDOW_SECONDS, PRESENCE_WINDOW_SECONDS_EACH, QUIET_SECONDS, Limits
from engine.presence import PresenceChange, Status
from engine.resumption import SessionJournal


class TakeBack(msgspec.Struct, frozen=True):
    """domain -> itself: who was there before the server was started, and has not come back, is gone."""


class Domain(TrioActor):
    """The actor of one domain."""

    def __init__(
        self,
        name: str,
        contacts: ContactList,
        runtime: Runtime,
        directory: Directory,
        limits: Limits,
        *,
        blocks: BlockLists,
        journal: SessionJournal,
    ) -> None:
        super().__init__()
        self._name = name
        self._contacts = contacts
        self._blocks = blocks
        self._told_blocks = blocks.copy()  # as presence was told by
        self._changed_blocks: set[str] = set()  # whose list differs from that
        self._runtime = runtime
        self._directory = directory
        self._limits = limits
        self._journal = journal
        self._board = Board()
        self._statuses: dict[str, Status] = {}
        self._changed_at: dict[str, float] = {}  # when a status changed last; nothing of who was not there yet
        self._last_flush = -PRESENCE_WINDOW_SECONDS
        self._is_flush_due = False
        self._watchers: dict[str, ActorRef[Any]] = {}
        self._rosters = Rosters(contacts, directory)
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._memberships: dict[str, set[str]] = {}

    def on_start(self) -> None:
        """Open the domain: its contacts can be found, its aliases are there, its users start when they are needed."""
        self._directory.publish(self._name, self._contacts)
        self._directory.publish_blocks(self._name, self._blocks)
        self._directory.set_factory(self._name, self._start_user)
        self._reset_aliases()
        if self._journal.seen_before(self._name):
            self._board.begins_anew = True
            self._runtime.schedule(QUIET_SECONDS, self.actor_ref, TakeBack())

    def on_restart(self, failed_message: Any, error: BaseException) -> None:  # noqa: ARG002
        """Begin anew: the users know who is there. Who goes just now is not on the board any more, and must be told as gone."""
        self._board.begins_anew = True
        users = f"@{self._name}"
        for address in self._directory.addresses():  # beside JIDs there are names of our own
            if address.endswith(users) and "/" not in address and address not in self._aliases:
                self._directory.tell(address, m.AnnounceSessions())

    def _child_lost(self, _: ActorStopped) -> None:
        """A session, user or alias is gone for good; the first two come again when they are needed."""
        self._reset_aliases()

    def _close(self, _: m.CloseDomain) -> None:
        self._directory.set_factory(self._name, None)
        self._directory.publish(self._name, None)
        self._directory.publish_blocks(self._name, None)
        self._directory.unbind(self._name, self.actor_ref)
        self.stop()

    def on_receive(self, message: Any) -> None:
        """Handle one message."""
        self._handlers[type(message)](self, message)

    def _start_user(self, address: str) -> ActorRef[Any] | None:
        contact = self._contacts.find(address)
        if contact is None or contact.is_alias:
            return None
        ref = self._runtime.start(User, address, self._runtime, self._directory, self._limits, owner=self.actor_ref)
        self._directory.bind(address, ref)
        return ref

    # -- presence ------------------------------------------------------------------------------------------------------

    def _presence_changed(self, event: m.PresenceChanged) -> None:
        change = event.change
        self._board.put(change)
        if change.jid.bare in self._aliases:  # it tells of changes of its status only
            self._changed_at[change.jid.bare] = trio.current_time()
        else:
            self._watch(change)
            self._set_status(change.jid.bare, event.status)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            wait = self._last_flush + window(len(self._watchers)) - trio.current_time()
            if wait > 0:
                self._runtime.schedule(wait, self.actor_ref, m.FlushPresence())
            else:  # behind what came in together with this change
                self.actor_ref.tell(m.FlushPresence())

    def _watch(self, change: PresenceChange) -> None:
        full = change.jid.full
        if change.presence is None:
            self._watchers.pop(full, None)
        elif full not in self._watchers and (session := self._directory.find(full)) is not None:
            self._tell_changed_blocks()  # to those who saw it otherwise; a newcomer did not
            self._watchers[full] = session
            _show(session, self._visible(self._board.all, change.jid))
            if self._board.welcome(change):
                _show(session, m.PresenceSeen((change,)))

    def _visible(self, seen: m.PresenceSeen, viewer: Jid) -> m.PresenceSeen:
        """What one session may see of it: the same object if that is everything."""
        visible = self._blocks.visible(seen.changes, viewer)
        return seen if len(visible) == len(seen.changes) else m.PresenceSeen(visible)

    def _set_status(self, address: str, status: Status) -> None:
        if self._statuses.get(address, Status.OFFLINE) is status:
            return
        self._changed_at[address] = trio.current_time()
        if status is Status.OFFLINE:
            del self._statuses[address]
        else:
            self._statuses[address] = status
        for name in self._memberships.get(address, ()):
            self._directory.tell(name, m.MemberStatusChanged(address, status))

    def _flush_presence(self, _: m.FlushPresence) -> None:
        self._is_flush_due = False
        self._last_flush = trio.current_time()
        self._tell_changed_blocks()
        told, newcomers = self._board.tick()
        if not told:
            return
        for change in told:
            self._journal.note_presence(change.jid, is_there=change.presence is not None)
        for_all, accounts = self._blocks.withhold(told)
        if accounts:
            self._tell_filtered(told, for_all, accounts, newcomers)
            return
        seen = m.PresenceSeen(told)
        for full, session in self._watchers.items():
            own = newcomers.get(full)
            _show(session, seen if own is None else m.PresenceSeen(without(told, own)))

    def _take_back(self, _: TakeBack) -> None:
        for jid in self._journal.seen_before(self._name):
            self._board.put(PresenceChange(jid, None))
        self._flush_soon()

    def _tell_filtered(
        self,
        told: tuple[PresenceChange, ...],
        for_all: tuple[PresenceChange, ...],
        accounts: Collection[str],
        newcomers: Mapping[str, PresenceChange],
    ) -> None:
        shared: dict[tuple[PresenceChange, ...], m.PresenceSeen] = {}
        for full, session in self._watchers.items():
            account, _, resource = full.partition("/")
            shown = self._blocks.visible(told, Jid(account, resource)) if account in accounts else for_all
            if full in newcomers:
                shown = without(shown, newcomers[full])
            _show(session, shared.get(shown) or shared.setdefault(shown, m.PresenceSeen(shown)))

    def _fetch_presences(self, command: m.FetchPresences) -> None:
        session = command.request.session
        entries: tuple[PresenceChange, ...] = ()
        if session.full in self._watchers:
            self._tell_changed_blocks()
            entries = (*self._visible(self._board.all, session).changes, *self._board.own(session))
        self._tell(session, m.PresencesFetched(command.request, entries))

    def _fetch_status(self, command: m.FetchStatus) -> None:
        session, address = command.request.session, command.address
        is_shown = session.full in self._watchers and self._blocks.separates(session.bare, address) is False
        at = self._changed_at.get(address) if is_shown else None
        seconds = None if at is None else int(trio.current_time() - at)
        self._tell(session, m.StatusFetched(command.request, address, seconds))

    def _answer_probe(self, command: m.ProbePresence) -> None:
        if self._refuses_blocker(command):
            return
        entries = self._blocks.visible(self._board.of(command.to.bare), command.session)
        found = tuple(change for change in entries if command.to in (change.jid, change.jid.to_bare()))
        # RFC 6121, 4.3.2: a contact without a session is told as unavailable, from its bare JID.
        self._tell(command.session, m.PresenceSeen(found or (PresenceChange(command.to, None),)))

    def _answer_subscription(self, command: m.Subscribe) -> None:
        contact = self._contacts.find(command.to.bare)
        if contact is None or self._refuses_blocker(command):
            return
        if command.kind == "subscribe":
            self._tell(command.session, m.SubscriptionAnswered(command.to.to_bare(), "subscribed"))
            self._answer_probe(m.ProbePresence(command.session, command.to.to_bare()))
        # Whatever was asked for, the subscription is and stays "both": a client that thinks otherwise is put right.
        self._rosters.tell_again(command.session, contact)

    # -- blocking ------------------------------------------------------------------------------------------------------

    def _refuses_blocker(self, command: m.ProbePresence | m.Subscribe) -> bool:
        """Who blocks somebody asks nothing of him."""
        stop = self._blocks.stop_presence(command.session, command.to)
        if stop is None or stop.refusal is None:
            return False
        self._tell(command.session, stop.refusal)
        return True

    def _fetch_blocked(self, command: m.FetchBlocked) -> None:
        session = command.request.session
        self._tell(session, m.BlockedFetched(command.request, tuple(sorted(self._blocks.of(session.bare).items))))

    def _blocked_changed(self, event: m.BlockedChanged) -> None:
        session = event.request.session
        self._blocks.put(session.bare, event.items)
        self._changed_blocks.add(session.bare)
        self._tell(session, m.RequestDone(event.request))
        for address in self._directory.session_addresses(session.bare):
            self._directory.tell(address, event)
        self._flush_soon()

    def _tell_changed_blocks(self) -> None:
        """Of what is on the board: tell who sees it no more that it is unavailable, and who sees it again what it is."""
        changed, self._changed_blocks = self._changed_blocks, set()
        news: defaultdict[str, dict[Jid, PresenceChange]] = defaultdict(dict)
        gone: dict[Jid, PresenceChange] = {}
        for owner in changed:
            for account, before, now in self._separated_anew(owner):
                for viewer, entry in (*self._looks(owner, account), *self._looks(account, owner)):
                    was_hidden = self._told_blocks.is_hidden(viewer, entry.jid) if before is None else before
                    is_hidden = self._blocks.is_hidden(viewer, entry.jid) if now is None else now
                    if is_hidden and not was_hidden:
                        news[viewer.full][entry.jid] = gone.setdefault(entry.jid, PresenceChange(entry.jid, None))
                    elif was_hidden and not is_hidden:
                        news[viewer.full][entry.jid] = entry
        shared: dict[tuple[PresenceChange, ...], m.PresenceSeen] = {}
        for full, entries in news.items():
            shown = tuple(entries.values())
            _show(self._watchers[full], shared.get(shown) or shared.setdefault(shown, m.PresenceSeen(shown)))
        for owner in changed:
            self._told_blocks.put(owner, self._blocks.of(owner).items)

    def _separated_anew(self, owner: str) -> Iterable[tuple[str, bool | None, bool | None]]:
        """Accounts for which something changed between them and the owner, and what (see `BlockLists.separates`)."""
        touched = self._blocks.touched(owner, self._told_blocks)
        everyone = (
            {*self._board.accounts, *(full.partition("/")[0] for full in self._watchers)} if touched is None else ()
        )
        for account in touched or everyone:
            now, before = self._blocks.separates(owner, account), self._told_blocks.separates(owner, account)
            if now is None or now is not before:
                yield account, before, now

    def _looks(self, viewer: str, seen: str) -> Iterable[tuple[Jid, PresenceChange]]:
        """Each session of one account that sees others, with each entry of the other account."""
        entries = self._board.of(seen)
        for full in self._directory.session_addresses(viewer) if entries else ():
            if full in self._watchers:
                yield from ((Jid(viewer, full.partition("/")[2]), entry) for entry in entries)

    # -- contacts ------------------------------------------------------------------------------------------------------

    def _of_rosters(self, message: Any) -> None:
        Rosters.handlers[type(message)](self._rosters, message)

    def _contacts_changed(self, event: m.ContactsChanged) -> None:
        for change in event.changes:
            self._contacts.apply(change)
            if self._blocks and isinstance(change, RemovedContact):  # the list goes with the member
                self._blocks.put(change.address, ())
                self._told_blocks.put(change.address, ())
        self._rosters.push(event.changes)
        for change in event.changes:
            if isinstance(change, RemovedContact):
                self._changed_at.pop(change.address, None)
            if isinstance(change, RemovedContact) and not change.is_alias:
                self._directory.tell(
                    change.address, m.CloseSession(StreamCondition.NOT_AUTHORIZED, "the account was removed")
                )
        if any(change.is_alias for change in event.changes) or self._is_named(event.changes):
            self._reset_aliases()

    def _tell(self, session: Jid, message: Any) -> None:
        self._directory.tell(session.full, message)

    # -- aliases -------------------------------------------------------------------------------------------------------

    def _is_named(self, changes: Iterable[Contact | RemovedContact]) -> bool:
        return any(change.address in self._memberships for change in changes)

    def _reset_aliases(self) -> None:
        """Expand all aliases again; tells those whose people changed."""
        named = {contact.address: contact.members for contact in self._contacts.all if contact.is_alias}
        expanded = {
            name: tuple(person for person in aliases.expand(name, named) if person in self._contacts) for name in named
        }
        before, self._aliases = self._aliases, expanded
        self._memberships = {}
        for name, people in expanded.items():
            for person in people:
                self._memberships.setdefault(person, set()).add(name)
        for name in before.keys() - expanded.keys():
            self._directory.tell(name, m.StopAlias())
        for name, people in expanded.items():
            if self._directory.find(name) is None:
                ref = self._runtime.start(Alias, name, self._directory, owner=self.actor_ref)
                self._directory.bind(name, ref)
            if before.get(name) != people:
                self._set_members(m.FetchMembers(name))

    def _set_members(self, command: m.FetchMembers) -> None:
        people = self._aliases.get(command.address)
        if people is not None:
            statuses = {person: self._statuses[person] for person in people if person in self._statuses}
            self._directory.tell(command.address, m.SetMembers(people, statuses))

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.PresenceChanged: _presence_changed,
        m.FlushPresence: _flush_presence,
        TakeBack: _take_back,
        m.ProbePresence: _answer_probe,
        m.FetchPresences: _fetch_presences,
        m.FetchStatus: _fetch_status,
        m.Subscribe: _answer_subscription,
        m.FetchBlocked: _fetch_blocked,
        m.BlockedChanged: _blocked_changed,
        **dict.fromkeys(Rosters.handlers, _of_rosters),
        m.ContactsChanged: _contacts_changed,
        m.FetchMembers: _set_members,
        m.CloseDomain: _close,
        ActorStopped: _child_lost,
    }


def window(sessions: int) -> float:
    """Seconds between two ticks, when so many sessions are told of each."""
    return max(PRESENCE_WINDOW_SECONDS, sessions * PRESENCE_WINDOW_SECONDS_EACH)


def _show(session: ActorRef[Any], seen: m.PresenceSeen) -> None:
    if not seen.changes:
        return
    try:
        session.tell(seen)
    except ActorDeadError:  # it has just ended: its goodbye is on its way here
        return
