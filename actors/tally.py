"""How far both sides of a session are (XEP-0198): what its client's stanzas came to, and what it has got of ours.

**In.** `engine.intake` says what may be acknowledged. The client is answered at once with what is done, and once more when what
it had sent by then is done.

**Out.** The client is asked for an acknowledgement when some events are under way, or a moment after the last one.

**Kept.** What a client needs to go on after a kill of the server is noted (`actors.notebook`) before it is told.
"""

from typing import Final

import msgspec

from actors.notebook import Notebook
from actors.outlet import WRITTEN_FOR_ACK, Outlet
from actors.post_office import PostOffice
from actors.runtime import Timer
from engine import messages as m
from engine.intake import Intake
from engine.outbox import WRAP, AckedTooMuch

ACK_SECONDS: Final = 0.2
"""After an event, if no more came, the client is asked how far it is: so whoever closes his client after he has read something
has acknowledged it, and a busy client is not asked for each message."""

ACK_SLACK_SECONDS: Final = 0.2
"""Or so much later, together with all who are to be asked then: a server that is woken for each of them, and again for each
answer, uses more for that than for the messages."""


class AskForAck(msgspec.Struct, frozen=True):
    """session -> itself: how far is the client?"""


class Tally:
    """The counts of one session that counts.

    Args:
        office: of the session.
        outlet: whose outbox this is.
        notebook: of a session that can be resumed.
        done: stanzas of the client that were done when it began.
    """

    def __init__(self, office: PostOffice, outlet: Outlet, notebook: Notebook | None, done: int) -> None:
        self.intake = Intake(done)
        self._office = office
        self._outlet = outlet
        self._notebook = notebook
        self._timer: Timer | None = None
        self._is_asked = False

    def close(self) -> None:
        """The client is gone: it is not asked for anything."""
        self._is_asked = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- in ------------------------------------------------------------------------------------------------------------

    def requested(self) -> None:
        """The client asks how far we are."""
        self.intake.is_owed = not self.intake.is_settled
        self._tell_done()

    def settled(self, event: m.ChatSettled) -> None:
        """A chat of the client is done."""
        intake = self.intake
        intake.settle(event.number)
        if intake.is_owed and intake.is_settled:
            intake.is_owed = False
            self._tell_done()

    def promise(self) -> int:
        """How many stanzas of the client are done, for it to be told."""
        if self._notebook is not None:
            self._notebook.note_done(self.intake.done)
        return self.intake.done % WRAP

    def _tell_done(self) -> None:
        self._outlet.tell(m.Acked(self.promise()))

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
        if self._outlet.unacked >= WRITTEN_FOR_ACK:
            self.ask()
        elif self._timer is None:
            self._timer = self._office.schedule(ACK_SECONDS, AskForAck(), ACK_SLACK_SECONDS)

    def ask(self) -> None:
        """Ask, if anything is under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._outlet.wire is not None and self._outlet.outbox and not self._is_asked:
            self._is_asked = True
            self._outlet.tell(m.RequestAck())
