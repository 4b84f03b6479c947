"""The operator's vocabulary as JSON, and the rules behind it."""

import msgspec
import pytest

from engine import administration as a
from engine import admission
from engine.contacts import Contact, ContactKind
from engine.errors import Condition, Refusal
from engine.limits import NAME_CHARACTERS
from engine.ports import Verifier

DOMAINS = {"a.example", "münchen.de"}
VERIFIERS = {"sha-256": Verifier(b"\x00salt", 4096, b"stored\xff", b"server")}
ANN = Contact(address="ann@a.example")
BEN = Contact(address="ben@a.example")
TEAM = Contact(address="team@a.example", kind=ContactKind.ALIAS, members=("ann@a.example",))

COMMANDS = [
    a.AddDomain("a.example"),
    a.RemoveDomain("a.example"),
    a.ListDomains(),
    a.AddUser(a.NewUser(address="ann@a.example", name="Ann", verifiers=VERIFIERS)),
    a.ChangeUser("ann@a.example", title=""),
    a.RemoveUser("ann@a.example"),
    a.SetPassword("ann@a.example", VERIFIERS),
    a.ListUsers(),
    a.ImportUsers((a.NewUser(address="ann@a.example"),), has_more=True),
    a.AddAlias("team@a.example", ("ann@a.example",)),
    a.ChangeAlias("team@a.example", name="Team"),
    a.RemoveAlias("team@a.example"),
    a.ListAliases("a.example"),
    a.CheckAccounts(),
    a.Verify(),
    a.Reindex(),
    a.ShowStatus(),
]


def refusal(function, *args):
    with pytest.raises(Refusal) as caught:
        function(*args)
    assert "\n" not in caught.value.text
    return caught.value


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_every_command_survives_json(command):
    assert msgspec.json.decode(msgspec.json.encode(command), type=a.Command) == command


def test_results_survive_json():
    listed = msgspec.json.decode(msgspec.json.encode(a.ContactsListed((TEAM,))), type=a.Result)
    assert isinstance(listed, a.ContactsListed)
    assert listed.contacts[0].members == ("ann@a.example",)
    status = a.StatusShown({"server": "running", "sessions": 3, "lag": 0.5, "is_ready": True, "since": None})
    assert msgspec.json.decode(msgspec.json.encode(status), type=a.Result) == status


@pytest.mark.parametrize(
    "line", [b"{}", b'{"type":"Nonsense"}', b'{"type":"AddDomain"}', b'{"type":"Verify","x":1}', b"["]
)
def test_what_is_no_command_is_not_decoded(line):
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(line, type=a.Command)


def test_domains_are_prepared():
    assert admission.prepare_domain(" Example.COM ") == "example.com"
    assert admission.prepare_domain("xn--mnchen-3ya.de") == "münchen.de"
    assert admission.prepare_domain("localhost") == "localhost"


@pytest.mark.parametrize(
    "text", ["", "ann@a.example", "a.example/x", "a b", "a..b", "-a.example", "a_\x00", "x" * 5_000, "[::1]"]
)
def test_what_is_no_domain_is_refused(text):
    assert refusal(admission.prepare_domain, text).condition is Condition.JID_MALFORMED
    assert len(refusal(admission.prepare_domain, text).text) < 200


def test_addresses_are_prepared():
    assert admission.prepare_address("Ann@A.example", DOMAINS) == "ann@a.example"
    assert admission.prepare_address("ann@xn--mnchen-3ya.de", DOMAINS) == "ann@münchen.de"


@pytest.mark.parametrize(
    "text", ["", "a.example", "ann@a.example/desk", "ann@", "@a.example", "a b@a.example", "a\n@a.example"]
)
def test_what_is_no_address_is_refused(text):
    assert refusal(admission.prepare_address, text, DOMAINS).condition is Condition.JID_MALFORMED


def test_an_address_of_another_domain_is_refused():
    assert refusal(admission.prepare_address, "ann@b.example", DOMAINS).text == (
        "ann@b.example: the domain b.example is not served here"
    )


def test_texts_are_stripped_and_bounded():
    assert admission.check_text("ann@a.example", "name", "  Ann 🦉 von Ä \t") == "Ann 🦉 von Ä"
    assert admission.check_text("ann@a.example", "name", "x" * NAME_CHARACTERS)
    too_long = refusal(admission.check_text, "ann@a.example", "title", "x" * (NAME_CHARACTERS + 1))
    assert too_long.text == "ann@a.example: title is longer than 256 characters"


@pytest.mark.parametrize("character", ["\0", "\n", "\x7f", "\x85", "\u2028", "\ud800", "\ufffe", "\U0001ffff"])
def test_control_characters_are_refused(character):
    found = refusal(admission.check_text, "ann@a.example", "name", f"a{character}b").text
    assert found == f"ann@a.example: name has a control character (U+{ord(character):04X})"


def test_an_address_is_taken_once():
    admission.check_new("ann@a.example", None)
    assert refusal(admission.check_new, "ann@a.example", ANN).text == "ann@a.example exists already, as a member"
    assert refusal(admission.check_new, "team@a.example", TEAM).text == "team@a.example exists already, as an alias"


def test_members_and_aliases_are_not_taken_for_each_other():
    assert admission.check_kind(ANN.address, ANN, ContactKind.MEMBER) is ANN
    assert refusal(admission.check_kind, "x@a.example", None, ContactKind.ALIAS).text == "there is no alias x@a.example"
    assert refusal(admission.check_kind, TEAM.address, TEAM, ContactKind.MEMBER).text == (
        "team@a.example is an alias, not a member"
    )


def test_every_faulty_row_of_an_import_is_found():
    users = [
        a.NewUser(address=text)
        for text in ("cyd@a.example", "nobody", "Cyd@a.example", "ann@a.example", "dan@a.example")
    ]
    users.append(a.NewUser(address="eve@a.example", phone="\x07"))
    contacts, faults = admission.check_import(users, DOMAINS, {ANN.address: ANN})
    assert [contact.address for contact in contacts] == ["cyd@a.example", "dan@a.example"]
    assert [(fault.row, fault.text) for fault in faults] == [
        (1, "'nobody': not an address of the form name@domain"),
        (2, "cyd@a.example is there twice"),
        (3, "ann@a.example exists already, as a member"),
        (5, "eve@a.example: phone has a control character (U+0007)"),
    ]


def test_members_of_an_alias_are_prepared_and_named_once():
    members = admission.check_alias(
        "all@a.example", ["Ann@a.example", "team@a.example", "ann@A.example"], DOMAINS, [ANN, TEAM]
    )
    assert members == ("ann@a.example", "team@a.example")
    assert (
        "no member or alias" in refusal(admission.check_alias, "all@a.example", ["zoe@a.example"], DOMAINS, [ANN]).text
    )
    assert (
        "not in the domain" in refusal(admission.check_alias, "all@a.example", ["ann@münchen.de"], DOMAINS, [ANN]).text
    )


def test_damaged_aliases_are_told():
    assert admission.alias_problems([ANN, BEN, TEAM]) == []
    assert admission.alias_problems([BEN, TEAM]) == ["alias team@a.example: there is no member or alias ann@a.example"]
    empty = Contact(address="none@a.example", kind=ContactKind.ALIAS)
    assert "needs at least one member" in admission.alias_problems([empty])[0]
