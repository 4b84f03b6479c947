"""`rookery history purge`, with the server running and stopped: it says what it does, and does what it said."""

import json
import re
import sqlite3
from contextlib import closing

import pytest
import trio

from config.upkeep import ARCHIVE, HISTORY
from engine.files import SharedFile
from engine.messages import HistoryQuery
from index.history_index import TantivyHistory
from tests.config.archive import DAY, HOUR, files_of, say, share
from tests.index.stories import NOON, says, says_to_alias

A, B, C, TEAM = "ann@a.example", "ben@a.example", "cat@a.example", "team@a.example"
PURGE = ("history", "purge", "--before")
FIRST_DAY, SECOND_DAY, THIRD_DAY = "2023-11-14", "2023-11-15", "2023-11-16"


def word(number):
    """One of a kind."""
    return f"quark{number:04d}x"


@pytest.fixture
def talk(anyhow):
    """Forty messages on 14 November 2023, three the day after."""
    for address in (A, B, C):
        anyhow.does("user", "add", address, stdin="")
    say(anyhow, *(says(A, B, f"{word(n)} ä") for n in range(30)), at=NOON)
    say(anyhow, *(says_to_alias(B, TEAM, f"{A} {C}", body=word(n)) for n in range(30, 40)), at=NOON + HOUR)
    say(anyhow, *(says(B, C, word(n)) for n in range(40, 43)), at=NOON + DAY)
    return anyhow


def rows(shell, sql):
    with closing(sqlite3.connect(shell.data / ARCHIVE)) as connection:
        return connection.execute(sql).fetchall()


def on_disk(shell):
    """The numbers of the words that are in any file of the data folder."""
    found = set()
    for file in shell.data.rglob("*"):
        if file.is_file():
            found |= {int(number) for number in re.findall(rb"quark(\d{4})x", file.read_bytes())}
    return found


def oracle(shell, before):
    """What a purge says, counted in another way."""
    messages = rows(shell, f"SELECT id, body, payload FROM message WHERE id < {before}")
    sides = rows(shell, f"SELECT owner, peer FROM entry WHERE id < {before}")
    octets = sum(len(body.encode()) + len(payload.encode()) for _, body, payload in messages)
    pairs = {tuple(sorted(side)) for side in sides}
    return {
        "messages": len(messages),
        "octets": octets,
        "conversations": len(pairs),
        "members": len({o for o, _ in sides}),
    }


def test_the_preview_is_what_happens(talk):
    expected = oracle(talk, int((NOON + 2 * HOUR) * 1_000_000))
    assert expected == {"messages": 40, "octets": expected["octets"], "conversations": 3, "members": 3}
    preview = json.loads(talk.does(*PURGE, SECOND_DAY, "--dry-run", "--json"))
    assert preview == {**expected, "waiting": 40, "is_removed": False}
    assert json.loads(talk.does(*PURGE, SECOND_DAY, "--dry-run", "--json")) == preview  # it did nothing
    assert json.loads(talk.does(*PURGE, SECOND_DAY, "--json")) == preview | {"is_removed": True}
    nothing = dict.fromkeys(preview, 0)
    assert json.loads(talk.does(*PURGE, SECOND_DAY, "--json")) == nothing | {"is_removed": True}
    assert len(rows(talk, "SELECT id FROM message")) == 3
    assert talk.does("verify") == "no faults found\n"


def test_it_says_so_in_words(talk):
    octets = oracle(talk, int((NOON + 2 * HOUR) * 1_000_000))["octets"]
    rest = f"40 messages ({octets} bytes of text) of 3 conversations of 3 members; 40 of them had not reached a recipient\n"
    assert talk.does(*PURGE, SECOND_DAY, "--dry-run") == f"would remove {rest}"
    assert talk.does(*PURGE, SECOND_DAY) == f"removed {rest}"
    assert talk.does(*PURGE, SECOND_DAY) == "removed 0 messages (0 bytes of text) of 0 conversations of 0 members\n"


