"""The four statuses, how sessions merge, and what Offline in webmail means."""

import itertools

import pytest

from engine.presence import Presence, Status, merge, merge_members, sees_others, takes_chats

AVAILABLE, AWAY, BUSY = Presence(), Presence(show="away"), Presence(show="dnd")


@pytest.mark.parametrize(
    ("show", "status"),
    [
        ("", Status.AVAILABLE),
        ("chat", Status.AVAILABLE),
        ("away", Status.AWAY),
        ("xa", Status.AWAY),
        ("dnd", Status.BUSY),
    ],
)
def test_each_show_is_one_status(show, status):
    assert Presence(show=show).status is status


@pytest.mark.parametrize("status", Status)
def test_a_status_from_the_menu_is_the_status_that_others_see(status):
    presence = Presence.of_status(status, "back at noon")
    assert merge([presence]) is status
    assert presence is None or presence.text == "back at noon"


def test_a_person_is_as_reachable_as_the_best_session():
    assert merge([AWAY, BUSY, AVAILABLE, None]) is Status.AVAILABLE
    assert merge([AWAY, BUSY]) is Status.BUSY
    assert merge([AWAY, None]) is Status.AWAY
    assert merge([None]) is merge([]) is Status.OFFLINE


@pytest.mark.parametrize("sessions", list(itertools.permutations([AVAILABLE, AWAY, BUSY, None])))
def test_the_order_of_sessions_does_not_matter(sessions):
    assert merge(sessions) is Status.AVAILABLE


def test_an_alias_is_as_reachable_as_its_best_member():
    assert merge_members([Status.OFFLINE, Status.BUSY, Status.AWAY]) is Status.AWAY
    assert merge_members([Status.BUSY, Status.OFFLINE]) is Status.BUSY
    assert merge_members([]) is Status.OFFLINE


def test_offline_in_webmail_silences_webmail_only():
    webmail, xmpp = Presence.of_status(Status.OFFLINE), AWAY
    assert not takes_chats(webmail)
    assert not sees_others(webmail)
    assert takes_chats(xmpp)
    assert sees_others(xmpp)
    assert merge([webmail, xmpp]) is Status.AWAY, "the XMPP client stays as it is"


def test_a_negative_priority_is_seen_but_takes_no_chats():
    robot = Presence(priority=-1)
    assert not takes_chats(robot)
    assert sees_others(robot)
    assert merge([robot]) is Status.AVAILABLE
