"""One message to many: an alias or, where a server has none, a room (XEP-0045) with everyone in it.

The next message follows when everybody has the one before; so many are on their way at a time. A latency is the time until the
last one has it.
"""

import re
import secrets
import time

from tests.load.bench import Bench, Round, Watch
from tests.load.session import Script, Session, iq_answer

BODY = re.compile(rb"Call (\d+)</body>")
PATIENCE_SECONDS = 60.0
JOIN = "<presence to='{}/{}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
OPEN_ROOM = (
    "<iq type='set' id='room' to='{}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
    "<x xmlns='jabber:x:data' type='submit'/></query></iq>"
)
MESSAGE = (
    b"<message to='%b' type='%b' id='%b'><body>The customer from this morning is on the phone, who can take it? Call %d</body>"
    b"<origin-id xmlns='urn:xmpp:sid:0' id='%b'/></message>"
)


def lacks(bench: Bench) -> str:
    """Why it cannot be done."""
    return "" if bench.server.alias or bench.target.offers.rooms else "not offered: neither aliases nor rooms"


class Speaker:
    """Who sends, and who has it.

    Args:
        watch: what is measured.
        session: of the sender.
        to: alias or room.
        is_room: it is a room.
    """

    def __init__(self, watch: Watch, session: Session, to: str, *, is_room: bool) -> None:
        self.expected = 0  # deliveries of each message; 0: not known yet
        self.told: dict[int, int] = {}
        self.sent = 0
        self.last = 0.0  # when something came
        self.is_eager = True  # it goes on
        self._departures: dict[int, float] = {}
        self._watch = watch
        self._session = session
        self._to = to.encode()
        self._kind = b"groupchat" if is_room else b"chat"
        self._series = secrets.token_hex(4).encode()

    def say(self) -> None:
        """One message."""
        self.sent += 1
        stanza_id = b"%b-%d" % (self._series, self.sent)
        self.told[self.sent] = 0
        self._departures[self.sent] = time.perf_counter()
        self._session.say(MESSAGE % (self._to, self._kind, stanza_id, self.sent, stanza_id))

    def listen(self, _session: Session, chunk: bytes) -> None:
        """Somebody has something."""
        for number in map(int, BODY.findall(chunk)):
            self.last = time.perf_counter()
            told = self.told[number] = self.told.get(number, 0) + 1
            self._watch.units += 1
            if told == self.expected:
                self._watch.latencies.append(self.last - self._departures.pop(number, self.last))
                if self.is_eager:
                    self.say()

    @property
    def is_settled(self) -> bool:
        """Everybody has everything."""
        return not self._departures


def run(bench: Bench, *, window: int, seconds: float, sessions: int) -> Round:
    """Until the seconds are over."""
    crowd = bench.gather(sessions)
    to, is_room = bench.server.alias, not bench.server.alias
    if is_room:
        to = _fill_room(bench, crowd)
    expected = _audience(bench, crowd, to, is_room=is_room)
    watch = Watch(bench)
    speaker = Speaker(watch, crowd[0], to, is_room=is_room)
    speaker.expected = expected
    for session in crowd:
        session.on_chunk = speaker.listen
    for _ in range(window):
        speaker.say()
    bench.loop.run_until(lambda: bool(watch.faults), seconds)
    speaker.is_eager = False
    bench.loop.run_until(lambda: speaker.is_settled, PATIENCE_SECONDS)
    watch.stop_clock()
    if not len(crowd) - 1 <= expected <= len(crowd):
        watch.faults.append(f"a message reaches {expected} of {len(crowd)} sessions")
    wrong = {number: told for number, told in speaker.told.items() if told != expected}
    if wrong:
        watch.faults.append(f"{len(wrong)} messages did not reach everybody exactly once")
    watch.note = f"{'a room' if is_room else 'an alias'} with {expected} who hear each message"
    return watch.finish()


def _audience(bench: Bench, crowd: list[Session], to: str, *, is_room: bool) -> int:
    """How many hear one message: tried out, and not measured."""
    rehearsal = Speaker(Watch(bench), crowd[0], to, is_room=is_room)
    for session in crowd:
        session.on_chunk = rehearsal.listen
    rehearsal.say()
    bench.loop.run_until(lambda: rehearsal.told[1] >= len(crowd) - 1, PATIENCE_SECONDS)
    bench.settle()
    rehearsal._watch.finish()
    return rehearsal.told[1]


def _fill_room(bench: Bench, crowd: list[Session]) -> str:
    """Everyone into one room, made by the first one; where it is."""
    room = f"everyone-{len(crowd)}@{bench.target.offers.rooms}"
    if bench.memo.get(room):
        return room
    owner = crowd[0]
    owner.play(_make(owner, room))
    bench.loop.run_until(lambda: owner.is_idle or bool(owner.failure), PATIENCE_SECONDS)
    entered = 0

    def listen(_session: Session, chunk: bytes) -> None:
        nonlocal entered
        entered += chunk.count(b"code='110'") + chunk.count(b'code="110"')

    for number, session in enumerate(crowd[1:]):
        session.on_chunk = listen
        session.say(JOIN.format(room, f"n{number:05}").encode())
        bench.loop.run_until(lambda due=number + 1: entered >= due, PATIENCE_SECONDS)
    bench.settle()
    bench.memo[room] = True
    return room


def _make(owner: Session, room: str) -> Script:
    owner.say(JOIN.format(room, "owner").encode())
    yield re.compile(rb"code=['\"]110['\"]")
    owner.say(OPEN_ROOM.format(room).encode())
    yield iq_answer("room")
