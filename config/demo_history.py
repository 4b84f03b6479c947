"""What was said in the demo before it began, so that a newcomer finds conversations and not an empty room.

Written once, into an archive that has nothing yet. It is history like any other, except that it waits for nobody: a client that
logs in for the first time is not given it, it finds it in the archive.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from config.settings import Settings
from config.upkeep import open_archive
from engine.jid import Jid
from engine.ports import Cursor, Draft, Notes
from engine.xmpp.stanzas import read_message
from engine.xmpp.xml import CLIENT, E

DOMAIN: Final = "localhost"
TEAM: Final = "salesteam"
MEMBERS: Final = ("bob", "carol", "dan")

SAID: Final = (
    (
        6,
        "09:02",
        "carol",
        "alice",
        "Good morning Alice! Do you have the figures of the support team for the quarterly report?",
    ),
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
)
"""Days ago, time of day (UTC), who, to whom, what."""

UNREAD_DAYS: Final = 1
"""What is older than this was read; of the rest, what nobody has answered was not."""


async def write(settings: Settings, now: float | None = None) -> bool:
    """Write it if nothing was ever said here; the caller holds the claim. Whether it was written."""
    clock = _Clock()
    async with open_archive(settings.data_dir, clock) as archive:
        if await archive.newest():
            return False
        today = datetime.fromtimestamp(time.time() if now is None else now, UTC).date()
        newest = 0
        for days, hour, sender, to, body in SAID:
            moment = datetime.combine(today - timedelta(days=days), datetime.strptime(hour, "%H:%M").time(), UTC)  # noqa: DTZ007
            clock.now = moment.timestamp()
            [stored] = await archive.commit([_draft(sender, to, body)])
            newest = stored.id
            if days > UNREAD_DAYS and to != TEAM:
                await archive.mark_read([(f"{to}@{DOMAIN}", newest)])
        people = {person for said in SAID for person in said[2:4]} - {TEAM}
        cursors = {(f"{person}@{DOMAIN}", "demo"): Cursor(0, newest) for person in people}
        await archive.commit((), Notes(cursors))
        return True


def _draft(sender: str, to: str, body: str) -> Draft:
    session, recipient = Jid(f"{sender}@{DOMAIN}", "demo"), Jid(f"{to}@{DOMAIN}")
    read = read_message(E("message", CLIENT, E("body", CLIENT, body), type="chat"), session, recipient)
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
