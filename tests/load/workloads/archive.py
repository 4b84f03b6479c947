"""Reading the archive (XEP-0313): pages of a conversation, backwards from the newest; words in a history (XEP-0431).

Before the first round there are conversations to read: the same ones on every server.
"""

import re
import time
from collections.abc import Generator, Iterator

from tests.load.bench import Bench, Round, Watch
from tests.load.session import Script, Session, iq_answer
from tests.load.workloads import chat

PATIENCE_SECONDS = 60.0
READERS = 20
"""Sessions that read, one question at a time each."""

SEED_MESSAGES = 150
"""Of each reader's conversation, at least."""

PAGE = 50
HITS = 20
QUERY = (
    "<iq type='set' id='{0}'><query xmlns='urn:xmpp:mam:2' queryid='{0}'><x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
    "<field var='{1}'><value>{2}</value></field></x>"
    "<set xmlns='http://jabber.org/protocol/rsm'><max>{3}</max><before>{4}</before></set></query></iq>"
)
FIRST = re.compile(rb"<first[^>]*>([^<]*)</first>")
COMPLETE = re.compile(rb"<fin\b[^>]*\bcomplete=['\"]true")
RESULT = b"<result "

WORDS = ("half past four", "usual place", "meet", "shall usual")
"""What is looked for, in turn: all of it is in every message of the conversations, so that there is always a page full."""


def pages(bench: Bench, *, seconds: float, sessions: int) -> Round:
    """Pages of 50, one conversation each."""
    return _read(bench, seconds, sessions, _turn_pages)


def searches(bench: Bench, *, seconds: float, sessions: int) -> Round:
    """Searches for words, in everything that the reader may see."""
    return _read(bench, seconds, sessions, _search)


def _read(bench: Bench, seconds: float, sessions: int, script) -> Round:
    crowd = bench.gather(sessions // 2 * 2)[:READERS]
    if not bench.memo.get("conversations"):
        chat.converse(bench, crowd, SEED_MESSAGES)
        bench.memo["conversations"] = True
        bench.settle()
    watch = Watch(bench)
    end = watch.began + seconds
    for session, other in _partners(crowd):
        session.play(script(session, other.account.bare, watch, end))
    bench.loop.run_until(lambda: all(session.is_idle for session in crowd), seconds + PATIENCE_SECONDS)
    watch.stop_clock()
    if not all(session.is_idle for session in crowd):
        watch.faults.append("an answer did not come")
    return watch.finish()


def _partners(crowd: list[Session]) -> Iterator[tuple[Session, Session]]:
    for place, session in enumerate(crowd):
        yield session, crowd[place ^ 1]


def _turn_pages(session: Session, partner: str, watch: Watch, end: float) -> Script:
    before, number = "", 0
    while (began := time.perf_counter()) < end:
        number += 1
        answer = yield from _ask(session, QUERY, f"p{number}", "with", partner, PAGE, before)
        is_complete = COMPLETE.search(answer) is not None
        shown = answer.count(RESULT)
        if shown != PAGE and not is_complete:
            watch.faults.append(f"{session.jid}: a page has {shown} messages: {answer[-300:]!r}")
            return
        first = FIRST.search(answer)
        before = "" if is_complete or first is None else first[1].decode()
        if shown == PAGE:  # the last page of a conversation costs less, and is not counted
            watch.units += 1
            watch.latencies.append(time.perf_counter() - began)


def _search(session: Session, _partner: str, watch: Watch, end: float) -> Script:
    number = 0
    while (began := time.perf_counter()) < end:
        words = WORDS[number % len(WORDS)]
        number += 1
        answer = yield from _ask(session, QUERY, f"s{number}", session.target.offers.text_search, words, HITS, "")
        shown = answer.count(RESULT)
        if shown != HITS:
            watch.faults.append(f"{session.jid}: {words!r} has {shown} hits: {answer[-300:]!r}")
            return
        watch.units += 1
        watch.latencies.append(time.perf_counter() - began)


def _ask(
    session: Session, query: str, stanza_id: str, *values: object
) -> Generator[bytes | re.Pattern[bytes], bytes, bytes]:
    session.say(query.format(stanza_id, *values).encode())
    return (yield iq_answer(stanza_id))
