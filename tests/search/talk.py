"""People who talk: bodies, messages and what one may look for in them; the same for the same seed."""

# ruff: noqa: RUF001 -- letters that look alike are what people type

import itertools
import random
from collections.abc import Iterator
from typing import Final

from engine.ports import Draft
from tests.index.stories import says, says_to_alias

PEOPLE: Final = tuple(f"p{number}@x.org" for number in range(8))
RESOURCES: Final = ("", "/desk", "/phone", "/the old one")
ALIAS: Final = "team@x.org"
SCRIPTS: Final = (
    "the meeting is at noon tomorrow please bring report 4711 and 2024 numbers hello Hello HELLO hell help held he h a I x",
    "Müller müde MÜLL muell Straße STRASSE strass Übergrößenträger fünf Größe Käse",
    "élève Élève eleve naïve garçon là où été ça",
    "Привет мир приветствие ёлка елка Ёж еж",
    "Ελλάδα ελλαδα Ὀδυσσεύς οδυσσεα",
    "東京都 京都 東京 東京都庁 都 京 日本語を話す カタカナ ｶﾀｶﾅ 한국어 한국 국어 中文",
    "สวัสดี สวัสดีครับ ขอบคุณ ครับ",
    "ＡＢＣ ﬁne x² don't e-mail@example.com https://example.com/a?b=c&d=4711 🙂 ... --- *** ١٢٣ 123",
)
WORDS: Final = tuple(word for line in SCRIPTS for word in line.split())
LETTERS: Final = "etaoinshrdlucmfwypvbgkjqxz"


def body(random_: random.Random) -> str:
    """One to twenty words, with a separator or none between two, in any case."""
    if random_.random() < 0.05:
        return ""
    said = (random_.choice(WORDS) for _ in range(min(20, 1 + int(random_.expovariate(0.2)))))
    return "".join(
        _in_some_case(word, random_) + random_.choice((" ", " ", " ", ", ", "\n", "、", "")) for word in said
    )


def drafts(random_: random.Random, count: int) -> Iterator[Draft]:
    """Messages between two, to oneself, and to an alias with some members away."""
    for _ in range(count):
        sender = random_.choice(PEOPLE) + random_.choice(RESOURCES)
        if random_.random() < 0.15:
            members = random_.sample(PEOPLE, 5)
            yield says_to_alias(sender, ALIAS, " ".join(members[:3]), " ".join(members[3:]), body=body(random_))
        else:
            yield says(sender, random_.choice(PEOPLE) + random_.choice(RESOURCES), body(random_))


def asked(random_: random.Random, said: str) -> str:
    """What one may type who looks for this, or for something else."""
    kind = random_.random()
    if kind < 0.1:
        return "".join(random_.choice("aeh京都 ()*:\"'~.-ครü1") for _ in range(random_.randrange(12)))
    words = [*said.split(), random_.choice(WORDS)] if kind < 0.9 else [random_.choice(WORDS)]
    chosen = (random_.choice(words) for _ in range(random_.choice((1, 1, 1, 2, 2, 3, 5))))
    return random_.choice((" ", " ", "  ", ", ")).join(_part(word, random_) for word in chosen)


def _part(word: str, random_: random.Random) -> str:
    """Mostly a beginning, sometimes what is in the middle."""
    start = random_.randrange(len(word)) if random_.random() < 0.3 else 0
    return _in_some_case(word[start : random_.randint(start + 1, len(word))], random_)


def _in_some_case(word: str, random_: random.Random) -> str:
    return random_.choice((word, word, word.upper(), word.lower()))


class Vocabulary:
    """Made-up words with the frequencies of a language (Zipf), for many messages at little cost."""

    def __init__(self, random_: random.Random, size: int = 60_000) -> None:
        self._random = random_
        made: dict[str, None] = {}
        weights = [1 / (place + 2) for place in range(len(LETTERS))]
        while len(made) < size:
            length = max(1, min(14, round(random_.gauss(4 + len(made) ** 0.5 / 60, 2))))
            made["".join(random_.choices(LETTERS, weights, k=length))] = None
        self.words = tuple(made)
        self._weights = list(itertools.accumulate(1 / (place + 2.7) for place in range(size)))

    def body(self) -> str:
        """Nine words, more or less."""
        count = min(60, 1 + int(self._random.expovariate(1 / 9)))
        return " ".join(self._random.choices(self.words, cum_weights=self._weights, k=count))
