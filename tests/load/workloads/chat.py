"""1:1 messages in a closed loop: pairs play ping-pong, each with so many messages in the air (the window).

Every message has its sender's number; whoever gets it looks that it is the next one: nothing is lost, doubled or overtaken.
With several devices for each account the same device of the partner answers; what others get as a copy is not looked at.
A message is what a present-day client sends: an id, an origin-id (XEP-0359) and a body.
"""

import re
import secrets
import time
from collections import deque
from collections.abc import Callable

from tests.load.bench import Bench, Round, Watch
from tests.load.browser import Browser
from tests.load.session import Session

PATIENCE_SECONDS = 60.0
"""For what is still on its way at the end."""

MESSAGE = (
    b"<message to='%b' type='chat' id='%b'><body>It is about half past four, shall we meet at the usual place? %b %d</body>"
    b"<origin-id xmlns='urn:xmpp:sid:0' id='%b'/></message>"
)

FRAME = b'{"t":"say","to":"%b","id":"%b","body":"It is about half past four, shall we meet at the usual place? %b %d"}'
"""The same, as the webmail page says it."""


class Talker:
    """One side of a pair.

    Attributes:
        number: of the newest message that it sent; expected: of the next one to come.
        in_flight: when those left that are on their way.
        other: whom it talks to.
    """

    __slots__ = (
        "_address",
        "_body",
        "_series",
        "_watch",
        "expected",
        "in_flight",
        "is_tired",
        "number",
        "other",
        "session",
    )

    def __init__(self, session: Session, watch: Watch) -> None:
        self.session = session
        self.number = 0
        self.expected = 1
        self.in_flight: deque[float] = deque()
        self.other = self
        self.is_tired = False
        self._watch = watch
        self._address = session.account.bare.encode()
        self._series = secrets.token_hex(4).encode()  # a server may take the same id for the same message
        session.on_chunk = self._listen

    def meet(self, other: "Talker") -> None:
        """Talk to this one."""
        self.other = other
        end = b'"' if isinstance(self.session, Browser) else b"</body>"
        self._body = re.compile(rb"%b (\d+)%b" % (other._series, end))

    def say(self, count: int) -> None:
        """So many messages at once."""
        if count:
            now = time.perf_counter()
            self.session.say(*[self._message(now) for _ in range(count)])

    def _message(self, now: float) -> bytes:
        self.number = number = self.number + 1
        self.in_flight.append(now)
        stanza_id = b"%b-%d" % (self._series, number)
        if isinstance(self.session, Browser):
            return FRAME % (self.other._address, stanza_id, self._series, number)
        return MESSAGE % (self.other._address, stanza_id, self._series, number, stanza_id)

    def _listen(self, session: Session, chunk: bytes) -> None:
        """Answer each message with one."""
        numbers = self._body.findall(chunk)
        now = time.perf_counter()
        watch, departures = self._watch, self.other.in_flight
        for number in numbers:
            if int(number) != self.expected or not departures:
                watch.faults.append(f"{session.jid}: message {int(number)} in place of {self.expected}")
                return
            self.expected += 1
            watch.latencies.append(now - departures.popleft())
        watch.units += len(numbers)
        if not self.is_tired:
            self.say(len(numbers))


def run(bench: Bench, *, window: int, seconds: float, sessions: int, count: int = 0) -> Round:
    """So many seconds, or until there were so many messages; then what is in the air lands."""
    crowd = bench.gather(sessions // 2 * 2)
    watch = Watch(bench)
    return _play(bench, watch, crowd, window, seconds, lambda: bool(count) and watch.units >= count)


def converse(bench: Bench, crowd: list[Session], messages: int) -> None:
    """Give each of them so many messages to look back on; not measured."""
    watch = Watch(bench)
    _play(bench, watch, crowd, 8, PATIENCE_SECONDS, lambda: watch.units >= messages * len(crowd))


def _play(
    bench: Bench, watch: Watch, crowd: list[Session], window: int, seconds: float, is_enough: Callable[[], bool]
) -> Round:
    talkers = [Talker(session, watch) for session in crowd]
    for one, other in zip(talkers[::2], talkers[1::2], strict=True):
        one.meet(other)
        other.meet(one)
    for place, talker in enumerate(talkers):
        talker.say(window // 2 if place % 2 else (window + 1) // 2)
    bench.loop.run_until(lambda: bool(watch.faults) or is_enough(), seconds)
    for talker in talkers:
        talker.is_tired = True
    bench.loop.run_until(
        lambda: bool(watch.faults) or not any(talker.in_flight for talker in talkers), PATIENCE_SECONDS
    )
    watch.stop_clock()
    sent, heard = sum(talker.number for talker in talkers), sum(talker.expected - 1 for talker in talkers)
    if sent != heard:
        watch.faults.append(f"{sent} messages sent, {heard} received")
    return watch.finish()
