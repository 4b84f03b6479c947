"""How far a client's stanzas are done (XEP-0198, 4): what ``h`` says.

``h`` counts stanzas that are done, in order, and "done" is a promise: the client forgets what it sent. So a chat counts when it
is on disk (or was refused), and what follows it counts after it.
"""


class Intake:
    """The counts of one session.

    Args:
        done: stanzas that were done when it began.

    Attributes:
        received: stanzas that came.
        is_owed: the client asked and was told less than has come.
    """

    def __init__(self, done: int = 0) -> None:
        self.received = done
        self.is_owed = False
        self._pending: dict[int, None] = {}

    @property
    def done(self) -> int:
        """Stanzas that are done, before the first one that is not."""
        return next(iter(self._pending)) - 1 if self._pending else self.received

    @property
    def is_settled(self) -> bool:
        """Everything that came is done: no chat is under way to the archive."""
        return not self._pending

    def count(self, received: int) -> None:
        """So many stanzas have come in all."""
        self.received = received

    def begin(self, number: int) -> None:
        """The stanza of this number is a chat: it is not done yet."""
        self.received = number
        self._pending[number] = None

    def settle(self, number: int) -> None:
        """The chat of this number is done."""
        self._pending.pop(number, None)
