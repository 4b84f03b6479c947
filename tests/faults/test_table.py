"""Each row of the fault table, in short; the long form is ``make faults``. And what it judges with: it must not be blind.

ROOKERY_SEED repeats a run, as far as a fault can be repeated.
"""

import os
import random
import subprocess
import sys
from pathlib import Path
from xml.etree.ElementTree import fromstring

import msgspec
import pytest

from tests.faults import tracing
from tests.faults.__main__ import ROWS, run
from tests.faults.disk import TRACED, Disk, calls
from tests.faults.oracle import RECEIVED, SENT, Row
from tests.faults.outcome import Outcome, markdown, text
from tests.faults.talk import ALICE, BOB, Talk, judge_all

HAVE_THEIR_OWN = {"kill", "resume"}
"""`tests.faults.test_kill` and `test_resume` run them."""


WAITED_FOR = {"actors", "limits", "readers", "storage", "storm"}
"""Their bars say how long others may have to wait."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.alone] if name in WAITED_FOR else [])
        for name in sorted(ROWS.keys() - HAVE_THEIR_OWN)
    ],
)
def test_the_bar_is_met(name):
    seed = int(os.environ.get("ROOKERY_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
    outcome = run(name, seed, "short", lambda _: None)
    if outcome.verdict == "skipped":
        pytest.skip(outcome.skipped)
    assert outcome.problems == [], f"ROOKERY_SEED={seed}: {text(outcome)}"
    assert outcome.figure


# -- the table ----------------------------------------------------------------------------------------------------------


def test_a_row_that_misses_says_so():
    outcome = Outcome(
        name="x", fault="f", bar="b", figure="1 lost", problems=["lost: one"], counts={"messages": 2_000}, seed=7
    )
    assert "MISSED" in text(outcome)
    assert "| f | b | 1 lost<br>lost: one | **missed** |  | 2,000 messages | 7 | 0 |" in markdown([outcome])


def test_a_row_that_cannot_be_run_is_neither_met_nor_missed():
    outcome = Outcome(name="x", fault="f", bar="b", skipped="no strace")
    assert outcome.verdict == "skipped"
    assert "no strace" in text(outcome)


# -- the judge of a talk ------------------------------------------------------------------------------------------------


class Story:
    """Alice says two things to Bob; the archive has both, Bob was shown the first."""

    def __init__(self) -> None:
        self.talk = Talk("t")
        self.sent = [self.talk.thinks_of(f"{ALICE}/desk", BOB) for _ in range(2)]
        self.rows = [
            Row(n, each.sender, BOB, each.origin, each.body, ((ALICE, SENT), (BOB, RECEIVED)))
            for n, each in enumerate(self.sent, 1)
        ]
        self.shows(0)

    def shows(self, number: int, body: str = "", kind: str = "chat", by: str = BOB) -> None:
        sent = self.sent[number]
        self.talk.shows(
            f"{by}/desk",
            fromstring(
                f"<message xmlns='jabber:client' from='{sent.sender}' type='{kind}' id='{sent.origin}'>"
                f"<body>{body or sent.body}</body><origin-id xmlns='urn:xmpp:sid:0' id='{sent.origin}'/></message>"
            ),
        )

    def verdict(self) -> list[str]:
        return [fault.partition(":")[0] for fault in self.talk.judge(self.rows)]


@pytest.fixture
def story():
    return Story()


def test_a_good_story_has_no_faults(story):
    story.talk.acknowledged["t-2"] = 1.0
    assert story.verdict() == []


def test_acknowledged_and_not_kept_is_lost(story):
    story.talk.acknowledged["t-2"] = 1.0
    del story.rows[1]
    assert story.verdict() == ["lost"]
    assert story.talk.judge(story.rows, until=0.5) == []  # nobody knew yet


def test_shown_and_not_kept_is_lost(story):
    del story.rows[0]
    assert story.verdict() == ["lost"]


def test_kept_for_one_side_only_is_lost(story):
    story.rows[0] = msgspec.structs.replace(story.rows[0], entries=((ALICE, SENT),))
    assert story.verdict() == ["lost"]


def test_two_rows_are_doubled(story):
    story.rows.append(msgspec.structs.replace(story.rows[0], id=3))
    assert "doubled" in story.verdict()


def test_other_words_in_the_archive_are_wrong(story):
    story.rows[1] = msgspec.structs.replace(story.rows[1], body="t-2w!")
    assert story.verdict() == ["wrong"]


def test_refused_must_be_neither_kept_nor_shown(story):
    story.shows(0, kind="error", by=ALICE)
    assert sorted(story.verdict()) == ["refused and yet kept", "refused and yet shown"]


def test_another_order_is_told(story):
    story.rows.reverse()
    assert story.verdict() == ["reordered"]


def test_other_words_or_another_reader_are_told(story):
    story.shows(1, body="not these")
    story.shows(1, by="carol@example.com")
    assert len(story.talk.faults) == 2


def test_many_talks_are_judged_each_with_its_own_rows_and_nothing_else_is_kept(story):
    other = Talk("u")
    sent = other.thinks_of(f"{ALICE}/desk", BOB)
    other.acknowledged["u-1"] = 1.0
    row = Row(3, sent.sender, BOB, sent.origin, sent.body, ((ALICE, SENT), (BOB, RECEIVED)))
    assert judge_all([story.talk, other], [*story.rows, row]) == []
    (lost,) = judge_all([story.talk, other], story.rows)
    (wrong,) = judge_all([story.talk], [*story.rows, row])
    assert (lost.partition(":")[0], wrong.partition(":")[0]) == ("lost", "wrong")


# -- the disk that loses power ------------------------------------------------------------------------------------------

PROGRAM = """
import os, sys
folder = sys.argv[1]
def write(name, data, sync):
    fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT)
    os.write(fd, data[:3]); os.write(fd, data[3:])
    if sync: os.fsync(fd)
    return fd
names = os.open(folder, os.O_RDONLY)
write("synced", b"everything", True); write("unsynced", b"everything", False)
fd = write("more", b"begin", True)
os.fsync(names)
os.pwrite(fd, b"B", 0); os.write(fd, b"END")
fd = write("new", b"fresh", True)
os.rename(f"{folder}/new", f"{folder}/synced")
fd = write("last", b"last", True)
"""


@pytest.mark.skipif(bool(tracing.missing()), reason="needs strace")
def test_a_disk_has_what_was_synced(tmp_path: Path):
    root, before = tmp_path / "root", tmp_path / "before"
    root.mkdir()
    before.mkdir()
    words = tracing.recording(tmp_path / "call", TRACED)
    subprocess.run([*words, sys.executable, "-c", PROGRAM, str(root)], check=True)
    disk = Disk(root, before)
    recorded = calls(tmp_path / "call", tmp_path)
    moments = list(disk.replay(recorded))
    assert len(moments) > 15
    assert tree(disk, tmp_path, "strict") == {"synced": b"everything", "unsynced": b"", "more": b"begin"}
    assert tree(disk, tmp_path, "journal") == {"synced": b"fresh", "unsynced": b"", "more": b"begin", "last": b"last"}
    torn = [tree(disk, tmp_path, "torn")["more"] for _ in range(100)]
    assert set(torn) == {b"begin", b"Begin", b"beginEND", b"BeginEND"}


def tree(disk: Disk, folder: Path, mode) -> dict[str, bytes]:
    target = folder / f"restored-{random.random()}"
    disk.restore(target, mode, random.Random())
    return {file.name: file.read_bytes() for file in target.iterdir()}
