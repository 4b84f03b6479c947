"""Which words find a message: shared by the index on disk, its newest part in memory, and the twin, so that they agree.

A body is its runs of letters and digits (`index.tokens`). Someone looks for some runs, and each must be in the body: at the
beginning of a word, or, in a script without spaces, anywhere in a run as it stands. So ``wor hel`` finds *Hello, world*, and
``京都`` finds *東京都* but not *東京の都*. Their order and how often they are there do not matter.

**In memory** a body is one text, its words with a space before each, and a condition is a substring of it.

**On disk** a body is terms. Beginnings of up to `START_CHARACTERS` are terms of their own: many words begin with one letter,
and to unite their postings would cost in proportion to everything that anyone ever said (measured with 1,000,000 messages: 15
ms for one letter, 45 ms for eight; with 4,000,000: 20 and 105 ms; as terms 9 and 13 ms at most, and for a user with few
messages under 1 ms). Longer beginnings are looked up among the words, which is cheap (1.3 ns for each message that has one of
them). Of scripts without spaces each character and each pair is a term, and longer runs are a phrase of pairs.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.messages import HistoryQuery
from index.tokens import WORD_CHARACTERS, cut, is_unspaced, query_runs, runs, words_of_run

START_CHARACTERS: Final = 3
"""Length up to which the beginnings of words are indexed as terms. With 3, a message costs 1.5 times what its words alone
would, with 5 twice that; 2 would leave beginnings that some thousand words share."""


MAX_ID: Final = 2**63 - 1
"""Of the archive."""


class Condition(msgspec.Struct, frozen=True):
    """What a body must have: a word that begins with `run`, or, if it `is_unspaced`, the run anywhere."""

    run: str
    is_unspaced: bool

    def is_met(self, text: str) -> bool:
        """By a body, as `BodyWords.text` has it."""
        return (self.run if self.is_unspaced else f" {self.run}") in text

    @property
    def start(self) -> str | None:
        """The beginning of a word, or of a pair, that stands for the whole condition; None: it is longer."""
        return self.run if len(self.run) <= (2 if self.is_unspaced else START_CHARACTERS) else None

    @property
    def pairs(self) -> list[str]:
        """The phrase among `BodyWords.pairs` that stands for a longer run without spaces."""
        return list(words_of_run(self.run))[:-1]


class BodyWords(msgspec.Struct, frozen=True):
    """What the index knows of a body.

    Attributes:
        text: all its words, for `Condition.is_met`.
        words: whole words, each once.
        pairs: of scripts without spaces, in their order; the last character of each run keeps runs apart.
    """

    text: str
    words: Sequence[str]
    pairs: Sequence[str]


def conditions_of(text: str) -> tuple[Condition, ...]:
    """What someone looks for; empty if there is no letter or digit in it, and then nothing is found."""
    return tuple(Condition(run, is_unspaced(run)) for run in query_runs(text))


def bounds_of(query: HistoryQuery) -> tuple[int, int]:
    """The smallest and the greatest archive id that the query asks for."""
    low = query.start if query.after is None else max(query.start, query.after + 1)
    high = MAX_ID if query.end is None else query.end
    return low, high if query.before is None else min(high, query.before - 1)


def words_of(body: str) -> BodyWords:
    """The words of a body: ``"Hello, 世界 4"`` → " hello 4 世界"; hello, 4; 世界, 界."""
    words = list(dict.fromkeys(runs(body)))
    unspaced = [] if body.isascii() else [run for run in words if is_unspaced(run)]
    if unspaced:
        words = [run for run in words if not is_unspaced(run)]
    if max(map(len, words), default=0) > WORD_CHARACTERS:
        words = list(dict.fromkeys(map(cut, words)))
    pairs = [pair for run in unspaced for pair in words_of_run(run)]
    return BodyWords(" ".join(("", *words, *unspaced)), words, pairs)
