"""Reading the own history, on paper: forms and pages in, messages and ends out."""

import pytest

from engine import messages as m
from engine.jid import Jid
from engine.limits import HISTORY_IDS, HISTORY_PAGE, QUERY_ID_CHARACTERS
from engine.messages import Chat, HistoryPage, HistoryQuery, Kept
from tests.engine.xmpp.play import ALICE, BOB, elements, error, make_client, rendered, reply, request, send, told, xml

QUERY = request("{urn:xmpp:mam:2}query")
ME = "alice@example.com"
NOON = 1_700_000_000_123_456
NOON_ID, NEXT_ID = f"{NOON:016x}", f"{NOON + 1:016x}"


@pytest.fixture
def alice():
    return make_client()


def ask(fields="", paging="", attributes="", extra="", form_type="urn:xmpp:mam:2", kind="set", to=""):
    form = ""
    if fields:
        form = (
            f"<x xmlns='jabber:x:data' type='submit'>{field('FORM_TYPE', form_type) if form_type else ''}{fields}</x>"
        )
    page = f"<set xmlns='http://jabber.org/protocol/rsm'>{paging}</set>" if paging else ""
    query = f"<query xmlns='urn:xmpp:mam:2'{attributes}>{form}{page}{extra}</query>"
    return f"<iq type='{kind}' id='1'{to and f' to={to!r}'}>{query}</iq>"


def field(name, *values):
    return f"<field var='{name}'>{''.join(f'<value>{value}</value>' for value in values)}</field>"


def query(**changes):
    return HistoryQuery(owner=ME, **{"limit": HISTORY_PAGE, **changes})


def kept(number=NOON, *, is_sent=False, sender=BOB, to=None, **fields):
    chat = Chat(
        sender=sender,
        to=to or Jid(ME),
        id=number,
        is_delayed=True,
        is_lasting=True,
        **{"payload": "<body>hi</body>", **fields},
    )
    return Kept(chat, is_sent)


# -- questions ---------------------------------------------------------------------------------------------------------


def test_everything(alice):
    assert send(alice, ask()) == m.FetchHistory(QUERY, query())
    to_me = request("{urn:xmpp:mam:2}query", ME)
    assert send(alice, ask(to=ME)) == m.FetchHistory(to_me, query())


def test_the_name_of_a_query_and_a_flipped_page(alice):
    asked = send(alice, ask(attributes=" queryid='f27'", extra="<flip-page/>"))
    assert asked == m.FetchHistory(QUERY, query(), "f27", is_flipped=True)


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        (field("with", "Bob@Example.com"), {"peer": "bob@example.com"}),
        (field("with", "bob@example.com/phone"), {"peer": "bob@example.com", "resource": "phone"}),
        (field("with", "salesteam@example.com"), {"peer": "salesteam@example.com"}),
        (field("with", ""), {}),
        (field("start", "2010-06-07T00:00:00Z"), {"start": 1_275_868_800_000_000}),
        (field("end", "2010-06-07T00:00:00.25Z"), {"end": 1_275_868_800_250_000}),
        (field("after-id", NOON_ID), {"after": NOON, "known": (NOON,)}),
        (field("before-id", NOON_ID), {"before": NOON, "known": (NOON,)}),
        (field("ids", NOON_ID, NEXT_ID), {"ids": (NOON, NOON + 1)}),
        (field("ids"), {}),
        (field("include-groupchat", "false"), {}),
        (field("{urn:xmpp:fulltext:0}fulltext", " Hello, (wor "), {"text": "Hello, (wor"}),
        (field("{urn:xmpp:fulltext:0}fulltext", " "), {}),
        (
            field("with", "bob@example.com") + field("end", "1970-01-01T00:00:01Z"),
            {"peer": "bob@example.com", "end": 1_999_999},
        ),
    ],
)
def test_fields(alice, fields, changes):
    assert send(alice, ask(fields)).query == query(**changes)


@pytest.mark.parametrize(
    ("paging", "changes"),
    [
        ("<max>10</max>", {"limit": 10}),
        ("<max>0</max>", {"limit": 0}),
        (f"<max>{HISTORY_PAGE + 1}</max>", {"limit": HISTORY_PAGE}),
        ("<before/>", {"is_backwards": True}),
        (f"<before>{NOON_ID}</before>", {"is_backwards": True, "before": NOON, "known": (NOON,)}),
        (f"<after>{NOON_ID}</after>", {"after": NOON, "known": (NOON,)}),
    ],
)
def test_pages(alice, paging, changes):
    assert send(alice, ask(paging=paging)).query == query(**changes)


def test_the_narrower_of_field_and_page_counts_and_both_must_be_known(alice):
    asked = send(alice, ask(field("after-id", NEXT_ID) + field("before-id", NEXT_ID), f"<after>{NOON_ID}</after>"))
    assert asked.query == query(after=NOON + 1, before=NOON + 1, known=(NOON + 1, NOON, NOON + 1))
    asked = send(alice, ask(field("before-id", NEXT_ID), f"<before>{NOON_ID}</before>"))
    assert asked.query == query(before=NOON, known=(NOON + 1, NOON), is_backwards=True)


