"""Finds members and aliases in a Tantivy index (`engine.ports.ContactSearch`).

Which words find a contact and which contact comes first is decided in `index.contact_words`; this module keeps those words on
disk and asks for them. What someone types never reaches Tantivy's query parser: it is cut into words, each word becomes a
term query, and the domain is ANDed to every query here, in one place (`_Search.query`).

**Prefixes are terms**: every beginning of every word is indexed (cut by Tantivy), so the shortest prefix costs one posting
list. Measured at 100,000 contacts, one letter: 0.2 ms; an automaton over whole words (fuzzy or regex query) needs 2 ms.

**Order is numbers**: `ContactWords.order` in one 64-bit column each. The best k come from a top-k collector on the first; only
where the cut falls among equals, the next column is asked about those alone. (Tantivy's order by a text column reads its
dictionary for each hit of each segment: 6 ms.)

**Tiers** are asked one after another, best first, until the limit is passed; a later tier contains the earlier ones.

**Watermarks**: for each domain the index holds, in the same commit as the contacts, the version (`Contact.changed`) up to which
it is complete. It moves with `update` only for domains that were brought up to date in this process, so changes that were
missed (a crash, a full disk) are never passed over; `index.rebuild` finds and repairs them at the next start.

**Threads**: writing and searching run in worker threads (Tantivy releases the interpreter), at most one writer and
`SEARCH_THREADS` searches at a time; contacts are cut into words on the trio loop, `CHUNK` at a time. While a domain is
indexed anew its old entries stay to be found until the commit, and live updates wait for it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import msgspec
import tantivy
import trio

from engine.contacts import Contact, RemovedContact
from engine.ports import FoundContacts, StorageUnavailable
from index.contact_words import ORDER_NUMBERS, PLACES, TIERS, Condition, conditions_of, domain_words, words_of
from index.tantivy_folder import TantivyFolder
from index.tokens import FORMAT, WORD_CHARACTERS

CHUNK: Final = 32
"""Contacts cut into words at a stretch, about 1.5 ms of the trio loop."""

SEARCH_THREADS: Final = 2
"""Searches at a time; further ones wait for one that ends. More would only take the processors from the chat."""

_ORDER: Final = tuple(f"order_{level}" for level in range(ORDER_NUMBERS))
_MARK: Final = f"mark_{FORMAT}"  # other rules of tokenisation are another schema: such an index is made anew
_ANY_MARK: Final = "*"  # no domain is called that


class TantivyContacts:
    """The index on disk. Make it with `open`, end it with `aclose`.

    Attributes:
        needs_rebuild: the folder had no usable index and nothing has been brought up to date since.
    """

    def __init__(self, folder: TantivyFolder) -> None:
        self._folder = folder
        self._lock = trio.Lock()
        self._writers = trio.CapacityLimiter(1)
        self._searches = trio.CapacityLimiter(SEARCH_THREADS)
        self._marks = _read_marks(folder.schema, folder.searcher())
        self._current: set[str] = set()
        self.needs_rebuild = folder.is_new

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the index in this folder; one that is missing or damaged is made anew. Blocks (1 ms per MB).

        Raises:
            StorageUnavailable: another process has it open, or the folder cannot be written.
        """
        analyzers = {
            "rookery_word": tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).build(),
            "rookery_prefix": tantivy.TextAnalyzerBuilder(
                tantivy.Tokenizer.ngram(1, WORD_CHARACTERS, prefix_only=True)
            ).build(),
        }
        schema = _schema()
        return cls(TantivyFolder(Path(path), schema, analyzers, check=partial(_read_marks, schema)))

    async def aclose(self) -> None:
        """Finish what is under way and free the folder; a second call does nothing."""
        with trio.CancelScope(shield=True):
            async with self._lock:
                await trio.to_thread.run_sync(self._folder.close, limiter=self._writers)

    @property
    def watermarks(self) -> Mapping[str, int]:
        """For each domain that was indexed as a whole: the version up to which the index is complete."""
        return self._marks

    async def count(self, domain: str) -> int:
        """How many contacts of the domain are found."""
        return await trio.to_thread.run_sync(self._count, domain, limiter=self._searches)

    async def search(self, domain: str, text: str, fields: dict[str, str], limit: int) -> FoundContacts:
        """See `engine.ports.ContactSearch`."""
        conditions = conditions_of(text, fields)
        if conditions is None or not domain.isprintable():
            await trio.lowlevel.checkpoint()
            return FoundContacts((), is_complete=True)
        search = _Search(self._folder, domain, conditions, max(0, limit))
        return await trio.to_thread.run_sync(search.run, limiter=self._searches)

    async def update(self, changes: Sequence[Contact | RemovedContact]) -> None:
        """Put changes into the index; they are found when this returns. One commit (13 ms): bring many at a time.

        Raises:
            StorageUnavailable: nothing of it was written.
        """
        domains = {_domain(change) for change in changes}
        if not domains:
            await trio.lowlevel.checkpoint()
            return
        try:
            async with self.writing() as writing:
                await writing.put(changes)
                for domain in domains & self._current:
                    writing.mark(domain, max(writing.newest[domain], self._marks[domain]))
        except BaseException:
            self._current -= domains  # their watermark stays where it is, before what was missed
            raise

    async def rebuild(self, contacts: Sequence[Contact]) -> None:
        """The index again from these contacts; until that is done, the old one is searched.

        Raises:
            StorageUnavailable: the index is as it was.
        """
        async with self.writing() as writing:
            for domain in self._marks:
                writing.unmark(domain)
            writing.forget_all()
            await writing.put(contacts, is_new=True)
            for domain, version in writing.newest.items():
                writing.mark(domain, version)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator["ContactWriting"]:
        """Change the index: everything in one commit at the end of the block, or nothing if it raises.

        Raises:
            StorageUnavailable: nothing was written.
        """
        async with self._lock:
            writing = ContactWriting(self._folder, self._writers)
            try:
                yield writing
                await writing.flush()
                # Not to be cancelled half-way: the watermarks in memory are those on disk.
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(self._folder.commit, limiter=self._writers)
            except BaseException:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(self._folder.rollback, limiter=self._writers)
                raise
            marked = {domain for domain, version in writing.marks.items() if version is not None}
            merged = {**self._marks, **writing.marks}
            self._marks = {domain: version for domain, version in merged.items() if version is not None}
            self._current = (self._current - writing.marks.keys()) | marked
            self.needs_rebuild = self.needs_rebuild and not marked

    def _count(self, domain: str) -> int:
        everyone = tantivy.Query.term_query(self._folder.schema, "domain", domain)
        counting = {"contacts": {"value_count": {"field": _ORDER[0]}}}
        return int(self._folder.searcher().aggregate(everyone, counting)["contacts"]["value"])


