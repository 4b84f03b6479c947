"""`rookery trace`, with the server running and stopped."""

import json

import pytest
import trio

from config.upkeep import ARCHIVE
from engine.ports import Cursor, Notes
from index.archive import SqliteArchive
from index.asyncio_island import Island
from tests.config.archive import say
from tests.index.stories import NOON, Clock, says, says_to_alias

A, B, C, TEAM = "ann@a.example", "ben@a.example", "cat@a.example", "team@a.example"


@pytest.fixture
def talk(anyhow):
    say(
        anyhow,
        says(f"{A}/desk", B, "a secret", "origin-1", stanza_id="s1"),
        says(B, A, "another", stanza_id="s1"),
        at=NOON,
    )
    return anyhow


def deliver(shell, cursors):
    async def commit():
        async with Island() as island, SqliteArchive(island, shell.data / ARCHIVE, clock=Clock()) as archive:
            await archive.commit((), Notes(cursors))

    trio.run(commit)


def test_for_people(talk):
    first = f"{int(NOON * 1_000_000):016x}"
    deliver(talk, {(B, "Gajim"): Cursor(0, 1 << 60), (B, "evil\x9b31m"): Cursor(0, 1)})
    assert talk.does("trace", "origin-1") == (
        f"message {first}\n"
        "  accepted   2023-11-14T22:13:20.000000Z from ann@a.example/desk\n"
        f"  archived   as {first}, before anyone was shown it\n"
        "  to         ben@a.example\n"
        "  origin-id  'origin-1'\n"
        "  id         's1'\n"
        "  history of ann@a.example: sent\n"
        "  history of ben@a.example: received\n"
        "    delivered to Gajim\n"
        "    not yet to   evil\ufffd31m\n"
    )
    assert talk.does("trace", "s1").count("message 000") == 2
    assert "waiting for  ann@a.example: no client has got it" in talk.does("trace", "s1")


def test_for_programs(talk):
    deliver(talk, {(B, "Gajim"): Cursor(0, 1 << 60)})
    found = json.loads(talk.does("trace", "origin-1", "--json"))
    assert found == {
        "messages": [
            {
                "id": f"{int(NOON * 1_000_000):016x}",
                "time": "2023-11-14T22:13:20.000000Z",
                "from": f"{A}/desk",
                "to": B,
                "via": None,
                "kind": "chat",
                "stanza_id": "s1",
                "origin_id": "origin-1",
                "in_history_of_sender": True,
                "recipients": [
                    {
                        "address": B,
                        "is_waiting": False,
                        "clients": [{"client": "Gajim", "is_given": True}],
                        "sessions": [],
                    }
                ],
                "absent": [],
            }
        ],
        "is_complete": True,
    }
    assert "secret" not in talk.does("trace", "s1", "--json") + talk.does("trace", "s1")


def test_an_alias_message(talk):
    say(talk, says_to_alias(f"{A}/desk", TEAM, B, C, stanza_id="s2"), at=NOON + 1)
    text = talk.does("trace", "s2")
    assert "to         team@a.example, an alias\n" in text
    assert "absent     cat@a.example: offline while other members of the alias were online" in text


def test_many(talk):
    say(talk, *(says(A, B, stanza_id="1") for _ in range(150)), at=NOON + 1)
    assert talk.does("trace", "1").endswith("there are more; these are 100\n")
    assert json.loads(talk.does("trace", "1", "--json"))["is_complete"] is False


def test_what_is_unknown_is_refused(talk, shell):
    assert talk.refuses("trace", "nobody's") == 'no message has the id "nobody\'s"'
    assert talk.refuses("trace", "0" * 16) == f"no message has the id '{'0' * 16}'"
    assert talk.refuses("trace", "--json", "x\ny") == r"no message has the id 'x\ny'"


def test_before_anything_was_said(shell):
    assert shell.refuses("trace", "x") == "no message has the id 'x'"
    assert shell.run("trace").exit_code == 2


def test_an_archive_that_cannot_be_read_is_refused(shell):
    shell.data.mkdir()
    (shell.data / ARCHIVE).write_bytes(b"no database at all" * 1000)
    assert "cannot be read: file is not a database" in shell.refuses("trace", "x")
