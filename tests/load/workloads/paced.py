"""1:1 messages at a steady pace, whether the server keeps up or not (open loop).

A latency counts from the moment at which the message was to be sent, so that a server that stands still for a second has many
late messages and not one (no coordinated omission). What the harness itself was late with is in there, and is told in the note.
"""

import random
import re
import secrets
import time
from array import array

from tests.load.bench import Bench, Round, Watch
from tests.load.browser import SAID, Browser
from tests.load.session import Session

BODY = re.compile(rb"Draft (\d+)</body>")
PATIENCE_SECONDS = 120.0
LEAD_SECONDS = 0.02
"""Between the start of the clock and the first message."""

MESSAGE = (
    b"<message to='%b' type='chat' id='%b'><body>Shall I send you the figures of last month before the meeting? Draft %d</body>"
    b"<origin-id xmlns='urn:xmpp:sid:0' id='%b'/></message>"
)


FRAME = (
    b'{"t":"say","to":"%b","id":"%b","body":"Shall I send you the figures of last month before the meeting? Draft %d"}'
)
DRAFTS = re.compile(SAID % b"Draft")


class Pacer:
    """The schedule, and what has come of it.

    Args:
        watch: what is measured.
        sessions: neighbours talk to each other.
        rate: messages per second.
        count: how many.
    """

    def __init__(self, watch: Watch, sessions: list[Session], rate: float, count: int) -> None:
        dice = random.Random(count)
        self.count = count
        self.lateness: array[float] = array("d")
        self._watch = watch
        self._rate = rate
        self._began = time.perf_counter() + LEAD_SECONDS
        self._sent = 0
        self._seen = bytearray(count)
        self._series = secrets.token_hex(4).encode()
        pairs = [dice.randrange(len(sessions)) for _ in range(count)]
        self._routes = [(sessions[one], sessions[one ^ 1].account.bare.encode()) for one in pairs]
        for session in sessions:
            session.on_chunk = self._listen

    def due(self) -> float:
        """When the next message is to be sent."""
        return self._began + self._sent / self._rate

    def send(self) -> bool:
        """Everything that is due; whether there is more."""
        now = time.perf_counter()
        while self._sent < self.count and (due := self.due()) <= now:
            session, to = self._routes[self._sent]
            stanza_id = b"%b-%d" % (self._series, self._sent)
            is_page = isinstance(session, Browser)
            message = (to, stanza_id, self._sent) if is_page else (to, stanza_id, self._sent, stanza_id)
            session.say((FRAME if is_page else MESSAGE) % message)
            self._sent += 1
            self.lateness.append(now - due)
            now = time.perf_counter()
        return self._sent < self.count

    def _listen(self, session: Session, chunk: bytes) -> None:
        now = time.perf_counter()
        found = session.others(chunk, DRAFTS) if isinstance(session, Browser) else BODY.findall(chunk)
        for number in map(int, found):
            if self._seen[number]:
                self._watch.faults.append(f"{session.jid}: message {number} came twice")
            self._seen[number] = 1
            self._watch.units += 1
            self._watch.latencies.append(now - (self._began + number / self._rate))


def run(bench: Bench, *, rate: float, seconds: float, sessions: int) -> Round:
    """So many messages per second, so many seconds."""
    crowd = bench.gather(sessions // 2 * 2)
    watch = Watch(bench)
    pacer = Pacer(watch, crowd, rate, max(1, int(rate * seconds)))

    def tick() -> None:
        if pacer.send():
            bench.loop.at(pacer.due(), tick)

    bench.loop.at(pacer.due(), tick)
    is_whole = bench.loop.run_until(lambda: watch.units >= pacer.count, LEAD_SECONDS + seconds + PATIENCE_SECONDS)
    watch.stop_clock()
    if not is_whole:
        watch.faults.append(f"{pacer.count} messages sent, {watch.units} received")
    late = sorted(pacer.lateness)
    watch.note = f"the harness sent up to {late[int(len(late) * 0.99)] * 1e3:.2f} ms late (p99)"
    return watch.finish()
