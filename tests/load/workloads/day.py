"""A day at the office, mixed: people write, are seen typing, go and come back, read the history, look others up, tell everyone.

Open loop, in the proportions of `SHARES`; a latency is that of a message, from the moment at which it was to be sent. The note
says how many such people a processor carries when each does `ACTIONS_PER_HOUR`.
"""

import random
import re
import secrets
import time
from collections.abc import Callable

from tests.load.bench import Bench, Round, Watch
from tests.load.browser import SAID, Browser
from tests.load.session import Session

SHARES = {"message": 20.0, "typing": 20.0, "presence": 4.0, "page": 2.0, "search": 1.0, "everyone": 0.5, "break": 0.5}
"""What one person does in a busy hour: actions of each kind."""

ACTIONS_PER_HOUR = sum(SHARES.values())
RATE = 200.0
"""Actions per second: of 15,000 such people."""

LEAD_SECONDS = 0.05
PATIENCE_SECONDS = 60.0
FAREWELL_SECONDS = 1.0
"""Between unavailable presence and the end of the stream: what was on its way is still heard."""

NOTE = re.compile(rb"Note (\d+)</body>")
ANSWER = re.compile(rb"<iq\b[^>]*\bid=['\"]day(\d+)['\"]")
MESSAGE = (
    b"<message to='%b' type='chat' id='%b'><body>Could you have a look at this when you find the time? Note %d</body>"
    b"<origin-id xmlns='urn:xmpp:sid:0' id='%b'/><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
)
EVERYONE = b"<message to='%b' type='chat' id='%b'><body>There is cake in the kitchen.</body></message>"
TYPING = b"<message to='%b' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
PRESENCE = b"<presence><show>%b</show></presence>"
SHOWS = (b"away", b"chat", b"dnd", b"xa")
PAGE = (
    b"<iq type='set' id='day%d'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>"
    b"<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
    b"<field var='with'><value>%b</value></field></x>"
    b"<set xmlns='http://jabber.org/protocol/rsm'><max>30</max><before/></set></query></iq>"
)
CATCH_UP = (
    b"<iq type='set' id='back'><query xmlns='urn:xmpp:mam:2'>"
    b"<set xmlns='http://jabber.org/protocol/rsm'><max>50</max><before/></set></query></iq>"
)
"""What a client that reads the archive asks for when it comes back; a server may wait for it."""

SEARCH = (
    b"<iq type='set' id='day%d' to='%b'><query xmlns='jabber:iq:search'><x xmlns='jabber:x:data' type='submit'>"
    b"<field var='FORM_TYPE' type='hidden'><value>jabber:iq:search</value></field>"
    b"<field var='search'><value>%b</value></field></x></query></iq>"
)

NOTES = re.compile(SAID % b"Note")
PAGE_ANSWER = re.compile(rb'"q":(\d+)')
PHRASES = {
    "message": b'{"t":"say","to":"%b","id":"%b","body":"Could you have a look at this when you find the time? Note %d"}',
    "everyone": b'{"t":"say","to":"%b","id":"%b","body":"There is cake in the kitchen."}',
    "typing": b'{"t":"typing","peer":"%b","on":true}',
    "presence": b'{"t":"status","status":"%b"}',
    "page": b'{"t":"history","q":%d,"peer":"%b","limit":30}',
    "back": b'{"t":"history","q":1000000000,"limit":50}',
    "search": b'{"t":"find","q":%d,"text":"%b"}',
}
"""The same, as the webmail page says it."""

STATUSES = (b"Away", b"Available", b"Busy", b"Away")


