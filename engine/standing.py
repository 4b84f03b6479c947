"""How far clients are in the history of their account, as far as it is known without a look at the disk.

Nearly everyone who logs in has missed nothing, and that can be told from two numbers: up to which archive id his client has got
everything (its cursor, see `engine.clients`), and an id that nothing of his account is greater than. `Standings` keeps both for
those who were here lately; for all others the archive is asked.

What is kept may lag behind in one direction only: an account may seem to have something new that it has not.

**Limit**: `STANDINGS`. Of accounts and clients that are forgotten the archive knows.
"""

from collections.abc import Iterable

from engine.limits import STANDINGS
from engine.messages import FetchMissed, MissedFetched, MoveCursor
from engine.ports import Cursor


class Standings:
    """The newest of each account, and the cursors of its clients.

    Args:
        newest: the greatest id on disk.

    Attributes:
        newest: the greatest id on disk.
    """

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self._floor = newest  # an account that is not among `_newest_of` has nothing greater
        self._newest_of: dict[str, int] = {}  # the longest quiet first
        self._cursors: dict[tuple[str, str], Cursor] = {}

    def grow(self, number: int, owners: Iterable[str]) -> None:
        """A chat of this id is on disk, in the histories of these."""
        self.newest = max(self.newest, number)
        newest_of = self._newest_of
        for owner in owners:
            newest_of.pop(owner, None)
            newest_of[owner] = number
        while len(newest_of) > STANDINGS:
            quiet = next(iter(newest_of))
            self._floor = max(self._floor, newest_of.pop(quiet))

    def move(self, event: MoveCursor) -> Cursor | None:
        """A client has got further; its cursor as it is to be written, or None if that is known."""
        key = event.owner, event.family
        known = self._cursors.pop(key, None)
        cursor = Cursor(event.since, event.delivered, event.fetches)
        if known is not None:
            delivered = max(known.delivered, cursor.delivered)
            cursor = Cursor(known.since, delivered, known.fetches or cursor.fetches)
        self._cursors[key] = cursor
        if len(self._cursors) > STANDINGS:
            del self._cursors[next(iter(self._cursors))]
        return None if cursor == known else cursor

    def forget_cursors(self, owner: str | None = None) -> None:
        """They may not have been written; or, if an owner is named, he is gone."""
        if owner is None:
            self._cursors.clear()
        else:
            self._cursors = {key: cursor for key, cursor in self._cursors.items() if key[0] != owner}

    def answer(self, question: FetchMissed) -> MissedFetched | None:
        """That nothing was missed, if that is certain."""
        after, fetches = question.after, None
        if question.family is not None:
            cursor = self._cursors.get((question.session.bare, question.family))
            if cursor is None:
                return None
            after, fetches = cursor.delivered, cursor.fetches
        if self._newest_of.get(question.session.bare, self._floor) > after:
            return None
        return MissedFetched(question.number, (), after, max(after, self.newest), is_last=True, fetches=fetches)
