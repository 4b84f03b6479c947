"""What is kept of a session so that its client can go on after the server was killed (XEP-0198, 5).

A session notes what it does in a journal (`SessionJournal`) before anything of it leaves the process: its whole
state now and then, and in between which number a chat has in its stream, and how many of the client's stanzas are done. So
whatever a client has got, or knows to be done, is known of it from the journal alone, and a client that comes back is told what
it has not got, once.

A chat of the client counts as done when it is committed. That count is in the chat's own transaction (`Notes.done`), so that
the two never differ; the greater of both counts holds.
"""

from collections.abc import Collection
from typing import Protocol

import msgspec

from engine.jid import Jid
from engine.messages import SessionState
from engine.outbox import WRAP, unwrap


class KeptSession(msgspec.Struct, frozen=True):
    """A session that can be resumed. `done`: stanzas of the client that are done for good."""

    session: Jid
    done: int
    state: SessionState


class SessionJournal(Protocol):
    """What is kept of the sessions that can be resumed, and of what others were told of presence.

    Outlives a kill of the process.

    A handler may call it: nothing here waits. What is noted is kept when `flush` returns, and that is called before anything
    is written to a client. A journal that cannot be written keeps nothing at all: then no session can be resumed after a kill.
    """

    def keep(self, token: str, kept: KeptSession) -> None:
        """This is the whole session; what was noted of it before is not needed any more."""

    def note_chat(self, token: str, number: int, archive_id: int, given: int) -> None:
        """See `with_chat`."""

    def note_new_numbers(self, token: str, acked: int, acked_id: int) -> None:
        """See `with_new_numbers`."""

    def note_done(self, token: str, done: int) -> None:
        """See `with_done`."""

    def note_presence(self, jid: Jid, *, is_there: bool) -> None:
        """Everyone is about to be told that this session, or alias, is there, or is not any more."""

    def seen_before(self, domain: str) -> Collection[Jid]:
        """Who was told to be there before the journal was opened, and of whom nothing was noted since."""

    def forget(self, token: str) -> None:
        """The session cannot be resumed any more."""

    def forget_stale(self) -> None:
        """Forget the sessions of which nothing was noted since the journal was opened: their clients did not come back."""

    def recall(self, token: str) -> KeptSession | None:
        """What is known of the session of this token."""

    def flush(self) -> None:
        """Keep what was noted."""


def with_chat(kept: KeptSession, number: int, archive_id: int, given: int) -> KeptSession:
    """The client is being sent one more chat. `given`: up to which archive id everything has been given, this one included."""
    state = kept.state
    chats = (*state.chats, (number, archive_id))
    return _with(kept, msgspec.structs.replace(state, chats=chats, given=max(state.given, given)))


def with_new_numbers(kept: KeptSession, acked: int, acked_id: int) -> KeptSession:
    """The client is back and has got stanzas up to `acked`, chats up to `acked_id`; what follows is numbered anew."""
    return _with(kept, msgspec.structs.replace(kept.state, acked=acked, acked_id=acked_id, chats=(), given=acked_id))


def with_done(kept: KeptSession, done: int) -> KeptSession:
    """So many of the client's stanzas are done."""
    return KeptSession(kept.session, max(kept.done, done), kept.state)


def got_by(state: SessionState, handled: int) -> tuple[int, int] | None:
    """What a client has got of a session that is known from its kept state only.

    Returns:
        The number that is `handled` on the wire, and the archive id up to which the client has got everything. None: it has
        told more before.
    """
    number = unwrap(handled, state.acked)
    if number - state.acked >= WRAP // 2:
        return None
    missing = [archive_id for its_number, archive_id in state.chats if its_number > number]
    if not missing:
        return number, state.given
    return number, max((i for its_number, i in state.chats if its_number <= number), default=state.acked_id)


def _with(kept: KeptSession, state: SessionState) -> KeptSession:
    return KeptSession(kept.session, kept.done, state)