@pytest.mark.parametrize(
    ("stanza", "condition"),
    [
        (ask(field("colour", "red")), "feature-not-implemented"),
        (ask(field("colour")), "feature-not-implemented"),
        (ask(field("with", "@")), "jid-malformed"),
        (ask(field("start", "yesterday")), "bad-request"),
        (ask(field("end", "2010-06-07")), "bad-request"),
        (ask(field("after-id", "x")), "item-not-found"),
        (ask(field("before-id", "f" * 16)), "item-not-found"),
        (ask(field("ids", NOON_ID, "x")), "item-not-found"),
        (ask(field("ids", *[NOON_ID] * (HISTORY_IDS + 1))), "not-acceptable"),
        (ask(field("with", ME), form_type="urn:xmpp:mam:1"), "bad-request"),
        (ask(field("with", ME), form_type=""), "bad-request"),
        (ask(field("with", ME)).replace("'submit'", "'cancel'"), "bad-request"),
        (ask(paging="<after>x</after>"), "item-not-found"),
        (ask(paging="<before>x</before>"), "item-not-found"),
        (ask(paging="<max>x</max>"), "bad-request"),
        (ask(paging="<index>3</index>"), "feature-not-implemented"),
        (ask(attributes=f" queryid='{'x' * (QUERY_ID_CHARACTERS + 1)}'"), "not-acceptable"),
        (ask(attributes=" node='urn:x'"), "item-not-found"),
        (ask(to="bob@example.com"), "service-unavailable"),
        (ask(to="nobody@example.com"), "service-unavailable"),
        (ask(to="salesteam@example.com"), "service-unavailable"),
        (ask(to="zoe@example.org"), "service-unavailable"),
        (ask(to="example.com"), "service-unavailable"),
        (ask(to="bob@example.com", kind="get"), "service-unavailable"),
    ],
)
def test_what_is_refused(alice, stanza, condition):
    refused = reply(alice, stanza)
    assert refused.get("type") == "error"
    assert next(child.name for child in refused.elements()[0].elements()) == condition


def test_the_form(alice):
    assert reply(alice, ask(kind="get")) == xml(
        f"<iq type='result' id='1' to='{ALICE}'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='form'>"
        "<title>History</title><instructions>Every field that is filled in narrows the query.</instructions>"
        "<field type='hidden' var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
        "<field type='jid-single' label='With whom' var='with'/><field type='text-single' label='From' var='start'/>"
        "<field type='text-single' label='To' var='end'/>"
        "<field type='text-single' label='Before the message' var='before-id'/>"
        "<field type='text-single' label='After the message' var='after-id'/>"
        "<field type='list-multi' label='Messages' var='ids'>"
        "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate></field>"
        "<field type='text-single' label='Words' var='{urn:xmpp:fulltext:0}fulltext'/>"
        "<field type='boolean' label='With groupchats' var='include-groupchat'/></x></query></iq>"
    )


