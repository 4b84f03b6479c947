"""What became of a message, found by any of its names."""

import pytest

from engine.jid import Jid
from engine.messages import SessionState
from engine.ports import Cursor, Notes
from engine.resumption import KeptSession
from index import onlooker, traces
from index.archive import SqliteArchive
from index.onlooker import Onlooker
from index.traces import Client, Session, find
from tests.index.stories import says, says_to_alias

A, B, C, D, TEAM = "a@x.org", "b@x.org", "c@x.org", "d@x.org", "team@x.org"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.sqlite"


@pytest.fixture
async def archive(island, path, clock):
    async with SqliteArchive(island, path, clock=clock) as archive:
        yield archive


def trace(path, name, sessions=()):
    with Onlooker(path) as looker:
        return find(looker, sessions, name)


def ids(path, name):
    found, is_complete = trace(path, name)
    assert is_complete
    return [one.chat.id for one in found]


async def test_by_each_of_its_names(archive, path):
    one, two, three = (
        stored.id
        for stored in await archive.commit(
            [
                says(A, B, origin="origin-1", stanza_id="s"),
                says(B, A, origin="origin-2", stanza_id="s"),
                says(A, C, stanza_id="origin-1"),
            ]
        )
    )
    assert ids(path, f"{one:016x}") == [one]
    assert ids(path, f"{one:016X}") == [one]
    assert ids(path, "origin-2") == [two]
    assert ids(path, "s") == [one, two]
    assert ids(path, "origin-1") == [one, three]
    for unknown in ("", "x", "ORIGIN-1", f"{three + 1:016x}", "0" * 16, "f" * 16, "%", "'; --"):
        assert ids(path, unknown) == []


async def test_the_last_one_of_many_is_found(archive, path, monkeypatch):
    monkeypatch.setattr(onlooker, "_SPAN", onlooker._SPAN.replace("LIMIT 20000", "LIMIT 7"))
    stored = await archive.commit([says(A, B, origin=f"o{n}") for n in range(50)])
    assert [ids(path, f"o{n}") for n in range(50)] == [[one.id] for one in stored]


async def test_too_many_are_not_all_shown(archive, path, monkeypatch):
    monkeypatch.setattr(onlooker, "_SPAN", onlooker._SPAN.replace("LIMIT 20000", "LIMIT 70"))
    stored = await archive.commit([says(A, B, stanza_id="1") for _ in range(150)])
    found, is_complete = trace(path, "1")
    assert [one.chat.id for one in found] == [one.id for one in stored[: traces.TRACES]]
    assert not is_complete


async def test_which_clients_have_got_it(archive, path):
    stored = await archive.commit([says(A, B, origin=name) for name in ("old", "mid", "new")])
    mid, new = stored[1].id, stored[2].id
    cursors = {
        (B, "Gajim"): Cursor(0, new),
        (B, "phone"): Cursor(0, mid),
        (B, "late"): Cursor(mid, mid),
        (C, "x"): Cursor(0, new),
    }
    await archive.commit((), Notes(cursors))

    def clients(name):
        ((one,), _) = trace(path, name)
        (receipt,) = one.receipts
        return {client.family: client.is_given for client in receipt.clients}, receipt.is_waiting

    assert clients("old") == ({"Gajim": True, "phone": True}, False)
    assert clients("mid") == ({"Gajim": True, "phone": True}, False)
    assert clients("new") == ({"Gajim": True, "phone": False, "late": False}, False)
    (later,) = await archive.commit([says(A, B, origin="later")])
    assert clients("later") == ({"Gajim": False, "phone": False, "late": False}, True)
    assert later.id > new


async def test_whoever_was_never_there_is_waited_for(archive, path):
    await archive.commit([says(A, B, origin="o")])
    ((one,), _) = trace(path, "o")
    assert one.receipts == (traces.Receipt(B, (), ()),)
    assert one.receipts[0].is_waiting


async def test_which_sessions_have_acknowledged_it(archive, path):
    one, two, three = (stored.id for stored in await archive.commit([says(A, B, origin=name) for name in "123"]))
    sessions = (
        KeptSession(Jid(B, "desk"), 0, SessionState(acked_id=one, chats=((7, two),), family="Gajim")),
        KeptSession(Jid(B, "phone"), 0, SessionState(acked_id=two, family="phone")),
        KeptSession(Jid(C, "else"), 0, SessionState(acked_id=three)),
    )
    await archive.commit((), Notes({(B, "Gajim"): Cursor(0, two), (B, "phone"): Cursor(one, two)}))

    def acknowledged(name):
        ((found,), _) = trace(path, name, sessions)
        return list(found.receipts[0].sessions)

    assert acknowledged("1") == [Session("desk", is_acknowledged=True)]  # the phone began behind it
    assert acknowledged("2") == [Session("desk", is_acknowledged=False), Session("phone", is_acknowledged=True)]
    assert acknowledged("3") == []


async def test_an_alias_message(archive, path):
    await archive.commit([says_to_alias(f"{A}/desk", TEAM, f"{B} {C}", D, stanza_id="s")])
    ((one,), _) = trace(path, "s")
    assert (one.chat.via, one.chat.to, one.has_sender) == (Jid(TEAM), Jid(TEAM), True)
    assert [receipt.owner for receipt in one.receipts] == [B, C]
    assert one.absent == (D,)


async def test_who_left_has_it_no_more(archive, path):
    await archive.commit([says(A, B, origin="o")])
    while not (await archive.retention.depart(A)).is_done:
        pass
    ((one,), _) = trace(path, "o")
    assert not one.has_sender
    assert [receipt.owner for receipt in one.receipts] == [B]


def test_nothing_is_there(path):
    assert trace(path, "o") == ([], True)


def test_values_are_values():
    assert Client("x", is_given=True) == Client("x", is_given=True)
