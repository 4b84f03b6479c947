"""Looking for a contact (XEP-0055), as someone does who types: two letters and some digits of an address."""

import time

from tests.load.bench import Bench, Round, Watch
from tests.load.session import Script, Session, iq_answer

PATIENCE_SECONDS = 60.0
SEEKERS = 20
QUERY = (
    "<iq type='set' id='{0}' to='{1}'><query xmlns='jabber:iq:search'><x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:search</value></field>"
    "<field var='search'><value>{2}</value></field></x></query></iq>"
)


def run(bench: Bench, *, seconds: float, sessions: int) -> Round:
    """Until the seconds are over."""
    crowd = bench.gather(sessions)
    seekers = crowd[:SEEKERS]
    watch = Watch(bench)
    for number, session in enumerate(seekers):
        session.play(_seek(session, crowd, number, watch, watch.began + seconds))
    bench.loop.run_until(lambda: all(session.is_idle for session in seekers), seconds + PATIENCE_SECONDS)
    watch.stop_clock()
    if not all(session.is_idle for session in seekers):
        watch.faults.append("an answer did not come")
    return watch.finish()


def _seek(session: Session, crowd: list[Session], place: int, watch: Watch, end: float) -> Script:
    number = 0
    neighbours = [other.account.local for other in crowd if other.account.domain == session.account.domain]
    while (began := time.perf_counter()) < end:
        number += 1
        wanted = neighbours[(place + number * SEEKERS) % len(neighbours)]
        session.say(QUERY.format(f"c{number}", session.target.offers.contact_search, wanted).encode())
        answer = yield iq_answer(f"c{number}")
        if f"{wanted}@".encode() not in answer:
            watch.faults.append(f"{session.jid}: {wanted} was not found: {answer[-300:]!r}")
            return
        watch.units += 1
        watch.latencies.append(time.perf_counter() - began)
