"""The contact list and its versions."""

import random

from engine import contacts
from engine.contacts import (
    Contact,
    ContactKind,
    ContactList,
    PersonalContact,
    RemovedContact,
    RosterVersion,
    personal_groups,
    personal_name,
)


def member(number: int, changed: int, **fields) -> Contact:
    return Contact(address=f"u{number}@example.com", changed=changed, **fields)


def removed(number: int, changed: int) -> RemovedContact:
    return RemovedContact(address=f"u{number}@example.com", kind=ContactKind.MEMBER, changed=changed)


def test_what_changed_since_a_version_comes_once_and_in_order():
    listed = ContactList([member(1, 1), member(2, 2)])
    listed.apply(member(3, 3))
    listed.apply(member(1, 4, name="New"))
    listed.apply(removed(2, 5))
    assert [change.address for change in listed.since(2)] == ["u3@example.com", "u1@example.com", "u2@example.com"]
    assert listed.since(5) == []
    assert [contact.address for contact in listed.all] == ["u1@example.com", "u3@example.com"]


def test_an_unknown_version_is_answered_with_the_whole_list():
    listed = ContactList([member(1, 7)])
    assert listed.since(8) is None
    assert listed.since(-1) is None
    assert [change.address for change in listed.since(0)] == ["u1@example.com"]


def test_the_list_is_the_same_object_until_something_changes():
    listed = ContactList([member(1, 1)])
    before = listed.all
    assert listed.all is before
    listed.apply(member(2, 2))
    assert listed.all is not before


def test_removed_contacts_are_remembered_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(contacts, "REMOVED_REMEMBERED", 3)
    listed = ContactList()
    for number in range(5):
        listed.apply(member(number, 2 * number + 1))
        listed.apply(removed(number, 2 * number + 2))
    assert listed.since(3) is None, "from before the oldest that is remembered"
    assert [change.address for change in listed.since(6)] == ["u3@example.com", "u4@example.com"]


def test_a_client_that_follows_the_changes_has_the_list():
    choose = random.Random(2).choice
    listed = ContactList()
    mirror: dict[str, Contact] = {}
    known = 0
    for version in range(1, 500):
        number = choose(range(20))
        listed.apply(choose([member, removed])(number, version))
        if choose([True, False, False]):
            for change in listed.since(known):
                if isinstance(change, Contact):
                    mirror[change.address] = change
                else:
                    mirror.pop(change.address, None)
            known = listed.version
            assert mirror == {contact.address: contact for contact in listed.all}


def test_versions_are_read_as_they_are_written():
    assert RosterVersion.parse(str(RosterVersion(12, 3))) == RosterVersion(12, 3)
    for text in ("", "12", "-", "1-", "-1", "a-b", "1-2-3", "\N{ARABIC-INDIC DIGIT ONE}-2", " 1-2"):
        assert RosterVersion.parse(text) is None, text
    assert RosterVersion.parse("9" * 5000 + "-1") is not None


def test_own_additions_go_over_the_domains():
    contact = member(1, 1, name="Bob Baker", department="Sales")
    assert (personal_name(contact, {}), personal_groups(contact, {})) == ("Bob Baker", ("Sales",))
    own = {contact.address: PersonalContact(address=contact.address, name="Bobby", groups=())}
    assert (personal_name(contact, own), personal_groups(contact, own)) == ("Bobby", ())
    dropped = {contact.address: PersonalContact(address=contact.address)}
    assert (personal_name(contact, dropped), personal_groups(contact, dropped)) == ("Bob Baker", ("Sales",))
    assert member(1, 1).display_name == "u1"
