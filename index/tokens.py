"""The one place where text becomes words: for the indexes, for what people type, and for the in-memory twins.

Pure functions. A word is a run of letters and digits; everything else separates and is never searched: spaces, ``@ # % . - _
+ '``, emoji, control characters, lone surrogates. Two spellings that a person takes for the same become the same word:

- **Compatibility** (NFKC): full-width and half-width forms, ligatures, superscripts, circled digits are the plain ones.
- **Case** is folded as Unicode says (``STRASSE`` = ``Straße``), and a dotless i is an i.
- **Accents** go: ``é`` is ``e``, ``Å`` is ``a``, Hebrew points and Arabic vowels vanish. Letters that Unicode does not take
  apart become what people without that key type: ``ø`` o, ``ł`` l, ``đ`` d, ``æ`` ae, ``œ`` oe, ``þ`` th. Signs without
  which a word is another word stay and count as letters: vowel signs and viramas of Indic scripts, tones of Thai, the voicing
  of kana (``が`` is not ``か``).
- **Digits** of every script are the digits 0 to 9.
- **Invisible** characters (direction marks, joiners, soft hyphens, variation selectors) are dropped: nobody sees that they
  are there, so they neither separate nor count.

**Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese** are written without spaces, or are looked up by a part of a name: a
run of such characters is cut into overlapping pairs, and its last character stands alone once more. A search matches by
prefix, so any part of a run is found, one character included. In what people type the last character is left out, since the
pair before contains it. Where it matters that the pairs hang together (a long text has many), `query_runs` gives what was
typed uncut.

**Limits**: a word counts up to `WORD_CHARACTERS`, in the index and in the query alike, so a longer word is still found; a text
in an index up to `TEXT_WORDS`; a query up to `SEARCH_CHARACTERS` and `SEARCH_WORDS` (`engine.limits`). What is beyond is cut
off, never refused. `FORMAT` names the rules: an index that was made by other ones is made anew.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from engine.limits import SEARCH_CHARACTERS, SEARCH_WORDS

WORD_CHARACTERS: Final = 32
"""Of one word; prefixes are indexed, so cost grows with the square. Real names stay below; the rest of a word is cut off."""

TEXT_WORDS: Final = 64
"""Of one name, title or the like in an index; bounds what one hostile entry costs. Further words are not indexed."""

FORMAT: Final = f"3_{unicodedata.unidata_version.replace('.', '_')}"
"""Changes with these rules and with Python's Unicode tables; part of an index's schema. Letters, digits and ``_``."""

_SPELT_AS: Final = {
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t", "ŋ": "n", "\u0131": "i",
    "ĸ": "k", "ƀ": "b", "ɓ": "b", "ɗ": "d", "ƒ": "f", "ɨ": "i", "ɲ": "n", "ə": "e", "ɛ": "e", "ɔ": "o",
}  # fmt: skip

_UNSPACED_CLASS: Final = (
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17dd"
    "\u1100-\u11ff\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u303c\u3041-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(f"[{_UNSPACED_CLASS}]+|[^ {_UNSPACED_CLASS}]+")
_UNSPACED: Final = re.compile(f"[{_UNSPACED_CLASS}]")
_ASCII_FOLDED: Final = bytes(
    ord(c.lower()) if (c := chr(code)).isascii() and c.isalnum() else 32 for code in range(256)
)


def _is_dropped(character: str) -> bool:
    """An accent, a vowel point or something invisible: gone without a trace, in the middle of a word too."""
    category = unicodedata.category(character)
    if category == "Cf":
        return True
    if category not in {"Mn", "Me"}:
        return False
    # Canonical combining classes (UAX 44, table 15): 1 overlays, 10 to 36 points of Hebrew, Arabic and Syriac, 200 and above
    # accents. What remains (0, 7 nukta, 8 kana voicing, 9 virama, 84 to 132 vowels and tones) makes another word.
    kind = unicodedata.combining(character)
    is_selector = 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF
    return category == "Me" or kind == 1 or 10 <= kind <= 36 or kind >= 200 or is_selector


@lru_cache(maxsize=16_384)
def _fold_character(character: str) -> str:
    """What one character counts as: letters, digits and kept marks, a space where it separates, nothing where it goes."""
    folded = unicodedata.normalize("NFKD", character)
    folded = "".join(part for part in folded if not _is_dropped(part))
    folded = unicodedata.normalize("NFKD", folded.casefold())
    return unicodedata.normalize("NFC", "".join(_fold_part(part) for part in folded))


def _fold_part(part: str) -> str:
    if _is_dropped(part):
        return ""
    if part.isdecimal():
        return str(unicodedata.decimal(part))
    if part.isalnum():
        return _SPELT_AS.get(part, part)
    return part if unicodedata.category(part).startswith("M") else " "


def runs(text: str) -> Iterable[str]:
    """The folded words of a text as written, before runs of a script without spaces are cut into pairs.

    ``"Ana-María O'Neill"`` → ana, maria, o, neill; ``"山田太郎 (営業)"`` → 山田太郎, 営業; ``"+1 (555)"`` → 1, 555.
    """
    if text.isascii():
        return text.encode().translate(_ASCII_FOLDED).decode().split()
    folded = unicodedata.normalize("NFC", "".join(map(_fold_character, text)))
    return (run for run in _RUN.findall(folded) if any(map(str.isalnum, run)))  # a mark alone is no word


def is_unspaced(run: str) -> bool:
    """Whether a run of `runs` is of a script without spaces, so that any part of it may be looked for."""
    return _UNSPACED.match(run) is not None


def cut(run: str) -> str:
    """What counts of a word."""
    return run[:WORD_CHARACTERS]


def words_of_run(run: str) -> Iterator[str]:
    """The words under which a run of `runs` is indexed: ``"maria"`` → maria; ``"山田太"`` → 山田, 田太, 太."""
    if not is_unspaced(run):
        yield cut(run)
        return
    for start in range(len(run)):
        yield run[start : start + 2]


def words(text: str, limit: int = TEXT_WORDS) -> list[str]:
    """The words under which a text is indexed, in its order, up to `limit` of them.

    ``"Zoë STRAẞE-42"`` → zoe, strasse, 42; ``"ﬁn ٤٢"`` → fin, 42; ``"山田"`` → 山田, 田; ``"@#%"`` → none.
    """
    return list(islice((word for run in runs(text) for word in words_of_run(run)), limit))


def query_words(text: str, limit: int = SEARCH_WORDS) -> list[str]:
    """The different words that someone looks for, in his order, up to `limit`: each must begin some indexed word.

    ``"José, jos"`` → jose, jos; ``"田太郎"`` → 田太, 太郎; ``"郎"`` → 郎; ``"a a"`` → a; ``"(((*"`` → none.
    """
    found: dict[str, None] = {}
    for run in runs(text[:SEARCH_CHARACTERS]):
        is_pairs = len(run) > 1 and is_unspaced(run)
        for word in words_of_run(run[: limit + 1]) if is_pairs else (cut(run),):
            if is_pairs and len(word) == 1:
                continue  # the last character of a run, which the pair before it contains
            found[word] = None
            if len(found) == limit:
                return list(found)
    return list(found)


def query_runs(text: str, limit: int = SEARCH_WORDS) -> list[str]:
    """The different runs that someone looks for, in his order, up to `limit`.

    Each must begin a run of the text, or, if it is of a script without spaces, be somewhere in one.
    ``"José, jos"`` → jose, jos; ``"田太郎 (x"`` → 田太郎, x; ``"(((*"`` → none.
    """
    return list(islice(dict.fromkeys(map(cut, runs(text[:SEARCH_CHARACTERS]))), limit))


def prefixes(word: str) -> list[str]:
    """Everything that begins the word, the whole of it included: ``"ann"`` → a, an, ann."""
    return [word[:end] for end in range(1, len(word) + 1)]
