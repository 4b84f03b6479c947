"""The oracle: it is told what every client sent and saw, reads the archive, and says what does not fit.

It knows the rules from outside: who belongs to which alias, who was online when. It does not ask the server.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import msgspec

FAULTS = {
    "lost": "what somebody saw, or what was sent and sent again, is not in the archives of both sides; or never shown",
    "doubled": "more than one row for a sender and origin-id, or more than one entry for an owner",
    "misplaced": "shown to, or in the history of, someone whom it does not belong to; refused or typing, and yet kept",
    "reordered": "not in the order of its session, in the archive or at a client; or missing before a later one",
    "mislabelled": "a stanza-id that is not the archive's id, or a delay stamp that is missing or wrong",
}
SENT, RECEIVED, ABSENT = 1, 2, 3
STANZA_ID, ORIGIN_ID, DELAY = "{urn:xmpp:sid:0}stanza-id", "{urn:xmpp:sid:0}origin-id", "{urn:xmpp:delay}delay"
BODY = "{jabber:client}body"
MESSAGES = """
    SELECT message.id, sender.jid || '/' || sender_resource, ifnull(via.jid, target.jid), origin_id, body
    FROM message JOIN address AS sender ON sender.id = sender JOIN address AS target ON target.id = target
    LEFT JOIN address AS via ON via.id = via
    WHERE message.id > ? ORDER BY message.id
"""
ENTRIES = """
    SELECT side.id, jid, role
    FROM (SELECT id, owner, role FROM entry UNION ALL SELECT id, owner, 3 FROM absence) AS side
    JOIN address ON address.id = owner WHERE side.id > ?