class ContactWriting:
    """Changes that are committed together; given out by `TantivyContacts.writing`.

    Attributes:
        marks: watermarks that were set, or dropped (None).
        newest: for each domain, the newest version among the changes.
    """

    def __init__(self, folder: TantivyFolder, limiter: trio.CapacityLimiter) -> None:
        self._folder = folder
        self._limiter = limiter
        self._steps: list[tuple[str, str]] = []  # ("add", JSON document), ("all", "") or (field, value to be deleted)
        self.marks: dict[str, int | None] = {}
        self.newest: dict[str, int] = {}

    async def put(self, changes: Iterable[Contact | RemovedContact], *, is_new: bool = False) -> None:
        """Take changes in their order. `is_new`: none of their addresses is in the index, which saves looking for them."""
        added: set[str] = set()
        for change in changes:
            domain = _domain(change)
            self.newest[domain] = max(change.changed, self.newest.get(domain, 0))
            if not is_new or change.address in added:
                self._steps.append(("address", change.address))
            if isinstance(change, Contact):
                added.add(change.address)
                self._steps.append(("add", _document(change)))
            if len(self._steps) >= CHUNK:
                await self.flush()

    def forget(self, domain: str) -> None:
        """Drop all contacts of the domain, and its watermark."""
        self._steps.append(("domain", domain))
        self.unmark(domain)

    def forget_all(self) -> None:
        """Drop all contacts of all domains; watermarks are dropped by `unmark`."""
        self._steps.append(("all", ""))

    def mark(self, domain: str, version: int) -> None:
        """The domain is completely indexed up to this version."""
        self.unmark(domain)
        self.marks[domain] = version
        mark: dict[str, Any] = {_MARK: [_ANY_MARK, domain], "version": version}
        mark |= dict.fromkeys(_ORDER, 0)  # a column that every document has is read faster
        self._steps.append(("add", _json(mark)))

    def unmark(self, domain: str) -> None:
        """Nothing is known of the domain's completeness."""
        self._steps.append((_MARK, domain))
        self.marks[domain] = None

    async def flush(self) -> None:
        """Hand what was collected to Tantivy's writer."""
        steps, self._steps = self._steps, []
        await trio.to_thread.run_sync(self._write, steps, limiter=self._limiter)

    def _write(self, steps: list[tuple[str, str]]) -> None:
        try:
            writer = self._folder.writer()
            for action, value in steps:
                if action == "add":
                    writer.add_json(value)
                elif action == "all":
                    writer.delete_documents_by_query(tantivy.Query.all_query())
                else:
                    writer.delete_documents_by_term(action, value)
        except (OSError, ValueError, RuntimeError) as error:
            raise StorageUnavailable(f"{self._folder.path}: {' '.join(str(error).split())}") from error


