"""One domain: its contact list, its aliases, and the presence of everyone, broadcast.

**Presence.** The board holds the newest presence of every session and alias. Changes are collected and told in one
`PresenceSeen` to every session that sees others: the first after a quiet time at once, the following ones of a burst at most
`PRESENCE_WINDOW_SECONDS` later, of each session or alias only the last. So a tick costs changes plus sessions, not their
product: the object is the same for all and is rendered once. A session that becomes available gets the board as it was last
told, and from then on every tick.

**Contacts.** The registrar tells what was added, changed or removed; the domain keeps the list in the directory current, pushes
the change to the sessions that fetched the roster, and tells aliases who their members are.

An island: only addresses of this domain come here, see `User._contact`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import msgspec
import trio

from actors.alias import Alias
from actors.directory import Directory
from actors.runtime import ActorRef, Runtime, TrioActor
from actors.user import User
from engine import alias as aliases
from engine import messages as m
from engine.contacts import Contact, ContactList, PersonalContact, RemovedContact, RosterVersion
from engine.errors import StreamCondition
from engine.jid import Jid
from engine.limits import PRESENCE_WINDOW_SECONDS, Limits
from engine.presence import PresenceChange, Status


class RosterWatcher(msgspec.Struct):
    """An account with sessions that fetched the roster, and what it set for its contacts."""

    personal: dict[str, PersonalContact]
    sessions: set[str]

    @property
    def personal_version(self) -> int:
        """The newest of its own additions."""
        return max((entry.changed for entry in self.personal.values()), default=0)


class Domain(TrioActor):
    """The actor of one domain."""

    def __init__(
        self, name: str, contacts: ContactList, runtime: Runtime, directory: Directory, limits: Limits
    ) -> None:
        super().__init__()
        self._name = name
        self._contacts = contacts
        self._runtime = runtime
        self._directory = directory
        self._limits = limits
        self._board: defaultdict[str, dict[str, PresenceChange]] = defaultdict(dict)
        self._statuses: dict[str, Status] = {}
        self._changes: dict[Jid, PresenceChange] = {}
        self._last_flush = -PRESENCE_WINDOW_SECONDS
        self._is_flush_due = False
        self._watchers: dict[str, ActorRef[Any]] = {}
        self._roster_watchers: dict[str, RosterWatcher] = {}
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._memberships: dict[str, set[str]] = {}

    def on_start(self) -> None:
        """Open the domain: its contacts can be found, its aliases are there, its users start when they are needed."""
        self._directory.publish(self._name, self._contacts)
        self._directory.set_factory(self._name, self._start_user)
        self._reset_aliases()

    def on_restart(self, failed_message: Any, error: BaseException) -> None:  # noqa: ARG002
        """Begin anew: the users know who is there."""
        for address in self._directory.addresses():
            jid = Jid.parse(address)
            if jid.domain == self._name and jid.local and jid.is_bare and address not in self._aliases:
                self._directory.tell(address, m.AnnounceSessions())

    def _close(self, _: m.CloseDomain) -> None:
        self._directory.set_factory(self._name, None)
        self._directory.publish(self._name, None)
        self._directory.unbind(self._name, self.actor_ref)
        self.stop()

    def on_receive(self, message: Any) -> None:
        """Handle one message."""
        self._handlers[type(message)](self, message)

    def _start_user(self, address: str) -> ActorRef[Any] | None:
        contact = self._contacts.find(address)
        if contact is None or contact.is_alias:
            return None
        ref = self._runtime.start(User, address, self._directory, self._limits, owner=self.actor_ref)
        self._directory.bind(address, ref)
        return ref

    # -- presence ------------------------------------------------------------------------------------------------------

    def _presence_changed(self, event: m.PresenceChanged) -> None:
        change = event.change
        self._changes[change.jid] = change
        if change.jid.resource:
            self._watch(change)
            self._set_status(change.jid.bare, event.status)
        if not self._is_flush_due:
            self._is_flush_due = True
            wait = self._last_flush + PRESENCE_WINDOW_SECONDS - trio.current_time()
            if wait > 0:
                self._runtime.schedule(wait, self.actor_ref, m.FlushPresence())
            else:  # behind what came in together with this change
                self.actor_ref.tell(m.FlushPresence())

    def _watch(self, change: PresenceChange) -> None:
        full = change.jid.full
        if change.presence is None:
            self._watchers.pop(full, None)
        elif full not in self._watchers and (session := self._directory.find(full)) is not None:
            self._watchers[full] = session
            entries = tuple(entry for entries in self._board.values() for entry in entries.values())
            if entries:
                session.tell(m.PresenceSeen(entries))

    def _set_status(self, address: str, status: Status) -> None:
        if self._statuses.get(address, Status.OFFLINE) is status:
            return
        if status is Status.OFFLINE:
            del self._statuses[address]
        else:
            self._statuses[address] = status
        for name in self._memberships.get(address, ()):
            self._directory.tell(name, m.MemberStatusChanged(address, status))

    def _flush_presence(self, _: m.FlushPresence) -> None:
        self._is_flush_due = False
        self._last_flush = trio.current_time()
        changes, self._changes = self._changes, {}
        told = tuple(change for change in changes.values() if self._post(change))
        if told:
            seen = m.PresenceSeen(told)
            for session in self._watchers.values():
                session.tell(seen)

    def _post(self, change: PresenceChange) -> bool:
        """Put a change on the board; False if it takes back what was never told."""
        entries = self._board[change.jid.bare]
        if change.presence is not None:
            entries[change.jid.resource] = change
            return True
        was_told = entries.pop(change.jid.resource, None) is not None
        if not entries:
            del self._board[change.jid.bare]
        return was_told

    def _answer_probe(self, command: m.ProbePresence) -> None:
        entries = self._board.get(command.to.bare, {})
        found = tuple(change for change in entries.values() if command.to in (change.jid, change.jid.to_bare()))
        # RFC 6121, 4.3.2: a contact without a session is told as unavailable, from its bare JID.
        self._tell(command.session, m.PresenceSeen(found or (PresenceChange(command.to, None),)))

    def _answer_subscription(self, command: m.Subscribe) -> None:
        contact = self._contacts.find(command.to.bare)
        if contact is None:
            return
        if command.kind == "subscribe":
            self._tell(command.session, m.SubscriptionAnswered(command.to.to_bare(), "subscribed"))
            self._answer_probe(m.ProbePresence(command.session, command.to.to_bare()))
        # Whatever was asked for, the subscription is and stays "both": a client that thinks otherwise is put right.
        watcher = self._roster_watchers.get(command.session.bare)
        if watcher is not None and command.session.full in watcher.sessions:
            self._tell(command.session, self._change_for(watcher, (contact,)))

    # -- contacts ------------------------------------------------------------------------------------------------------

    def _fetch_roster(self, command: m.FetchRoster) -> None:
        request = command.request
        self._watch_roster(m.WatchRoster(request.session, command.personal))
        watcher = self._roster_watchers[request.session.bare]
        version = self._version(watcher)
        known = RosterVersion.parse(command.version) if command.version else None
        changes = self._contacts.since(known.domain) if known is not None else None
        if known is None or changes is None or known.personal > watcher.personal_version:
            answer = m.RosterFetched(request, version, self._contacts.all, personal=command.personal)
        else:
            changed = {change.address: change for change in changes}
            for entry in command.personal:
                contact = self._contacts.find(entry.address)
                if entry.changed > known.personal and contact is not None:
                    changed.setdefault(entry.address, contact)
            personal = tuple(entry for entry in command.personal if entry.address in changed)
            answer = m.RosterFetched(request, version, None, tuple(changed.values()), personal)
        self._tell(request.session, answer)

    def _watch_roster(self, command: m.WatchRoster) -> None:
        watcher = self._roster_watchers.setdefault(command.session.bare, RosterWatcher({}, set()))
        watcher.personal = {entry.address: entry for entry in command.personal}
        watcher.sessions.add(command.session.full)

    def _session_closed(self, event: m.SessionClosed) -> None:
        watcher = self._roster_watchers.get(event.session.bare)
        if watcher is not None:
            watcher.sessions.discard(event.session.full)
            if not watcher.sessions:
                del self._roster_watchers[event.session.bare]

    def _personal_changed(self, event: m.PersonalContactChanged) -> None:
        watcher = self._roster_watchers.get(event.owner)
        contact = self._contacts.find(event.personal.address)
        if watcher is not None:
            watcher.personal[event.personal.address] = event.personal
            if contact is not None:
                self._push(watcher, (contact,))

    def _contacts_changed(self, event: m.ContactsChanged) -> None:
        for change in event.changes:
            self._contacts.apply(change)
        for watcher in self._roster_watchers.values():
            self._push(watcher, event.changes)
        for change in event.changes:
            if isinstance(change, RemovedContact) and not change.is_alias:
                self._directory.tell(
                    change.address, m.CloseSession(StreamCondition.NOT_AUTHORIZED, "the account was removed")
                )
        if any(change.is_alias for change in event.changes) or self._is_named(event.changes):
            self._reset_aliases()

    def _push(self, watcher: RosterWatcher, changes: tuple[Contact | RemovedContact, ...]) -> None:
        changed = self._change_for(watcher, changes)
        for session in watcher.sessions:
            self._directory.tell(session, changed)

    def _change_for(self, watcher: RosterWatcher, changes: tuple[Contact | RemovedContact, ...]) -> m.RosterChanged:
        personal = tuple(watcher.personal[c.address] for c in changes if c.address in watcher.personal)
        return m.RosterChanged(self._version(watcher), changes, personal)

    def _version(self, watcher: RosterWatcher) -> str:
        return str(RosterVersion(self._contacts.version, watcher.personal_version))

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
        m.ProbePresence: _answer_probe,
        m.Subscribe: _answer_subscription,
        m.FetchRoster: _fetch_roster,
        m.WatchRoster: _watch_roster,
        m.SessionClosed: _session_closed,
        m.PersonalContactChanged: _personal_changed,
        m.ContactsChanged: _contacts_changed,
        m.FetchMembers: _set_members,
        m.CloseDomain: _close,
    }
