"""A storm of presence: some members change theirs at the same moment, everyone who is online is told each change once.

The next changes follow when the last of everyone has been told, so that no server can leave any out.
"""

import secrets
import time

from tests.load.bench import Bench, Round, Watch
from tests.load.session import Session

PATIENCE_SECONDS = 60.0
PRESENCE = b"<presence><show>%b</show><status>%b</status></presence>"
SHOWS = (b"away", b"dnd", b"xa", b"chat")


def run(bench: Bench, *, changes: int, seconds: float, sessions: int) -> Round:
    """Bursts of so many changes, until the seconds are over."""
    crowd = bench.gather(sessions)
    domains = [session.account.domain for session in crowd]
    audience = [domains.count(domain) for domain in domains]
    watch = Watch(bench)
    end = watch.began + seconds
    burst = 0
    while time.perf_counter() < end and not watch.faults:
        changers = [(burst * changes + place) % len(crowd) for place in range(min(changes, len(crowd)))]
        _burst(bench, watch, crowd, changers, sum(audience[place] for place in changers), SHOWS[burst % len(SHOWS)])
        burst += 1
    watch.stop_clock()
    watch.note = f"{burst} times {min(changes, len(crowd))} changes"
    return watch.finish()


def _burst(bench: Bench, watch: Watch, crowd: list[Session], changers: list[int], expected: int, show: bytes) -> None:
    mark = b"at %b" % secrets.token_hex(4).encode()
    token = b"%b</status>" % mark
    before = watch.units

    def listen(_session: Session, chunk: bytes) -> None:
        told = chunk.count(token)
        if told:
            watch.units += told
            watch.latencies.append(time.perf_counter() - began)

    for session in crowd:
        session.on_chunk = listen
    began = time.perf_counter()
    for place in changers:
        crowd[place].say(PRESENCE % (show, mark))
    bench.loop.run_until(lambda: watch.units - before >= expected, PATIENCE_SECONDS)
    if watch.units - before != expected:
        watch.faults.append(f"{watch.units - before} presences told, {expected} are due")
