"""The list of conversations, on paper."""

import pytest

from engine import messages as m
from engine.jid import Jid
from engine.limits import CONVERSATIONS_PAGE, QUERY_ID_CHARACTERS
from engine.messages import Chat, Conversation, ConversationsPage, ConversationsQuery, Kept
from tests.engine.xmpp.play import ALICE, BOB, elements, make_client, rendered, reply, request, send, told, xml

INBOX = request("{urn:xmpp:inbox:1}inbox")
ME = "alice@example.com"
NOON = 1_700_000_000_123_456
NOON_ID = f"{NOON:016x}"


@pytest.fixture
def alice():
    return make_client()


def ask(attributes="", paging="", id_="1", to=""):
    page = f"<set xmlns='http://jabber.org/protocol/rsm'>{paging}</set>" if paging else ""
    inner = f"<inbox xmlns='urn:xmpp:inbox:1'{attributes}>{page}</inbox>"
    return f"<iq type='get' id='{id_}'{to and f' to={to!r}'}>{inner}</iq>"


def query(**changes):
    return ConversationsQuery(owner=ME, **{"limit": CONVERSATIONS_PAGE, **changes})


def test_everything(alice):
    assert send(alice, ask()) == m.FetchConversations(INBOX, query())
    assert send(alice, ask(to=ME)).query == query()


@pytest.mark.parametrize(
    ("attributes", "paging", "changes"),
    [
        (" unread-only='true'", "", {"is_unread": True}),
        (" unread-only='0'", "", {}),
        ("", "<max>10</max>", {"limit": 10}),
        ("", "<max>1000000</max>", {}),
        ("", "<before/>", {"is_backwards": True}),
        ("", f"<before>{NOON_ID}</before>", {"is_backwards": True, "newer_than": NOON}),
        ("", f"<after>{NOON_ID}</after>", {"older_than": NOON}),
    ],
)
def test_pages(alice, attributes, paging, changes):
    assert send(alice, ask(attributes, paging)) == m.FetchConversations(INBOX, query(**changes))


def test_without_messages(alice):
    assert send(alice, ask(" messages='false'")) == m.FetchConversations(INBOX, query(), has_messages=False)


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        (ask(" unread-only='yes'"), "bad-request"),
        (ask(" messages=''"), "bad-request"),
        (ask("", "<after>x</after>"), "item-not-found"),
        (ask("", "<index>1</index>"), "feature-not-implemented"),
        (ask(id_="x" * (QUERY_ID_CHARACTERS + 1)), "not-acceptable"),
        (ask(to="bob@example.com"), "service-unavailable"),
        (ask(to="example.com"), "service-unavailable"),
    ],
)
def test_what_is_refused(alice, stanza, condition):
    refused = reply(alice, stanza)
    assert next(child.name for child in refused.elements()[0].elements()) == condition


def test_a_page(alice):
    chat = Chat(sender=BOB, to=Jid(ME), id=NOON, payload="<body>hi</body>", body="hi")
    conversations = (
        Conversation("bob@example.com", Kept(chat, is_sent=False), 5, 0),
        Conversation("o'hara@example.com", Kept(chat, is_sent=False), 0, NOON),
    )
    page = ConversationsPage(conversations, is_complete=False, count=9, total=9, unread=2, unread_messages=6)
    result = (
        f"<result xmlns='urn:xmpp:mam:2' queryid='1' id='{NOON_ID}'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20.123456Z'/>"
        f"<message xmlns='jabber:client' from='{BOB}' to='{ME}' type='chat'><body>hi</body>"
        f"<stanza-id xmlns='urn:xmpp:sid:0' id='{NOON_ID}' by='{ME}'/></message></forwarded></result>"
    )
    for has_messages in (True, False):
        shown = result if has_messages else ""
        assert elements(rendered(alice, m.ConversationsFetched(INBOX, page, has_messages))) == elements(
            f"<message from='{ME}' to='{ALICE}'>"
            f"<entry xmlns='urn:xmpp:inbox:1' unread='5' jid='bob@example.com' id='{NOON_ID}'/>{shown}</message>"
            f"<message from='{ME}' to='{ALICE}'>"
            f"<entry xmlns='urn:xmpp:inbox:1' unread='0' jid='o&apos;hara@example.com' id='{NOON_ID}'/>{shown}</message>"
            f"<iq type='result' id='1' to='{ALICE}'><fin xmlns='urn:xmpp:inbox:1' total='9' unread='2' all-unread='6'>"
            f"<set xmlns='http://jabber.org/protocol/rsm'><first>{NOON_ID}</first><last>{NOON_ID}</last><count>9</count>"
            "</set></fin></iq>"
        )


def test_nobody_said_anything(alice):
    page = ConversationsPage((), is_complete=True, count=0, total=0, unread=0, unread_messages=0)
    assert told(alice, m.ConversationsFetched(INBOX, page)) == xml(
        f"<iq type='result' id='1' to='{ALICE}'><fin xmlns='urn:xmpp:inbox:1' total='0' unread='0' all-unread='0'>"
        "<set xmlns='http://jabber.org/protocol/rsm'><count>0</count></set></fin></iq>"
    )
