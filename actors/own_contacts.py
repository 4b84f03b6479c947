"""What one account keeps about its contacts: own names and groups for them, put over what the domain says.

Most members have none, and the domain knows who may; for the others it is read when a roster is first asked for, and who asks
meanwhile waits. Changes are on disk before they are told.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from actors.directory import REGISTRAR, Directory
from engine import messages as m
from engine.contacts import PersonalContact
from engine.errors import Condition


class OwnContacts:
    """A part of `actors.user`.

    Args:
        address: of the account.
        directory: where the others are found.

    Attributes:
        watchers: resources of the sessions that asked for the roster.
    """

    __slots__ = ("_address", "_directory", "_domain", "_entries", "_waiting", "watchers")

    def __init__(self, address: str, directory: Directory) -> None:
        self.watchers: set[str] = set()
        self._address = address
        self._domain = address.rpartition("@")[2]
        self._directory = directory
        self._entries: dict[str, PersonalContact] | None = None  # None: not read yet
        self._waiting: list[m.FetchRoster | m.WatchRoster] = []

    @property
    def all(self) -> tuple[PersonalContact, ...]:
        """What is known of them."""
        return tuple((self._entries or {}).values())

    def _fetch_roster(self, command: m.FetchRoster) -> None:
        if self._has_entries(command):
            self.watchers.add(command.request.session.resource)
            self._directory.tell(self._domain, m.FetchRoster(command.request, command.version, self.all))

    def _watch_roster(self, command: m.WatchRoster) -> None:
        if self._has_entries(command):
            self.watchers.add(command.session.resource)
            self._directory.tell(self._domain, m.WatchRoster(command.session, self.all, command.version))

    def _has_entries(self, command: m.FetchRoster | m.WatchRoster) -> bool:
        """Whether they are here; if not, the command comes again when they are."""
        contacts = self._directory.contacts(self._domain)
        if self._entries is None and contacts is not None and not contacts.may_have_own(self._address):
            self._entries = {}
        if self._entries is not None:
            return True
        self._waiting.append(command)
        if len(self._waiting) == 1:
            self._directory.tell(REGISTRAR, m.FetchPersonal(self._address))
        return False

    def _fetched(self, event: m.PersonalFetched) -> None:
        self._entries = {entry.address: entry for entry in event.personal}
        commands, self._waiting = self._waiting, []
        for command in commands:
            self.handlers[type(command)](self, command)

    def _set(self, command: m.SetPersonalContact) -> None:
        contact = self._directory.contact(self._domain, command.address)
        contacts = self._directory.contacts(self._domain)
        if contact is None or contacts is None or command.address == self._address:
            refusal = m.RequestRefused(command.request, Condition.ITEM_NOT_FOUND)
            self._directory.tell(command.request.session.full, refusal)
            return
        contacts.note_own(self._address)  # before it is on disk: whoever asks from now on looks there
        # A client that only moves a contact to another group sends its name, too: what is the domain's stays the domain's.
        name = None if command.name == contact.display_name else command.name
        groups = None if command.groups is not None and set(command.groups) == set(contact.groups) else command.groups
        self._directory.tell(REGISTRAR, msgspec.structs.replace(command, name=name, groups=groups))

    def _changed(self, event: m.PersonalContactChanged) -> None:
        if self._entries is not None:
            self._entries[event.personal.address] = event.personal
        self._directory.tell(self._domain, event)

    handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.FetchRoster: _fetch_roster,
        m.WatchRoster: _watch_roster,
        m.PersonalFetched: _fetched,
        m.SetPersonalContact: _set,
        m.PersonalContactChanged: _changed,
    }
