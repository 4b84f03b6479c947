"""What is read and what is unread, and the list of conversations: one suite for both twins."""

import msgspec
import pytest

from engine.limits import HISTORY_PAGE_BYTES, UNREAD
from engine.messages import ConversationsQuery
from index.archive import SqliteArchive
from index.readings import LOOKED_AT
from tests.index.stories import says, says_to_alias

A, B, C, D = "a@x.org", "b@x.org", "c@x.org", "d@x.org"
TEAM = "team@x.org"


async def filled(archive, *drafts):
    return [stored.id for stored in await archive.commit(drafts)]


def marks(sender, to, called, **fields):
    """A displayed marker."""
    return says(sender, to, "", displayed=called, **fields)


async def listed(archive, owner, **query):
    """Peer, newest body and unread of each conversation on a page."""
    page = await archive.histories.conversations(ConversationsQuery(owner=owner, **query))
    return [(c.peer, c.newest.chat.body, c.unread) for c in page.conversations]


async def unread(archive, owner, peer):
    page = await archive.histories.conversations(ConversationsQuery(owner=owner))
    return {c.peer: c.unread for c in page.conversations}[peer]


# -- markers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("called", ["s1", "origin-1", "its archive id"])
async def test_a_marker_names_a_message_as_its_sender_did(archive, called):
    ids = await filled(archive, *(says(A, B, str(n), f"origin-{n}", stanza_id=f"s{n}") for n in range(3)))
    assert await unread(archive, B, A) == 3
    mark = f"{ids[1]:016x}" if called == "its archive id" else called
    await filled(archive, marks(B, f"{A}/desk", mark))
    assert await listed(archive, B) == [(A, "2", 1)]
    page = await archive.histories.conversations(ConversationsQuery(owner=B))
    assert page.conversations[0].read == ids[1]


async def test_a_marker_never_moves_back(archive):
    await filled(archive, *(says(A, B, str(n), stanza_id=f"s{n}") for n in range(4)))
    await filled(archive, marks(B, A, "s2"), marks(B, A, "s0"))
    assert await unread(archive, B, A) == 1
    await filled(archive, marks(B, A, "s1"))
    assert await unread(archive, B, A) == 1
    await filled(archive, marks(B, A, "s3"))
    assert await unread(archive, B, A) == 0


@pytest.mark.parametrize("called", ["nothing", "0" * 16, "7" + "f" * 15, "own", "other", "later", ""])
async def test_a_marker_for_what_is_not_there(archive, called):
    """Not in this conversation, not received, or not yet: passed over (XEP-0333, 5)."""
    await filled(
        archive, says(A, B, "x", stanza_id="s"), says(B, C, "y", stanza_id="own"), says(C, B, "z", stanza_id="other")
    )
    await filled(archive, marks(B, A, called), says(A, B, "later", stanza_id="later"))
    assert await unread(archive, B, A) == 2


async def test_an_own_message_is_not_what_was_read(archive):
    await filled(archive, says(A, B, "1"), says(B, A, "", "mine", stanza_id="mine"))
    await filled(archive, marks(B, A, "mine"))
    assert await unread(archive, B, A) == 1


async def test_the_newest_of_that_name_is_meant(archive):
    """Simple clients count from 1 in each session."""
    await filled(archive, *(says(A, B, str(n), stanza_id=str(n % 2)) for n in range(4)))
    await filled(archive, marks(B, A, "0"))
    assert await unread(archive, B, A) == 1


async def test_the_attribute_is_looked_for_at_the_end_only(archive):
    await filled(archive, *(says(A, B, str(n), stanza_id=f"s{n}") for n in range(LOOKED_AT + 2)))
    await filled(archive, marks(B, A, "s1"))  # its entry is one too far
    assert await unread(archive, B, A) == LOOKED_AT + 2
    await filled(archive, marks(B, A, "s3"))  # the first marker is an entry, too
    assert await unread(archive, B, A) == LOOKED_AT - 2


