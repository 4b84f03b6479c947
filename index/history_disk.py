"""The history index as documents in a Tantivy folder: written, committed, replaced. All of it blocks.

One document for each message with a body. Its fields: ``id`` (a column, for order and dates), ``side`` (a term for each history
that it is in: the owner; the owner and his peer; the owner, his peer and the peer's resource), and its words in three shapes:
``word``, whole, if they are longer than a beginning; ``start``, their beginnings and those of pairs; ``pairs``, in order
(`index.history_words`). Nothing is stored: the archive has the text.

**The watermark** is the greatest id in the index itself, so it is on disk with the messages or not at all. Where the newest
message has no body, a document without words and histories stands for it (`_MARK`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
import tantivy

from engine.ports import Indexed, Side, StorageUnavailable
from index.history_words import START_CHARACTERS, words_of
from index.tantivy_folder import TantivyFolder, drop, make_beside
from index.tokens import FORMAT

WRITER_BYTES: Final = 15_000_000
"""What Tantivy's writer collects at most before it writes a segment, and its least; a commit has far less."""

_MARK: Final = f"mark_{FORMAT}"  # other rules of tokenisation are another schema: such an index is made anew
_ANY_MARK: Final = "*"


class Committed(msgspec.Struct, frozen=True):
    """The index as it was at one commit: its searcher, its smallest and greatest id, how many messages it has."""

    schema: tantivy.Schema
    searcher: tantivy.Searcher
    oldest: int
    newest: int
    count: int


class HistoryDisk:
    """What is written. All of it blocks and is called by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._folder = _open(path)
        self._newest = self._newest_document = 0

    @classmethod
    def beside(cls, path: Path) -> Self:
        """An empty index beside this one."""
        return cls(make_beside(path))

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._folder.path

    def look(self) -> Committed:
        """What was committed last."""
        folder, searcher = self._folder, self._folder.searcher()
        marks = searcher.doc_freq(_MARK, _ANY_MARK)
        ends = _ends(searcher)
        return Committed(folder.schema, searcher, *ends, searcher.num_docs - marks)

    def add(self, messages: Sequence[Indexed]) -> list[str]:
        """Hand messages to Tantivy's writer; returns their words, each as a text."""
        documents = [_document(message) for message in messages]
        try:
            writer = self._folder.writer()
            for message, (_, document) in zip(messages, documents, strict=True):
                if document is not None:
                    writer.add_json(document)
                    self._newest_document = message.id
                self._newest = message.id
        except (OSError, ValueError, RuntimeError) as error:
            raise StorageUnavailable(f"{self.path}: {' '.join(str(error).split())}") from error
        return [text for text, _ in documents]

    def commit(self) -> Committed:
        """Have everything on disk."""
        if self._newest > self._newest_document:
            self._folder.writer().add_json(_encode({"id": self._newest, _MARK: _ANY_MARK}).decode())
            self._newest_document = self._newest
        self._folder.commit()
        return self.look()

    def recover(self) -> Committed:
        """After a fault: what was committed last, or an empty index if the folder has been deleted."""
        self._folder.rollback()
        if not self._folder.is_there():
            self._folder.close()
            self._folder = _open(self.path)
        committed = self.look()
        self._newest = self._newest_document = committed.newest
        return committed

    def replace(self, old: "HistoryDisk") -> Committed:
        """Commit, and take the place of the old one, which is deleted."""
        self.commit()
        old.close()
        self._folder.take_place(old.path)
        return self.look()

    def remove(self) -> None:
        """Close and delete."""
        self._folder.close()
        drop(self.path)

    def close(self) -> None:
        """Free the folder."""
        self._folder.close()


def _open(path: Path) -> TantivyFolder:
    analyzers = {
        # Cut here, at half of what it costs in Python, and without its lock.
        "rookery_starts": tantivy.TextAnalyzerBuilder(
            tantivy.Tokenizer.ngram(1, START_CHARACTERS, prefix_only=True)
        ).build(),
        "rookery_words": tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build(),
    }
    return TantivyFolder(path, _schema(), analyzers, check=_ends, writer_bytes=WRITER_BYTES)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", fast=True)
    for name in ("side", _MARK):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("word", tokenizer_name="rookery_words", index_option="basic")
    builder.add_text_field("start", tokenizer_name="rookery_starts", index_option="basic")
    builder.add_text_field("pairs", tokenizer_name="rookery_words", index_option="position")
    return builder.build()


def _ends(searcher: tantivy.Searcher) -> tuple[int, int]:
    """The smallest and the greatest id; 0 and 0 if it is empty."""
    if not searcher.num_docs:
        return 0, 0
    everything = tantivy.Query.all_query()
    ends = (
        searcher.search(everything, 1, count=False, order_by_field="id", order=order).hits[0][0]
        for order in (tantivy.Order.Asc, tantivy.Order.Desc)
    )
    return next(ends), next(ends)


class _Document(msgspec.Struct, omit_defaults=True):
    """A message as Tantivy takes it. Of `word`, only what no beginning in `start` stands for."""

    id: int
    side: list[str]
    word: str
    start: list[str]
    pairs: str = ""


_encode: Final = msgspec.json.Encoder().encode


def _document(message: Indexed) -> tuple[str, str | None]:
    """Its words as a text, and the document; None if it has no body."""
    if not message.body:
        return "", None
    found = words_of(message.body)
    words, pairs = found.words, found.pairs
    long = " ".join([word for word in words if len(word) > START_CHARACTERS])
    document = _Document(message.id, _side_terms(message.sides), long, [*words, *pairs], " ".join(pairs))
    return found.text, _encode(document).decode()


def _side_terms(sides: Sequence[Side]) -> list[str]:
    """The terms under which a message is in its histories."""
    terms: list[str] = []
    for side in sides:
        conversation = f"{side.owner} {side.peer}"
        terms += (f"1 {side.owner}", f"2 {conversation}")  # what `side_term` makes, sooner
        terms += [f"3 {conversation} {resource}" for resource in side.resources if resource]
    return terms


def side_term(*parts: str) -> str:
    """The term of an owner's history, of his conversation with a peer, or of what is from or to one resource of the peer."""
    return f"{len(parts)} {' '.join(parts)}"  # there is no space in a bare JID, and the number tells the kinds apart
