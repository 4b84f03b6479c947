"""A history of a million messages, in the database of a server that does not run: fast, by the archive's own means."""

from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import trio

from engine.jid import Jid
from engine.messages import Chat
from engine.ports import Draft
from engine.xmpp.xml import CLIENT, E, render
from index.archive import SqliteArchive
from index.asyncio_island import Island

BATCH = 5_000
FIRST_SECOND = 1_700_000_000.0
SECONDS_APART = 20.0
TEXTS = (
    "Yes.",
    "The figures of last month are in, and the customer is content with what he sees there.",
    "Could you have a look at the draft before noon? I changed the second paragraph and the table, and I'm not sure of either.",
)


def fill(file: Path, owner: str, peers: Sequence[str], messages: int) -> None:
    """So many messages between the owner and each of the others in turn, sent by both sides."""
    trio.run(_fill, file, owner, peers, messages)


async def _fill(file: Path, owner: str, peers: Sequence[str], messages: int) -> None:
    batches = count()
    drafts = _drafts(owner, peers, messages)
    async with Island() as island, SqliteArchive(island, file, clock=lambda: _time(next(batches))) as archive:
        while batch := list(islice(drafts, BATCH)):
            await archive.commit(batch)


def _time(batch: int) -> float:
    return FIRST_SECOND + batch * BATCH * SECONDS_APART


def _drafts(owner: str, peers: Sequence[str], messages: int) -> Iterator[Draft]:
    me, my_session = Jid.parse(owner), Jid.parse(f"{owner}/desk")
    others = [(Jid.parse(peer), Jid.parse(f"{peer}/desk")) for peer in peers]
    for number in range(messages):
        peer, session = others[number % len(others)]
        is_mine = number % 3 == 0
        text = TEXTS[number % len(TEXTS)]
        chat = Chat(
            sender=my_session if is_mine else session,
            to=peer if is_mine else me,
            stanza_id=f"m{number}",
            origin_id=f"a-client-gave-it-this-{number}",
            body=text,
            payload=render(E("body", CLIENT, text)),
            is_lasting=True,
        )
        yield Draft(chat, (chat.to.bare,))
