"""Questions: whether somebody exists, and searches that mean something else.

Precedents: Openfire #3443 and mozilla-ai/cq #529 (names told from each other by what a login says or how long it takes),
CVE-2026-63144 and tantivy #3032 (searches that crash or never end because what is typed is parsed), SleekXMPP's and others'
answers that leak.
"""

import pytest

from engine.xmpp import scram
from tests.engine.xmpp.client import Harness, ScramClient, auth, plain, response
from tests.stage.play import play
from tests.stage.reading import read_page
from tests.stage.stage import Stage

SEARCHES = [
    "(" * 12_000,
    "a:(^",
    "owner:x",
    "* OR *",
    "NOT x",
    "body:secret AND owner:carol@example.com",
    "/.*/",
    '"secret" OR "',
    "secret^1e999",
    "[a TO z]",
    "+-&&||!(){}[]^~*?:\\/",
    "\ufffdsecret",
    "e\u0301" * 1_000,
    "\u202esecret",
    " " * 5_000,
]


@play
async def test_a_search_finds_words_of_ones_own_history_whatever_is_typed(stage: Stage):
    alice, bob, carol = await stage.enter("alice"), await stage.enter("bob"), await stage.enter("carol")
    await carol.says(bob.bare, "the secret of others")
    await bob.hears_message("the secret of others")
    await stage.settle(bob)
    for text in SEARCHES:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;")
        page = await read_page(alice, **{"{urn:xmpp:fulltext:0}fulltext": escaped})
        assert page.bodies == [], text[:40]
        assert page.error in {"", "bad-request", "not-acceptable"}, (text[:40], page.error)
        found = await alice.asks(
            "<query xmlns='jabber:iq:search'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
            f"<value>jabber:iq:search</value></field><field var='search'><value>{escaped}</value></field></x></query>",
            "set",
        )
        assert "example.org" not in "".join(found.itertext())
    await alice.says(bob.bare, "still there?")
    await bob.hears_message("still there?")


def heard(*steps: bytes, user: str) -> list[bytes]:
    """What a server says to a login, without what differs each time."""
    harness = Harness()
    harness.secure()
    return [harness.send(step) for step in steps]


def test_a_login_says_the_same_of_nobody_as_of_somebody():
    right, nobody = (heard(plain(user=user, password="wrong"), user=user) for user in ("alice", "nobody"))
    assert right == nobody
    challenges = []
    for user in ("alice", "nobody", "nobody"):
        harness = Harness()
        harness.secure()
        client = ScramClient(user=user, password="wrong", nonce="n")
        challenge = dict(
            part.split("=", 1) for part in harness.challenge(auth("SCRAM-SHA-256", client.first())).split(",")
        )
        challenges.append((len(challenge["r"]), len(challenge["s"])))
        assert b"not-authorized" in harness.send(
            response(client.final(",".join(f"{k}={v}" for k, v in challenge.items())))
        )
    assert challenges[0] == challenges[1] == challenges[2]


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_a_login_costs_the_same_for_nobody_as_for_somebody(user: str, monkeypatch: pytest.MonkeyPatch):
    """Counted, not timed: as many rounds of the hash, for whoever there is or is not."""
    rounds = []
    original = scram.hashlib.pbkdf2_hmac

    def counted(name: str, password: bytes, salt: bytes, iterations: int, *more: object) -> bytes:
        rounds.append(iterations)
        return original(name, password, salt, 1, *more)

    monkeypatch.setattr(scram.hashlib, "pbkdf2_hmac", counted)
    harness = Harness()
    harness.secure()
    harness.send(plain(user=user, password="wrong"))
    assert len(rounds) == 1


@play
async def test_nothing_tells_whether_an_address_of_another_domain_exists(stage: Stage):
    """Every question that there is, about somebody of another domain who exists and about nobody."""
    alice, zoe = await stage.enter("alice"), await stage.enter("zoe", domain="example.org")
    questions = [
        ("get", "<vCard xmlns='vcard-temp'/>"),
        ("get", "<ping xmlns='urn:xmpp:ping'/>"),
        ("get", "<query xmlns='jabber:iq:version'/>"),
        ("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        ("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
        ("set", "<query xmlns='urn:xmpp:mam:2'/>"),
        ("get", "<query xmlns='jabber:iq:last'/>"),
        ("get", "<time xmlns='urn:xmpp:time'/>"),
    ]
    for kind, question in questions:
        answers = set()
        for to in (zoe.bare, zoe.jid, "nobody@example.org", "nobody@example.org/x", "who@example.net"):
            answer = await alice.asks(question, kind, to)
            answers.add(
                (answer.get("type"), "".join(element.tag for element in answer.iter() if element is not answer))
            )
        assert len(answers) == 1, (question, answers)
    zoe.forget()
    for to in (zoe.bare, zoe.jid):
        for presence in ("", "probe", "subscribe", "unavailable"):
            await alice.sends(f"<presence to='{to}'{f' type={presence!r}' if presence else ''}/>")
    await stage.settle(alice)
    await stage.settle(zoe)
    assert zoe.heard == []
    assert [
        element
        for element in alice.heard
        if "example.org" in element.get("from", "") and element.get("type") != "error"
    ] == []
