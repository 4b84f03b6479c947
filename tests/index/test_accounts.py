"""The accounts port: one suite for both twins."""

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.contacts import Contact, ContactKind, ContactList, PersonalContact, RemovedContact
from engine.limits import LOGINS
from engine.messages import Photo
from engine.ports import Login, StorageUnavailable, Verifier
from index.accounts import SqliteAccounts
from index.asyncio_island import Island
from index.memory_accounts import MemoryAccounts

X, Y = "x.org", "y.org"
ANN, BOB, TEAM, YVES = "ann@x.org", "bob@x.org", "team@x.org", "yves@y.org"
NEW = Verifier(b"salt", 4096, b"s" * 32, b"k" * 32)
OLD = Verifier(b"pepper", 10_000, b"S" * 20, b"K" * 20)


def member(address, name="", **fields):
    return Contact(address=address, name=name, **fields)


def alias(address, *members):
    return Contact(address=address, kind=ContactKind.ALIAS, members=members)


def plain(entry):
    """A contact for comparison; contacts themselves are compared by identity."""
    return type(entry).__name__, msgspec.to_builtins(entry)


async def listed(accounts, domain=X):
    return {type(c).__name__[0] + " " + c.address: c.changed for c in await accounts.contacts(domain)}


@pytest.fixture
async def served(accounts):
    await accounts.add_domain(X)
    await accounts.add_domain(Y)
    return accounts


# -- domains -----------------------------------------------------------------------------------------------------------


async def test_domains_are_added_once_and_removed(accounts):
    assert await accounts.domains() == []
    for domain in (X, Y, X):
        await accounts.add_domain(domain)
    assert await accounts.domains() == [X, Y]
    await accounts.remove_domain(X)
    await accounts.remove_domain("unknown.org")
    assert await accounts.domains() == [Y]


async def test_a_removed_domain_takes_everything_along(served):
    await served.put(
        [member(ANN), member(BOB), alias(TEAM, ANN), member(YVES)], {ANN: {"sha-1": OLD}, YVES: {"sha-1": OLD}}
    )
    await served.set_personal(ANN, BOB, "Bobby", ("Pals",))
    await served.set_photo(ANN, Photo("image/png", b"png"))
    await served.remove([BOB])
    await served.remove_domain(X)
    assert await served.contacts(X) == []
    assert await served.find(ANN) is None
    await served.add_domain(X)
    assert await served.contacts(X) == []
    (ann,) = await served.put([member(ANN)])
    assert ann.changed > 5, "a version of the domain's former life would mean two states"
    assert await served.verifier(ANN, "sha-1") is None
    assert await served.personal(ANN) == []
    assert await served.photo(ANN) is None
    assert await served.verifier(YVES, "sha-1") == OLD


# -- contacts ----------------------------------------------------------------------------------------------------------


async def test_contacts_come_back_as_they_were_with_versions(served):
    full = member(ANN, "Ann 🦜", title="Head of sales", department="Sales", phone="+49 30 1234")
    put = await served.put(
        [full, alias(TEAM, ANN, "other@x.org", BOB), member(BOB), member("other@x.org"), member(YVES)]
    )
    assert [c.changed for c in put] == [1, 2, 3, 4, 1]
    assert [plain(c) for c in await served.contacts(X)] == [plain(c) for c in put[:4]]
    assert plain(await served.find(ANN)) == plain(msgspec.structs.replace(full, changed=1))
    assert (await served.find(TEAM)).members == (ANN, "other@x.org", BOB)
    assert await served.find("nobody@x.org") is None
    assert list(await listed(served, Y)) == ["C " + YVES]
    assert await served.contacts("unknown.org") == []


async def test_a_changed_contact_gets_a_new_version_and_keeps_its_password(served):
    await served.put([member(ANN), member(BOB)], {ANN: {"sha-256": NEW}})
    (ann,) = await served.put([member(ANN, "Ann")])
    assert (ann.name, ann.changed) == ("Ann", 3)
    assert await listed(served) == {"C " + BOB: 2, "C " + ANN: 3}
    assert await served.verifier(ANN, "sha-256") == NEW


async def test_removed_contacts_are_remembered_until_they_are_back(served):
    await served.put([member(ANN), member(BOB), alias(TEAM, ANN)])
    removed = await served.remove([BOB, "nobody@x.org", "a@unknown.org", TEAM, BOB])
    assert [plain(r) for r in removed] == [
        plain(RemovedContact(address=BOB, kind=ContactKind.MEMBER, changed=4)),
        plain(RemovedContact(address=TEAM, kind=ContactKind.ALIAS, changed=5)),
    ]
    assert await listed(served) == {"C " + ANN: 1, "R " + BOB: 4, "R " + TEAM: 5}
    await served.put([member(BOB)])
    assert await listed(served) == {"C " + ANN: 1, "C " + BOB: 6, "R " + TEAM: 5}


