"""The commands about histories: taking one away as a file, and removing what is too old."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from config import commands
from config.context import config_option, settings
from config.dates import Date, Span, from_microseconds
from config.operation import perform
from config.output import output
from config.settings import Settings
from config.terminal import Failed, print_json
from config.transcripts import WRITERS, Heading
from config.upkeep import ARCHIVE
from engine import administration as a
from engine.admission import prepare_address
from engine.contacts import Contact
from engine.errors import Refusal
from engine.ports import StorageUnavailable
from index.migrations import DatabaseRefused
from index.onlooker import Onlooker
from index.transcripts import Excerpt, read

PIECE_CHARACTERS: Final = 65_536
"""That are written at a time."""


@click.group()
@config_option
def history() -> None:
    """What members have said."""


@history.command("export")
@click.argument("address")
@click.option("--with", "with_", metavar="ADDRESS", help="Only the conversation with this person or alias.")
@click.option("--from", "start", type=Date(), help="From this day or time on.")
@click.option("--to", "end", type=Date(), help="Up to the end of this day, or up to this time.")
@click.option("--output", "file", type=click.Path(path_type=Path), metavar="FILE", help="In place of standard output.")
@click.option("--format", "form", type=click.Choice(list(WRITERS)), required=True, help="For programs, or for people.")
@config_option
def export(
    address: str, *, with_: str | None, start: Span | None, end: Span | None, file: Path | None, form: str
) -> None:
    """Write the history of a member, or what was sent to an alias, oldest first.

    Dates are like 2026-11-25 and mean days of UTC; times are like 2026-11-25T17:30:00+01:00. jsonl has every field; txt and
    html have what was said. The server is not disturbed.
    """
    if start is not None and end is not None and start.first > end.last:
        raise click.UsageError("--from is after --to")
    loaded = settings()
    owner = _find(loaded, address)
    peer = _prepare(with_, owner.address) if with_ is not None else ""
    excerpt = Excerpt(
        owner=owner.address,
        is_alias=owner.is_alias,
        peer=peer,
        start=0 if start is None else max(start.first, 0),
        end=None if end is None else end.last,
    )
    heading = Heading(
        owner=owner.address,
        names={} if form == "jsonl" else _names(loaded, owner.address),
        made=datetime.now(UTC),
        peer=peer,
        start=None if start is None else from_microseconds(start.first),
        end=None if end is None else from_microseconds(end.last),
    )
    try:
        with Onlooker(loaded.data_dir / ARCHIVE) as onlooker, output(file) as target:
            for piece in _pieces(WRITERS[form](heading, read(onlooker, excerpt))):
                target.write(piece)
    except (DatabaseRefused, StorageUnavailable) as error:
        raise Failed(str(error)) from error


@history.command("purge")
@click.option("--before", type=Date(), required=True, help="Everything from before this day or time goes.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@commands.json_option
@config_option
def purge(*, before: Span, dry_run: bool, as_json: bool) -> None:
    """Remove old messages for good, from every history, from the search index, and from the disk.

    Dates are like 2026-11-25 and mean the beginning of that day in UTC; times are like 2026-11-25T17:30:00+01:00. A message
    that still waits for someone who never came goes, too. Chat goes on meanwhile.
    """
    result = perform(settings(), a.PurgeHistory(before=before.first, is_rehearsal=dry_run))
    if not isinstance(result, a.Purged):
        return
    extent = result.extent
    if as_json:
        print_json({**msgspec.to_builtins(extent), "is_removed": not dry_run})
        return
    verb = "would remove" if dry_run else "removed"
    waiting = f"; {extent.waiting} of them had not reached a recipient" if extent.waiting else ""
    click.echo(
        f"{verb} {_count(extent.messages, 'message')} ({_count(extent.octets, 'byte')} of text)"
        f" of {_count(extent.conversations, 'conversation')} of {_count(extent.members, 'member')}{waiting}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _find(loaded: Settings, typed: str) -> Contact:
    result = perform(loaded, a.FindContact(typed))
    if not isinstance(result, a.ContactsListed):
        raise Failed(f"the server does not know {typed}")
    return result.contacts[0]


def _prepare(typed: str, owner: str) -> str:
    """With whom; he may have been removed by now."""
    try:
        return prepare_address(typed, {owner.rpartition("@")[2]})
    except Refusal as refusal:
        raise Failed(f"--with: {refusal.text}") from refusal


def _names(loaded: Settings, owner: str) -> dict[str, str]:
    """The display names of everybody with whom the owner can have talked."""
    domain = owner.rpartition("@")[2]
    found: dict[str, str] = {}
    for command in (a.ListUsers(domain), a.ListAliases(domain)):
        result = perform(loaded, command)
        if isinstance(result, a.ContactsListed):
            found |= {contact.address: contact.name for contact in result.contacts if contact.name}
    return found


def _pieces(texts: Iterator[str]) -> Iterator[bytes]:
    """Few large pieces of many small ones."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= PIECE_CHARACTERS:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()
