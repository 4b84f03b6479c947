"""Finding messages: the same tests for the index on disk and the one in memory (`test_history_index` has the rest)."""

# ruff: noqa: RUF001 -- letters that look alike are what is tested

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from engine.messages import HistoryQuery
from engine.ports import Indexed, Side
from index.history_index import TantivyHistory
from index.history_tail import MemoryHistorySearch
from tests.index.stories import NOON

Search = TantivyHistory | MemoryHistorySearch

A, B, C, TEAM = "a@x.org", "b@x.org", "c@x.org", "team@x.org"
FIRST = int(NOON * 1_000_000)
DAY = 86_400_000_000


def said(number: int, body: str, sender: str = f"{A}/desk", to: str = B, recipients: str = "") -> Indexed:
    """A message from a person to a person, or to an alias with recipients."""
    (bare, _, resource), (peer, _, target) = sender.partition("/"), to.partition("/")
    others = [owner for owner in recipients.split() or [peer] if owner != bare]
    mine = Side(bare, peer, (target, resource) if peer == bare else (target,))
    return Indexed(FIRST + number, body, (mine, *(Side(owner, bare, (resource,)) for owner in others)))


@pytest.fixture(params=["disk", "memory", "disk and memory"])
async def search(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Search]:
    if request.param == "memory":
        yield MemoryHistorySearch()
        return
    opened = TantivyHistory.open(tmp_path / "index")
    if request.param == "disk":
        opened.add = keeping(opened)
    yield opened
    await opened.aclose()


def keeping(search: TantivyHistory):
    add = search.add

    async def add_and_keep(messages: Iterable[Indexed], after: int) -> None:
        await add(messages, after)
        await search.keep()

    return add_and_keep


async def find(search: Search, text: str, owner: str = A, **narrowed) -> list[int]:
    """Numbers of what is found, newest page first unless told otherwise."""
    query = HistoryQuery(owner=owner, text=text, **narrowed)
    ids, is_complete = await search.find(query)
    assert is_complete == (len(ids) == await search.matches(query))
    return [message_id - FIRST for message_id in ids]


# -- words -------------------------------------------------------------------------------------------------------------

BODIES = (
    "Hello, World! See https://example.com/a-page?id=4711",
    "hello again, Zoë: the STRAẞE is closed",
    "Ünterstützung für Émile & the naïve",
    "東京都へ行きます。カタカナ",
    "京都と大阪 ＡＢＣ",
    "สวัสดีครับ ขอบคุณ",
    "a b c 1 22 333",
    "wörterbuch " + "x" * 40,
    "",
    "🙂 ... !!",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", [0, 1]),
        ("HEL wor", [0]),
        ("world hello", [0]),
        ("ello", []),
        ("h", [0, 1]),
        ("he the", [1]),
        ("example.com", [0]),
        ("47", [0]),
        ("4711 page", [0]),
        ("zoe strasse", [1]),
        ("unter", [2]),
        ("naive emile fur", [2]),
        ("東", [3]),
        ("都", [3, 4]),
        ("京都", [3, 4]),
        ("東京都", [3]),
        ("東京都へ行", [3]),
        ("東京大阪", []),
        ("都へ行きます", [3]),
        ("都行", []),
        ("ｶﾀｶﾅ", [3]),
        ("abc 京都", [4]),
        ("大阪 京", [4]),
        ("ขอบ", [5]),
        ("คุณ", [5]),
        ("วัสดีค", [5]),
        ("ดีครับ ขอ", [5]),
        ("a b c", [6]),
        ("333 22 1", [6]),
        ("3333", []),
        ("x" * 32, [7]),
        ("x" * 40, [7]),
        ("x" * 100, [7]),
        ("wor", [0, 7]),
        ("🙂", []),
        ("", []),
        ("  ", []),
        ("...", []),
    ],
)
async def test_words(search: Search, text: str, expected: list[int]) -> None:
    await search.add([said(number, body) for number, body in enumerate(BODIES)], 0)
    assert await find(search, text) == expected