async def test_the_contact_list_learns_how_far_back_it_knows(served, monkeypatch):
    for place in ("engine.contacts.REMOVED_REMEMBERED", "index.memory_accounts.REMOVED_REMEMBERED"):
        monkeypatch.setattr(place, 3)
    monkeypatch.setattr("index.accounts.REMOVED_KEPT", 4)
    people = [f"p{n}@x.org" for n in range(8)]
    await served.put([member(p) for p in people])
    for person in people[:6]:
        await served.remove([person])
    entries = await served.contacts(X)
    assert [e.address for e in entries if isinstance(e, RemovedContact)] == people[2:6]
    contacts = ContactList(
        [e for e in entries if isinstance(e, Contact)], [e for e in entries if isinstance(e, RemovedContact)]
    )
    assert contacts.since(10) is None, "the removals of versions 9 and 10 are forgotten, that of 11 too"
    assert [e.address for e in contacts.since(11)] == people[3:6]


async def test_a_domain_that_is_not_served(served):
    with pytest.raises(LookupError, match=r"unknown\.org"):
        await served.put([member(ANN), member("a@unknown.org")])
    assert await served.contacts(X) == []


async def test_ten_thousand_at_once(served):
    people = [member(f"p{n:05}@x.org", f"Person {n}") for n in range(10_000)]
    put = await served.put(people, {p.address: {"sha-1": OLD, "sha-256": NEW} for p in people})
    assert [c.changed for c in put] == list(range(1, 10_001))
    assert len(await served.contacts(X)) == 10_000
    assert await served.verifier("p09999@x.org", "sha-256") == NEW


# -- what members keep -------------------------------------------------------------------------------------------------


async def test_a_new_password_replaces_all_verifiers(served):
    await served.put([member(ANN)], {ANN: {"sha-1": OLD, "sha-256": NEW}})
    await served.set_verifiers(ANN, {"sha-256": OLD})
    assert await served.verifier(ANN, "sha-256") == OLD
    assert await served.verifier(ANN, "sha-1") is None
    await served.put([member(ANN)], {ANN: {"sha-1": OLD}})
    assert await served.verifier(ANN, "sha-256") is None
    assert await served.verifier("nobody@x.org", "sha-1") is None


async def test_personal_contacts_and_their_versions(served):
    await served.put([member(ANN), member(BOB)])
    first = await served.set_personal(ANN, BOB, "Bobby", None)
    second = await served.set_personal(ANN, TEAM, None, ("One", "Zwei", ""))
    dropped = await served.set_personal(ANN, BOB, None, None)
    assert first.changed < second.changed < dropped.changed
    assert await served.personal(ANN) == [second, dropped]
    assert dropped == PersonalContact(address=BOB, changed=dropped.changed)
    assert await served.personal(BOB) == []
    empty = await served.set_personal(ANN, BOB, "", ())
    assert (await served.personal(ANN))[-1] == empty
    assert empty.groups == ()
    assert await listed(served) == {"C " + ANN: 1, "C " + BOB: 2}


async def test_personal_versions_go_on_when_a_member_is_back(served):
    await served.put([member(ANN), member(BOB)])
    before = await served.set_personal(ANN, BOB, "Bobby", None)
    await served.remove([ANN])
    assert await served.personal(ANN) == []
    await served.put([member(ANN)])
    assert (await served.set_personal(ANN, BOB, "B", None)).changed > before.changed


async def test_photos(served):
    await served.put([member(ANN)])
    assert await served.photo(ANN) is None
    for photo in (Photo("image/png", b"\x00png"), Photo("image/jpeg", b"jpeg"), None, None):
        await served.set_photo(ANN, photo)
        assert await served.photo(ANN) == photo


async def test_block_lists(served):
    await served.put([member(ANN), member(BOB), member(YVES)])
    assert await served.blocked(ANN) == frozenset()
    assert await served.block_lists(X) == {}
    await served.set_blocked(ANN, [BOB, "x.org", BOB, "nobody@else.where/room 1"])
    await served.set_blocked(BOB, {ANN})
    await served.set_blocked(YVES, (ANN, YVES))
    assert await served.blocked(ANN) == {BOB, "x.org", "nobody@else.where/room 1"}
    assert await served.block_lists(X) == {ANN: await served.blocked(ANN), BOB: {ANN}}
    assert await served.block_lists(Y) == {YVES: {ANN, YVES}}
    assert await served.block_lists("unknown.org") == {}
    await served.set_blocked(BOB, ())
    assert await served.block_lists(X) == {ANN: await served.blocked(ANN)}
    await served.set_blocked(ANN, [BOB])
    assert await served.blocked(ANN) == {BOB}


