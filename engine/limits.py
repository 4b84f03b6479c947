"""Every limit by name: its default, its reason, and what happens to whoever meets it.

Two kinds live here. Constants are limits of the protocol or of memory that no operator needs to turn. `Limits` are the
values of the ``[limits]`` table of the configuration (0 means none); they are passed to whoever enforces them.
"""

import msgspec

JID_PART_BYTES = 1_023
"""RFC 7622, 3.1. Longer: ``jid-malformed``."""

XML_DEPTH = 32
"""Real stanzas nest less than 12 deep; serialisers recurse. Deeper: stream error ``policy-violation``."""

XML_ATTRIBUTES = 48
"""Of one element; real ones have under 10. More: stream error ``policy-violation``."""

XML_ELEMENTS = 2_048
"""Of one stanza; an encrypted message for many devices has some hundreds. Each takes a quarter of a KiB in memory, whatever
it has on the wire. More: stream error ``policy-violation``."""

XML_TOKEN_BYTES = 131_072
"""Of one unfinished token (a tag or attribute still open at the end of the input): expat 2.5 parses such a token again on
each piece. A stanza may be larger, a single token may not. More: stream error ``policy-violation``."""

XML_STREAM_BYTES = 1_048_576
"""expat remembers each name of a document for ever; after so much input a stream moves to a fresh parser, unnoticed."""

PRE_LOGIN_STANZA_BYTES = 10_240
"""RFC 6120, 13.12 asks for at least 10,000. Nobody needs more before he has said who he is. More: ``policy-violation``."""

PRE_LOGIN_BYTES = 65_536
"""All bytes of one connection before it is logged in. More: ``policy-violation``."""

LOGIN_SECONDS = 30.0
"""From accept to a bound resource; a person types passwords elsewhere. Later: ``connection-timeout``."""

LOGIN_ATTEMPTS = 5
"""Failed SASL exchanges of one connection (RFC 6120, 6.4.5 asks for 2 to 5). More: ``policy-violation``."""

SCRAM_ITERATIONS = 10_000
"""Of PBKDF2 for a new password. RFC 7677, 4 asks for at least 4,096; phones and browsers compute it at each login, and the
server does for PLAIN (3 ms). Verifiers keep their own number, so raising it touches new passwords only."""

VERIFIERS = 1_024
"""Of SCRAM, kept in memory after their first use, at 0.4 KB each: who comes back after a break waits for no disk. Beyond, all
are dropped and read again as they are needed."""

CLOSE_SECONDS = 5.0
"""How long a closing stream waits for the other side's end tag before the socket goes."""

DRAIN_SECONDS = 1.0
"""How long a server that stops waits for its clients to go: what it told them is on its way by then, and the next server
waits."""

PING_AFTER_SECONDS = 45.0
"""Silence after which the server pings (XEP-0199), so that a dead session is known within 90 seconds."""

LIVENESS_SECONDS = 85.0
"""Silence after which a session is dead: ``connection-timeout``, and its presence becomes unavailable."""

QUIET_SECONDS = 60.0
"""How long a client of a session that can be resumed may be away without others noticing: a change of network takes seconds.
Nobody should look available who has been gone for longer: then its session is told as unavailable."""

RESUME_SECONDS = 300
"""How long a client may come back: a tunnel, a lift, a reboot; its session costs some KB. Later: ``item-not-found``."""

OUTPUT_BYTES = 4 * 1024 * 1024
"""What one slow reader may keep waiting in memory; a roster of 10,000 is 1.5 MiB. More: the session is cut."""

CLIENT_BYTES = 65_536
"""What one client may have in memory for itself: of a stanza that is not complete, and of what it does not read. Beyond, it is
counted into `SHARED_BYTES`."""

SHARED_BYTES = 128 * 1024 * 1024
"""What all clients together may have beyond `CLIENT_BYTES` each: 32 rosters of a large domain on their way to slow readers
at once, or 512 stanzas of the largest size that are not complete. More: the client that has most of it is cut."""

ARCHIVING_BYTES = 1_048_576
"""Of what one account said and what waits to be written; a commit takes some ms. More: ``resource-constraint``, to be sent
again later. One message may always wait."""

SESSIONS_PER_USER = 20
"""Default of resources of one account (desktop, phone, web, some left-overs). More: ``resource-constraint``."""

PRESENCE_BYTES = 8_192
"""Of one presence's own payload: it is kept in memory and sent to the whole domain. More: ``not-acceptable``."""

PRESENCE_WINDOW_SECONDS = 0.05
"""Bursts of presence are coalesced for this long; the last state of a resource wins."""