class Day:
    """The plan, and what has come of it."""

    def __init__(self, bench: Bench, watch: Watch, crowd: list[Session], seconds: float) -> None:
        self.count = max(1, int(RATE * seconds))
        self.done = 0  # actions that need no answer, and answers
        self._bench = bench
        self._watch = watch
        self._crowd = crowd
        self._alias = bench.server.alias.encode()
        self._dice = random.Random(self.count)
        self._series = secrets.token_hex(4)
        self._away: set[int] = set()
        self._pending: set[int] = set()
        self._waiting: set[int] = set()  # messages to who was away: when they are read is up to him
        self._paged: set[int] = set()  # messages that were seen in a page of the history
        self._next = 0
        self._began = time.perf_counter() + LEAD_SECONDS
        acts = self._acts()
        kinds = list(acts)
        chosen = self._dice.choices(kinds, [SHARES[kind] for kind in kinds], k=self.count)
        self._plan = [(acts[kind], self._dice.randrange(len(crowd))) for kind in chosen]
        for session in crowd:
            session.on_chunk = self._listen

    def _acts(self) -> dict[str, Callable[[int, int], None]]:
        """What can be done on this server."""
        offers = self._bench.target.offers
        acts = {"message": self._write, "typing": self._type, "presence": self._change, "break": self._break}
        if offers.history:
            acts["page"] = self._turn_page
        if offers.contact_search:
            acts["search"] = self._search
        if self._bench.server.alias:
            acts["everyone"] = self._tell_everyone
        return acts

    @property
    def due(self) -> float:
        """When the next action is to happen."""
        return self._began + self._next / RATE

    @property
    def is_over(self) -> bool:
        """Everything was done, answered and received."""
        return self._next == self.count and not self._pending and not self._away

    @property
    def open(self) -> int:
        """What is missing still."""
        return len(self._pending)

    def act(self) -> bool:
        """Everything that is due; whether there is more."""
        while self._next < self.count and self.due <= time.perf_counter():
            act, place = self._plan[self._next]
            if place in self._away:
                place = next(other for other in range(len(self._crowd)) if other not in self._away)
            act(self._next, place)
            self._next += 1
        return self._next < self.count

    # -- acts ----------------------------------------------------------------------------------------------------------

    def _write(self, number: int, place: int) -> None:
        stanza_id = f"{self._series}-{number}".encode()
        self._pending.add(number)
        if place ^ 1 in self._away:
            self._waiting.add(number)
        friend = self._friend(place)
        self._say(place, MESSAGE % (friend, stanza_id, number, stanza_id), "message", (friend, stanza_id, number))

    def _type(self, _number: int, place: int) -> None:
        self._say(place, TYPING % self._friend(place), "typing", (self._friend(place),))
        self._watch.units += 1

    def _change(self, number: int, place: int) -> None:
        turn = number % len(SHOWS)
        self._say(place, PRESENCE % SHOWS[turn], "presence", (STATUSES[turn],))
        self._watch.units += 1

    def _tell_everyone(self, number: int, place: int) -> None:
        said = self._alias, f"{self._series}-{number}".encode()
        self._say(place, EVERYONE % said, "everyone", said)
        self._watch.units += 1

    def _turn_page(self, number: int, place: int) -> None:
        self._pending.add(number)
        self._say(place, PAGE % (number, self._friend(place)), "page", (number + 1, self._friend(place)))

    def _search(self, number: int, place: int) -> None:
        self._pending.add(number)
        service = self._bench.target.offers.contact_search.encode()
        name = self._crowd[place ^ 1].account.local.encode()
        self._say(place, SEARCH % (number, service, name), "search", (number + 1, name))

    def _break(self, _number: int, place: int) -> None:
        """Leave, and come back; what is written meanwhile waits."""
        self._away.add(place)
        self._crowd[place].say_goodbye()
        self._bench.loop.after(FAREWELL_SECONDS, lambda: self._leave(place))

    def _leave(self, place: int) -> None:
        gone = self._crowd[place]
        gone.leave()
        back = self._bench.enter(gone.account, gone.resource)()
        back.on_chunk = self._listen
        self._crowd[place] = back
        self._look_for(place)

    def _look_for(self, place: int) -> None:
        """Until who came back is there."""
        if self._crowd[place].is_ready:
            self._away.discard(place)
            if self._bench.target.offers.history:
                self._say(place, CATCH_UP, "back", ())
            self._watch.units += 1
        elif self._crowd[place].failure:
            self._watch.faults.append(self._crowd[place].failure)
        else:
            self._bench.loop.after(0.01, lambda: self._look_for(place))

    def _say(self, place: int, stanza: bytes, phrase: str, words: tuple[object, ...]) -> None:
        session = self._crowd[place]
        session.say(PHRASES[phrase] % words if isinstance(session, Browser) else stanza)

    def _friend(self, place: int) -> bytes:
        return self._crowd[place ^ 1].account.bare.encode()

    # -- what comes ----------------------------------------------------------------------------------------------------

    def _listen(self, session: Session, chunk: bytes) -> None:
        now = time.perf_counter()
        if isinstance(session, Browser):
            numbers = [int(number) for number in session.others(chunk, NOTES)]
            answers = [int(number) - 1 for number in PAGE_ANSWER.findall(chunk)]
            has_pages = b'"t":"history"' in chunk or b'"t":"conversations"' in chunk
        else:
            numbers, answers = [[int(number) for number in found.findall(chunk)] for found in (NOTE, ANSWER)]
            has_pages = b"urn:xmpp:mam:2" in chunk
        if has_pages:
            self._paged.update(numbers)
        for number in numbers:
            if number in self._pending:
                self._pending.discard(number)
                self._watch.units += 1
                if number not in self._waiting:
                    self._watch.latencies.append(now - (self._began + number / RATE))
            elif number not in self._paged:
                self._watch.faults.append(f"{session.jid}: message {number} came twice")
        for number in answers:
            if number in self._pending:
                self._pending.discard(number)
                self._watch.units += 1


def run(bench: Bench, *, seconds: float, sessions: int) -> Round:
    """So many seconds of it."""
    crowd = bench.gather(sessions // 2 * 2)
    watch = Watch(bench)
    day = Day(bench, watch, crowd, seconds)

    def tick() -> None:
        if day.act():
            bench.loop.at(day.due, tick)

    bench.loop.at(day.due, tick)
    is_whole = bench.loop.run_until(lambda: day.is_over or bool(watch.faults), seconds + PATIENCE_SECONDS)
    watch.stop_clock()
    bench.sessions[: len(crowd)] = crowd
    if not is_whole:
        watch.faults.append(f"{day.open} messages or answers did not come")
    finished = watch.finish()
    if finished.cpu:
        people = 3600.0 / (ACTIONS_PER_HOUR * finished.cpu / finished.units)
        finished.note = f"one processor carries {people:,.0f} people with {ACTIONS_PER_HOUR:.0f} actions an hour"
    return finished
