"""What a session's client missed, and how it comes to have it: once, in order, and not if it reads the archive itself.

When it begins to take chats, a session asks for what its client missed since it was here last: the archive knows how far each
client of an account got (`engine.clients`). A client that reads the archive (XEP-0313) asks for it in its first seconds and is
then given nothing by the server; so what was missed waits for `NEW_CLIENT_SECONDS` for a client that was never here, for
`READER_SECONDS` for one that has read the archive before, and not at all for one that was here and did not.

It comes page by page, the next one when the one before is written: a line may be slow, and much may have waited. A page that
waits for its client's decision stays here if it is no longer than `CLIENT_BYTES`; a longer one is fetched anew, so that a
thousand clients that log in do not have a thousand pages in memory, nor get them all in the same moment.
"""

from typing import Final

import msgspec

from actors.outlet import Outlet
from actors.post_office import PostOffice
from actors.runtime import Timer
from engine import delivery
from engine import messages as m
from engine.catch_up import CatchUp, Given
from engine.clients import family_of
from engine.limits import CLIENT_BYTES
from engine.presence import Presence

NEW_CLIENT_SECONDS: Final = 2.0
"""A client that was never here may be about to read the archive: clients do so within a round trip or two of their login."""

READER_SECONDS: Final = 5.0
"""It read the archive the last time. If it does not this time (another program of that name), it gets what it missed."""

_PATIENCE: Final = {None: NEW_CLIENT_SECONDS, True: READER_SECONDS, False: 0.0}
"""Whether a client is known to read the archive -> how long what it missed waits for it to do so."""


class EndPatience(msgspec.Struct, frozen=True):
    """session -> itself: the client has had its time to read the archive."""


class Missed:
    """The catching up of one session.

    Args:
        office: of the session.
        outlet: what is given goes out here.
        is_generated: the server chose the resource.

    Attributes:
        catch_up: what was given.
        family: of the client; None before its first presence.
        has_copies: it asked for copies of what the account's other sessions send.
    """

    def __init__(self, office: PostOffice, outlet: Outlet, *, is_generated: bool) -> None:
        self.catch_up = CatchUp()
        self.family: str | None = None
        self.has_copies = False
        self._office = office
        self._outlet = outlet
        self._is_generated = is_generated
        self._question = 0
        self._since = 0
        self._is_new = True  # it has logged in, and nothing was decided about what it missed
        self._is_reader = False
        self._read_up_to = 0  # archive id up to which it has read, since it logged in
        self._waiting: m.MissedFetched | None = None
        self._patience: Timer | None = None
        self._has_waited = False
        self._noted: m.MoveCursor | None = None  # what the archiver was told last

    def begin(self, presence: Presence) -> None:
        """The session takes chats from now on. Must be told to the user behind the presence that says so."""
        if self.family is None:
            resource = self._office.jid.resource
            self.family = family_of(resource, presence.software, is_generated=self._is_generated)
            self.catch_up.begin()
            self._question += 1
            self._office.tell_user(m.FetchMissed(self._office.jid, self._question, self.family))
        else:
            self.resume()

    def resume(self) -> None:
        """Fetch what came behind what was given."""
        self.catch_up.begin()
        self._fetch()

    def lapse(self) -> None:
        """The session takes no chats for now."""
        self.cancel()
        self.catch_up.lapse()

    def cancel(self) -> None:
        """Nothing waits any more."""
        self._waiting = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def restore(self, given: int, family: str) -> None:
        """Go on where a session was that is resumed."""
        self.catch_up = CatchUp(given)
        self.family = family or None
        self._is_new = False

    def fetched(self, page: m.MissedFetched) -> None:
        """A page of the archive."""
        catch_up = self.catch_up
        if not catch_up.is_fetching or page.number != self._question:
            return  # it takes no chats any more, or was away after it had asked
        after = catch_up.begins_behind(page.after)
        if after > catch_up.given:  # where this client was the last time
            catch_up.given = after
            self._outlet.begin_behind(after)
        self._since = self._since or after
        seconds = READER_SECONDS if self._is_reader else _PATIENCE[page.fetches]
        if self._is_new and page.chats and seconds and not (self._read_up_to or self._has_waited):
            size = sum(len(chat.payload) + len(chat.body) for chat in page.chats)
            self._waiting = page if size <= CLIENT_BYTES else None
            self._patience = self._office.schedule(seconds, EndPatience())
        else:
            self._give(page)

    def archive_is_asked(self) -> None:
        """The client asks for the history itself."""
        is_known, self._is_reader = self._is_reader, True
        if not is_known and not self._is_new:
            self.note()

    def archive_is_read(self, up_to: int) -> None:
        """The client was answered: it knows, or asks further for, what was on disk by then. What came later is given to it."""
        if self._is_new:
            self._read_up_to = max(self._read_up_to, up_to)
            self.end_patience()

    def end_patience(self) -> None:
        """What it missed, and did not read itself, is given to it."""
        page, is_waiting = self._waiting, self._patience is not None
        self.cancel()
        if page is not None:
            self._give(page)
        elif is_waiting:
            self._has_waited = True
            self._fetch()

    def note(self) -> None:
        """Note how far this client has got for sure, so that it begins there the next time."""
        if self.catch_up.is_current:
            delivered = self._outlet.got(self.catch_up.given)
            if delivered is not None:
                self.note_delivered(delivered)

    def note_delivered(self, delivered: int) -> None:
        """The client has got everything up to this archive id."""
        known = self._noted
        if self.family is None or delivered < self._since:
            return
        if known is not None and known.delivered == delivered and known.fetches is self._is_reader:
            return  # a chat that is under way moves nothing
        noted = m.MoveCursor(self._office.jid.bare, self.family, self._since, delivered, self._is_reader)
        if self._office.tell_archiver(noted):
            self._noted = noted

    def _give(self, page: m.MissedFetched) -> None:
        if self._is_new:
            self.catch_up.pass_over(self._read_up_to)
        self._is_new = False
        missed = [delivery.missed(chat, self._office.jid, has_copies=self.has_copies) for chat in page.chats]
        self._give_all(self.catch_up.finish(missed, page.up_to, is_last=page.is_last))

    def _give_all(self, events: list[Given]) -> None:
        for event in events:
            self._office.give(event, event.chat.id)
        self._office.keep()
        self.note()
        if self.catch_up.is_fetching:
            self._outlet.tell_when_written(m.PageWritten(self._question))

    def page_written(self, event: m.PageWritten) -> None:
        """The client's line has room for the next page."""
        if self.catch_up.is_fetching and event.number == self._question:
            self._fetch()

    def _fetch(self) -> None:
        self._question += 1
        has_copies = self.has_copies and not self._is_new
        fetch = m.FetchMissed(self._office.jid, self._question, None, self.catch_up.given, has_copies)
        self._office.tell_user(fetch)