async def test_a_long_message_is_searched_to_its_end(search: Search) -> None:
    words = " ".join(f"w{number}" for number in range(30_000))
    await search.add([said(0, f"{words} 山{'田' * 30_000}川 the end")], 0)
    for text in ("w29999", "end", "田川", "田田川 the w0"):
        assert await find(search, text) == [0]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 12_000,
        "((hello" * 2_000,
        "side:b@x.org hello",
        "hello OR side:b@x.org",
        "NOT x",
        "*:*",
        "id:[0 TO 9]",
        '"hello',
        "hello~2",
        "hel.*",
        "\0",
        "\ud800\udfff hello",
        "😀" * 5_000,
        "a" * 1_000_000,
        "山" * 10_000,
        "\u0301" * 10_000,
        "ﷺ" * 256,
    ],
)
async def test_hostile_text_is_only_words(search: Search, text: str) -> None:
    await search.add([said(0, "hello"), said(1, "hello", B, C), said(2, text, B, C)], 0)
    assert set(await find(search, text)) <= {0}
    assert await find(search, text, owner=text) == []
    assert await find(search, "hello", peer=text) == []


# -- whose -------------------------------------------------------------------------------------------------------------


async def test_only_the_owners_messages_are_found(search: Search) -> None:
    await search.add([said(0, "hello"), said(1, "hello", C, B), said(2, "hello", C, C)], 0)
    assert await find(search, "hello", A) == [0]
    assert await find(search, "hello", B) == [0, 1]
    assert await find(search, "hello", C) == [1, 2]
    for owner in ("", "*", "x.org", f"{A} {B}", f"{A} {B}/desk", "a", f"{A}/desk", "d@x.org", "\0"):
        assert await find(search, "hello", owner) == []


async def test_with_a_person_or_one_of_his_devices(search: Search) -> None:
    await search.add(
        [
            said(0, "hello"),
            said(1, "hello", f"{B}/phone one", A),
            said(2, "hello", f"{A}/desk", f"{B}/phone one"),
            said(3, "hello", f"{C}/desk", A),
            said(4, "hello", f"{A}/desk", f"{A}/phone"),
        ],
        0,
    )
    assert await find(search, "hello", peer=B) == [0, 1, 2]
    assert await find(search, "hello", peer=B, resource="phone one") == [1, 2]
    assert await find(search, "hello", peer=B, resource="phone") == []
    assert await find(search, "hello", peer=C) == [3]
    assert await find(search, "hello", peer=A) == await find(search, "hello", peer=A, resource="desk") == [4]
    assert await find(search, "hello", peer=A, resource="phone") == [4]
    assert await find(search, "hello", resource="phone one") == [0, 1, 2, 3, 4]
    assert await find(search, "hello", peer="d@x.org") == []
    assert await find(search, "hello", B, peer=A, resource="desk") == [0, 2]


async def test_an_alias_is_the_senders_peer_and_the_sender_that_of_the_others(search: Search) -> None:
    await search.add([said(0, "hello", A, TEAM, f"{B} {C} {A}")], 0)
    assert await find(search, "hello", A, peer=TEAM) == [0]
    assert await find(search, "hello", B, peer=A) == [0]
    assert await find(search, "hello", C, peer=TEAM) == []
    assert await find(search, "hello", TEAM) == []


async def test_many_histories(search: Search) -> None:
    people = " ".join(f"p{number}@x.org" for number in range(3_000))
    await search.add([said(0, "hello all", A, TEAM, people)], 0)
    assert await find(search, "all", "p2999@x.org", peer=A) == [0]


# -- pages -------------------------------------------------------------------------------------------------------------


async def pages(search: Search, text: str, limit: int, **narrowed) -> AsyncIterator[list[int]]:
    """Page after page, in the direction of the query."""
    is_backwards, is_complete, bound = narrowed.get("is_backwards", False), False, {}
    while not is_complete:
        query = HistoryQuery(owner=A, text=text, limit=limit, **{**narrowed, **bound})
        ids, is_complete = await search.find(query)
        yield [message_id - FIRST for message_id in ids]
        if ids:
            bound = {"before": ids[0]} if is_backwards else {"after": ids[-1]}


