"""What counts as a word, and which spellings are the same one."""

# ruff: noqa: RUF001 -- letters that look alike are what is tested

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.limits import SEARCH_CHARACTERS, SEARCH_WORDS
from index.tokens import FORMAT, TEXT_WORDS, WORD_CHARACTERS, prefixes, query_runs, query_words, runs, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("@#%*()\"'\\/ \t\n\0", []),
        ("a@b#c%d.e-f_g+h", list("abcdefgh")),
        ("Ana-María O'Neill", ["ana", "maria", "o", "neill"]),
        ("STRASSE straße STRAẞE", ["strasse"] * 3),
        ("Øre Łukasz Đorđe Ærø Œuvre Þór", ["ore", "lukasz", "dorde", "aero", "oeuvre", "thor"]),
        ("Ştefan Çağrı İstanbul", ["stefan", "cagri", "istanbul"]),
        ("ＡＢＣ１２ ﬁn x² ①", ["abc12", "fin", "x2", "1"]),
        ("٤٢ ४२ 42", ["42"] * 3),
        ("Ὀδυσσεύς ΟΔΥΣΣΕΥΣ", ["οδυσσευσ"] * 2),
        ("שָׁלוֹם مُحَمَّد", ["שלום", "محمد"]),
        ("Ёлка Йод", ["елка", "иод"]),
        ("हिन्दी नाम", ["हिन्दी", "नाम"]),
        ("ไทย", ["ไท", "ทย", "ย"]),
        ("ลาว မြန်မာ ខ្មែរ", ["ลา", "าว", "ว", "မြ", "ြန", "န်", "်မ", "မာ", "ာ", "ខ្", "្ម", "មែ", "ែរ", "រ"]),
        ("mu\u0308ller m\u00fcller", ["muller"] * 2),
        ("Mül\u00adler a\u200fb", ["muller", "ab"]),
        ("a\ud800b", ["a", "b"]),
        ("😀 a😀b ❤️", ["a", "b"]),
        ("\u093f", []),  # a vowel sign alone is no word
        ("山田太郎", ["山田", "田太", "太郎", "郎"]),
        ("林", ["林"]),
        ("ｶﾞｷﾞ がき", ["ガギ", "ギ", "がき", "き"]),
        ("김철수 김철수", ["김철", "철수", "수"] * 2),
        ("iPhone用ABC", ["iphone", "用", "abc"]),
    ],
)
def test_words_of_an_index(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("José jos JOSÉ", ["jose", "jos"]),
        ("田太郎", ["田太", "太郎"]),
        ("郎", ["郎"]),
        ("(" * 12_000, []),
        ("owner:x NOT y*", ["owner", "x", "not", "y"]),
    ],
)
def test_words_of_a_query(text: str, expected: list[str]) -> None:
    assert query_words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("José jos JOSÉ", ["jose", "jos"]),
        ("田太郎 (x", ["田太郎", "x"]),
        ("x" * 100, ["x" * WORD_CHARACTERS]),
        ("山" * 100, ["山" * WORD_CHARACTERS]),
        (" ".join(map(str, range(50))), list(map(str, range(SEARCH_WORDS)))),
        (" " * SEARCH_CHARACTERS + "late", []),
        ("(((*", []),
    ],
)
def test_runs_of_a_query(text: str, expected: list[str]) -> None:
    assert query_runs(text) == expected


def test_decomposed_hangul_is_the_composed() -> None:
    assert words("\u1100\u1161\u11a8") == words("각") == ["각"]


def test_prefixes() -> None:
    assert prefixes("ann") == ["a", "an", "ann"]


def test_limits_cut() -> None:
    assert words("x" * 1_000) == query_words("x" * 200) == ["x" * WORD_CHARACTERS]
    assert len(words("a " * 1_000)) == TEXT_WORDS
    assert len(query_words(" ".join(map(str, range(50))))) == SEARCH_WORDS
    assert len(query_words("一二三四五六七八九十" * 20)) == SEARCH_WORDS
    assert query_words(" " * SEARCH_CHARACTERS + "late") == []


def test_format_is_part_of_a_field_name() -> None:
    assert FORMAT.replace("_", "").isalnum()


@given(st.text(st.characters(exclude_categories=[])))
@example("İ ß ﷺ ΐ ゙ ᾳ")
def test_folding_is_stable_and_pure(text: str) -> None:
    folded = list(runs(text))
    assert list(runs(" ".join(folded))) == folded
    assert all(any(map(str.isalnum, run)) and " " not in run for run in folded)
    assert [run for run in folded if run.casefold() != run] == []


@given(st.text(max_size=SEARCH_CHARACTERS))
def test_what_is_indexed_is_found_by_itself(text: str) -> None:
    indexed = words(text, limit=10_000)
    assert all(any(word.startswith(typed) for word in indexed) for typed in query_words(text))


@given(st.text("山田太郎가나다かなカナ", min_size=1, max_size=12), st.data())
def test_any_part_of_a_name_without_spaces_is_found(name: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(name) - 1))
    part = name[start : data.draw(st.integers(start + 1, len(name)))]
    assert all(any(word.startswith(typed) for word in words(name)) for typed in query_words(part))
