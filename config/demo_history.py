"""What was said in the demo before it began, so that a newcomer finds conversations and not an empty room.

Written once, into an archive that has nothing yet. It is history like any other, except that it waits for nobody: a client that
logs in for the first time is not given it, it finds it in the archive.
"""

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Final

import msgspec

from config import demo_pictures
from config.settings import Settings
from config.upkeep import open_archive
from engine.files import SECRET_BYTES, FileOffer, FileStore, SharedFile, id_of, ticket_of
from engine.jid import Jid
from engine.ports import Cursor, Draft, Notes
from engine.xmpp.stanzas import OUT_OF_BAND, read_message
from engine.xmpp.xml import CLIENT, E

DOMAIN: Final = "localhost"
TEAM: Final = "salesteam"
MEMBERS: Final = ("bob", "carol", "dan")

GRAPH: Final = "answers.png"
"""A picture that is shared, in `config.demo_pictures`."""

SAID: Final = (
    (
        13,
        "09:14",
        "dan",
        "alice",
        "Hello Alice, I am the new sales engineer. Carol says you know everything about support?",
    ),
    (13, "09:16", "alice", "dan", "Welcome Dan! Everything is a lot, but ask away."),
    (13, "09:17", "dan", "alice", "How do I get into the ticket system?"),
    (13, "09:20", "alice", "dan", "With your mail password, at https://tickets.example\nAsk Erin if it says no."),
    (13, "09:31", "dan", "alice", "It said yes \N{THUMBS UP SIGN}"),
    (12, "15:02", "bob", "alice", "Do we have someone who speaks Czech? A customer in Brno prefers it on the phone."),
    (12, "15:10", "alice", "bob", "Erin does. She was born in Plzeň."),
    (12, "15:11", "bob", "alice", "Perfect, I will ask her nicely."),
    (
        12,
        "15:14",
        "bob",
        "erin",
        "Erin, would you join a call with a customer in Brno tomorrow at two? It is in Czech.",
    ),
    (12, "15:22", "erin", "bob", "Jasně! That means yes."),
    (10, "10:05", "carol", "alice", "The board asks for the figures of all teams on the 19th. A page is enough."),
    (10, "10:07", "alice", "carol", "Tickets, answer times, and what people liked?"),
    (10, "10:08", "carol", "alice", "Exactly. And one graph, they love graphs."),
    (10, "10:09", "alice", "carol", "One graph it is \N{BAR CHART}"),
    (10, "16:31", "alice", "carol", GRAPH),
    (10, "16:40", "carol", "alice", "From 4.6 hours to 3.2! That goes on the first page."),
    (9, "13:40", "erin", "alice", "I moved the ticket search to the new machine. It should be quicker now."),
    (9, "13:52", "alice", "erin", "It is! The long list opens at once. What did you do?"),
    (9, "13:55", "erin", "alice", "One index. And I deleted 2,000 lines, which was the best part."),
    (9, "13:56", "alice", "erin", "\N{PARTY POPPER}\N{PARTY POPPER}\N{PARTY POPPER}"),
    (6, "09:02", "carol", "alice", "Good morning Alice! Do you have the figures of support for the quarterly report?"),
    (6, "09:05", "alice", "carol", "Morning. Almost, I am waiting for two numbers from Erin. Is noon early enough?"),
    (6, "09:05", "carol", "alice", "Noon is perfect, thank you."),
    (6, "09:11", "alice", "erin", "Erin, how many tickets were open at the end of June?"),
    (6, "09:24", "erin", "alice", "42 open, 17 of them older than a week. The list is at https://tickets.example/june"),
    (6, "09:25", "alice", "erin", "Wonderful \N{SMILING FACE WITH SMILING EYES}"),
    (
        6,
        "11:48",
        "alice",
        "carol",
        "42 open tickets at the end of June, and the median answer took 3 hours 10 minutes.",
    ),
    (6, "11:50", "carol", "alice", "That is half an hour better than last time! Tell the team."),
    (3, "14:20", "bob", "alice", "The customer in Munich asks whether we can start on the 15th."),
    (3, "14:21", "alice", "bob", "We can, if the training room is free. I will ask."),
    (3, "14:40", "alice", "bob", "It is. Tell them yes."),
    (3, "14:41", "bob", "alice", "Done. They are happy \N{PARTY POPPER}"),
    (3, "16:02", "dan", "carol", "The prototype of the price list is ready. Shall I show it tomorrow?"),
    (3, "16:10", "carol", "dan", "Yes, at ten. Bob should see it too."),
    (1, "08:55", "alice", TEAM, "Good morning sales: who can join a call with Hanover Printing at 11?"),
    (1, "08:57", "dan", "alice", "I can, I know their set-up."),
    (1, "08:58", "alice", "dan", "Great. The number is in the invitation."),
    (1, "11:42", "dan", "alice", "That went well. They want an offer for 120 seats."),
    (1, "15:30", "bob", "carol", "Offer 2041 is out. Fingers crossed."),
    (1, "16:45", "erin", "alice", "Can we talk about the on-call plan for August some time this week?"),
    (0, "-95", "carol", "alice", "Hanover Printing signed! 120 seats, from the 15th."),
    (0, "-94", "alice", "carol", "That was quick! Congratulations to all three of you \N{BOTTLE WITH POPPING CORK}"),
    (0, "-92", "carol", "alice", "It was Dan on the phone, really. I will tell the team tonight."),
    (0, "-91", "alice", "carol", "I am in."),
    (0, "-38", "bob", "alice", "Hanover asks who answers their questions. May I give them your number?"),
    (0, "-36", "bob", "alice", "And they would like to see the training room before the 15th."),
)
"""Days ago, time of day (UTC), who, to whom, what: a text or `GRAPH`. Today: minus so many minutes."""