@pytest.mark.parametrize("gap", [1, DAY // 3, 20 * DAY])
async def test_pages_both_ways(search: Search, gap: int) -> None:
    numbers = [number * gap for number in range(100)]
    after = 0
    for start in range(0, 100, 30):
        messages = [said(n, "odd" if n // gap % 2 else "even") for n in numbers[start : start + 30]]
        await search.add(messages, after)
        after = messages[-1].id
    odd = numbers[1::2]
    for limit in (1, 7, 50, 200):
        forth = [page async for page in pages(search, "odd", limit)]
        assert forth == [odd[start : start + limit] for start in range(0, 50, limit)]
        back = [page async for page in pages(search, "odd", limit, is_backwards=True)]
        assert back == [odd[max(0, end - limit) : end] for end in range(50, 0, -limit)]


async def test_bounds(search: Search) -> None:
    await search.add([said(number, "hello") for number in range(10)], 0)
    start, end = FIRST + 2, FIRST + 6
    assert await find(search, "hello", start=start, end=end) == [2, 3, 4, 5, 6]
    assert await find(search, "hello", start=start, end=end, after=FIRST + 3) == [4, 5, 6]
    assert await find(search, "hello", start=start, end=end, before=FIRST + 3) == [2]
    assert await find(search, "hello", after=FIRST + 8) == [9]
    assert await find(search, "hello", after=FIRST + 9) == []
    assert await find(search, "hello", before=FIRST) == []
    assert await find(search, "hello", start=FIRST + 5, end=FIRST + 4) == []
    assert await find(search, "hello", start=-5, end=2**70) == list(range(10))
    assert await find(search, "hello", after=2**70) == []
    assert await find(search, "hello", limit=3) == [0, 1, 2]
    assert await find(search, "hello", limit=3, is_backwards=True) == [7, 8, 9]
    assert await search.find(HistoryQuery(owner=A, text="hello", limit=0)) in [((), False), ([], False)]
    assert await search.matches(HistoryQuery(owner=A, text="hello", limit=0)) == 10


# -- growing -----------------------------------------------------------------------------------------------------------


async def test_what_is_added_is_found(search: Search) -> None:
    assert await search.newest() == 0
    assert await find(search, "one") == []
    await search.add([said(1, "one"), said(2, "")], 0)
    assert await find(search, "one") == [1]
    assert await search.newest() == FIRST + 2
    assert await search.count() == 1
    await search.add([said(3, "one more")], FIRST + 2)
    assert await find(search, "one") == [1, 3]
    await search.add([], FIRST + 3)
    await search.keep()
    await search.keep()
    assert await find(search, "one") == [1, 3]
    assert await search.newest() == FIRST + 3
    assert await search.count() == 2


async def test_nothing_is_added_twice(search: Search) -> None:
    first = [said(1, "one"), said(2, "two")]
    await search.add(first, 0)
    await search.add(first, 0)
    await search.add([*first, said(3, "three")], 0)
    assert await search.count() == 3
    assert await find(search, "t") == [2, 3]


async def test_there_are_no_gaps(search: Search) -> None:
    await search.add([said(1, "one")], 0)
    await search.add([said(9, "nine")], FIRST + 8)
    assert await search.newest() == FIRST + 1
    assert await find(search, "nine") == []
    await search.add([said(9, "nine")], FIRST)
    assert await find(search, "nine") == [9]


async def test_made_anew_it_knows_what_it_was_told(search: Search) -> None:
    await search.add([said(1, "secret"), said(2, "one"), said(3, "one")], 0)
    async with search.anew() as fresh:
        await fresh.add([said(2, "one")], 0)
        await fresh.add([said(9, "nine")], FIRST + 8)  # there would be a gap
        assert await fresh.newest() == FIRST + 2
        assert await find(search, "secret") == [1]
        await search.add([said(4, "one")], FIRST + 3)
        assert await find(search, "one") == [2, 3, 4]
    assert await search.newest() == FIRST + 2
    assert await search.count() == 1
    assert await find(search, "secret") == []
    assert await find(search, "one") == [2]
    await search.add([said(3, "one"), said(4, "one")], FIRST + 2)
    assert await find(search, "one") == [2, 3, 4]


async def test_what_cannot_be_made_anew_stays(search: Search) -> None:
    await search.add([said(1, "one")], 0)

    async def fail() -> None:
        async with search.anew() as fresh:
            await fresh.add([said(2, "two")], 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await search.newest() == FIRST + 1
    assert await find(search, "one") == [1]
    assert await find(search, "two") == []


async def test_made_anew_empty(search: Search) -> None:
    await search.add([said(1, "one")], 0)
    async with search.anew():
        pass
    assert await search.newest() == 0
    assert await search.count() == 0
    assert await find(search, "one") == []
    await search.add([said(2, "two")], 0)
    assert await find(search, "two") == [2]
