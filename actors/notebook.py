"""What one session notes of itself in the journal, so that its client can go on after a kill (XEP-0198, 5).

See `engine.resumption` for what is noted. A handler notes first and tells the client then; what is told leaves at the end of
the turn, behind what was noted.
"""

from collections.abc import Callable
from typing import Final

from engine.resumption import KeptSession, SessionJournal

NOTES: Final = 64
"""Behind a whole state; then comes another one. What is told at once (a page of what was missed, what a client that is back has
not got) is noted through to its end first: at most `engine.outbox.UNACKED_EVENTS` more."""


class Notebook:
    """The notes of one session.

    Args:
        journal: of the process.
        token: of the session.
        state: the session as it is now.
        given: the archive id up to which its client was given everything.
    """

    def __init__(
        self, journal: SessionJournal, token: str, state: Callable[[], KeptSession], given: Callable[[], int]
    ) -> None:
        self._journal = journal
        self._token = token
        self._state = state
        self._given = given
        self._notes = 0
        self._done = 0

    def keep(self) -> None:
        """Note the whole session."""
        kept = self._state()
        self._journal.keep(self._token, kept)
        self._notes, self._done = 0, kept.done

    def note_chat(self, number: int, archive_id: int) -> None:
        """A chat, in the outbox by now, is about to be told under this number."""
        given = self._given()
        if self._notes >= NOTES and given <= archive_id:  # otherwise it is one of a page, all of which counts as given
            self.keep()
        else:
            self._journal.note_chat(self._token, number, archive_id, min(archive_id, given))
            self._notes += 1

    def note_new_numbers(self, acked: int, acked_id: int) -> None:
        """The client is back, and has got so much; numbers begin anew behind it."""
        self._journal.note_new_numbers(self._token, acked, acked_id)
        self._notes += 1

    def note_done(self, done: int) -> None:
        """So many stanzas of the client are done, and it is about to be told so."""
        if done > self._done:
            self._done = done
            self._journal.note_done(self._token, done)
            self._notes += 1
            if self._notes > NOTES:
                self.keep()
