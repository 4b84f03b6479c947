"""How far both sides of a session are (XEP-0198): what its client's stanzas came to, and what it has got of ours.

**In.** `engine.intake` says what may be acknowledged. The client is answered at once with what is done, and once more when what
it had sent by then is done.

**Out.** The client is asked for an acknowledgement when some events are under way, or a moment after the last one.

**Kept.** What a client needs to go on after a kill of the server is written by the archiver. What is given goes out when the
write that has it is on disk; one such write is under way at a time, what comes meanwhile is in the next one. What the client
says of itself is written at once: it is on its way to disk before any chat that the client sends after it, so what is
acknowledged is never more than what is kept.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from actors.outlet import Outlet
from actors.post_office import PostOffice
from actors.runtime import Timer
from engine import messages as m
from engine.intake import Intake
from engine.outbox import WRAP, AckedTooMuch

ACK_SECONDS: Final = 0.2
"""After an event, if no more came, the client is asked how far it is: so whoever closes his client after he has read something
has acknowledged it, and a busy client is not asked for each message."""

RETRY_SECONDS: Final = 1.0
"""Until a state that the archiver had no room for is told again."""


class AskForAck(msgspec.Struct, frozen=True):
    """session -> itself: how far is the client?"""


class Keep(msgspec.Struct, frozen=True):
    """session -> itself: try again to keep the state."""


class Tally:
    """The counts of one session that counts.

    Args:
        office: of the session.
        outlet: whose outbox this is.
        token: of a session that can be resumed; empty: it cannot.
        state: what is to be kept, as of now.
        intake: of a session that is resumed.
    """

    def __init__(
        self,
        office: PostOffice,
        outlet: Outlet,
        token: str,
        state: Callable[[], m.SessionState],
        intake: Intake | None = None,
    ) -> None:
        self.intake = intake or Intake(is_resumable=bool(token))
        self._office = office
        self._outlet = outlet
        self._token = token
        self._state = state
        self._timer: Timer | None = None
        self._is_asked = False
        self._is_wanted_whole = False
        self._keeping: deque[int] = deque()  # number of the last stanza in each state that is being written
        self._is_keep_due = False
        self._stale = 0  # writes under way that were told before the client was gone

    def close(self) -> None:
        """The client is gone: it is not asked for anything, and what is being written has numbers of before."""
        self._is_asked = False
        self._stale += len(self._keeping)
        self._keeping.clear()
        self._is_keep_due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- in ------------------------------------------------------------------------------------------------------------

    def requested(self) -> None:
        """The client asks how far we are."""
        intake = self.intake
        self._outlet.tell(m.Acked(intake.handled % WRAP))
        intake.is_owed = intake.handled < intake.received
        self._keep_what_is_wanted()

    def settled(self, event: m.ChatSettled) -> None:
        """A chat of the client is done."""
        self.intake.settle(event.number, is_on_disk=event.is_on_disk and bool(self._token))
        self._answer()

    @property
    def is_settled(self) -> bool:
        """Everything that came is done, and may be acknowledged."""
        return self.intake.handled == self.intake.received

    def want_settled(self) -> None:
        """See to it that `is_settled` comes true."""
        self._is_wanted_whole = True
        self._keep_what_is_wanted()

    def _answer(self) -> None:
        intake = self.intake
        if intake.is_owed and self.is_settled:
            intake.is_owed = False
            self._outlet.tell(m.Acked(intake.handled % WRAP))
        if self.is_settled:
            self._is_wanted_whole = False
        self._keep_what_is_wanted()

    def _keep_what_is_wanted(self) -> None:
        intake = self.intake
        if self._token and (intake.is_owed or self._is_wanted_whole) and intake.kept < intake.done:
            self.keep()

    # -- out -----------------------------------------------------------------------------------------------------------

    def acked(self, handled: int) -> bool:
        """The client has got so much; whether that are chats that were not acknowledged before."""
        self._is_asked = False
        outbox = self._outlet.outbox
        if outbox is None:
            return False
        before = outbox.acked_id
        try:
            outbox.acknowledge(handled)
        except AckedTooMuch:
            self._outlet.tell(m.AckedTooMuch(handled, outbox.sent % WRAP))
        return outbox.acked_id > before

    def look(self) -> None:
        """Something was given: is it time to ask for an acknowledgement?"""
        if self._is_asked or self._outlet.wire is None:
            return
        if self._outlet.wants_ack:
            self.ask()
        elif self._timer is None:
            self._timer = self._office.schedule(ACK_SECONDS, AskForAck())

    def ask(self) -> None:
        """Ask, if anything is under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._outlet.wire is not None and self._outlet.outbox and not self._is_asked:
            self._is_asked = True
            self._outlet.tell(m.RequestAck())

    # -- kept ----------------------------------------------------------------------------------------------------------

    def keep(self, *, is_at_once: bool = False) -> None:
        """Have the state of the session written; `is_at_once`: before whatever the client sends next."""
        outbox = self._outlet.outbox
        if not self._token or outbox is None:
            return
        if self._keeping and not is_at_once:
            self._is_keep_due = True
        elif self._office.tell_archiver(m.KeepSession(self._token, self._office.jid, self.intake.done, self._state())):
            self._keeping.append(outbox.sent)
        else:
            self._office.schedule(RETRY_SECONDS, Keep())

    def kept(self, event: m.SessionKept) -> None:
        """It was written, or could not be; then the client's copy is newer than ours for a while."""
        self.intake.keep(event.done)
        if self._stale:
            self._stale -= 1
        elif self._keeping:
            number = self._keeping.popleft()
            self._outlet.release(number, is_all=not (self._keeping or self._is_keep_due))
        if self._is_keep_due and not self._keeping:
            self._is_keep_due = False
            self.keep()
        self._answer()