async def test_an_address_that_is_given_again_stays_blocked(served):
    await served.put([member(ANN), member(BOB)])
    await served.set_blocked(ANN, [BOB])
    await served.set_blocked(BOB, [ANN])
    await served.remove([BOB])
    await served.put([member(BOB)])
    assert await served.block_lists(X) == {ANN: {BOB}}


async def test_what_a_member_kept_goes_with_him(served):
    for leave in (served.remove([ANN]), served.put([alias(ANN, BOB)])):
        await served.put([member(ANN), member(BOB)], {ANN: {"sha-1": OLD}})
        await served.set_photo(ANN, Photo("image/png", b"png"))
        await served.set_personal(ANN, BOB, "Bobby", None)
        await served.set_blocked(ANN, [BOB])
        await leave
        assert await served.block_lists(X) == {}
        await served.put([member(ANN)])
        assert await served.blocked(ANN) == frozenset()
        assert await served.verifier(ANN, "sha-1") is None
        assert await served.photo(ANN) is None
        assert await served.personal(ANN) == []


async def test_nobody_keeps_nothing(served):
    await served.put([member(ANN), alias(TEAM, ANN)])
    for nobody in (TEAM, BOB, "a@unknown.org"):
        for attempt in (
            served.set_verifiers(nobody, {"sha-1": OLD}),
            served.set_photo(nobody, Photo("image/png", b"")),
            served.set_photo(nobody, None),
            served.set_personal(nobody, ANN, "Ann", None),
            served.set_blocked(nobody, [ANN]),
            served.set_blocked(nobody, []),
            served.put([member(ANN, "changed")], {nobody: {"sha-1": OLD}}),
        ):
            with pytest.raises(LookupError, match=nobody):
                await attempt
    assert (await served.find(ANN)).changed == 1


async def test_secrets_are_made_once(accounts):
    one = await accounts.secret("one")
    assert len(one) == 32
    assert await accounts.secret("one") == one
    assert await accounts.secret("two") != one


# -- on disk only ------------------------------------------------------------------------------------------------------


async def test_a_restart_keeps_everything(tmp_path, island):
    path = tmp_path / "accounts.sqlite"
    async with SqliteAccounts(island, path) as accounts:
        await accounts.add_domain(X)
        await accounts.put([member(ANN), member(BOB)], {ANN: {"sha-1": OLD}})
        await accounts.remove([BOB])
        await accounts.set_blocked(ANN, [BOB])
        secret = await accounts.secret("one")
    async with SqliteAccounts(island, path) as accounts:
        assert await accounts.domains() == [X]
        assert await listed(accounts) == {"C " + ANN: 1, "R " + BOB: 3}
        assert await accounts.verifier(ANN, "sha-1") == OLD
        assert await accounts.secret("one") == secret
        assert await accounts.block_lists(X) == {ANN: {BOB}}
        assert await accounts.problems() == []


async def test_an_alias_that_names_nobody_is_a_problem(tmp_path, island):
    async with SqliteAccounts(island, tmp_path / "accounts.sqlite") as disk:
        for accounts in (disk, MemoryAccounts()):
            await accounts.add_domain(X)
            await accounts.put([member(ANN), alias(TEAM, ANN, BOB)])
            (problem,) = await accounts.problems()
            assert f"alias {TEAM} names {BOB}" in problem


async def test_the_memory_twin_plays_a_failing_disk():
    accounts = MemoryAccounts()
    accounts.fail_with = StorageUnavailable("disk full")
    with pytest.raises(StorageUnavailable):
        await accounts.add_domain(X)
    accounts.fail_with = None
    assert await accounts.domains() == []


# -- the twins are twins -----------------------------------------------------------------------------------------------

ADDRESSES = st.sampled_from([ANN, BOB, TEAM, YVES])
CONTACTS = st.one_of(
    st.builds(member, ADDRESSES, st.text(max_size=3)),
    st.builds(lambda address, members: alias(address, *members), ADDRESSES, st.lists(ADDRESSES, max_size=2)),
)
KEYS = st.dictionaries(st.sampled_from(["sha-1", "sha-256"]), st.sampled_from([OLD, NEW]), max_size=2)
NAMES = st.none() | st.text(max_size=3)
GROUPS = st.none() | st.lists(st.text(max_size=3), max_size=2).map(tuple)
PHOTOS = st.none() | st.just(Photo("image/png", b"png"))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add_domain", "remove_domain"]), st.sampled_from([X, Y])),
        st.tuples(st.just("put"), st.lists(CONTACTS, max_size=4), st.dictionaries(ADDRESSES, KEYS, max_size=1)),
        st.tuples(st.just("remove"), st.lists(ADDRESSES, max_size=3)),
        st.tuples(st.just("set_verifiers"), ADDRESSES, KEYS),
        st.tuples(st.just("set_personal"), ADDRESSES, ADDRESSES, NAMES, GROUPS),
        st.tuples(st.just("set_photo"), ADDRESSES, PHOTOS),
        st.tuples(st.just("set_blocked"), ADDRESSES, st.lists(ADDRESSES, max_size=2)),
    ),
    max_size=15,
)


