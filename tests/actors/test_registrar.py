"""The registrar: every change of accounts, who is told of it, and an answer for everyone who asks."""

import pytest
import trio

from actors.departures import Departures
from actors.directory import DEPARTURES, INDEXER, REGISTRAR, Directory
from actors.provisioning import carry_out
from actors.registrar import CHANGES_AT_ONCE, Registrar, administer
from actors.runtime import Runtime, TrioActor
from engine import administration as a
from engine import messages as m
from engine.contacts import Contact, PersonalContact, RemovedContact
from engine.errors import Condition
from engine.jid import Jid
from engine.limits import NAME_CHARACTERS, PHOTO_BYTES, ROSTER_GROUPS
from engine.ports import StorageUnavailable, Verifier
from index.memory_accounts import MemoryAccounts
from index.memory_archive import MemoryArchive

DOMAIN = "a.example"
ANN = Jid("ann@a.example", "desk")
VERIFIERS = {"sha-256": Verifier(b"salt", 4096, b"stored", b"server")}
PNG = m.Photo("image/png", b"\x89PNG")


class Listener(TrioActor):
    """Notes what its address is told."""

    def __init__(self, heard):
        super().__init__()
        self.heard = heard

    def on_receive(self, message):
        self.heard.append(message)


class World:
    """The registrar over accounts in memory, and listeners at every address that it tells."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.directory = Directory()
        self.accounts = MemoryAccounts()
        self.opened = []
        self.closed = []
        self.heard = {}
        for address in (DOMAIN, INDEXER, ANN.full, ANN.bare):
            self.heard[address] = []
            self.directory.bind(address, runtime.start(Listener, self.heard[address]))
        archive = MemoryArchive(lambda: 1.0)
        kept = archive.retention, self.accounts
        about = {"files": archive.files, "clock": lambda: 1.0}
        departures = runtime.start(Departures, *kept, runtime, self.directory, **about)
        self.directory.bind(DEPARTURES, departures)
        self.ref = runtime.start(
            Registrar,
            self.accounts,
            runtime,
            self.directory,
            configured=[DOMAIN],
            open_domain=self.opened.append,
            close_domain=self.closed.append,
        )

    async def asks(self, command):
        return await administer(command, self.runtime, self.directory)

    async def has(self, *names):
        for name in names:
            assert isinstance(await self.asks(a.AddUser(a.NewUser(address=f"{name}@{DOMAIN}"))), a.Done)
        await self.runtime.quiescent()
        self.forget()

    async def tells(self, message):
        """What the session and the account of ann are told."""
        self.directory.tell(REGISTRAR, message)
        await self.runtime.quiescent()
        heard = self.heard[ANN.full] + self.heard[ANN.bare]
        self.forget()
        return heard

    def changes(self):
        """What the domain was told; the indexer was told the same."""
        assert self.heard[DOMAIN] == self.heard[INDEXER]
        assert {event.domain for event in self.heard[DOMAIN]} <= {DOMAIN}
        return [change for event in self.heard[DOMAIN] for change in event.changes]

    def forget(self):
        for heard in self.heard.values():
            heard.clear()


@pytest.fixture
async def world(nursery):
    runtime = Runtime()
    await nursery.start(runtime.run)
    world = World(runtime)
    await runtime.quiescent()
    return world


def request():
    return m.Request(ANN, "q1", name="{x}y")


# -- operators ----------------------------------------------------------------------------------------------------------


async def test_a_new_member_is_told_to_the_domain_and_the_indexer(world):
    user = a.NewUser(address="Ben@a.example", name=" Ben ", department="Sales", verifiers=VERIFIERS)
    assert await world.asks(a.AddUser(user)) == a.Done("user ben@a.example added")
    await world.runtime.quiescent()
    (added,) = world.changes()
    assert (added.address, added.name, added.department, added.changed) == ("ben@a.example", "Ben", "Sales", 1)
    assert await world.accounts.verifier("ben@a.example", "sha-256") == VERIFIERS["sha-256"]


async def test_what_is_refused_is_told_to_nobody(world):
    await world.has("ben")
    assert await world.asks(a.AddUser(a.NewUser(address="ben@a.example"))) == a.Refused(
        "ben@a.example exists already, as a member"
    )
    assert isinstance(await world.asks(a.AddUser(a.NewUser(address="ben@other.example"))), a.Refused)
    await world.runtime.quiescent()
    assert world.changes() == []


async def test_a_member_is_changed_and_keeps_the_rest(world):
    await world.asks(a.AddUser(a.NewUser(address="ben@a.example", name="Ben", title="Boss", verifiers=VERIFIERS)))
    assert await world.asks(a.ChangeUser("ben@a.example", name="Benjamin", title="")) == a.Done(
        "user ben@a.example changed"
    )
    await world.runtime.quiescent()
    changed = world.changes()[-1]
    assert (changed.name, changed.title, changed.changed) == ("Benjamin", "", 2)
    assert await world.accounts.verifier("ben@a.example", "sha-256") == VERIFIERS["sha-256"]
    assert isinstance(await world.asks(a.ChangeUser("zoe@a.example", name="Zoe")), a.Refused)


async def test_a_password_is_set_without_a_word(world):
    await world.has("ben")
    assert await world.asks(a.SetPassword("ben@a.example", VERIFIERS)) == a.Done("password of ben@a.example set")
    assert await world.accounts.verifier("ben@a.example", "sha-256") == VERIFIERS["sha-256"]
    assert await world.asks(a.SetPassword("ben@a.example", {})) == a.Refused("ben@a.example: the password is empty")
    assert await world.asks(a.SetPassword("zoe@a.example", VERIFIERS)) == a.Refused("there is no member zoe@a.example")
    await world.runtime.quiescent()
    assert world.changes() == []


async def test_who_is_removed_leaves_the_aliases_and_empty_ones_go_too(world):
    await world.has("ann", "ben")
    for address, members in {
        "both": ("ann", "ben"),
        "solo": ("ben",),
        "outer": ("solo", "ann"),
        "shell": ("solo",),
    }.items():
        names = tuple(f"{member}@a.example" for member in members)
        assert isinstance(await world.asks(a.AddAlias(f"{address}@a.example", names)), a.Done)
    await world.runtime.quiescent()
    world.forget()
    assert await world.asks(a.RemoveUser("ben@a.example")) == a.Done(
        "user ben@a.example removed",
        (
            "taken out of alias both@a.example",
            "taken out of alias outer@a.example",
            "alias solo@a.example removed: it had no other member",
            "alias shell@a.example removed: it had no other member",
        ),
    )
    await world.runtime.quiescent()
    changes = world.changes()
    assert [change.changed for change in changes] == sorted(change.changed for change in changes)
    assert {c.address: c.members for c in changes if isinstance(c, Contact)} == {
        "both@a.example": ("ann@a.example",),
        "outer@a.example": ("ann@a.example",),
    }
    assert {c.address for c in changes if isinstance(c, RemovedContact)} == {
        "ben@a.example",
        "solo@a.example",
        "shell@a.example",
    }
    assert await world.asks(a.CheckAccounts()) == a.Inspected()


async def test_aliases_are_made_changed_and_removed(world):
    await world.has("ann", "ben")
    assert await world.asks(a.AddAlias("team@a.example", ("ann@a.example",), "Team")) == a.Done(
        "alias team@a.example added"
    )
    assert await world.asks(a.AddAlias("all@a.example", ("team@a.example",))) == a.Done("alias all@a.example added")
    assert isinstance(await world.asks(a.AddAlias("team@a.example", ("ben@a.example",))), a.Refused)
    assert isinstance(await world.asks(a.AddAlias("ann@a.example", ("ben@a.example",))), a.Refused)
    loop = await world.asks(a.ChangeAlias("team@a.example", ("all@a.example",)))
    assert loop.text.startswith("alias loop: ")
    assert isinstance(await world.asks(a.ChangeAlias("team@a.example", ("ben@a.example",))), a.Done)
    assert isinstance(await world.asks(a.ChangeAlias("team@a.example", name="Crew")), a.Done)
    (every, team) = (await world.asks(a.ListAliases())).contacts
    assert (team.name, team.members) == ("Crew", ("ben@a.example",))
    assert every.members == ("team@a.example",)
    assert await world.asks(a.RemoveAlias("ann@a.example")) == a.Refused("ann@a.example is a member, not an alias")
    assert await world.asks(a.RemoveAlias("team@a.example")) == a.Done(
        "alias team@a.example removed", ("alias all@a.example removed: it had no other member",)
    )
    assert (await world.asks(a.ListAliases(DOMAIN))).contacts == ()


async def test_an_import_is_all_or_nothing(world):
    await world.has("ann")
    users = tuple(a.NewUser(address=f"u{i}@a.example", verifiers=VERIFIERS) for i in range(3))
    faulty = await world.asks(a.ImportUsers((*users, a.NewUser(address="ann@a.example"))))
    assert faulty == a.Refused("1 of 4 rows are faulty", (a.Fault(3, "ann@a.example exists already, as a member"),))
    assert await world.asks(a.ImportUsers(users, is_rehearsal=True)) == a.Done("3 users can be imported")
    assert len((await world.asks(a.ListUsers())).contacts) == 1
    assert await world.asks(a.ImportUsers(users)) == a.Done("3 users imported")
    await world.runtime.quiescent()
    assert [change.address for change in world.changes()] == ["u0@a.example", "u1@a.example", "u2@a.example"]
    assert await world.accounts.verifier("u2@a.example", "sha-256") == VERIFIERS["sha-256"]
    assert isinstance(await world.asks(a.ImportUsers(())), a.Done)


async def test_a_large_import_is_told_in_parts(world):
    users = tuple(a.NewUser(address=f"u{i}@a.example") for i in range(CHANGES_AT_ONCE + 1))
    await world.asks(a.ImportUsers(users))
    await world.runtime.quiescent()
    assert [len(event.changes) for event in world.heard[DOMAIN]] == [CHANGES_AT_ONCE, 1]


async def test_an_import_of_too_many_is_refused(world, monkeypatch):
    monkeypatch.setattr(a, "IMPORT_USERS", 1)
    users = (a.NewUser(address="x@a.example"), a.NewUser(address="y@a.example"))
    assert await world.asks(a.ImportUsers(users)) == a.Refused("more than 1 users; import them in parts")


async def test_domains_are_opened_and_closed(world):
    assert await world.asks(a.AddDomain("B.example")) == a.Done("domain b.example added")
    assert world.opened == ["b.example"]
    assert await world.asks(a.AddDomain("b.example")) == a.Refused("domain b.example is served already")
    assert await world.asks(a.AddDomain("a.example")) == a.Refused("domain a.example is served already")
    assert await world.asks(a.ListDomains()) == a.DomainsListed(("a.example", "b.example"))
    await world.asks(a.AddUser(a.NewUser(address="x@b.example")))
    assert "still has 1 members" in (await world.asks(a.RemoveDomain("b.example"))).text
    await world.asks(a.RemoveUser("x@b.example"))
    assert world.closed == []
    assert await world.asks(a.RemoveDomain("b.example")) == a.Done("domain b.example removed")
    assert world.closed == ["b.example"]
    assert await world.asks(a.RemoveDomain("b.example")) == a.Refused("there is no domain b.example")
    assert "is in the configuration file" in (await world.asks(a.RemoveDomain("a.example"))).text


async def test_lists_are_in_order_and_of_one_domain_if_asked(world):
    await world.asks(a.AddDomain("b.example"))
    for address in ("zoe@a.example", "ann@b.example", "ben@a.example"):
        await world.asks(a.AddUser(a.NewUser(address=address)))
    everyone = (await world.asks(a.ListUsers())).contacts
    assert [contact.address for contact in everyone] == ["ben@a.example", "zoe@a.example", "ann@b.example"]
    assert [contact.address for contact in (await world.asks(a.ListUsers("b.example"))).contacts] == ["ann@b.example"]
    assert await world.asks(a.ListUsers("c.example")) == a.Refused("there is no domain c.example")
    assert await world.asks(a.ListAliases("@")) == a.Refused("'@': not a valid domain")


async def test_a_disk_that_fails_refuses_in_one_line(world):
    await world.has("ann")
    world.accounts.fail_with = StorageUnavailable("accounts.sqlite: disk full")
    refused = await world.asks(a.RemoveUser("ann@a.example"))
    assert refused == a.Refused("the accounts cannot be read or written just now: accounts.sqlite: disk full")
    world.accounts.fail_with = None
    assert isinstance(await world.asks(a.RemoveUser("ann@a.example")), a.Done)


async def test_a_fault_of_ours_refuses_and_spoils_nothing(world, monkeypatch, caplog):
    async def break_down(address):
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(world.accounts, "find", break_down)
        assert await world.asks(a.RemoveUser("ann@a.example")) == a.Refused("internal error; see the server's log")
    await world.has("ann")


async def test_without_a_registrar_an_operator_is_refused(world):
    await world.ref.stop(block=False).wait()
    assert await world.asks(a.ListUsers()) == a.Refused("the server is starting or stopping; try again")
    await world.runtime.quiescent()
    assert not [address for address in world.directory if address.startswith("_operator")]


async def test_carried_out_without_a_server_it_is_the_same():
    accounts = MemoryAccounts()
    outcome = await carry_out(a.AddUser(a.NewUser(address="ann@a.example")), accounts, [DOMAIN])
    assert outcome.result == a.Done("user ann@a.example added")
    assert [change.address for change in outcome.changes] == ["ann@a.example"]
    assert await accounts.domains() == [DOMAIN]


# -- users --------------------------------------------------------------------------------------------------------------


async def test_what_a_user_set_for_a_contact_is_kept_and_told(world):
    await world.has("ann", "ben")
    done, changed = await world.tells(m.SetPersonalContact(request(), "ben@a.example", "Benny", ("Friends",)))
    assert done == m.RequestDone(request())
    kept = changed.personal
    assert changed == m.PersonalContactChanged("ann@a.example", kept)
    assert (kept.address, kept.name, kept.groups) == ("ben@a.example", "Benny", ("Friends",))
    assert await world.tells(m.FetchPersonal("ann@a.example")) == [m.PersonalFetched("ann@a.example", (kept,))]
    _, dropped = await world.tells(m.SetPersonalContact(request(), "ben@a.example"))
    assert dropped.personal == PersonalContact(address="ben@a.example", changed=kept.changed + 1)


@pytest.mark.parametrize(
    ("name", "groups"),
    [("x" * (NAME_CHARACTERS + 1), None), (None, ("x" * (NAME_CHARACTERS + 1),)), (None, ("g",) * (ROSTER_GROUPS + 1))],
)
async def test_names_and_groups_have_limits(world, name, groups):
    await world.has("ann", "ben")
    (refused,) = await world.tells(m.SetPersonalContact(request(), "ben@a.example", name, groups))
    assert refused.condition is Condition.NOT_ACCEPTABLE


async def test_a_card_has_the_directorys_details_and_the_users_photo(world):
    await world.has("ann", "ben")
    (card,) = await world.tells(m.FetchCard(request(), "ben@a.example"))
    assert (card.contact.address, card.photo) == ("ben@a.example", None)
    assert await world.tells(m.SetPhoto(request(), PNG)) == [m.RequestDone(request())]
    (card,) = await world.tells(m.FetchCard(request(), "ann@a.example"))
    assert card.photo == PNG
    assert await world.tells(m.SetPhoto(request(), None)) == [m.RequestDone(request())]
    (card,) = await world.tells(m.FetchCard(request(), "ann@a.example"))
    assert card.photo is None


async def test_an_alias_has_a_card_and_a_stranger_has_none(world):
    await world.has("ann")
    await world.asks(a.AddAlias("team@a.example", ("ann@a.example",)))
    (card,) = await world.tells(m.FetchCard(request(), "team@a.example"))
    assert card.contact.members == ("ann@a.example",)
    (refused,) = await world.tells(m.FetchCard(request(), "zoe@a.example"))
    assert refused.condition is Condition.ITEM_NOT_FOUND


@pytest.mark.parametrize(
    "photo",
    [
        m.Photo("image/png", b"x" * (PHOTO_BYTES + 1)),
        m.Photo("image/png", b""),
        m.Photo("image/svg+xml", b"<svg/>"),
        m.Photo("text/html", b"<p>"),
        m.Photo("", b"x"),
    ],
)
async def test_what_is_no_photo_is_refused(world, photo):
    await world.has("ann")
    (refused,) = await world.tells(m.SetPhoto(request(), photo))
    assert refused.condition is Condition.NOT_ACCEPTABLE
    assert await world.accounts.photo("ann@a.example") is None


async def test_a_photo_type_has_one_spelling(world):
    await world.has("ann")
    await world.tells(m.SetPhoto(request(), m.Photo(" Image/JPG ", b"x" * PHOTO_BYTES)))
    assert (await world.accounts.photo("ann@a.example")).media_type == "image/jpeg"


async def test_who_was_removed_sets_nothing_any_more(world):
    for message in (m.SetPhoto(request(), PNG), m.SetPersonalContact(request(), "ben@a.example", "Ben")):
        (refused,) = await world.tells(message)
        assert refused.condition is Condition.NOT_ALLOWED


@pytest.mark.parametrize(
    "message",
    [
        m.SetPersonalContact(request(), "ben@a.example", "Ben"),
        m.FetchCard(request(), "ben@a.example"),
        m.SetPhoto(request(), PNG),
    ],
)
async def test_a_disk_that_fails_refuses_users_for_now(world, message):
    await world.has("ann", "ben")
    world.accounts.fail_with = StorageUnavailable("disk full")
    (refused,) = await world.tells(message)
    assert refused.condition is Condition.RESOURCE_CONSTRAINT
    world.accounts.fail_with = None
    assert not isinstance((await world.tells(message))[0], m.RequestRefused)


async def test_own_names_are_read_when_the_disk_is_back(world, autojump_clock):
    await world.has("ann")
    world.accounts.fail_with = StorageUnavailable("disk full")
    assert await world.tells(m.FetchPersonal("ann@a.example")) == []
    world.accounts.fail_with = None
    await trio.sleep(2)
    assert world.heard[ANN.bare] == [m.PersonalFetched("ann@a.example", ())]


async def test_one_bad_message_does_not_spoil_the_others_of_its_batch(world):
    await world.has("ann")
    world.directory.tell(REGISTRAR, m.FetchCard(request(), "zoe@a.example"))
    world.directory.tell(REGISTRAR, m.SetPhoto(request(), m.Photo("x", b"")))
    world.directory.tell(REGISTRAR, m.FetchCard(request(), "ann@a.example"))
    await world.runtime.quiescent()
    assert [type(event) for event in world.heard[ANN.full]] == [m.RequestRefused, m.RequestRefused, m.CardFetched]