UNREAD_DAYS: Final = 1
"""What is older than this was read; of the rest, what nobody has answered was not."""


async def write(settings: Settings, now: float | None = None) -> bool:
    """Write it if nothing was ever said here; the caller holds the claim. Whether it was written."""
    clock = _Clock()
    async with open_archive(settings.data_dir, clock) as archive:
        if await archive.newest():
            return False
        began = datetime.fromtimestamp(time.time() if now is None else now, UTC)
        newest = 0
        for days, hour, sender, to, body in SAID:
            clock.now = _moment(began, days, hour)
            address = await _upload(archive.files, settings, sender, clock.now) if body is GRAPH else ""
            [stored] = await archive.commit([_draft(sender, to, address or body, address)])
            newest = stored.id
            if days > UNREAD_DAYS and to != TEAM:
                await archive.mark_read([(f"{to}@{DOMAIN}", newest)])
        people = {person for said in SAID for person in said[2:4]} - {TEAM}
        cursors = {(f"{person}@{DOMAIN}", "demo"): Cursor(0, newest) for person in people}
        await archive.commit((), Notes(cursors))
        return True


def _moment(now: datetime, days: int, hour: str) -> float:
    if not days:
        return (now + timedelta(minutes=int(hour))).timestamp()
    time_of_day = datetime.strptime(hour, "%H:%M").time()  # noqa: DTZ007
    return datetime.combine(now.date() - timedelta(days=days), time_of_day, UTC).timestamp()


async def _upload(files: FileStore, settings: Settings, sender: str, now: float) -> str:
    """The address of the picture, which this member shares."""
    picture = (resources.files(demo_pictures) / GRAPH).read_bytes()
    secret = secrets.token_urlsafe(SECRET_BYTES)
    file = SharedFile(id_of(secret), f"{sender}@{DOMAIN}", GRAPH, len(picture), int(now * 1_000_000))
    await files.reserve(file, 0)
    async with files.receive(file) as incoming:
        await incoming.write(picture)
        await incoming.keep()
    base = settings.web.url or (f"http://{settings.web.listen}" if settings.web.listen else "")
    return FileOffer(base.rstrip("/")).address(ticket_of(secret, len(picture), GRAPH))


def _draft(sender: str, to: str, body: str, address: str) -> Draft:
    session, recipient = Jid(f"{sender}@{DOMAIN}", "demo"), Jid(f"{to}@{DOMAIN}")
    name, namespace = OUT_OF_BAND
    carried = E(name, namespace, E("url", namespace, address)) if address else None
    read = read_message(E("message", CLIENT, E("body", CLIENT, body), carried, type="chat"), session, recipient)
    if to != TEAM:
        return Draft(read, (recipient.bare,))
    return Draft(msgspec.structs.replace(read, via=recipient), _addresses(MEMBERS))


def _addresses(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}@{DOMAIN}" for name in names)


class _Clock:
    """The time of what is written."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
