"""`rookery trace`: what became of a message, for people and for programs. What it said is not shown."""

from collections.abc import Iterator
from typing import Any

import click

from config.commands import json_option
from config.context import config_option, settings
from config.dates import from_microseconds
from config.terminal import Failed, print_json, printable
from config.upkeep import ARCHIVE, JOURNAL
from engine.messages import Chat
from engine.ports import StorageUnavailable
from index.migrations import DatabaseRefused
from index.onlooker import Onlooker
from index.session_journal import read_sessions
from index.traces import TRACES, Client, Receipt, Trace, find


@click.command()
@click.argument("name", metavar="STANZA-ID")
@json_option
@config_option
def trace(name: str, *, as_json: bool) -> None:
    """Show what became of a message: accepted, archived, in whose history, which clients have got it, who still waits.

    STANZA-ID is the archive's id (16 hexadecimal digits), the origin-id, or the id attribute that the sender's client gave it;
    all messages that match are shown. What they say is not.
    """
    try:
        with Onlooker(settings().data_dir / ARCHIVE) as onlooker:
            traces, is_complete = find(onlooker, read_sessions(settings().data_dir / JOURNAL), name)
    except (DatabaseRefused, StorageUnavailable) as error:
        raise Failed(str(error)) from error
    if not traces:
        raise Failed(f"no message has the id {name!r}")
    if as_json:
        print_json({"messages": [_values(trace) for trace in traces], "is_complete": is_complete})
        return
    for trace in traces:
        for line in _lines(trace):
            click.echo(line)
    if not is_complete:
        click.echo(f"there are more; these are {TRACES}")


def _values(trace: Trace) -> dict[str, Any]:
    chat = trace.chat
    return {
        "id": chat.id_text,
        "time": _time(chat),
        "from": chat.sender.full,
        "to": chat.to.full,
        "via": None if chat.via is None else chat.via.bare,
        "kind": chat.kind,
        "stanza_id": chat.stanza_id,
        "origin_id": chat.origin_id,
        "in_history_of_sender": trace.has_sender,
        "recipients": [_recipient(receipt) for receipt in trace.receipts],
        "absent": trace.absent,
    }


def _recipient(receipt: Receipt) -> dict[str, Any]:
    return {
        "address": receipt.owner,
        "is_waiting": receipt.is_waiting,
        "clients": [{"client": client.family, "is_given": client.is_given} for client in receipt.clients],
        "sessions": [
            {"resource": session.resource, "is_acknowledged": session.is_acknowledged} for session in receipt.sessions
        ],
    }


def _lines(trace: Trace) -> Iterator[str]:
    chat = trace.chat
    yield f"message {chat.id_text}"
    yield f"  accepted   {_time(chat)} from {chat.sender.full}"
    yield f"  archived   as {chat.id_text}, before anyone was shown it"
    alias = "" if chat.via is None else ", an alias"
    yield f"  to         {chat.to.full}{alias}"
    for label, value in (("origin-id", chat.origin_id), ("id", chat.stanza_id)):
        if value:
            yield f"  {label:10} {value!r}"
    keeps = "sent" if trace.has_sender else "not any more: the member was removed"
    yield f"  history of {chat.sender.bare}: {keeps}"
    for receipt in trace.receipts:
        yield f"  history of {receipt.owner}: received"
        yield from _delivery(receipt)
    for address in trace.absent:
        yield f"  absent     {address}: offline while other members of the alias were online; not in the history"


def _delivery(receipt: Receipt) -> Iterator[str]:
    given = [_name(client) for client in receipt.clients if client.is_given]
    missing = [_name(client) for client in receipt.clients if not client.is_given]
    if given:
        yield f"    delivered to {', '.join(given)}"
    if missing:
        yield f"    not yet to   {', '.join(missing)}"
    for session in receipt.sessions:
        said = "acknowledged" if session.is_acknowledged else "sent, not acknowledged yet"
        yield f"    session      {printable(session.resource)}: {said}"
    if receipt.is_waiting:
        yield f"    waiting for  {receipt.owner}: no client has got it"


def _name(client: Client) -> str:
    return printable(client.family) or "a client without a name"


def _time(chat: Chat) -> str:
    return from_microseconds(chat.id).isoformat(timespec="microseconds").replace("+00:00", "Z")
