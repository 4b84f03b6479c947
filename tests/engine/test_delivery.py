"""The table of RFC 6121, section 8, cell by cell where it matters."""

import pytest

from engine.delivery import KINDS, TABLE, Account, Outcome, choose, is_archived, outcome, table_lines
from engine.jid import Jid
from engine.messages import Chat
from engine.presence import Presence

ALICE = Jid("alice@example.com", "desk")
BOB = "bob@example.com"
ALL_THERE = {"desk": Presence(), "phone": Presence(show="away"), "robot": Presence(priority=-1), "mute": None}
NOBODY = {"robot": Presence(priority=-1), "mute": None}


def chat(to: str = BOB, kind: str = "chat", **fields) -> Chat:
    return Chat(sender=ALICE, to=Jid.parse(to), kind=kind, **fields)


def test_the_table_is_complete():
    assert set(TABLE) == set(Account)
    assert {len(row) for row in TABLE.values()} == {len(KINDS)}
    assert len(list(table_lines())) == 1 + len(TABLE)


@pytest.mark.parametrize("kind", ["chat", "normal", "headline"])
def test_the_bare_jid_is_every_session_that_takes_chats(kind):
    assert choose(chat(kind=kind), BOB, ALL_THERE).resources == ("desk", "phone")
    assert choose(chat(kind=kind), BOB, NOBODY).outcome is Outcome.WAIT


@pytest.mark.parametrize("resource", ALL_THERE)
def test_the_full_jid_is_that_session_whatever_it_takes(resource):
    decided = choose(chat(f"{BOB}/{resource}"), BOB, ALL_THERE)
    assert (decided.reason, decided.resources) == (Account.FULL_MATCH, (resource,))


def test_a_full_jid_that_is_gone_is_the_bare_one():
    assert choose(chat(f"{BOB}/gone"), BOB, ALL_THERE).resources == ("desk", "phone")
    assert choose(chat(f"{BOB}/gone"), BOB, NOBODY).outcome is Outcome.WAIT


@pytest.mark.parametrize("account", Account)
def test_rooms_are_refused_and_errors_never_answered(account):
    assert outcome(account, "groupchat") is Outcome.REFUSE
    assert outcome(account, "error") in {Outcome.IGNORE, Outcome.ONE}


def test_an_error_reaches_the_session_that_it_is_for_and_no_other():
    assert choose(chat(f"{BOB}/desk", "error"), BOB, ALL_THERE).resources == ("desk",)
    assert choose(chat(BOB, "error"), BOB, ALL_THERE).resources == ()


def test_an_alias_reaches_all_sessions_but_the_sending_one():
    said = chat("team@example.com", via=Jid("team@example.com"))
    assert choose(said, BOB, ALL_THERE).resources == ("desk", "phone")
    assert choose(said, ALICE.bare, ALL_THERE).resources == ("phone",)
    assert choose(said, ALICE.bare, {"desk": Presence()}).resources == ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_says_something_is_history(kind):
    assert is_archived(chat(kind=kind, is_lasting=True)) is (kind in {"chat", "normal", "headline"})
    assert not is_archived(chat(kind=kind))
