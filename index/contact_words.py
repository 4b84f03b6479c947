"""Which words find a contact, and how well: shared by the index on disk and the one in memory, so that they agree.

A contact's words stand in places: its name, its address, and the rest (title, department, phone). The words of the domain
itself belong to every address of it; they are compared once per search and indexed nowhere.

**Finding**: every condition must hold. A condition is one word that someone typed and the places, best first, in which it
may begin a word. A named field is a condition with its own places.

**Ranking**: a condition holds at a tier, 0 the best: the whole word in its first, second, third place are tiers 0 to 2, the
beginning of a word in its first, second, third place are tiers 3 to 5. A contact is as good as its worst condition; among
equals the order is that of the names (folded, by code point), then of the addresses, told apart in `ORDER_BYTES`; what agrees
in all of them is ordered by a hash of the address. So the order is total, the same on every machine, and made of numbers.

**Phones** are found with and without separators, with and without the country: ``+1 (555) 010-7788`` by ``555``, ``0107788``,
``5550107788``, ``15550107788`` and ``0015550107788``; ``+49 30 1234`` by ``0301234`` too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from engine.contacts import Contact
from index.tokens import TEXT_WORDS, WORD_CHARACTERS, query_words, runs, words, words_of_run

PLACES: Final = ("name", "first", "last", "local", "rest")
"""Attributes of `ContactWords` that hold words; also names of fields in the index."""

ORDER_BYTES: Final = 40
"""Of folded name and address that order contacts: 40 Latin letters, 13 Chinese characters."""

ORDER_NUMBERS: Final = ORDER_BYTES // 8 + 1

TIERS: Final = 6
"""Whole word, then beginning of a word, each in at most three places."""

_TEXT_PLACES: Final = ("name", "address", "rest")
_FIELD_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name",),
    "first": ("first",),
    "last": ("last",),
    "nick": ("local", "name"),
    "email": ("address",),
}
_GROUP: Final = re.compile(r"\d+")
_COUNTRY_DIGITS: Final = 3  # the longest country calling code (ITU-T E.164)
_NO_TRUNK_ZERO: Final = "1"  # North America dials no 0 before the area
_PHONE_DIGITS: Final = WORD_CHARACTERS - 2  # E.164 has 15, an extension a few more; room for the 00 before them


class ContactWords(msgspec.Struct, frozen=True):
    """What finds a contact: different words in each place, and `ORDER_NUMBERS` numbers below 2**64 that sort it."""

    domain: str
    order: tuple[int, ...]
    name: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    local: tuple[str, ...]
    rest: tuple[str, ...]


class Condition(msgspec.Struct, frozen=True):
    """A word that must begin some word in one of the places (``address`` is ``local`` and the domain's own words)."""

    word: str
    places: tuple[str, ...]

    def at_tier(self, tier: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The places where the whole word counts, and those where its beginning does, at this tier or a better one."""
        return self.places[: tier + 1], self.places[: max(0, tier - 2)]


def words_of(contact: Contact) -> ContactWords:
    """The words of a member or an alias."""
    local, _, domain = contact.address.partition("@")
    name_runs = list(runs(contact.display_name))[:TEXT_WORDS]
    # A name of one word is both: nobody knows which, and whoever asks for either means it.
    first = _different(word for run in name_runs[:-1] or name_runs for word in words_of_run(run))
    last = _different(word for run in name_runs[-1:] for word in words_of_run(run))
    rest = [*_shared_words(contact.title), *_shared_words(contact.department), *_phone_words(contact.phone)]
    return ContactWords(
        domain=domain,
        order=_order(name_runs, contact.address),
        name=_different((*first, *last)),
        first=first,
        last=last,
        local=_different(words(local)),
        rest=_different(rest),
    )


def conditions_of(text: str, fields: Mapping[str, str]) -> tuple[Condition, ...] | None:
    """What someone looks for; empty: everyone. None: nobody can be found.

    Nobody: a text or field without letter or digit, or a field that does not exist. An empty field is not looked at.
    """
    found: list[Condition] = []
    asked = [(text, _TEXT_PLACES), *((value, _FIELD_PLACES.get(field, ())) for field, value in fields.items())]
    for value, places in asked:
        if not value:
            continue
        typed = query_words(value)
        if not typed or not places:
            return None
        found.extend(Condition(word, places) for word in typed)
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def domain_words(domain: str) -> tuple[str, ...]:
    """The words that belong to every address of the domain: ``"mail.example.com"`` → mail, example, com."""
    return _different(words(domain))


@lru_cache(maxsize=1024)
def _shared_words(text: str) -> tuple[str, ...]:
    """Of titles and departments, which many people have in common."""
    return tuple(words(text))


def _order(name_runs: Iterable[str], address: str) -> tuple[int, ...]:
    # UTF-8 sorts as code points do, and big-endian numbers as their bytes do; NUL sorts a name before its continuations.
    name = " ".join(name_runs).encode() + b"\0" + address.encode()
    key = name[:ORDER_BYTES].ljust(ORDER_BYTES, b"\0") + blake2b(address.encode(), digest_size=8).digest()
    return tuple(int.from_bytes(key[at : at + 8]) for at in range(0, len(key), 8))


def _different(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))


def _phone_words(phone: str) -> Sequence[str]:
    """The words as written; then the number without separators, from each of its groups on, with what is dialled before."""
    found = words(phone)
    groups = _GROUP.findall(" ".join(found))
    joined = "".join(groups)[:_PHONE_DIGITS]
    start = 0
    for group in groups:
        found.append(joined[start:])
        start += len(group)
    if phone.lstrip().startswith("+") and groups:
        # Written without separators nobody can tell where the country ends: all three lengths are taken.
        lengths = range(1, _COUNTRY_DIGITS + 1) if len(groups[0]) > _COUNTRY_DIGITS else (len(groups[0]),)
        national = [joined[length:] for length in lengths if joined[length:]]
        found += [f"00{joined}", *national]
        if not joined.startswith(_NO_TRUNK_ZERO):
            found += [f"0{number}" for number in national]
    return [word for word in found if word]
