"""The journal: what a kill leaves of it, what a cut leaves of it, what a disk that refuses leaves of it."""

import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.jid import Jid
from engine.messages import SessionState
from engine.presence import Presence
from engine.resumption import KeptSession, with_chat, with_done, with_new_numbers
from index import session_journal
from index.session_journal import FileJournal, MemoryJournal, read_sessions

BOOT = "this boot"
STATE = SessionState(
    acked=7, acked_id=3, chats=((8, 4), (10, 6)), given=6, family="psi", presence=Presence("away", "out", 3)
)
DESK = KeptSession(Jid("ben@example.com", "desk"), 5, STATE)
PHONE = KeptSession(Jid("ben@example.com", "phone"), 0, SessionState())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.journal"


@pytest.fixture
def opened(path):
    """Opens the journal of a boot; all are closed in the end."""
    journals = []

    def open_journal(boot=BOOT):
        journals.append(FileJournal(path, boot))
        return journals[-1]

    yield open_journal
    for journal in journals:
        journal.close()


@pytest.fixture(params=["on disk", "in memory"])
def life(request, path, opened):
    """Gives the journal of one life of the process after the other; a kill is between them."""
    if request.param == "on disk":
        return opened
    twin = MemoryJournal()

    def again():
        twin.reopen()
        return twin

    return again


def test_what_was_flushed_outlives_a_kill(life):
    journal = life()
    journal.keep("d", DESK)
    journal.note_chat("d", 11, 7, 7)
    journal.flush()
    journal.note_done("d", 6)
    journal.keep("p", PHONE)
    journal.flush()
    for _ in range(2):  # and the kill after it, whoever comes back or not
        journal = life()
        assert journal.recall("d") == with_done(with_chat(DESK, 11, 7, 7), 6)
        assert journal.recall("p") == PHONE
        assert journal.recall("nobody") is None


def test_a_session_goes_on_where_it_was(life):
    journal = life()
    journal.keep("d", DESK)
    journal.flush()
    journal = life()
    journal.note_new_numbers("d", 9, 4)
    journal.note_chat("d", 10, 6, 6)
    journal.flush()
    assert life().recall("d") == with_chat(with_new_numbers(DESK, 9, 4), 10, 6, 6)


def test_who_ended_and_who_does_not_come_back_are_forgotten(life):
    journal = life()
    for token in "abc":
        journal.keep(token, DESK)
    journal.forget("a")
    journal.note_done("a", 9)
    journal.flush()
    journal = life()
    assert journal.recall("a") is None
    journal.note_done("b", 6)
    journal.forget_stale()
    journal.flush()
    journal = life()
    assert [journal.recall(token) is not None for token in "abc"] == [False, True, False]


def test_who_was_seen_before_and_has_not_come_back(life):
    ann, ben, team = Jid("ann@example.com", "desk"), Jid("ben@example.com", "x" * 500), Jid("team@example.com")
    journal = life()
    for jid in (ann, ben, team, Jid("eve@other.example", "pc")):
        journal.note_presence(jid, is_there=True)
    journal.note_presence(team, is_there=False)
    journal.flush()
    assert journal.seen_before("example.com") == []
    for _ in range(2):
        journal = life()
        assert set(journal.seen_before("example.com")) == {ann, ben}
    journal.note_presence(ann, is_there=True)
    assert journal.seen_before("example.com") == [ben]
    journal.note_presence(ben, is_there=False)
    journal.flush()
    assert life().seen_before("example.com") == [ann]


def test_what_was_not_flushed_was_told_to_nobody(path, opened):
    journal = opened()
    journal.keep("d", DESK)
    journal.flush()
    journal.note_chat("d", 11, 7, 7)
    assert opened().recall("d") == DESK


def test_another_boot_knows_nothing(path, opened):
    for boot in ("another boot", ""):
        journal = opened()
        journal.keep("d", DESK)
        journal.flush()
        assert opened(boot).recall("d") is None
        assert opened().recall("d") is None  # nor does the one after it
    journal = opened("")  # where a boot has no name, nothing is taken over
    journal.keep("d", DESK)
    journal.flush()
    assert opened("").recall("d") is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_that_was_cut_anywhere_says_what_it_said_then(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cut") / "sessions.journal"
    journal, states = FileJournal(path, BOOT), []
    try:
        for number in range(12, 20):
            states.append((path.stat().st_size, journal.recall("d")))
            journal.keep("d", DESK) if number % 4 == 0 else journal.note_chat("d", number, number, number)
            journal.flush()
        states.append((path.stat().st_size, journal.recall("d")))
    finally:
        journal.close()
    cut = data.draw(st.integers(0, states[-1][0]))
    os.truncate(path, cut)
    after = FileJournal(path, BOOT)
    after.close()
    assert after.recall("d") == next((known for size, known in reversed(states) if size <= cut), None)


def test_a_flipped_bit_ends_the_reading(path, opened):
    journal = opened()
    journal.keep("d", DESK)
    journal.flush()
    size = path.stat().st_size
    journal.note_done("d", 9)
    journal.flush()
    data = bytearray(path.read_bytes())
    data[size + 12] ^= 1
    path.write_bytes(data)
    assert opened().recall("d") == DESK


def test_the_file_is_written_anew_when_it_has_grown(path, opened, monkeypatch):
    monkeypatch.setattr(session_journal, "FILE_BYTES", 4_096)
    journal = opened()
    for number in range(2_000):
        journal.keep("d", KeptSession(DESK.session, number, STATE))
        journal.flush()
        assert path.stat().st_size < 8_192
    assert opened().recall("d").done == 1_999


def test_a_disk_that_refuses_leaves_nothing_rather_than_half(path, opened, monkeypatch, caplog):
    journal = opened()
    journal.keep("d", DESK)
    journal.flush()
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", _refuse)
        journal.note_chat("d", 11, 7, 7)
        journal.flush()
        assert not path.exists()
        journal.note_chat("d", 12, 8, 8)
        journal.flush()  # the client is told all the same: the chat is in the archive
    assert "cannot be written" in caplog.text
    assert journal.recall("d") == with_chat(with_chat(DESK, 11, 7, 7), 12, 8, 8)
    monkeypatch.setattr(session_journal, "RETRY_SECONDS", 0)
    monkeypatch.setattr(journal, "_retry_at", 0)
    journal.note_chat("d", 13, 9, 9)
    journal.flush()
    assert opened().recall("d") == journal.recall("d")


def test_only_the_owner_may_read_it(path, opened):
    opened()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_others_may_look_at_it(tmp_path):
    path = tmp_path / "sessions.journal"
    assert read_sessions(path) == []
    journal = FileJournal(path)
    journal.keep("d", DESK)
    journal.note_chat("d", 11, 7, 7)
    journal.flush()
    assert read_sessions(path) == [with_chat(DESK, 11, 7, 7)]
    journal.close()


def _refuse(*_):
    raise OSError(28, "No space left on device")
