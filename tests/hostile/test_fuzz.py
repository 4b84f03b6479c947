"""Generated stanzas, in short; the long form is ``make fuzz``. ROOKERY_SEED repeats a run."""

import os
import random
from xml.etree import ElementTree as ET

import pytest
import trio

from engine.xmpp.parser import Parser
from engine.xmpp.xml import CLIENT, STREAMS, Element, StreamError, serialise, standalone
from tests.hostile.fuzz import OPEN, assail
from tests.hostile.grammar import Grammar


@pytest.fixture
def seed():
    return int(os.environ.get("ROOKERY_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)


def test_nobody_is_harmed_by_what_somebody_sends(seed):
    ends, faults = trio.run(assail, 2_500, seed)
    assert faults == [], f"ROOKERY_SEED={seed}"
    assert ends.total() > 100


def read(grammar: Grammar) -> Element | None:
    """A stanza as the server reads it; None: it is refused."""
    parser = Parser(262_144)
    parser.receive(OPEN.encode())
    parser.next_item()
    parser.receive(grammar.stanza())
    try:
        found = parser.next_item()
    except StreamError:
        return None
    return found if isinstance(found, Element) else None


def flat(element: ET.Element) -> object:
    return element.tag, dict(element.attrib), element.text or "", element.tail or "", [flat(child) for child in element]


def test_what_is_sent_on_can_be_read_by_everybody_and_is_the_same_everywhere(seed):
    """On TCP it stands in the stream, on a web socket alone, in an archive in a payload: it must not mean anything else there.

    Precedent: CVE-2022-25236, characters that separate a namespace from a name within a namespace, was found as a way to
    have a chat's server and its client read different stanzas (libexpat #561).
    """
    grammar, count = Grammar(random.Random(seed)), 0
    for _ in range(3_000):
        element = read(grammar)
        if element is None or element.namespace == STREAMS:  # which ends the stream of its sender and is not sent on
            continue
        count += 1
        written = serialise(element)
        around = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>{written}</stream:stream>"
        within = ET.fromstring(around)[0]
        assert flat(within) == flat(ET.fromstring(standalone(written))), f"ROOKERY_SEED={seed}: {written}"
        again = Parser(1 << 30)
        again.receive(around.encode())
        again.next_item()
        assert again.next_item() == element, f"ROOKERY_SEED={seed}: {written}"
    assert count > 1_000
