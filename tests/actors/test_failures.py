"""What a failing handler costs: the session that sent the stanza is told, everybody else goes on."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.alias import Alias
from actors.domain import Domain
from actors.user import User
from engine import delivery
from engine import messages as m
from engine.contacts import ContactList
from engine.jid import Jid
from engine.messages import Chat
from engine.presence import Presence, PresenceChange, Status
from index.memory_archive import MemoryArchive
from tests.stage.memory_stage import MemoryStage, memory_stage
from tests.stage.player import condition, is_error

POISON = "poison"
SALES = "salesteam@example.com"


def fails_at(monkeypatch: pytest.MonkeyPatch, actor: Any, kind: type, text: str, times: int = 1_000_000) -> list[str]:
    """The actor's handler of such messages fails at those that have this text, so many times; the failures."""
    sound, failures = actor._handlers[kind], []

    def handle(self: Any, message: Any) -> None:
        if text in repr(message) and len(failures) < times:
            failures.append(text)
            raise RuntimeError(text)
        sound(self, message)

    monkeypatch.setitem(actor._handlers, kind, handle)
    return failures


def on_stage(scene: Callable[[MemoryStage], Any]) -> None:
    async def main() -> None:
        async with memory_stage() as stage:
            await scene(stage)

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object, str], None]]:
    """Makes a function fail whenever a chat with the body "poison" is among its arguments."""

    def poison(place: object, name: str) -> None:
        sound = getattr(place, name)

        def fails(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(arg, Chat) and arg.body == POISON for arg in args):
                raise RuntimeError(POISON)
            return sound(*args, **kwargs)

        monkeypatch.setattr(place, name, fails)

    return poison


def test_a_message_that_fails_at_the_recipient_reaches_him_from_the_archive(poisoned):
    async def scene(stage: MemoryStage) -> None:
        alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
        await stage.settle(bob)  # what waited is fetched; from now on chats come one by one
        poisoned(delivery, "choose")
        await alice.says(bob.bare, POISON, stanza_id="m1")
        await bob.hears_message(POISON)
        await carol.says(bob.bare, "still there?")
        await bob.hears_message("still there?")
        await bob.says(alice.bare, "of course")
        await alice.hears_message("of course")
        await bob.is_present("dnd")
        await alice.hears_presence(bob.jid, "dnd")
        assert not bob.is_cut
        assert bob.messages() == []
        assert not list(filter(is_error, alice.heard))

    on_stage(scene)


def test_a_message_that_fails_at_the_sender_concerns_its_sender_alone(poisoned):
    async def scene(stage: MemoryStage) -> None:
        desk, phone, bob = (
            await stage.enter("alice", "desk"),
            await stage.enter("alice", "phone"),
            await stage.enter("bob"),
        )
        poisoned(delivery, "is_archived")
        await desk.says(bob.bare, POISON)
        assert condition(await desk.hears(is_error)) == "internal-server-error"
        await desk.says(bob.bare, "from the desk")
        await phone.says(bob.bare, "from the phone")
        await bob.hears_message("from the desk")
        await bob.hears_message("from the phone")
        await stage.settle(phone)
        assert not list(filter(is_error, phone.heard))

    on_stage(scene)


def test_a_message_that_the_archive_cannot_bear_takes_no_other_along(monkeypatch):
    sound = MemoryArchive.commit

    async def commit(self: MemoryArchive, drafts: Any, cursors: Any) -> Any:
        if any(draft.chat.body == POISON for draft in drafts):
            raise ValueError(POISON)
        return await sound(self, drafts, cursors)

    async def scene(stage: MemoryStage) -> None:
        alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
        monkeypatch.setattr(MemoryArchive, "commit", commit)
        await alice.line.send(
            b"".join(
                b"<message to='bob@example.com' type='chat'><body>%s</body></message>" % body
                for body in (b"before", b"poison", b"after")
            )
        )
        await carol.says(bob.bare, "from carol")
        await bob.hears_message("before")
        await bob.hears_message("after")
        await bob.hears_message("from carol")
        assert condition(await alice.hears(is_error)) == "internal-server-error"
        assert bob.messages() == []

    on_stage(scene)


