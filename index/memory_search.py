"""Finds members and aliases in memory: the twin of `index.contacts`, for tests and for a server without a disk.

The same words, conditions, tiers and order (`index.contact_words`), looked for by a plain scan of all contacts: slow from some
thousands on, and obviously right. Whatever the index on disk answers must be what this answers.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

from engine.contacts import Contact, RemovedContact
from engine.ports import FoundContacts
from index.contact_words import TIERS, Condition, ContactWords, conditions_of, domain_words, words_of


class MemoryContacts:
    """The index in memory; the same calls as `index.contacts.TantivyContacts`.

    Attributes:
        needs_rebuild: nothing has been brought up to date yet.
    """

    def __init__(self) -> None:
        self._words: dict[str, ContactWords] = {}
        self._marks: dict[str, int] = {}
        self.needs_rebuild = True

    async def aclose(self) -> None:
        """Nothing is held."""
        await trio.lowlevel.checkpoint()

    @property
    def watermarks(self) -> Mapping[str, int]:
        """For each domain that was indexed as a whole: the version up to which the index is complete."""
        return self._marks

    async def count(self, domain: str) -> int:
        """How many contacts of the domain are found."""
        await trio.lowlevel.checkpoint()
        return sum(words.domain == domain for words in self._words.values())

    async def search(self, domain: str, text: str, fields: dict[str, str], limit: int) -> FoundContacts:
        """See `engine.ports.ContactSearch`."""
        await trio.lowlevel.checkpoint()
        conditions = conditions_of(text, fields)
        if conditions is None:
            return FoundContacts((), is_complete=True)
        ranked = sorted(
            (tier, words.order, address)
            for address, words in self._words.items()
            if words.domain == domain and (tier := _tier(conditions, words)) < TIERS
        )
        limit = max(0, limit)
        return FoundContacts(tuple(address for _, _, address in ranked[:limit]), is_complete=len(ranked) <= limit)

    async def update(self, changes: Sequence[Contact | RemovedContact]) -> None:
        """Put changes into the index; they are found when this returns."""
        async with self.writing() as writing:
            await writing.put(changes)
            for change in changes:
                domain = change.address.partition("@")[2]
                if domain in self._marks:
                    writing.mark(domain, max(change.changed, self._marks[domain]))

    async def rebuild(self, contacts: Sequence[Contact]) -> None:
        """The index again from these contacts."""
        async with self.writing() as writing:
            writing.forget_all()
            await writing.put(contacts, is_new=True)
            for contact in contacts:
                domain = contact.address.partition("@")[2]
                writing.mark(domain, max(contact.changed, self._marks.get(domain, 0)))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator["MemoryWriting"]:
        """Change the index. Changes show at once; what fails half-way stays half-way, since nothing can fail here."""
        await trio.lowlevel.checkpoint()
        yield MemoryWriting(self._words, self._marks)
        self.needs_rebuild = self.needs_rebuild and not self._marks


class MemoryWriting:
    """Changes to a `MemoryContacts`."""

    def __init__(self, words: dict[str, ContactWords], marks: dict[str, int]) -> None:
        self._words = words
        self._marks = marks

    async def put(self, changes: Iterable[Contact | RemovedContact], *, is_new: bool = False) -> None:
        """Take changes in their order."""
        del is_new  # nothing to be saved
        for change in changes:
            if isinstance(change, Contact):
                self._words[change.address] = words_of(change)
            else:
                self._words.pop(change.address, None)

    def forget(self, domain: str) -> None:
        """Drop all contacts of the domain, and its watermark."""
        for address in [address for address, words in self._words.items() if words.domain == domain]:
            del self._words[address]
        self.unmark(domain)

    def forget_all(self) -> None:
        """Drop all contacts of all domains, and their watermarks."""
        self._words.clear()
        self._marks.clear()

    def mark(self, domain: str, version: int) -> None:
        """The domain is completely indexed up to this version."""
        self._marks[domain] = version

    def unmark(self, domain: str) -> None:
        """Nothing is known of the domain's completeness."""
        self._marks.pop(domain, None)


def _tier(conditions: Iterable[Condition], words: ContactWords) -> int:
    """The tier at which all conditions hold; `TIERS` if they never do."""
    return max((_condition_tier(condition, words) for condition in conditions), default=0)


def _condition_tier(condition: Condition, words: ContactWords) -> int:
    for tier in range(TIERS):
        whole, beginning = condition.at_tier(tier)
        if any(condition.word in _words_in(words, place) for place in whole):
            return tier
        if any(word.startswith(condition.word) for place in beginning for word in _words_in(words, place)):
            return tier
    return TIERS


def _words_in(words: ContactWords, place: str) -> tuple[str, ...]:
    if place == "address":
        return words.local + domain_words(words.domain)
    found: tuple[str, ...] = getattr(words, place)
    return found
