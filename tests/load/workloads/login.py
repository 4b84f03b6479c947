"""Logging in: from the first byte until the presence of everyone who is online is known. Nothing is cached by the client.

`alone`: one after the other, while the others are online. `together`: everyone at once, from an empty server. `again`: the
network of everyone breaks, and everyone comes back, by resuming the session where the server offers it (XEP-0198).
"""

import time
from collections import Counter
from collections.abc import Callable

from tests.load.bench import LOGIN_SECONDS, Bench, Round, Watch
from tests.load.session import Session, return_to

PATIENCE_SECONDS = 120.0
AT_ONCE = 64
NOTICE_SECONDS = 0.5
"""Until a server has noticed that connections are gone."""

PRESENCE = b"<presence "


def alone(bench: Bench, *, logins: int, sessions: int) -> Round:
    """So many of those who are online go, and come back one by one."""
    crowd = bench.gather(sessions)
    places = range(len(crowd) - min(logins, len(crowd) - 1), len(crowd))
    for place in places:
        crowd[place].leave()
    bench.settle()
    online = Counter(session.account.domain for session in crowd[: places.start])
    watch = Watch(bench)
    for place in places:
        gone = crowd[place]
        online[gone.account.domain] += 1
        began = time.perf_counter()
        back = bench.enter(gone.account, gone.resource)()
        seen = _count_presences(back)
        expected = online[gone.account.domain]
        bench.loop.run_until(_has_come(back, seen, expected), LOGIN_SECONDS)
        if back.failure or seen[0] < expected:
            watch.faults.append(f"{back.account.bare}: {back.failure or f'{seen[0]} of {expected} are known'}")
            break
        watch.latencies.append(time.perf_counter() - began)
        watch.units += 1
        bench.sessions[place] = back
    watch.stop_clock()
    watch.note = f"{sum(online.values())} online"
    return watch.finish()


def _has_come(session: Session, seen: list[int], expected: int) -> Callable[[], bool]:
    return lambda: bool(session.failure) or seen[0] >= expected


def _count_presences(session: Session) -> list[int]:
    seen = [0]

    def listen(_session: Session, chunk: bytes) -> None:
        seen[0] += chunk.count(PRESENCE)

    session.on_chunk = listen
    return seen


def together(bench: Bench, *, sessions: int) -> Round:
    """From nobody to everybody."""
    bench.leave()
    bench.settle()
    seen = 0
    devices = bench.devices(range(sessions))
    crowds = Counter(account.domain for account, _ in devices)
    expected = sum(count * count for count in crowds.values())

    def listen(_session: Session, chunk: bytes) -> None:
        nonlocal seen
        seen += chunk.count(PRESENCE)

    def begin(enter: Callable[[], Session]) -> Callable[[], Session]:
        def start() -> Session:
            session = enter()
            session.on_chunk = listen
            entered[session] = time.perf_counter()
            return session

        return start

    entered: dict[Session, float] = {}
    watch = Watch(bench)
    bench.sessions += bench.admit([begin(bench.enter(*device)) for device in devices], AT_ONCE, watch)
    bench.loop.run_until(lambda: seen >= expected, PATIENCE_SECONDS)
    watch.stop_clock()
    if seen < expected:
        watch.faults.append(f"{seen} presences told, {expected} are due")
    watch.note = f"{expected} presences due, {seen} told"
    return watch.finish()


def again(bench: Bench, *, sessions: int) -> Round:
    """All connections break; all come back."""
    crowd = list(bench.gather(sessions))
    for session in crowd:
        session.cut()
    bench.loop.run_for(NOTICE_SECONDS)
    bench.settle()
    watch = Watch(bench)
    bench.sessions[:] = []
    back = bench.admit([_come_back(bench, session) for session in crowd], AT_ONCE, watch)
    bench.sessions += back
    watch.stop_clock()
    watch.note = f"{sum(session.is_resumed for session in back)} of {len(back)} sessions were resumed"
    return watch.finish()


def _come_back(bench: Bench, gone: Session) -> Callable[[], Session]:
    def begin() -> Session:
        session = Session(bench.loop, bench.target, gone.account, gone.resource)
        session.play(return_to(session, gone))
        return session

    return begin