async def test_origin_ids_and_archive_ids_are_found_at_any_depth(archive):
    ids = await filled(archive, *(says(A, B, str(n), f"o{n}") for n in range(LOOKED_AT + 10)))
    await filled(archive, marks(B, A, "o1"))
    assert await unread(archive, B, A) == LOOKED_AT + 8
    await filled(archive, marks(B, A, f"{ids[3]:016x}"))
    assert await unread(archive, B, A) == LOOKED_AT + 6


async def test_a_marker_that_is_sent_again(archive):
    await filled(archive, says(A, B, "1", stanza_id="s"), marks(B, A, "s", origin="m"))
    await filled(archive, says(A, B, "2", stanza_id="s"), marks(B, A, "s", origin="m"))
    assert await unread(archive, B, A) == 1


async def test_a_marker_in_the_conversation_with_oneself(archive):
    """Own messages are read anyway."""
    await filled(archive, says(A, A, "note", stanza_id="s"), marks(A, A, "s"))
    assert await listed(archive, A) == [(A, "note", 0)]


async def test_somebody_elses_marker_moves_nothing_of_mine(archive):
    await filled(archive, says(A, B, "x", stanza_id="s"), marks(A, B, "s"), marks(C, B, "s"), marks(C, A, "s"))
    assert await unread(archive, B, A) == 1


async def test_marked_by_hand(archive):
    one, two, three = await filled(archive, says(A, B, "1"), says(A, B, "2"), says(C, B, "3"))
    assert await archive.mark_read([(B, one), (C, one), ("nobody@x.org", one), (B, one + 99)]) == [
        True,
        False,
        False,
        False,
    ]
    assert await listed(archive, B) == [(C, "3", 1), (A, "2", 1)]
    assert await archive.mark_read([(B, two), (B, one), (B, three)]) == [True, True, True]
    assert await listed(archive, B) == [(C, "3", 0), (A, "2", 0)]


# -- unread ------------------------------------------------------------------------------------------------------------


async def test_an_own_reply_is_a_reading(archive):
    await filled(archive, says(A, B, "1"), says(A, B, "2"), says(B, A, "reply"), says(A, B, "3"))
    assert await listed(archive, B) == [(A, "3", 1)]
    assert await listed(archive, A) == [(B, "3", 0)]


async def test_only_what_says_something_is_unread_and_only_that_is_a_reply(archive):
    await filled(archive, says(A, B, "1"), says(A, B, ""), says(B, A, ""), says(A, B, ""))
    assert await listed(archive, B) == [(A, "1", 1)]


async def test_an_alias_message_is_unread_in_the_conversation_with_its_sender(archive):
    await filled(archive, says_to_alias(A, TEAM, f"{B} {C}", D, body="all", stanza_id="s"))
    assert await listed(archive, A) == [(TEAM, "all", 0)]
    assert await listed(archive, B) == [(A, "all", 1)]
    assert await listed(archive, D) == []
    await filled(archive, marks(B, A, "s"))
    assert await listed(archive, B) == [(A, "all", 0)]
    assert await listed(archive, C) == [(A, "all", 1)]
    assert await listed(archive, A) == [(TEAM, "all", 0)]  # a marker says nothing, so it is no conversation


async def test_unread_is_counted_up_to_a_limit(archive):
    await filled(archive, says(B, A, "long ago"), *(says(A, B, str(n)) for n in range(UNREAD + 5)))
    assert await unread(archive, B, A) == UNREAD
    await filled(archive, says(C, B, "said"), *(says(C, B, "") for _ in range(UNREAD)))
    assert await listed(archive, B) == [(A, str(UNREAD + 4), UNREAD)]


