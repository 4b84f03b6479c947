"""Frames: what is said is understood, what cannot be is refused, and the page that describes them is up to date."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import messages as m
from engine.errors import Condition, Refusal
from engine.jid import Jid
from engine.presence import Presence, PresenceChange, Status
from engine.webmail import description, frames, reading
from engine.webmail.writing import Writer, chat_frame, lasting_frame
from engine.xmpp.stanzas import read_message
from engine.xmpp.xml import CLIENT, E, clean_text

ALICE, BOB = Jid("alice@example.com", "web"), Jid("bob@example.com")
FIRST = "0005f00000000000"
PAGE = Path(__file__).parents[3] / "docs" / "webmail-protocol.md"


def said(**fields) -> m.Chat:
    [command] = reading.read(frames.Say(**{"id": "o1", "to": BOB.bare, "body": "hello", **fields}), ALICE, 1)
    return command.chat


def test_the_page_describes_the_frames():
    assert PAGE.read_text("utf-8") == "\n".join(description.lines()) + "\n", "run python -m engine.webmail.description"


@given(st.text(min_size=1, max_size=50), st.text(max_size=50))
def test_what_is_said_is_what_is_told(body, origin):
    try:
        chat = said(body=body, id=origin)
    except Refusal:
        assert not (clean_text(body).strip() and origin and origin.isprintable())
        return
    frame = chat_frame(chat)
    assert isinstance(frame, frames.Chat)
    assert (frame.body, frame.origin, frame.sender, frame.to) == (chat.body, origin, ALICE.bare, BOB.bare)
    assert msgspec.json.decode(frames.encode(frame))["t"] == "chat"


@pytest.mark.parametrize("link", ["replaces", "retracts", "reply"])
def test_links_between_messages_come_through(link):
    fields = {link: "m7", **({"body": ""} if link == "retracts" else {})}
    frame = chat_frame(said(**fields))
    assert isinstance(frame, frames.Chat)
    assert getattr(frame, link) == "m7"


def test_a_message_asks_to_be_marked_and_a_mark_is_no_message():
    assert "chat-markers" in said().payload
    [command] = reading.read(frames.Read(BOB.bare, "0005f00000000000", name="m7"), ALICE, 1)
    assert command.chat.displayed == "m7"
    assert chat_frame(command.chat) == frames.Displayed("", ALICE.bare, BOB.bare, "m7")
    kept = msgspec.structs.replace(command.chat, displayed="")  # the archive keeps the payload
    assert chat_frame(kept) == frames.Displayed("", ALICE.bare, BOB.bare, "m7")


def test_what_was_read_without_a_word_is_noted_only():
    [command] = reading.read(frames.Read(BOB.bare, "0005f00000000000"), ALICE, 1)
    assert isinstance(command, m.MarkRead)


@pytest.mark.parametrize("on", [True, False])
def test_typing_passes_and_is_no_history(on):
    [command] = reading.read(frames.Typing(BOB.bare, on), ALICE, 1)
    assert chat_frame(command.chat) == frames.Typing(ALICE.bare, on)
    assert lasting_frame(command.chat) is None


@pytest.mark.parametrize(
    ("to", "condition"),
    [
        ("zoe@example.org", Condition.SERVICE_UNAVAILABLE),
        ("example.com", Condition.SERVICE_UNAVAILABLE),
        ("@", Condition.JID_MALFORMED),
        ("", Condition.JID_MALFORMED),
    ],
)
def test_a_domain_is_an_island(to, condition):
    with pytest.raises(Refusal) as refused:
        said(to=to)
    assert refused.value.condition is condition


@pytest.mark.parametrize(
    ("edge", "is_backwards"),
    [({}, True), ({"before": FIRST}, True), ({"after": FIRST}, False), ({"start": FIRST}, False)],
)
def test_a_history_is_read_from_its_end_or_from_a_place_on(edge, is_backwards):
    [command] = reading.read(frames.AskHistory(1, BOB.bare, **edge), ALICE, 1)
    assert command.query.is_backwards is is_backwards
    assert (command.query.start or command.query.before or command.query.after or 0) == (int(FIRST, 16) if edge else 0)


def test_a_status_has_bounded_words():
    presence = reading.presence(Status.BUSY, "x" * 1_000 + "\x00")
    assert presence is not None
    assert (presence.status, len(presence.text)) == (Status.BUSY, reading.STATUS_CHARACTERS)
    assert reading.presence(Status.OFFLINE, "gone") is None


def test_a_broadcast_is_encoded_once():
    writer = Writer()
    seen = m.PresenceSeen((PresenceChange(BOB.with_resource("phone"), Presence(show="xa", text="<b>")),))
    body = writer.event(seen)
    assert body is writer.event(seen)
    assert msgspec.json.decode(frames.numbered(7, body)) == {
        "n": 7,
        "t": "presences",
        "devices": [[BOB.bare, "phone", "Away", "<b>"]],
    }


def test_refusals_find_their_question():
    writer = Writer()
    request = m.Request(ALICE, reading.request_id(3, 9))
    answer = writer.answer(m.RequestRefused(request, Condition.ITEM_NOT_FOUND, "no such message"))
    assert msgspec.json.decode(answer) == {
        "t": "refused",
        "q": 9,
        "condition": "item-not-found",
        "text": "no such message",
    }
    assert reading.parse_request_id(request.id) == (3, 9)
    for text in ("", "3", "3:", ":9", "a:9", "stanza-id"):
        assert reading.parse_request_id(text) is None


@given(st.text(min_size=1), st.text(min_size=1, max_size=20))
def test_a_plain_message_is_what_the_stanza_would_be(body, name):
    frame = frames.Say(name, BOB.bare, body)
    try:
        (command,) = reading.read(frame, ALICE, 1)
    except Refusal:
        return
    parts = [
        E("body", CLIENT, clean_text(body)),
        E("origin-id", "urn:xmpp:sid:0", id=name),
        E("active", reading.CHAT_STATES),
        E("markable", reading.MARKERS),
    ]
    stanza = E("message", CLIENT, *parts, type="chat", id=name)
    assert msgspec.structs.asdict(command.chat) == msgspec.structs.asdict(read_message(stanza, ALICE, BOB))
