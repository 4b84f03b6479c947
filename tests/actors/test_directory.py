"""The only look-up: binding, finding, starting on demand, and what a domain shows."""

import pytest

from actors.directory import ARCHIVER, Directory
from actors.mailbox import MailboxFull, Policy
from actors.runtime import TrioActor
from engine.contacts import Contact, ContactList


class Listener(TrioActor):
    def __init__(self, heard=None):
        super().__init__()
        self.heard = heard if heard is not None else []

    def on_receive(self, message):
        self.heard.append(message)


class Choosy(Listener):
    mailbox_limit = 1
    mailbox_policy = Policy.REFUSE


async def test_bind_find_unbind(runtime):
    directory, ref = Directory(), runtime.start(Listener)
    assert directory.find("ann@a.example") is None
    directory.bind("ann@a.example", ref)
    assert directory.find("ann@a.example") is ref
    assert "ann@a.example" in directory
    assert list(directory) == ["ann@a.example"] == list(directory.addresses())
    directory.unbind("ann@a.example", ref)
    assert len(directory) == 0


async def test_the_last_one_to_bind_has_the_address_and_the_first_cannot_take_it_away(runtime):
    directory, old, new = Directory(), runtime.start(Listener), runtime.start(Listener)
    directory.bind("ann@a.example/desk", old)
    directory.bind("ann@a.example/desk", new)
    directory.unbind("ann@a.example/desk", old)
    assert directory.find("ann@a.example/desk") is new
    assert directory.sessions("ann@a.example") == (new,)


async def test_addresses_may_change_while_one_walks_over_them(runtime):
    directory, ref = Directory(), runtime.start(Listener)
    for number in range(3):
        directory.bind(f"u{number}@a.example", ref)
    for address in directory:
        directory.unbind(address, ref)
    assert len(directory) == 0


async def test_sessions_of_one_account(runtime):
    directory, one, two, other = Directory(), *(runtime.start(Listener) for _ in range(3))
    directory.bind("ann@a.example", other)
    directory.bind("ann@a.example/desk", one)
    directory.bind("ann@a.example/phone/2", two)
    directory.bind("bob@a.example/desk", other)
    assert directory.sessions("ann@a.example") == (one, two)
    directory.unbind("ann@a.example/desk", one)
    directory.unbind("ann@a.example/phone/2", two)
    assert directory.sessions("ann@a.example") == ()
    assert directory._sessions.keys() == {"bob@a.example"}


async def test_who_is_gone_is_not_found(runtime):
    directory, ref = Directory(), runtime.start(Listener)
    directory.bind("ann@a.example/desk", ref)
    directory.bind(ARCHIVER, ref)
    await ref.stop(block=False)
    assert directory.find("ann@a.example/desk") is None
    assert directory.sessions("ann@a.example") == ()
    assert directory.tell(ARCHIVER, "hello") is False
    assert len(directory) == 0


async def test_accounts_are_started_when_they_are_needed(runtime):
    directory, asked = Directory(), []

    def factory(address):
        asked.append(address)
        return runtime.start(Listener) if address.startswith("ann@") else None

    directory.set_factory("a.example", factory)
    ref = directory.resolve("ann@a.example")
    assert ref is not None
    assert directory.resolve("ann@a.example") is ref is directory.find("ann@a.example")
    assert directory.resolve("bob@a.example") is None
    assert asked == ["ann@a.example", "bob@a.example"]
    # Only bare JIDs of that domain are accounts.
    for address in ("a.example", "ann@a.example/desk", "ann@b.example", "@a.example", ARCHIVER):
        assert directory.resolve(address) is None
    assert len(asked) == 2
    directory.set_factory("a.example", None)
    assert directory.resolve("cid@a.example") is None


async def test_an_account_that_ended_is_started_again(runtime):
    directory = Directory()
    directory.set_factory("a.example", lambda _: runtime.start(Listener))
    first = directory.resolve("ann@a.example")
    await first.stop(block=False)
    second = directory.resolve("ann@a.example")
    assert second is not first
    assert second.is_alive()


async def test_tell(runtime):
    directory, heard = Directory(), []
    directory.bind("ann@a.example", runtime.start(Listener, heard))
    assert directory.tell("ann@a.example", "hello") is True
    assert directory.tell("bob@a.example", "hello") is False
    await runtime.quiescent()
    assert heard == ["hello"]


async def test_a_full_mailbox_is_the_tellers_to_know(runtime):
    directory = Directory()
    directory.bind(ARCHIVER, runtime.start(Choosy))
    directory.tell(ARCHIVER, 1)
    with pytest.raises(MailboxFull):
        directory.tell(ARCHIVER, 2)


def test_a_domain_is_an_island():
    directory, ann = Directory(), Contact(address="ann@a.example")
    directory.publish("a.example", ContactList([ann]))
    directory.publish("b.example", ContactList())
    assert directory.contact("a.example", "ann@a.example") is ann
    assert directory.contact("b.example", "ann@a.example") is None
    assert directory.contact("c.example", "ann@a.example") is None
    directory.publish("a.example", None)
    assert directory.contact("a.example", "ann@a.example") is None