async def test_who_has_an_address_again_has_read_nothing_of_before(archive, depart):
    (first,) = await filled(archive, says(A, B, "1", stanza_id="s"))
    await filled(archive, says(B, A, "reply"))
    await depart(B, first + 1)
    assert await listed(archive, B) == []
    await filled(archive, says(A, B, "2"), says(C, B, "3"))
    assert await listed(archive, B) == [(C, "3", 1), (A, "2", 1)]


# -- pages -------------------------------------------------------------------------------------------------------------


async def test_the_most_recent_first(archive):
    await filled(archive, says(B, A, "b"), says(A, C, "c"), says_to_alias(A, TEAM, D, body="t"), says(B, A, "b2"))
    assert await listed(archive, A) == [(B, "b2", 2), (TEAM, "t", 0), (C, "c", 0)]
    page = await archive.histories.conversations(ConversationsQuery(owner=A, limit=1))
    assert (len(page.conversations), page.is_complete) == (1, False)
    assert (page.count, page.total, page.unread, page.unread_messages) == (3, 3, 1, 2)
    newest = page.conversations[0].newest
    assert (newest.chat.sender.bare, newest.is_sent) == (B, False)
    assert await archive.histories.conversations(ConversationsQuery(owner="nobody@x.org")) == msgspec.structs.replace(
        page, conversations=(), is_complete=True, count=0, total=0, unread=0, unread_messages=0
    )


async def test_pages_of_conversations(archive):
    ids = await filled(archive, *(says(f"p{n}@x.org", A, str(n)) for n in range(5)))
    await archive.mark_read([(A, ids[1]), (A, ids[3])])

    async def page(**query):
        found = await archive.histories.conversations(ConversationsQuery(owner=A, **query))
        assert found.total == 5
        assert found.count == (3 if query.get("is_unread") else 5)
        return "".join(c.newest.chat.body for c in found.conversations), found.is_complete

    assert await page() == ("43210", True)
    assert await page(limit=2) == ("43", False)
    assert await page(limit=2, older_than=ids[3]) == ("21", False)
    assert await page(limit=2, older_than=ids[1]) == ("0", True)
    assert await page(limit=2, is_backwards=True) == ("10", False)
    assert await page(limit=2, newer_than=ids[1], is_backwards=True) == ("32", False)
    assert await page(limit=2, newer_than=ids[3], is_backwards=True) == ("4", True)
    assert await page(limit=2, newer_than=ids[1]) == ("43", False)
    assert await page(is_unread=True) == ("420", True)
    assert await page(limit=0) == ("", False)


async def test_a_page_of_conversations_is_bounded_by_its_bytes(archive):
    large = "x" * (HISTORY_PAGE_BYTES // 2 - 100)
    ids = await filled(archive, *(says(f"p{n}@x.org", A, f"{n}{large}") for n in range(5)))

    async def page(**query):
        found = await archive.histories.conversations(ConversationsQuery(owner=A, **query))
        return "".join(c.newest.chat.body[0] for c in found.conversations), found.is_complete

    assert await page() == ("43", False)
    assert await page(older_than=ids[3]) == ("21", False)
    assert await page(older_than=ids[1]) == ("0", True)
    assert await page(is_backwards=True) == ("10", False)
    assert await page(newer_than=ids[1], is_backwards=True) == ("32", False)


async def test_what_is_read_stays_read(tmp_path, island, clock):
    path = tmp_path / "archive.sqlite"
    async with SqliteArchive(island, path, clock=clock) as archive:
        await filled(archive, *(says(A, B, str(n), stanza_id=f"s{n}") for n in range(3)))
        await filled(archive, marks(B, A, "s1"))
    async with SqliteArchive(island, path, clock=clock) as archive:
        assert await listed(archive, B) == [(A, "2", 1)]


async def test_many_peers(archive):
    await filled(archive, *(says(f"p{n:04}@x.org", A, "x") for n in range(700)))
    page = await archive.histories.conversations(ConversationsQuery(owner=A, limit=600))
    assert (len(page.conversations), page.total, page.unread_messages) == (600, 700, 700)