class _Search:
    """One search, in a worker thread, over one state of the index."""

    def __init__(self, folder: TantivyFolder, domain: str, conditions: Sequence[Condition], limit: int) -> None:
        self._schema = folder.schema
        self._searcher = folder.searcher()
        self._domain = domain
        self._conditions = conditions
        self._limit = min(limit, self._searcher.num_docs)  # the collector reserves room for as many

    def run(self) -> FoundContacts:
        """Ask tier after tier until one more than the limit is found."""
        found: dict[str, None] = {}
        asked: object = None
        for tier in range(TIERS):
            places = [condition.at_tier(tier) for condition in self._conditions]
            if places == asked:
                continue  # this tier adds no place to the one before
            asked = places
            for hit in self._best(self.query(tier), self._limit + 1):
                found[self._searcher.doc(hit)["address"][0]] = None
            if len(found) > self._limit:
                return FoundContacts(tuple(found)[: self._limit], is_complete=False)
        return FoundContacts(tuple(found), is_complete=True)

    def query(self, tier: int) -> tantivy.Query:
        """Everyone of the domain for whom all conditions hold at this tier or a better one."""
        parts = [self._term("domain", self._domain)]
        for condition in self._conditions:
            part = self._condition(condition, tier)
            if part is not None:
                parts.append(part)
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, part) for part in parts])

    def _condition(self, condition: Condition, tier: int) -> tantivy.Query | None:
        """One of these terms; None: the domain's own words fulfil it for everyone."""
        whole, beginning = condition.at_tier(tier)
        domain = domain_words(self._domain)
        if ("address" in whole and condition.word in domain) or (
            "address" in beginning and any(word.startswith(condition.word) for word in domain)
        ):
            return None
        fields = [_prefix(_field(place)) if place in beginning else _field(place) for place in whole]
        terms = [self._term(field, condition.word) for field in fields]
        return terms[0] if len(terms) == 1 else _any_of(terms)

    def _best(self, query: tantivy.Query, wanted: int, level: int = 0) -> list[tantivy.DocAddress]:
        """The first `wanted` hits in order; equal in all columns before `level`."""
        result = self._searcher.search(
            query, wanted + 1, count=False, order_by_field=_ORDER[level], order=tantivy.Order.Asc
        )
        hits = [address for _, address in result.hits]
        is_last = level + 1 == len(_ORDER)
        if is_last or not hits:
            return hits[:wanted]
        rest = [self._searcher.fast_field_values(column, hits) for column in _ORDER[level + 1 :]]
        keys = [(first, *others) for (first, _), *others in zip(result.hits, *rest, strict=True)]
        sort = sorted(range(len(hits)), key=keys.__getitem__)
        if len(hits) <= wanted or keys[-1][0] != keys[-2][0]:
            return [hits[at] for at in sort[:wanted]]
        # The cut falls among equals of this column: not all of them are here. They are asked for by themselves.
        tied = keys[-1][0]
        whole = [hits[at] for at in sort if keys[at][0] != tied]
        among = tantivy.Query.range_query(self._schema, _ORDER[level], tantivy.FieldType.Unsigned, tied, tied)
        both = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, among)])
        return whole + self._best(both, wanted - len(whole), level + 1)

    def _term(self, field: str, value: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, field, value, index_option="basic")


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("address", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("domain", tokenizer_name="raw", index_option="basic")
    for column in _ORDER:
        builder.add_unsigned_field(column, fast=True)
    for place in PLACES:
        builder.add_text_field(place, tokenizer_name="rookery_word", index_option="basic")
        builder.add_text_field(_prefix(place), tokenizer_name="rookery_prefix", index_option="basic")
    builder.add_text_field(_MARK, stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("version", stored=True)
    return builder.build()


def _document(contact: Contact) -> str:
    found = words_of(contact)
    document: dict[str, Any] = {"address": contact.address, "domain": found.domain}
    document.update(zip(_ORDER, found.order, strict=True))
    for place in PLACES:
        words: tuple[str, ...] = getattr(found, place)
        document[place] = document[_prefix(place)] = words
    return _json(document)


def _read_marks(schema: tantivy.Schema, searcher: tantivy.Searcher) -> dict[str, int]:
    every = tantivy.Query.term_query(schema, _MARK, _ANY_MARK, index_option="basic")
    hits = searcher.search(every, max(1, searcher.num_docs), count=False).hits
    documents = [searcher.doc(address) for _, address in hits]
    return {document[_MARK][1]: document["version"][0] for document in documents}


def _json(document: dict[str, Any]) -> str:
    return msgspec.json.encode(document).decode()


def _any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def _field(place: str) -> str:
    """The field of whole words; the domain's part of an address is not indexed."""
    return "local" if place == "address" else place


def _prefix(field: str) -> str:
    return f"{field}_prefix"


def _domain(change: Contact | RemovedContact) -> str:
    return change.address.partition("@")[2]
