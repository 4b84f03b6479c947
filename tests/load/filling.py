"""Fills the archive of a Rookery that does not run, by its own means: some members have talked with each other for long."""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import trio

from engine.jid import Jid
from engine.messages import Chat
from engine.ports import Cursor, Draft, Notes
from engine.xmpp.xml import CLIENT, E, render
from index.archive import SqliteArchive
from index.asyncio_island import Island

BATCH = 1_000
TEXT = "The figures of last month are in, invoice {} is paid and the customer is content."


def fill(data: Path, members: Sequence[str], messages: int) -> None:
    """So many messages between these members, each of which was delivered."""
    trio.run(_fill, data / "archive.sqlite", members, messages)


async def _fill(file: Path, members: Sequence[str], messages: int) -> None:
    drafts = _conversations(members, messages)
    async with Island() as island, SqliteArchive(island, file, clock=time.time) as archive:
        while batch := list(islice(drafts, BATCH)):
            stored = await archive.commit(batch)
            delivered = Cursor(stored[-1].id, stored[-1].id)
            await archive.commit([], Notes({(member, ""): delivered for member in members}))


def _conversations(members: Sequence[str], messages: int) -> Iterator[Draft]:
    people = [Jid.parse(member) for member in members]
    sessions = [Jid.parse(f"{member}/device0") for member in members]
    for number in range(messages):
        sender = number % len(people)
        to = (sender + 1 + number // len(people) % (len(people) - 1)) % len(people)
        text = TEXT.format(number)
        chat = Chat(
            sender=sessions[sender],
            to=people[to],
            stanza_id=f"f{number}",
            origin_id=f"f{number}",
            body=text,
            payload=render(E("body", CLIENT, text)),
            is_lasting=True,
        )
        yield Draft(chat, (members[to],))
