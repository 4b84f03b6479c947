"""Kill -9 while twenty clients send, thirty times; in the long form, a thousand. And the oracle: it must not be blind.

ROOKERY_SEED repeats a run, as far as a kill can be repeated.
"""

import os
import random
from xml.etree.ElementTree import fromstring

import msgspec
import pytest
import trio

from tests.faults.kill import play
from tests.faults.oracle import ABSENT, RECEIVED, SENT, Oracle, Row, Sent, World
from tests.faults.rounds import SHORT_KILLS

ANN, BEN, CYD, ZOE = "ann@a.example/desk", "ben@a.example/desk", "cyd@a.example", "zoe@b.example"
TEAM = "team@a.example"


@pytest.mark.timeout(400)
def test_nothing_is_lost_when_the_server_is_killed():
    seed = int(os.environ.get("ROOKERY_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
    lines = []
    total, told = trio.run(play, SHORT_KILLS, seed, lines.append)
    assert told == [], f"ROOKERY_SEED={seed}"
    assert total["rounds"] == SHORT_KILLS
    assert total["flying"] > 0
    assert total["seen"] > 0
    assert total["archived"] == total["sent"] > 0, lines


# -- the oracle ---------------------------------------------------------------------------------------------------------


class Story:
    """Ann writes to Ben, to the team (Ann, Ben, Cyd), and types; Cyd is away. Everything goes well."""

    def __init__(self) -> None:
        self.oracle = Oracle(World({TEAM: frozenset({"ann@a.example", "ben@a.example", CYD})}, (frozenset({CYD}),) * 2))
        self.rows = [
            self.sends(1, "ben@a.example", {"ann@a.example": SENT, "ben@a.example": RECEIVED}),
            self.sends(2, TEAM, {"ann@a.example": SENT, "ben@a.example": RECEIVED, CYD: ABSENT}),
            self.sends(4, "ben@a.example", {"ann@a.example": SENT, "ben@a.example": RECEIVED}),
        ]
        self.oracle.sends(Sent("o3", ANN, 3, "ben@a.example", ""))
        self.oracle.sends(Sent("o5", ANN, 5, ZOE, "hello abroad"))

    def sends(self, number: int, to: str, entries: dict[str, int]) -> Row:
        sent = Sent(f"o{number}", ANN, number, to, f"body {number}")
        self.oracle.sends(sent)
        return Row(number, ANN, to, sent.origin, sent.body, tuple(entries.items()))

    def shows(self, number: int, to: str = BEN, sender: str = ANN, is_delayed: bool = False, row: int = 0) -> None:
        """A message with a body; `row`: the id that it bears, its own number if 0."""
        delay = "<delay xmlns='urn:xmpp:delay'/>" if is_delayed else ""
        self.oracle.hears(
            to,
            fromstring(
                f"<message xmlns='jabber:client' from='{sender}' type='chat' id='o{number}'><body>body {number}</body>"
                f"<origin-id xmlns='urn:xmpp:sid:0' id='o{number}'/>"
                f"<stanza-id xmlns='urn:xmpp:sid:0' id='{row or number:016x}' by='{to.partition('/')[0]}'/>"
                f"{delay}</message>"
            ),
        )

    def types(self, to: str = BEN) -> None:
        self.oracle.hears(to, fromstring(f"<message xmlns='jabber:client' from='{ANN}' type='chat' id='o3'/>"))

    def verdict(self, rows: list[Row], late: tuple[int, ...] = ()) -> set[str]:
        """Kill, restart, what waited is shown; the names of the faults."""
        self.oracle.survey(rows)
        for number in late:
            self.shows(number, is_delayed=True)
        self.oracle.conclude(rows)
        return set(self.oracle.counts())


@pytest.fixture
def story():
    return Story()


def test_a_good_story_has_no_faults(story):
    story.shows(1)
    story.shows(2)
    story.types()
    assert story.verdict(story.rows, late=(4,)) == set()


def test_seen_and_not_kept_is_lost(story):
    for number in (1, 2, 4):
        story.shows(number)
    assert story.verdict(story.rows[:-1]) == {"lost"}


@pytest.mark.parametrize("side", ["ann@a.example", "ben@a.example"])
def test_kept_on_one_side_only_is_lost(story, side):
    for number in (1, 2, 4):
        story.shows(number)
    one_sided = tuple(entry for entry in story.rows[0].entries if entry[0] != side)
    assert story.verdict([msgspec.structs.replace(story.rows[0], entries=one_sided), *story.rows[1:]]) == {"lost"}


def test_kept_and_never_shown_is_lost(story):
    story.shows(1)
    story.shows(2)
    assert story.verdict(story.rows) == {"lost"}


def test_two_rows_are_one_too_many(story):
    for number in (1, 2, 4):
        story.shows(number)
    again = msgspec.structs.replace(story.rows[2], id=5)
    assert "doubled" in story.verdict([*story.rows, again])


def test_shown_to_somebody_else_is_misplaced(story):
    story.shows(1, "eve@a.example/desk")
    assert "misplaced" in story.verdict(story.rows, late=(1, 2, 4))


def test_shown_as_from_somebody_else_is_misplaced(story):
    story.shows(1, sender="eve@a.example/desk")
    assert "misplaced" in story.verdict(story.rows, late=(2, 4))


@pytest.mark.parametrize(
    "entries",
    [
        {"ann@a.example": SENT, "ben@a.example": RECEIVED, "eve@a.example": RECEIVED},
        {"ann@a.example": RECEIVED, "ben@a.example": RECEIVED},
    ],
)
def test_in_the_wrong_history_is_misplaced(story, entries):
    rows = [msgspec.structs.replace(story.rows[0], entries=tuple(entries.items())), *story.rows[1:]]
    assert "misplaced" in story.verdict(rows, late=(1, 2, 4))


def test_what_went_abroad_must_not_be_kept(story):
    abroad = Row(5, ANN, ZOE, "o5", "hello abroad", (("ann@a.example", SENT), (ZOE, RECEIVED)))
    assert "misplaced" in story.verdict([*story.rows, abroad], late=(1, 2, 4))


def test_typing_must_not_be_kept(story):
    typing = Row(3, ANN, "ben@a.example", "o3", "", (("ann@a.example", SENT), ("ben@a.example", RECEIVED)))
    assert "misplaced" in story.verdict([*story.rows, typing], late=(1, 2, 4))


def test_refused_must_not_be_kept(story):
    story.oracle.hears(ANN, fromstring("<message xmlns='jabber:client' type='error' id='o1'/>"))
    assert "misplaced" in story.verdict(story.rows, late=(1, 2, 4))


def test_an_archive_out_of_order_is_told(story):
    one, two, four = story.rows
    swapped = [msgspec.structs.replace(two, id=1), msgspec.structs.replace(one, id=2), four]
    assert "reordered" in story.verdict(swapped)


def test_an_archive_with_a_hole_is_told(story):
    assert "reordered" in story.verdict([story.rows[0], story.rows[2]], late=(1, 4))


def test_a_client_that_is_shown_another_order_is_told(story):
    story.shows(2)
    story.shows(1)
    assert story.verdict(story.rows, late=(4,)) == {"reordered"}


def test_typing_that_overtakes_is_told(story):
    story.shows(1)
    story.types()
    assert story.verdict(story.rows, late=(2, 4)) == {"reordered"}


def test_a_stanza_id_that_is_not_the_archives_is_told(story):
    story.shows(1, row=7)
    assert story.verdict(story.rows, late=(2, 4)) == {"mislabelled"}


def test_what_waited_needs_a_stamp(story):
    story.oracle.survey(story.rows)
    story.shows(1)
    for number in (2, 4):
        story.shows(number, is_delayed=True)
    story.oracle.conclude(story.rows)
    assert set(story.oracle.counts()) == {"mislabelled"}