def test_no_file_has_it_afterwards(talk):
    assert on_disk(talk) == set(range(43))
    talk.does(*PURGE, SECOND_DAY)
    assert on_disk(talk) == {40, 41, 42}
    talk.does(*PURGE, THIRD_DAY)
    assert on_disk(talk) == set()


def test_the_exact_time_counts(talk):
    talk.does(*PURGE, "2023-11-14T23:13:20Z")
    assert len(rows(talk, "SELECT id FROM message")) == 13
    talk.does(*PURGE, "2023-11-15T00:13:20.000005+01:00")
    assert len(rows(talk, "SELECT id FROM message")) == 8
    talk.does(*PURGE, FIRST_DAY)
    assert len(rows(talk, "SELECT id FROM message")) == 8


def test_the_search_does_not_find_it_afterwards(shell):
    for address in (A, B):
        shell.does("user", "add", address, stdin="")
    say(shell, says(A, B, word(1)), says(A, B, word(2)), at=NOON)
    say(shell, says(A, B, word(3)), at=NOON + DAY)
    shell.does("reindex")

    async def found(text):
        index = TantivyHistory.open(shell.data / HISTORY)
        try:
            ids, _ = await index.find(HistoryQuery(owner=A, text=text))
            return len(ids), await index.count()
        finally:
            await index.aclose()

    assert [trio.run(found, word(n)) for n in (1, 2, 3)] == [(1, 3)] * 3
    shell.does(*PURGE, SECOND_DAY)
    assert [trio.run(found, word(n)) for n in (1, 2, 3)] == [(0, 1), (0, 1), (1, 1)]


