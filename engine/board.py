"""The board of a domain: the newest presence of every session and alias as everyone was told it, and what is told next.

Changes are collected until the next tick; of each session or alias only the last is told. Somebody who becomes available is
told at once what is on the board, which is one object for all who come until the next tick, and his own presence; the tick then
leaves that out for him.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from engine.jid import Jid
from engine.messages import PresenceSeen
from engine.presence import PresenceChange

NEWCOMERS: Final = 64
"""Sessions between two ticks that are told of their own presence before the others are. The tick then differs for each of them;
when more come at once (the domain began anew), the further ones are told with all."""


class Board:
    """The presence of one domain.

    Attributes:
        begins_anew: others may have been told what is not on the board; so whatever is taken back is told.
    """

    def __init__(self) -> None:
        self.begins_anew = False
        self._entries: defaultdict[str, dict[str, PresenceChange]] = defaultdict(dict)
        self._all: PresenceSeen | None = None
        self._due: dict[Jid, PresenceChange] = {}
        self._newcomers: dict[str, PresenceChange] = {}

    @property
    def all(self) -> PresenceSeen:
        """Everything; the same object until the next tick that changes it, so that its rendering can be shared."""
        if self._all is None:
            self._all = PresenceSeen(tuple(entry for entries in self._entries.values() for entry in entries.values()))
        return self._all

    @property
    def accounts(self) -> Collection[str]:
        """Of whom there is something."""
        return self._entries.keys()

    def of(self, account: str) -> Collection[PresenceChange]:
        """The entries of one account or alias."""
        return self._entries.get(account, {}).values()

    def put(self, change: PresenceChange) -> None:
        """To be told with the next tick."""
        self._due[change.jid] = change

    def welcome(self, change: PresenceChange) -> bool:
        """Whether a session that has become available so is told of that at once, and not again with the next tick."""
        is_told = len(self._newcomers) < NEWCOMERS
        if is_told:
            self._newcomers[change.jid.full] = change
        return is_told

    def own(self, session: Jid) -> tuple[PresenceChange, ...]:
        """What a newcomer was told of himself and is not on the board yet."""
        change = self._newcomers.get(session.full)
        return () if change is None else (change,)

    def tick(self) -> tuple[tuple[PresenceChange, ...], Mapping[str, PresenceChange]]:
        """Put what is due on the board; that, and what of it each newcomer, by full JID, knows already."""
        due, self._due = self._due, {}
        newcomers, self._newcomers = self._newcomers, {}
        told = tuple(change for change in due.values() if self._post(change))
        if told:
            self._all = None
        return told, newcomers

    def _post(self, change: PresenceChange) -> bool:
        """Put a change on the board; False if it takes back what was never told."""
        entries = self._entries[change.jid.bare]
        if change.presence is not None:
            entries[change.jid.resource] = change
            return True
        was_told = entries.pop(change.jid.resource, None) is not None
        if not entries:
            del self._entries[change.jid.bare]
        return was_told or self.begins_anew


def without(changes: tuple[PresenceChange, ...], known: PresenceChange) -> tuple[PresenceChange, ...]:
    """The changes but for one that is known already."""
    return tuple(change for change in changes if change is not known)
