"""Finding contacts: the same tests for the index on disk and the one in memory (`test_contacts_on_disk` has the rest)."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.contacts import Contact, ContactKind, RemovedContact
from index.contacts import TantivyContacts
from index.memory_search import MemoryContacts

Search = TantivyContacts | MemoryContacts

ANNA = Contact(
    address="anna.mueller@example.com",
    name="Anna-Lena Müller",
    title="Head of Sales",
    department="Vertrieb",
    phone="+1 (555) 010-7788",
    changed=1,
)
BOB = Contact(address="bob@example.com", name="Bob Annan", title="Engineer", phone="+49 30 1234", changed=2)
CARL = Contact(address="anna@example.com", name="Carl Zeiss", title="Sales assistant", phone="+4989998877", changed=3)
DAN = Contact(address="dan@example.com", department="Anna", changed=4)
SALES = Contact(
    address="salesteam@example.com", kind=ContactKind.ALIAS, name="Sales", members=("bob@example.com",), changed=5
)
TARO = Contact(address="taro@example.com", name="山田太郎", changed=6)
OTHER = Contact(address="anna@other.org", name="Anna Other", title="Sales", changed=1)
EVERYONE = [ANNA, BOB, CARL, DAN, SALES, TARO, OTHER]


@pytest.fixture(params=["tantivy", "memory"])
async def search(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Search]:
    opened: Search = TantivyContacts.open(tmp_path / "index") if request.param == "tantivy" else MemoryContacts()
    await opened.rebuild(EVERYONE)
    yield opened
    await opened.aclose()


async def names(
    search: Search, text: str = "", domain: str = "example.com", limit: int = 100, **fields: str
) -> list[str]:
    found = await search.search(domain, text, fields, limit)
    return [address.partition("@")[0] for address in found.addresses]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("muller", ["anna.mueller"]),
        ("MÜL", ["anna.mueller"]),
        ("mueller", ["anna.mueller"]),  # by the address
        ("lena anna", ["anna.mueller"]),
        ("lena bob", []),
        ("anna", ["anna.mueller", "anna", "dan", "bob"]),  # name, address, department; then the beginning of a word
        ("ann", ["anna.mueller", "bob", "anna", "dan"]),
        ("sales", ["salesteam", "anna.mueller", "anna"]),
        ("anna.mueller@example.com", ["anna.mueller"]),
        ("vertr head", ["anna.mueller"]),
        ("example exam com", ["anna.mueller", "bob", "anna", "dan", "salesteam", "taro"]),
        ("555", ["anna.mueller"]),
        ("0107788", ["anna.mueller"]),
        ("5550107788", ["anna.mueller"]),
        ("+1 555-010 77", ["anna.mueller"]),
        ("+15550107788", ["anna.mueller"]),
        ("0015550107788", ["anna.mueller"]),
        ("0301234", ["bob"]),
        ("030 1234", ["bob"]),
        ("089 998877", []),  # written without separators: found without them
        ("089998877", ["anna"]),
        ("89998877", ["anna"]),
        ("太郎", ["taro"]),
        ("田", ["taro"]),
        ("田郎", []),
        ("nobody", []),
        ("@ # %", []),
        ("*", []),
        (" ", []),
    ],
)
async def test_text(search: Search, text: str, expected: list[str]) -> None:
    assert await names(search, text) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "ann"}, ["anna.mueller", "bob"]),
        ({"first": "ann"}, ["anna.mueller"]),
        ({"first": "lena"}, ["anna.mueller"]),
        ({"first": "muller"}, []),
        ({"last": "ann"}, ["bob"]),
        ({"last": "dan"}, ["dan"]),  # without a name, the localpart is shown
        ({"first": "da"}, ["dan"]),  # a name of one word is both
        ({"nick": "ann"}, ["anna.mueller", "anna", "bob"]),
        ({"email": "anna"}, ["anna.mueller", "anna"]),
        ({"email": "anna@example"}, ["anna.mueller", "anna"]),
        ({"email": "anna@other"}, []),
        ({"first": "b", "last": "a"}, ["bob"]),
        ({"first": "", "last": "zei"}, ["anna"]),
        ({"first": "%"}, []),
        ({"colour": "red"}, []),
    ],
)
async def test_fields(search: Search, fields: dict[str, str], expected: list[str]) -> None:
    assert sorted(await names(search, **fields)) == sorted(expected)


async def test_text_and_field_both_narrow(search: Search) -> None:
    assert await names(search, "sales", first="carl") == ["anna"]


async def test_no_text_finds_all_in_order_of_name(search: Search) -> None:
    assert await names(search) == ["anna.mueller", "bob", "anna", "dan", "salesteam", "taro"]
    some = await search.search("example.com", "", {}, 6)
    assert some.is_complete
    assert len(some.addresses) == 6
    few = await search.search("example.com", "", {}, 5)
    assert not few.is_complete
    assert len(few.addresses) == 5
    none = await search.search("example.com", "", {}, 0)
    assert none.addresses == ()
    assert not none.is_complete
    assert (await search.search("example.com", "zz", {}, 0)).is_complete
    assert len((await search.search("example.com", "", {}, 2**40)).addresses) == 6


async def test_a_domain_is_an_island(search: Search) -> None:
    assert (await search.search("other.org", "", {}, 10)).addresses == ("anna@other.org",)
    assert (await search.search("other.org", "muller", {}, 10)).addresses == ()
    for domain in ("", "*", "com", "unknown.net", "example.com\0", "\ud800", "x" * 100_000):
        assert (await search.search(domain, "", {}, 10)).addresses == ()
        assert (await search.search(domain, "anna", {}, 10)).addresses == ()


@pytest.mark.parametrize(
    "text",
    [
        "(" * 12_000,
        "((anna" * 2_000,
        "domain:other.org anna",
        "domain:other",
        "mark_1:*",
        "anna OR domain:other.org",
        "NOT x",
        "*:*",
        '"anna',
        "anna~2 [a TO z]",
        "\0",
        "anna\0other",
        "\ud800\udfff anna",
        "\u202eanna\u202c",
        "😀" * 5_000,
        "a" * 1_000_000,
        "a " * 100_000,
        "山" * 10_000,
        "\u0301" * 10_000,
        "ﷺ" * 256,
    ],
)
async def test_hostile_text_is_only_words(search: Search, text: str) -> None:
    for fields in ({}, {"name": text}, {"email": text, "nick": text}, {text: text}):
        found = await search.search("example.com", text, fields, 100)
        assert all(address.endswith("@example.com") for address in found.addresses)


async def test_direction_marks_do_not_hide(search: Search) -> None:
    assert (await names(search, "\u202eanna\u202c"))[0] == "anna.mueller"


async def test_changes_are_found_when_update_returns(search: Search) -> None:
    eve = Contact(address="eve@example.com", name="Eve Adams", changed=7)
    await search.update([eve])
    assert await names(search, "adams") == ["eve"]
    await search.update([Contact(address=eve.address, name="Eve Baker", changed=8)])
    assert await names(search, "adams") == []
    assert await names(search, "eve baker") == ["eve"]
    await search.update(
        [
            RemovedContact(address=eve.address, kind=ContactKind.MEMBER, changed=9),
            RemovedContact(address="never@example.com", kind=ContactKind.MEMBER, changed=10),
        ]
    )
    assert await names(search, "eve") == []
    assert search.watermarks == {"example.com": 10, "other.org": 1}


async def test_the_last_change_of_a_batch_wins(search: Search) -> None:
    def person(name: str, changed: int) -> Contact:
        return Contact(address="eve@example.com", name=name, changed=changed)

    gone = RemovedContact(address="eve@example.com", kind=ContactKind.MEMBER, changed=9)
    await search.update([person("One", 7), person("Two", 8)])
    assert await names(search, "eve") == ["eve"]
    assert await names(search, "one") == []
    await search.update([gone, person("Three", 10)])
    assert await names(search, "three") == ["eve"]
    await search.update([person("Four", 11), gone])
    assert await names(search, "eve") == []
    await search.update([])


async def test_rebuild_replaces_everything(search: Search) -> None:
    await search.rebuild([BOB, ANNA, Contact(address=BOB.address, name="Robert", changed=9)])
    assert await names(search) == ["anna.mueller", "bob"]
    assert await names(search, "robert") == ["bob"]
    assert await names(search, domain="other.org") == []
    assert search.watermarks == {"example.com": 9}
    assert await search.count("example.com") == 2
    await search.rebuild([])
    assert await names(search) == []


async def test_many_of_one_name_keep_their_order(search: Search) -> None:
    """The first columns of the order are equal for all: the cut is found in the later ones."""
    names_ = [f"Maximiliane Annegret Musterfrau {n:03} {n * 7919 % 1000:03}" for n in range(300)]
    namesakes = [
        Contact(address=f"m{number * 7919 % 1000:03}@example.com", name=name, changed=10)
        for number, name in enumerate(names_)
    ]
    await search.update(namesakes[::-1])
    expected = [contact.address for contact in namesakes]
    for limit in (1, 7, 100, 300):
        found = await search.search("example.com", "max m", {}, limit)
        assert list(found.addresses) == expected[:limit]
        assert found.is_complete == (limit == 300)


async def test_the_same_name_is_ordered_by_address(search: Search) -> None:
    same = [Contact(address=f"{letter}@example.com", name="Kim Lee", changed=10) for letter in "dbca"]
    await search.update(same)
    assert await names(search, "kim", limit=3) == ["a", "b", "c"]


WORDS = st.sampled_from(
    [
        "anna",
        "ann",
        "Ánna",
        "a",
        "b",
        "ab",
        "abba",
        "sales",
        "sal",
        "山田",
        "田中太",
        "55",
        "+1 555-01",
        "other",
        "com",
        "Ø",
        "x.y",
    ]
)
TEXTS = st.lists(WORDS, max_size=3).map(" ".join) | st.text(max_size=6)
ADDRESSES = st.builds(
    lambda local, domain: f"{local}@{domain}",
    st.sampled_from(["anna", "ann.b", "a", "b", "ab-55", "sales", "x1", "x2", "x3", "x4"]),
    st.sampled_from(["example.com", "other.org"]),
)
PEOPLE = st.builds(
    Contact, address=ADDRESSES, name=TEXTS, title=TEXTS, department=TEXTS, phone=TEXTS, changed=st.integers(1, 9)
)
REMOVED = st.builds(RemovedContact, address=ADDRESSES, kind=st.just(ContactKind.MEMBER), changed=st.integers(1, 9))
FIELDS = st.dictionaries(st.sampled_from(["name", "first", "last", "nick", "email", "odd"]), TEXTS, max_size=2)
QUERIES = st.tuples(TEXTS, FIELDS, st.sampled_from([1, 2, 5, 100]))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PEOPLE, max_size=12), st.lists(PEOPLE | REMOVED, max_size=4), st.lists(QUERIES, min_size=1, max_size=8))
async def test_disk_and_memory_agree(
    folder: Path,
    people: list[Contact],
    changes: list[Contact | RemovedContact],
    queries: list[tuple[str, dict[str, str], int]],
) -> None:
    disk, memory = TantivyContacts.open(folder), MemoryContacts()
    try:
        for search in (disk, memory):
            await search.rebuild(people)
            await search.update(changes)
        assert dict(disk.watermarks) == memory.watermarks
        for text, fields, limit in queries:
            for domain in ("example.com", "other.org"):
                found = await disk.search(domain, text, fields, limit)
                assert found == await memory.search(domain, text, fields, limit)
                assert all(address.endswith(f"@{domain}") for address in found.addresses)
    finally:
        await disk.aclose()