async def outcome_of(accounts, method, *args):
    try:
        result = await getattr(accounts, method)(*args)
    except LookupError as error:
        return str(error)
    return [plain(each) for each in result] if isinstance(result, list) else result


async def everything(accounts):
    state = {"domains": await accounts.domains(), "owners": await accounts.personal_owners()}
    for domain in (X, Y):
        contacts = [plain(each) for each in await accounts.contacts(domain)]
        changes = [await accounts.changes(domain, after) for after in (0, 2, 1_000)]
        changed = [([plain(each) for each in one.entries], one.contacts, one.version) for one in changes]
        state[domain] = contacts, changed, await accounts.block_lists(domain)
    for address in (ANN, BOB, TEAM, YVES):
        found = await accounts.find(address)
        keys = [await accounts.verifier(address, name) for name in ("sha-1", "sha-256")]
        kept = await accounts.personal(address), await accounts.photo(address), await accounts.blocked(address)
        state[address] = (found and plain(found), keys, kept)
    return state


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_the_same_steps_give_the_same_results(tmp_path_factory, steps):
    async def play():
        memory = MemoryAccounts()
        path = tmp_path_factory.mktemp("twins") / "accounts.sqlite"
        async with Island() as island, SqliteAccounts(island, path) as disk:
            for step in [("add_domain", X), ("add_domain", Y), *steps]:
                assert await outcome_of(disk, *step) == await outcome_of(memory, *step)
            assert await everything(disk) == await everything(memory)
            known = [line for line in await disk.problems() if "names" not in line and "length" not in line]
            assert known == []

    trio.run(play)


# -- logins ------------------------------------------------------------------------------------------------------------


def login(number, owner=ANN, made_at=None):
    return Login(bytes([number]) * 32, owner, number if made_at is None else made_at)


async def test_logins_are_kept_until_they_are_removed(served):
    await served.put([member(ANN), member(BOB)])
    first, second = login(1), login(2, BOB)
    for one in (first, second):
        await served.add_login(one, keep_since=0)
    assert await served.login(first.key) == first
    assert await served.login(b"unknown") is None
    for _ in range(2):
        await served.remove_login(first.key)
    assert await served.login(first.key) is None
    assert await served.login(second.key) == second


@pytest.mark.parametrize("ending", ["password", "put", "removal", "alias"])
async def test_logins_end_with(served, ending):
    await served.put([member(ANN), member(BOB)], {ANN: {"sha-256": NEW}})
    await served.add_login(login(1), keep_since=0)
    await served.add_login(login(2, BOB), keep_since=0)
    await served.put([member(ANN, "Ann")])  # another name is no reason
    assert await served.login(login(1).key) == login(1)
    if ending == "password":
        await served.set_verifiers(ANN, {"sha-1": OLD})
    elif ending == "put":
        await served.put([member(ANN)], {ANN: {"sha-1": OLD}})
    elif ending == "removal":
        await served.remove([ANN])
    else:
        await served.put([alias(ANN, BOB)])
    assert await served.login(login(1).key) is None
    assert await served.login(login(2).key) == login(2, BOB)


async def test_old_logins_go_and_so_does_the_oldest_of_too_many(served):
    await served.put([member(ANN), member(BOB)])
    await served.add_login(login(200, BOB, 1), keep_since=0)
    await served.add_login(login(201, made_at=5), keep_since=0)
    await served.add_login(login(1, made_at=20), keep_since=10)
    assert await served.login(login(201).key) is None
    for number in range(2, LOGINS + 2):
        await served.add_login(login(number, made_at=20 + number), keep_since=10)
    assert await served.login(login(1).key) is None
    assert await served.login(login(2).key) is not None
    assert await served.login(login(LOGINS + 1).key) is not None
    assert await served.login(login(200).key) is not None


async def test_nobody_else_is_logged_in(served):
    await served.put([alias(TEAM)])
    for owner in (TEAM, YVES):
        with pytest.raises(LookupError):
            await served.add_login(login(1, owner), keep_since=0)


async def test_a_token_is_used_once_until_its_time_is_over(accounts):
    assert await accounts.use_token("x.org one", 100, now=50)
    assert not await accounts.use_token("x.org one", 100, now=60)
    assert await accounts.use_token("x.org two", 100, now=60)
    assert not await accounts.use_token("x.org one", 200, now=100)
    assert await accounts.use_token("x.org one", 200, now=101)