def test_the_future_is_refused(talk):
    for time in ("9999-12-31", "2123-11-15T00:00:00Z"):
        assert "still to come" in talk.refuses(*PURGE, time)
        assert "still to come" in talk.refuses(*PURGE, time, "--dry-run")
    assert len(rows(talk, "SELECT id FROM message")) == 43


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Missing option '--before'"),
        (("--before", "tomorrow"), "'tomorrow' is neither a date"),
        (("--before", "2023-02-30"), "'2023-02-30' is neither a date"),
    ],
)
def test_wrong_usage(shell, options, words):
    result = shell.run("history", "purge", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_an_empty_archive(anyhow):
    assert anyhow.does(*PURGE, "1970-01-01").startswith("removed 0 messages")
    assert anyhow.does(*PURGE, "0001-01-01").startswith("removed 0 messages")


def test_a_reader_that_does_not_end_is_told(talk, monkeypatch):
    monkeypatch.setattr("index.database.EMPTY_LOG_ATTEMPTS", 2)
    with closing(sqlite3.connect(talk.data / ARCHIVE, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM message").fetchone()
        line = talk.refuses(*PURGE, SECOND_DAY)
        other.execute("ROLLBACK")
    assert line.startswith("40 messages removed, but the archive's log still has them, because another program reads")
    assert talk.does(*PURGE, SECOND_DAY).startswith("removed 0 messages")
    assert on_disk(talk) == {40, 41, 42}


def test_an_archive_that_cannot_be_used_is_refused(shell):
    shell.does("user", "add", A, stdin="")
    (shell.data / ARCHIVE).write_bytes(b"no database at all" * 1000)
    assert "damaged" in shell.refuses(*PURGE, SECOND_DAY)


# -- who is removed -----------------------------------------------------------------------------------------------------


def test_a_removed_member_takes_its_history_and_leaves_the_others_theirs(talk):
    said = talk.does("history", "export", B, "--format", "jsonl")
    assert talk.does("user", "remove", A) == (
        "user ann@a.example removed\nits history removed: 40 messages; the others keep theirs\n"
    )
    assert talk.does("history", "export", B, "--format", "jsonl") == said
    assert talk.does("verify") == "no faults found\n"
    assert talk.does("user", "add", A, stdin="").startswith("user ann@a.example added")
    assert talk.does("history", "export", A, "--format", "jsonl") == ""
    assert talk.does("user", "remove", A) == "user ann@a.example removed\n"


def test_what_is_in_nobodys_history_is_removed_from_the_disk(talk):
    talk.does("user", "remove", A)
    assert on_disk(talk) == set(range(43))
    talk.does("user", "remove", B)
    assert len(rows(talk, "SELECT id FROM message")) == 13  # what the team and ben said to cat
    assert talk.does("verify") == "no faults found\n"
    talk.does("user", "remove", C)
    assert rows(talk, "SELECT id FROM message") == []
    talk.does(*PURGE, FIRST_DAY)  # does what the server does some minutes later
    assert on_disk(talk) == set()


def test_a_removal_that_was_cut_short_between_the_two_databases_is_finished(shell):
    for address in (A, B):
        shell.does("user", "add", address, stdin="")
    say(shell, says(A, B, "old"), at=NOON)
    with closing(sqlite3.connect(shell.data / "accounts.sqlite", isolation_level=None)) as accounts:
        accounts.execute("PRAGMA foreign_keys = ON")
        accounts.execute("DELETE FROM contact WHERE address = ?", (A,))
        accounts.execute("INSERT INTO departing VALUES (?)", (A,))
    assert shell.does("user", "add", A, stdin="").startswith("user ann@a.example added")
    assert shell.does("history", "export", A, "--format", "jsonl") == ""
    assert '"body":"old"' in shell.does("history", "export", B, "--format", "jsonl")
    assert shell.does("verify") == "no faults found\n"


def test_an_address_is_not_given_again_before_its_history_is_gone(shell):
    for address in (A, B):
        shell.does("user", "add", address, stdin="")
    say(shell, says(A, B, "old"), at=NOON)
    archive = (shell.data / ARCHIVE).read_bytes()
    (shell.data / ARCHIVE).write_bytes(b"no database at all" * 1000)
    said = shell.does("user", "remove", A)
    assert "its history is removed as soon as the archive can be written" in said
    csv = shell.folder / "people.csv"
    csv.write_text(f"address,name,password\n{A},Ann,\n")
    for command in (("user", "add", A), ("alias", "add", A, B)):
        assert "its history is still being removed; try again in a moment" in shell.refuses(*command, stdin="")
    result = shell.run("user", "import", str(csv))
    assert result.exit_code == 1
    assert f"{csv}:2: {A} was removed, and its history is still being removed" in result.stderr
    (shell.data / ARCHIVE).write_bytes(archive)
    assert shell.does("user", "add", A, stdin="").startswith("user ann@a.example added")
    assert shell.does("history", "export", A, "--format", "jsonl") == ""


def test_files_go_with_their_messages(anyhow):
    for address in (A, B, C):
        anyhow.does("user", "add", address, stdin="")
    old, new, carried_on = (SharedFile(f"{number:024}", A, "a.txt", 7, int(NOON * 1e6)) for number in range(3))
    for file in (old, new, carried_on):
        share(anyhow, file)
    say(anyhow, says(A, B, "old", file=old.id), says(A, B, "passed on", file=carried_on.id), at=NOON + HOUR)
    say(anyhow, says(A, B, "new", file=new.id), says(B, C, "again", file=carried_on.id), at=NOON + DAY)
    anyhow.does(*PURGE, SECOND_DAY, "--dry-run")
    assert files_of(anyhow) == [old.id, new.id, carried_on.id]
    anyhow.does(*PURGE, SECOND_DAY)
    assert files_of(anyhow) == [new.id, carried_on.id]
    anyhow.does("user", "remove", A)
    assert files_of(anyhow) == [new.id, carried_on.id]  # the others keep what was sent to them
    for address in (B, C):
        anyhow.does("user", "remove", address)
    assert files_of(anyhow) == []
