"""How far a client's stanzas are done (XEP-0198, 4): what ``h`` says.

``h`` counts stanzas that are done, in order, and "done" is a promise: the client forgets what it sent. So a chat counts when it
is on disk (or was refused), and what follows it counts after it. A session that can be resumed after the server was killed must
say the same number then; it acknowledges only what is kept on disk: a chat takes the number along in its own commit, other
stanzas are kept with the next one, or soon by themselves when the client asks.
"""


class Intake:
    """The counts of one session.

    Args:
        kept: stanzas that were done and known on disk when it began.
        is_resumable: only what is kept may be acknowledged.

    Attributes:
        received: stanzas that came.
        kept: stanzas that are known on disk as done.
        is_owed: the client asked and was told less than has come.
    """

    def __init__(self, *, is_resumable: bool, kept: int = 0) -> None:
        self.received = kept
        self.kept = kept
        self.is_owed = False
        self._is_resumable = is_resumable
        self._pending: dict[int, None] = {}

    @property
    def done(self) -> int:
        """Stanzas that are done, before the first one that is not."""
        return next(iter(self._pending)) - 1 if self._pending else self.received

    @property
    def handled(self) -> int:
        """What may be acknowledged."""
        return min(self.kept, self.done) if self._is_resumable else self.done

    @property
    def has_pending(self) -> bool:
        """A chat is under way to the archive."""
        return bool(self._pending)

    def count(self, received: int) -> None:
        """So many stanzas have come in all."""
        self.received = received

    def begin(self, number: int) -> None:
        """The stanza of this number is a chat: it is not done yet."""
        self.received = number
        self._pending[number] = None

    def settle(self, number: int, *, is_on_disk: bool) -> None:
        """The chat of this number is done; `is_on_disk`: and this count with it."""
        self._pending.pop(number, None)
        if is_on_disk:
            self.kept = max(self.kept, number)

    def keep(self, done: int) -> None:
        """It is on disk that so many are done."""
        self.kept = max(self.kept, done)