"""


class Sent(msgspec.Struct, frozen=True):
    """One stanza of a client: a message with a body or, without, typing. `number`: counts those of its session."""

    origin: str
    sender: str
    number: int
    to: str
    body: str


class Row(msgspec.Struct, frozen=True):
    """One message of the archive. `entries`: owner and role of each ledger row."""

    id: int
    sender: str
    to: str
    origin: str
    body: str
    entries: tuple[tuple[str, int], ...]


class Sighting(msgspec.Struct, frozen=True):
    """A session was shown a message. `life`: how often the server had been started anew."""

    by: str
    sent: Sent
    stanza_id: str
    stanza_id_by: str
    is_delayed: bool
    life: int


class World(msgspec.Struct, frozen=True):
    """The aliases with their people, and for each life of the server the accounts that are not online in it."""

    aliases: Mapping[str, frozenset[str]]
    away: tuple[frozenset[str], ...]

    def entries(self, sent: Sent, life: int) -> dict[str, int]:
        """Owner -> role, as the archive should have it; empty: not at all."""
        sender = bare(sent.sender)
        if not sent.body or not is_one_domain(sender, sent.to):
            return {}
        if sent.to not in self.aliases:
            return {sent.to: RECEIVED, sender: SENT}
        others = self.aliases[sent.to] - {sender}
        absent = others & self.away[life]
        absent = frozenset() if absent == others else absent
        return {other: ABSENT if other in absent else RECEIVED for other in others} | {sender: SENT}

    def may_see(self, sent: Sent, session: str) -> bool:
        """Whether this session may be shown it at all."""
        account = bare(session)
        if sent.to in self.aliases:  # the session that sent it has said it already
            is_meant = account in self.aliases[sent.to] and session != sent.sender
        else:
            is_meant = account == sent.to
        return is_meant and is_one_domain(account, bare(sent.sender))


class Oracle:
    """What happened in one round: begins with a life of the server, a kill, and a second life."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.life = 0
        self.sent: dict[str, Sent] = {}
        self.refused: set[str] = set()
        self.sightings: list[Sighting] = []
        self.seen: set[tuple[str, str]] = set()
        """Account and origin-id of everything with a body that was shown to whom it may be."""
        self.told: dict[str, str] = {}
        """Each fault in words -> its name, a key of `FAULTS`."""
        self._shown: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        """(session, sender's session) -> number of what was shown -> life, in order of its first time."""
        self._survivors: frozenset[str] = frozenset()
        """Origin-ids in the archive after the kill."""

    # -- what clients did ----------------------------------------------------------------------------------------------

    def sends(self, sent: Sent) -> None:
        """A client is about to send this."""
        self.sent[sent.origin] = sent

    def hears(self, by: str, message: Element) -> None:
        """A session was shown this message."""
        sent = self.sent.get(message.get("id", ""))
        if sent is None:
            return  # of an earlier round
        if message.get("type") == "error":
            self.refused.add(sent.origin)
            if by != sent.sender:
                self._tell("misplaced", f"{by} got the refusal of {sent}")
            return
        if message.get("from") != sent.sender or not self.world.may_see(sent, by):
            self._tell("misplaced", f"{by} was shown {sent}, from {message.get('from')}")
        self._shown[by, sent.sender].setdefault(sent.number, self.life)
        if sent.body:
            self.seen.add((bare(by), sent.origin))
            self.sightings.append(self._sighting(by, sent, message))

    def _sighting(self, by: str, sent: Sent, message: Element) -> Sighting:
        marks = message.findall(STANZA_ID)
        if len(marks) != 1 or [each.get("id") for each in message.findall(ORIGIN_ID)] != [sent.origin]:
            self._tell("mislabelled", f"{by} was shown {sent} with {len(marks)} stanza-ids")
        if message.findtext(BODY) != sent.body:
            self._tell("misplaced", f"{by} was shown other words for {sent}")
        mark = marks[0] if marks else message
        is_delayed = message.find(DELAY) is not None
        return Sighting(by, sent, mark.get("id", ""), mark.get("by", ""), is_delayed, self.life)

    # -- what the archive has ------------------------------------------------------------------------------------------

    def survey(self, rows: Iterable[Row]) -> None:
        """This is the archive after the kill, before anyone is back: the second life begins."""
        rows = list(rows)
        self._survivors = frozenset(row.origin for row in rows)
        self._check(rows)
        self.life = 1

    def conclude(self, rows: Iterable[Row]) -> None:
        """This is the archive in the end, after everything was sent again."""
        rows = list(rows)
        self._check(rows)
        kept = {row.origin for row in rows}
        for origin in self.due() - kept:
            self._tell("lost", f"sent again, and not in the archive: {self.sent[origin]}")
        for owner, origin in waiting(rows) - self.seen:
            self._tell("lost", f"never shown to {owner}: {self.sent.get(origin)}")

    def due(self) -> set[str]:
        """Origin-ids of what must be in the archive in the end."""
        return {origin for origin, sent in self.sent.items() if self.world.entries(sent, 0)} - self.refused

    def unseen(self, rows: Iterable[Row]) -> set[tuple[str, str]]:
        """Account and origin-id of what is in a history as received and was not shown to its owner yet."""
        return waiting(rows) - self.seen

    def counts(self) -> Counter[str]:
        """How many faults there are of each name."""
        return Counter(self.told.values())

    def _check(self, rows: list[Row]) -> None:
        for row in rows:
            self._check_row(row)
        for (sender, origin), times in Counter((bare(row.sender), row.origin) for row in rows).items():
            if times > 1:
                self._tell("doubled", f"{times} rows of {sender} with {origin}")
        by_origin = {row.origin: row for row in rows}
        for sighting in self.sightings:
            self._check_sighting(sighting, by_origin.get(sighting.sent.origin))
        self._check_order_in_archive(rows)
        self._check_order_at_clients()

    def _check_row(self, row: Row) -> None:
        sent = self.sent.get(row.origin)
        if sent is None or (row.sender, row.to, row.body) != (sent.sender, sent.to, sent.body):
            self._tell("misplaced", f"{row} is not what was sent: {sent}")
            return
        expected = self.world.entries(sent, 0 if row.origin in self._survivors else 1)
        roles = dict(row.entries)
        if len(roles) < len(row.entries):
            self._tell("doubled", f"more than one entry for an owner: {row}")
        if not roles.keys() >= expected.keys():
            self._tell("lost", f"{row}, but should have {expected}")
        if row.origin in self.refused or any(expected.get(owner) != role for owner, role in row.entries):
            self._tell("misplaced", f"{row}, but should have {expected}")

    def _check_sighting(self, sighting: Sighting, row: Row | None) -> None:
        roles = dict(row.entries) if row is not None else {}
        sides = {roles.get(bare(sighting.sent.sender)), roles.get(bare(sighting.by))}
        if row is None or not sides <= {SENT, RECEIVED}:
            self._tell("lost", f"{sighting} was seen, the archive has {row}")
            return
        is_labelled = (sighting.stanza_id, sighting.stanza_id_by) == (f"{row.id:016x}", bare(sighting.by))
        has_waited = sighting.life == 1 and row.origin in self._survivors
        if not is_labelled or sighting.is_delayed != has_waited:
            self._tell("mislabelled", f"{sighting}, archive id {row.id:016x}, waited: {has_waited}")

    def _check_order_in_archive(self, rows: list[Row]) -> None:
        due: defaultdict[str, list[str]] = defaultdict(list)
        for origin in sorted(self.due(), key=lambda origin: self.sent[origin].number):
            due[self.sent[origin].sender].append(origin)
        kept: defaultdict[str, list[str]] = defaultdict(list)
        for row in rows:
            kept[row.sender].append(row.origin)
        for sender, origins in kept.items():
            if due[sender][: len(origins)] != origins:
                self._tell("reordered", f"the archive has the messages of {sender} as {origins}")

    def _check_order_at_clients(self) -> None:
        by_sender: defaultdict[str, list[Sent]] = defaultdict(list)
        for sent in self.sent.values():
            if sent.body and sent.origin not in self.refused:
                by_sender[sent.sender].append(sent)
        for (by, sender), shown in self._shown.items():
            numbers = list(shown)
            if turns := [(one, other) for one, other in pairwise(numbers) if one > other]:
                bodies = {sent.number: sent.body for sent in self.sent.values() if sent.sender == sender}
                seen = [(number, shown[number], bodies[number]) for turn in turns for number in turn]
                self._tell("reordered", f"{by} was shown those of {sender} as (number, life, body) {seen}")
            newest = max((number for number, life in shown.items() if life == 0), default=0)
            earlier = [sent for sent in by_sender[sender] if sent.number < newest and self.world.may_see(sent, by)]
            gaps = [sent.number for sent in earlier if shown.get(sent.number) != 0]
            if gaps:
                self._tell("reordered", f"{by} was not shown {gaps} of {sender}, but {newest}")

    def _tell(self, fault: str, text: str) -> None:
        self.told.setdefault(text, fault)


def waiting(rows: Iterable[Row]) -> set[tuple[str, str]]:
    """Owner and origin-id of what was received."""
    return {(owner, row.origin) for row in rows for owner, role in row.entries if role == RECEIVED}


def read_archive(file: Path, after: int) -> list[Row]:
    """What the archive got after this id, in order. The server may run meanwhile."""
    connection = sqlite3.connect(file)
    try:
        connection.execute("BEGIN")
        entries: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
        for message, owner, role in connection.execute(ENTRIES, (after,)):
            entries[message].append((owner, role))
        return [Row(*row, entries=tuple(entries[row[0]])) for row in connection.execute(MESSAGES, (after,))]
    finally:
        connection.close()


def integrity(file: Path) -> str:
    """SQLite's own opinion: ``ok``, or what is wrong."""
    connection = sqlite3.connect(file)
    try:
        return "; ".join(line for (line,) in connection.execute("PRAGMA integrity_check"))
    finally:
        connection.close()


def bare(jid: str) -> str:
    """Without the resource."""
    return jid.partition("/")[0]


def is_one_domain(one: str, other: str) -> bool:
    """Whether two bare addresses belong together."""
    return one.rpartition("@")[2] == other.rpartition("@")[2]