PRESENCE_WINDOW_SECONDS_EACH = 0.0001
"""And for as long for each session that sees others: telling one takes up to 0.03 ms, so that presence never takes more than a
third of a processor, however many come and go. From 500 sessions on that is longer than the window."""

DIRECTED_PRESENCES = 256
"""Addresses that one session may have sent directed presence to, remembered for its goodbye. More: ``policy-violation``."""

ALIAS_MEMBERS = 20_000
"""People whom one alias expands to: each message to it writes one delivery row for each. More: refused when made."""

ALIAS_DEPTH = 16
"""Aliases within aliases; only mistakes are deeper. More: refused when made."""

LOGINS = 50
"""Browsers in which one member is logged in to webmail; the oldest login goes when there are more."""

PHOTO_BYTES = 102_400
"""Of a user's photo; XEP-0054 and XEP-0153 ask to stay small. More: ``not-acceptable``."""

NAME_CHARACTERS = 256
"""Of a display name, title, department, phone, group. More: refused."""

ROSTER_GROUPS = 16
"""Own groups on one contact. More: ``not-acceptable``."""

BLOCKED_ADDRESSES = 500
"""On the block list of one account, and in one command: people block a handful. Every list is kept in memory and sent whole,
and every address of a command is prepared while others wait. More: ``policy-violation``, and the list stays as it was."""

WAITING_PAGE = 500
"""Messages fetched at a time when those that waited are delivered at login; bounds memory, not what is delivered."""

WAITING_PAGE_BYTES = 524_288
"""Of the messages in such a page, together; one is always in it. The next page is fetched when this one is written: who logs in
over a slow line must not be cut for what has waited for him (`OUTPUT_BYTES`)."""

STANDINGS = 20_000
"""Accounts, and clients, of which it is remembered how far they are in their history (`engine.standing`), at 0.3 KB each: a
login of one of them that missed nothing reads nothing from the disk. Of the one that moved longest ago the archive is asked."""

HISTORY_PAGE = 100
"""Messages in one page of a history, also when a client names no number; rendering them takes 1 ms of everyone's time. Who asks
for more gets so many, and is told that there are more (XEP-0313, 4.3.1)."""

HISTORY_PAGE_BYTES = 262_144
"""Of the messages in one page of a history or of conversations, together; real ones have under 1 KiB each. The page ends before
the message that would make it larger; one is always in it."""

HISTORY_IDS = 100
"""Messages asked for by their ids in one query: what fits into one page. More: ``not-acceptable``."""

QUERY_ID_CHARACTERS = 256
"""Of the name that a client gives its query: it comes back with each message. Real ones are UUIDs. More: ``not-acceptable``."""

HISTORY_QUESTIONS = 16
"""Of one account that wait at the historian; clients ask for a page when they have the last one. More: ``resource-constraint``,
to be tried again."""

CONVERSATIONS_PAGE = 100
"""Conversations in one answer; more are asked for page by page."""

CONVERSATIONS = 20_000
"""Of one account that are looked at: as many as a domain can have members and then some. What it costs is 10 us each."""

UNREAD = 1_000
"""Entries at the end of a conversation that are looked at: unread messages are counted up to here. A conversation in which
nobody said anything for longer (there were receipts and the like only) is not listed until somebody does."""

SEARCH_RESULTS = 100
"""Contacts in one answer; a person narrows the search rather than scroll further."""

SEARCH_CHARACTERS = 256
"""Of a search text; what is beyond is cut off."""

SEARCH_WORDS = 8
"""Of a search text; further words are ignored."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``[limits]`` table. 0 means none.

    Attributes:
        bytes_per_second: of one client, over a burst of a few seconds; above it the server reads slower, nothing is lost.
        stanzas_per_second: of one client, likewise; frames, for a browser.
        logins_per_minute: of one network address; above it new connections wait. An office behind one address comes back at
            once after a network failure; guessing is slowed down by its failures.
        sessions_per_user: resources of one account.
        stanza_bytes: of one stanza; above it the stream ends with ``policy-violation``. Announced by XEP-0478.
        file_bytes: of one file that is shared; above it the upload is refused. Announced by XEP-0363.
        file_bytes_per_user: of all files that one account has uploaded and that are still there; above it uploads are refused.
    """

    bytes_per_second: int = 1_048_576
    stanzas_per_second: int = 1_000
    logins_per_minute: int = 600
    sessions_per_user: int = SESSIONS_PER_USER
    stanza_bytes: int = 262_144
    file_bytes: int = 52_428_800
    file_bytes_per_user: int = 2_147_483_648
