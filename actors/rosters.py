"""The rosters of a domain: what the sessions that fetched one have been told, and what they are told of changes.

The domain is everyone's contact list (`engine.contacts`); an account adds what it set for its contacts. A part of
`actors.domain`, which gets the messages.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import msgspec

from actors.directory import Directory
from engine import messages as m
from engine.contacts import Contact, ContactList, PersonalContact, RemovedContact, RosterVersion
from engine.jid import Jid


class RosterWatcher(msgspec.Struct):
    """An account with sessions that fetched the roster, and what it set for its contacts."""

    personal: dict[str, PersonalContact]
    sessions: set[str]

    @property
    def personal_version(self) -> int:
        """The newest of its own additions."""
        return max((entry.changed for entry in self.personal.values()), default=0)


class Rosters:
    """Who watches the contact list.

    Args:
        contacts: of the domain.
        directory: where sessions are found.
    """

    def __init__(self, contacts: ContactList, directory: Directory) -> None:
        self._contacts = contacts
        self._directory = directory
        self._watchers: dict[str, RosterWatcher] = {}

    def push(self, changes: tuple[Contact | RemovedContact, ...]) -> None:
        """Tell all who watch."""
        for watcher in self._watchers.values():
            self._tell(watcher, changes)

    def tell_again(self, session: Jid, contact: Contact) -> None:
        """Put a client right that thinks otherwise of a contact, if it has a roster."""
        watcher = self._watchers.get(session.bare)
        if watcher is not None and session.full in watcher.sessions:
            self._directory.tell(session.full, self._change_for(watcher, (contact,)))

    def _fetch(self, command: m.FetchRoster) -> None:
        request = command.request
        watcher = self._watcher(request.session, command.personal)
        version = self._version(watcher)
        changed = self._changed_since(command.version or "", watcher)
        if changed is None:
            answer = m.RosterFetched(request, version, self._contacts.all, personal=command.personal)
        else:
            personal = tuple(entry for entry in command.personal if entry.address in changed)
            answer = m.RosterFetched(request, version, None, tuple(changed.values()), personal)
        self._directory.tell(request.session.full, answer)

    def _changed_since(self, version: str, watcher: RosterWatcher) -> dict[str, Contact | RemovedContact] | None:
        """What changed since a version that a client has; None: it must get the whole list."""
        known = RosterVersion.parse(version) if version else None
        changes = self._contacts.since(known.domain) if known is not None else None
        if known is None or changes is None or known.personal > watcher.personal_version:
            return None
        changed: dict[str, Contact | RemovedContact] = {change.address: change for change in changes}
        for entry in watcher.personal.values():
            contact = self._contacts.find(entry.address)
            if entry.changed > known.personal and contact is not None:
                changed.setdefault(entry.address, contact)
        return changed

    def _watcher(self, session: Jid, personal: Iterable[PersonalContact]) -> RosterWatcher:
        watcher = self._watchers.setdefault(session.bare, RosterWatcher({}, set()))
        watcher.personal = {entry.address: entry for entry in personal}
        watcher.sessions.add(session.full)
        return watcher

    def _watch(self, command: m.WatchRoster) -> None:
        watcher = self._watcher(command.session, command.personal)
        if command.version:  # of a session that is resumed: what it was not told is told now
            changed = self._changed_since(command.version, watcher)
            changes = self._contacts.all if changed is None else tuple(changed.values())
            if changes:
                self._directory.tell(command.session.full, self._change_for(watcher, changes))

    def _closed(self, event: m.SessionClosed) -> None:
        watcher = self._watchers.get(event.session.bare)
        if watcher is not None:
            watcher.sessions.discard(event.session.full)
            if not watcher.sessions:
                del self._watchers[event.session.bare]

    def _personal_changed(self, event: m.PersonalContactChanged) -> None:
        watcher = self._watchers.get(event.owner)
        contact = self._contacts.find(event.personal.address)
        if watcher is not None:
            watcher.personal[event.personal.address] = event.personal
            if contact is not None:
                self._tell(watcher, (contact,))

    def _tell(self, watcher: RosterWatcher, changes: tuple[Contact | RemovedContact, ...]) -> None:
        changed = self._change_for(watcher, changes)
        for session in watcher.sessions:
            self._directory.tell(session, changed)

    def _change_for(self, watcher: RosterWatcher, changes: tuple[Contact | RemovedContact, ...]) -> m.RosterChanged:
        personal = tuple(watcher.personal[c.address] for c in changes if c.address in watcher.personal)
        return m.RosterChanged(self._version(watcher), changes, personal)

    def _version(self, watcher: RosterWatcher) -> str:
        return str(RosterVersion(self._contacts.version, watcher.personal_version))

    handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.FetchRoster: _fetch,
        m.WatchRoster: _watch,
        m.SessionClosed: _closed,
        m.PersonalContactChanged: _personal_changed,
    }
    """What the domain passes on."""
