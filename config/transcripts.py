"""How a history is written: as JSON lines for programs, as text and as a page for people.

A writer takes a `Heading` and the lines of a history as they come, and gives pieces of the file as they are made; nothing
is collected. Times are UTC. For people, messages without text (receipts, markers, reactions) are only counted.

**Nothing that someone wrote becomes anything else.** In the page every value is escaped by the template, which has no
scripts and loads nothing; in text, what is more than one line is indented, so that it cannot look like another message, and
control characters are replaced.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

import jinja2
import msgspec

from config.dates import from_microseconds
from index.transcripts import Line

_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_BREAKS: Final = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_NO_LINE_ENDS: Final = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
"""Of JSON: for JSON they are characters like any other, for many a program they end a line."""


class Heading(msgspec.Struct, frozen=True):
    """What the transcript is of.

    Attributes:
        owner: a member or an alias.
        names: address -> display name, of whoever has one.
        made: when.
        peer: the only one with whom; empty: everybody.
        start: from when; None: from the beginning.
        end: until when; None: to the end.
    """

    owner: str
    names: Mapping[str, str]
    made: datetime
    peer: str = ""
    start: datetime | None = None
    end: datetime | None = None

    def name(self, address: str) -> str:
        """How people call an address."""
        return self.names.get(address) or address

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What stands above the messages."""
        found = [("History of", self._who(self.owner))]
        if self.peer:
            found.append(("With", self._who(self.peer)))
        found += [(word, _moment(time)) for word, time in (("From", self.start), ("To", self.end)) if time is not None]
        return [*found, ("Written", _moment(self.made))]

    def _who(self, address: str) -> str:
        name = self.name(address)
        return address if name == address else f"{name} <{address}>"


class _Record(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """One line of JSON. Of an alias, `peer` is who sent it and `direction` is ``received``."""

    id: str
    time: str
    direction: str
    peer: str
    from_: str
    to: str
    via: str | None
    kind: str
    stanza_id: str
    origin_id: str
    language: str
    body: str
    payload: str


def write_jsonl(_: Heading, lines: Iterable[Line]) -> Iterator[str]:
    """Every field of every message, one JSON object in a line; nothing else."""
    encode = msgspec.json.Encoder().encode
    for line in lines:
        chat = line.chat
        record = _Record(
            id=chat.id_text,
            time=from_microseconds(chat.id).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            direction="sent" if line.is_sent else "received",
            peer=line.peer,
            from_=chat.sender.full,
            to=chat.to.full,
            via=None if chat.via is None else chat.via.bare,
            kind=chat.kind,
            stanza_id=chat.stanza_id,
            origin_id=chat.origin_id,
            language=chat.language,
            body=chat.body,
            payload=chat.payload,
        )
        yield f"{encode(record).decode().translate(_NO_LINE_ENDS)}\n"


def write_txt(heading: Heading, lines: Iterable[Line]) -> Iterator[str]:
    """For people who read text."""
    yield "".join(f"{word + ':':12}{_one_line(value)}\n" for word, value in heading.facts)
    counted = _Counted(heading, lines)
    for day, messages in counted.days():
        yield f"\n---- {day} ----\n\n"
        for message in messages:
            first, *others = _BREAKS.split(message.body)
            yield f"{message.time}  {_one_line(message.sender)} -> {_one_line(message.to)}: {_clean(first)}\n"
            yield "".join(f"{'':10}{_clean(line)}\n" for line in others)
    yield f"\n{counted.summary}\n"


def write_html(heading: Heading, lines: Iterable[Line]) -> Iterator[str]:
    """For people who read pages: one file that needs nothing else."""
    counted = _Counted(heading, lines)
    stream = _template().stream(heading=heading, days=counted.days(), counted=counted)
    stream.enable_buffering(64)
    yield from stream


WRITERS: Final[Mapping[str, Callable[[Heading, Iterable[Line]], Iterator[str]]]] = {
    "jsonl": write_jsonl,
    "txt": write_txt,
    "html": write_html,
}


class _Message(msgspec.Struct, frozen=True):
    """One message as people see it. `time`: of the day; `moment`: for machines."""

    id: str
    time: str
    moment: str
    sender: str
    sender_address: str
    to: str
    body: str
    is_sent: bool


class _Counted:
    """Lines on their way to people, counted as they pass."""

    def __init__(self, heading: Heading, lines: Iterable[Line]) -> None:
        self._heading = heading
        self._lines = lines
        self._shown = 0
        self._left_out = 0

    def days(self) -> Iterator[tuple[str, Iterator[_Message]]]:
        """Day by day; each is to be read before the next."""
        timed = ((from_microseconds(line.chat.id), line) for line in self._lines if self._is_shown(line))
        for day, of_day in groupby(timed, lambda each: each[0].date()):
            yield f"{day:%A}, {day.day} {day:%B %Y}", (self._message(*each) for each in of_day)

    @property
    def summary(self) -> str:
        """What there was, in a sentence; at the end."""
        more = f", and {self._left_out} without text that only --format jsonl shows" if self._left_out else ""
        plural = "" if self._shown == 1 else "s"
        return f"{self._shown} message{plural}{more}. All times are UTC."

    def _is_shown(self, line: Line) -> bool:
        is_shown = bool(line.chat.body)
        self._shown += is_shown
        self._left_out += not is_shown
        return is_shown

    def _message(self, time: datetime, line: Line) -> _Message:
        chat = line.chat
        return _Message(
            id=chat.id_text,
            time=time.strftime("%H:%M:%S"),
            moment=time.isoformat(),
            sender=self._heading.name(chat.sender.bare),
            sender_address=chat.sender.full,
            to=self._heading.name(chat.to.bare),
            body=chat.body,
            is_sent=line.is_sent,
        )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("config", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: _clean(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("transcript.html")


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _one_line(text: str) -> str:
    return _clean(_BREAKS.sub(" ", text))


def _clean(text: str) -> str:
    """Without what a screen would obey in place of showing it."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