def test_it_is_announced_where_it_can_be_asked_for(alice):
    for to, is_there in (("", True), ("example.com", False)):
        stanza = (
            f"<iq type='get' id='1'{to and f' to={to!r}'}><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        )
        listed = {feature.get("var") for feature in reply(alice, stanza).elements()[0].elements()}
        for name in (
            "urn:xmpp:mam:2",
            "urn:xmpp:mam:2#extended",
            "urn:xmpp:fulltext:0",
            "http://jabber.org/protocol/rsm",
        ):
            assert (name in listed) is is_there


# -- answers -----------------------------------------------------------------------------------------------------------


def test_a_page(alice):
    full = kept(kind="chat", stanza_id="s'1", language="de", payload="<body>a &lt; b</body><x xmlns='urn:x'/>")
    mine = kept(NOON + 1, is_sent=True, sender=ALICE, to=Jid("salesteam@example.com"), via=Jid("salesteam@example.com"))
    page = HistoryPage((full, mine), is_complete=False)
    assert elements(rendered(alice, m.HistoryFetched(QUERY, page, "f'27"))) == elements(
        f"<message from='{ME}' to='{ALICE}'><result xmlns='urn:xmpp:mam:2' queryid='f&apos;27' id='{NOON_ID}'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20.123456Z'/>"
        f"<message xmlns='jabber:client' from='{BOB}' to='{ME}' type='chat' id='s&apos;1' xml:lang='de'>"
        f"<body>a &lt; b</body><x xmlns='urn:x'/><stanza-id xmlns='urn:xmpp:sid:0' id='{NOON_ID}' by='{ME}'/>"
        "</message></forwarded></result></message>"
        f"<message from='{ME}' to='{ALICE}'><result xmlns='urn:xmpp:mam:2' queryid='f&apos;27' id='{NEXT_ID}'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2023-11-14T22:13:20.123457Z'/>"
        f"<message xmlns='jabber:client' from='{ALICE}' to='salesteam@example.com' type='chat'>"
        f"<body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' id='{NEXT_ID}' by='{ME}'/>"
        "</message></forwarded></result></message>"
        f"<iq type='result' id='1' to='{ALICE}'><fin xmlns='urn:xmpp:mam:2' complete='false' stable='true'>"
        f"<set xmlns='http://jabber.org/protocol/rsm'><first>{NOON_ID}</first><last>{NEXT_ID}</last></set></fin></iq>"
    )


def test_what_came_through_an_alias_says_so(alice):
    through = kept(to=Jid("salesteam@example.com"), via=Jid("salesteam@example.com"))
    result, _ = elements(rendered(alice, m.HistoryFetched(QUERY, HistoryPage((through,), is_complete=True))))
    message = result.elements()[0].elements()[0].elements()[1]
    assert (message.get("from"), message.get("to")) == (str(BOB), ME)
    assert message.elements()[-1] == xml(
        "<addresses xmlns='http://jabber.org/protocol/address'>"
        "<address type='to' jid='salesteam@example.com' desc='Sales team' delivered='true'/></addresses>"
    )
    assert "queryid" not in result.elements()[0].attributes


def test_a_message_to_one_session_keeps_its_address(alice):
    result, _ = elements(rendered(alice, m.HistoryFetched(QUERY, HistoryPage((kept(to=ALICE),), is_complete=True))))
    assert result.elements()[0].elements()[0].elements()[1].get("to") == str(ALICE)


def test_a_flipped_page_is_told_the_other_way_round_and_ends_the_same(alice):
    page = HistoryPage((kept(), kept(NOON + 1)), is_complete=True)
    straight, flipped = (
        elements(rendered(alice, m.HistoryFetched(QUERY, page, is_flipped=is_flipped))) for is_flipped in (False, True)
    )
    assert flipped == [straight[1], straight[0], straight[2]]
    assert straight[2].elements()[0].get("complete") == "true"


def test_an_empty_page_and_a_count(alice):
    for count, text in ((None, ""), (7, "<count>7</count>")):
        page = HistoryPage((), is_complete=count is None, count=count)
        assert told(alice, m.HistoryFetched(QUERY, page)) == xml(
            f"<iq type='result' id='1' to='{ALICE}'>"
            f"<fin xmlns='urn:xmpp:mam:2' complete='{'true' if count is None else 'false'}' stable='true'>"
            f"<set xmlns='http://jabber.org/protocol/rsm'>{text}</set></fin></iq>"
        )


# -- metadata ----------------------------------------------------------------------------------------------------------


def test_from_when_to_when(alice):
    asked = send(alice, "<iq type='get' id='1'><metadata xmlns='urn:xmpp:mam:2'/></iq>")
    assert asked == m.FetchHistoryBounds(request("{urn:xmpp:mam:2}metadata"))
    assert told(alice, m.HistoryBoundsFetched(asked.request, (kept(), kept(NOON + 1)))) == xml(
        f"<iq type='result' id='1' to='{ALICE}'><metadata xmlns='urn:xmpp:mam:2'>"
        f"<start id='{NOON_ID}' timestamp='2023-11-14T22:13:20.123456Z'/>"
        f"<end id='{NEXT_ID}' timestamp='2023-11-14T22:13:20.123457Z'/></metadata></iq>"
    )
    assert told(alice, m.HistoryBoundsFetched(asked.request, None)) == xml(
        f"<iq type='result' id='1' to='{ALICE}'><metadata xmlns='urn:xmpp:mam:2'/></iq>"
    )


# -- preferences -------------------------------------------------------------------------------------------------------


def prefs(kind, inner="", default=""):
    return f"<iq type='{kind}' id='1'><prefs xmlns='urn:xmpp:mam:2'{default and f' default={default!r}'}>{inner}</prefs></iq>"


ALWAYS = f"<iq type='result' id='1' to='{ALICE}'><prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never/></prefs></iq>"


def test_everything_is_kept(alice):
    assert reply(alice, prefs("get")) == xml(ALWAYS)


@pytest.mark.parametrize("inner", ["", "<always/><never/>", "<always><jid>bob@example.com</jid></always>"])
def test_what_changes_nothing_is_done(alice, inner):
    assert reply(alice, prefs("set", inner, "always")) == xml(ALWAYS)


@pytest.mark.parametrize(
    ("default", "inner", "condition", "kind", "text"),
    [
        ("never", "", "not-allowed", "cancel", "history is always kept"),
        ("roster", "", "not-allowed", "cancel", "history is always kept"),
        ("always", "<never><jid>bob@example.com</jid></never>", "not-allowed", "cancel", "history is always kept"),
        ("", "", "bad-request", "modify", "the default is always, never or roster"),
        ("sometimes", "", "bad-request", "modify", "the default is always, never or roster"),
    ],
)
def test_nobody_can_have_it_otherwise(alice, default, inner, condition, kind, text):
    assert reply(alice, prefs("set", inner, default)) == error("iq", condition, kind, text=text)