def test_an_alias_that_fails_begins_anew_with_its_members():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        stage.tell(SALES, "nonsense")
        await stage.settle(alice)
        await alice.says(SALES, "still a team?")
        await bob.hears_message("still a team?")

    on_stage(scene)


def test_an_alias_that_fails_at_a_message_gives_it_to_its_members(monkeypatch):
    """It begins anew without members: the message waits until it knows them, it is not kept for nobody."""

    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await stage.settle(alice)
        fails_at(monkeypatch, Alias, m.ExpandAlias, POISON, times=1)
        await alice.says(SALES, POISON)
        await bob.hears_message(POISON)

    on_stage(scene)


@pytest.mark.parametrize(("actor", "kind"), [(Domain, m.PresenceChanged), (User, m.SetPresence)])
def test_a_presence_that_nobody_can_bear_ends_its_session(monkeypatch, actor, kind):
    """Who begins anew is told all presences again, this one too: without an end it would begin anew for ever."""

    async def scene(stage: MemoryStage) -> None:
        alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
        await stage.settle(alice)
        failures = fails_at(monkeypatch, actor, kind, POISON)
        await alice.is_present("away", POISON)
        assert await alice.hears_stream_error() == "internal-server-error"
        await bob.hears_unavailable(alice.jid)
        await bob.is_present("dnd")
        await carol.hears_presence(bob.jid, "dnd")
        assert len(failures) < 20
        assert not bob.is_cut
        assert not carol.is_cut

    on_stage(scene)


def test_a_domain_that_fails_begins_anew_with_who_is_there():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob", show="away")
        await alice.asks("<query xmlns='jabber:iq:roster'/>")
        await stage.settle(alice)
        stage.tell("example.com", "nonsense")
        await stage.settle(alice)
        alice.forget()
        await bob.is_present("dnd")
        await alice.hears_presence(bob.jid, "dnd")
        carol = await stage.enter("carol")
        await carol.hears_presence(bob.jid, "dnd")
        await carol.hears_presence(SALES, "")
        await alice.hears_presence(carol.jid)
        await alice.sends("<presence type='subscribed' to='bob@example.com'/>")
        await alice.hears(lambda e: e.get("type") == "set", "a roster push: it is still watching")

    on_stage(scene)


def test_a_domain_begins_anew_beside_sessions_that_can_be_resumed():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await alice.counts()
        await stage.settle(alice)
        stage.tell("example.com", "nonsense")
        await stage.settle(alice)
        await bob.is_present("dnd")
        await alice.hears_presence(bob.jid, "dnd")

    on_stage(scene)


def test_a_tick_of_presence_does_not_fail_at_a_session_that_has_just_ended(caplog):
    async def scene(stage: MemoryStage) -> None:
        alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
        await stage.settle(alice)
        busy = PresenceChange(Jid.parse(alice.jid), Presence(show="dnd"))
        stage.tell(bob.jid, m.CloseSession())
        stage.tell("example.com", m.PresenceChanged(busy, Status.BUSY))
        stage.tell("example.com", m.FlushPresence())  # before the domain knows that bob's session is no more
        await carol.hears_presence(alice.jid, "dnd")
        await carol.hears_unavailable(bob.jid)
        assert [record.message for record in caplog.records] == []

    on_stage(scene)


def test_a_session_that_fails_keeps_its_client():
    async def scene(stage: MemoryStage) -> None:
        alice, bob = await stage.enter("alice"), await stage.enter("bob")
        await stage.settle(alice)
        stage.tell(bob.jid, "nonsense")
        await stage.settle(alice)
        await alice.says(bob.bare, "are you there?")
        await bob.hears_message("are you there?")
        await stage.settle(alice)
        assert alice.presences().count(bob.jid) == 1, "nobody saw it flicker"

    on_stage(scene)


def test_the_contact_list_of_a_domain_outlives_its_actor():
    async def scene(stage: MemoryStage) -> None:
        alice = await stage.enter("alice")
        for _ in range(3):
            stage.tell("example.com", ContactList())
            await stage.settle(alice)
        assert len(list((await alice.asks("<query xmlns='jabber:iq:roster'/>"))[0])) == 5

    on_stage(scene)
