"""Passwords and mechanisms: the vectors of the RFCs, and each step of each exchange."""

from base64 import b64decode, b64encode

import pytest

from engine.jid import Jid
from engine.xmpp.sasl import (
    Challenge,
    Failure,
    SaslCondition,
    SaslSettings,
    Success,
    WantCheck,
    WantVerifier,
    decode_payload,
    offered_mechanisms,
    start_mechanism,
)
from engine.xmpp.scram import (
    BadPasswordError,
    check_password,
    check_proof,
    derive,
    fake_verifier,
    make_verifiers,
    saslprep,
)
from tests.engine.xmpp.client import ACCOUNTS, BINDING, DOMAIN, PASSWORD, ScramClient

ALICE = Jid(f"alice@{DOMAIN}")


def settings(**changes) -> SaslSettings:
    values = {"domain": DOMAIN, "secret": b"secret", "nonce": lambda: "snonce", "is_encrypted": True}
    return SaslSettings(**{**values, **changes})


def start(name: str, **changes):
    return start_mechanism(name, settings(**changes))


# -- vectors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hash_name", "salt", "client_nonce", "server_nonce", "proof", "signature"),
    [
        (  # RFC 5802, section 5
            "sha-1",
            "QSXCR+Q6sek8bf92",
            "fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (  # RFC 7677, section 3
            "sha-256",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ],
    ids=["RFC 5802", "RFC 7677"],
)
def test_vectors(hash_name, salt, client_nonce, server_nonce, proof, signature):
    verifier = derive(hash_name, "pencil", b64decode(salt), 4096)
    scram = start(f"SCRAM-{hash_name.upper()}", nonce=lambda: server_nonce)
    assert scram.respond(f"n,,n=user,r={client_nonce}".encode()) == WantVerifier(Jid(f"user@{DOMAIN}"), hash_name)
    nonce = client_nonce + server_nonce
    assert scram.give_verifier(verifier) == Challenge(f"r={nonce},s={salt},i=4096".encode())
    success = scram.respond(f"c=biws,r={nonce},p={proof}".encode())
    assert success == Success(Jid(f"user@{DOMAIN}"), f"v={signature}".encode())


# -- passwords ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "prepared"),
    [  # RFC 4013, section 3, and what is near to it
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("pässword", "pässword"),
        ("pa\u0308ssword", "pässword"),
        ("\u0627\u0628", "\u0627\u0628"),
        (" ", " "),
    ],
)
def test_saslprep(typed, prepared):
    assert saslprep(typed, is_stored=True) == prepared


@pytest.mark.parametrize(
    "typed", ["", "\u00ad", "\u0007", "a\0", "\u0627\u0031", "\u0627a\u0628", "\ue000", "\ufffd", "\u200e"]
)
def test_saslprep_refuses(typed):
    with pytest.raises(BadPasswordError):
        saslprep(typed)


def test_a_stored_password_has_no_unassigned_characters():
    with pytest.raises(BadPasswordError):
        make_verifiers("\U0001f600")
    assert saslprep("\U0001f600") == "\U0001f600"


def test_verifiers():
    verifiers = make_verifiers(PASSWORD, iterations=4096)
    assert set(verifiers) == {"sha-1", "sha-256"}
    assert verifiers["sha-1"].salt != verifiers["sha-256"].salt
    for verifier in verifiers.values():
        assert len(verifier.salt) == 16
        assert check_password(verifier, PASSWORD)
        assert not check_password(verifier, PASSWORD + " ")
        assert not check_password(verifier, "")
        assert not check_password(verifier, "\0")
    assert PASSWORD.encode() not in b"".join((verifiers["sha-1"].stored_key, verifiers["sha-1"].server_key))
    assert make_verifiers("x", iterations=4096, salt=b"s") == make_verifiers("x", iterations=4096, salt=b"s")


def test_fake_verifiers_are_the_same_each_time_and_fit_nothing():
    fake = fake_verifier("sha-256", "nobody@example.org", b"secret")
    assert fake == fake_verifier("sha-256", "nobody@example.org", b"secret")
    others = [
        fake_verifier("sha-256", "nobody2@example.org", b"secret"),
        fake_verifier("sha-256", "nobody@example.org", b"secret2"),
        fake_verifier("sha-1", "nobody@example.org", b"secret"),
    ]
    assert len({verifier.salt for verifier in [fake, *others]}) == 4
    real = make_verifiers("x")["sha-256"]
    assert (len(fake.salt), fake.iterations, len(fake.stored_key)) == (
        len(real.salt),
        real.iterations,
        len(real.stored_key),
    )
    assert not check_password(fake, "x")


def test_a_proof_of_another_length_is_wrong():
    verifier = ACCOUNTS[ALICE.bare]["sha-256"]
    for proof in (b"", b"x" * 31, b"x" * 33):
        assert not check_proof("sha-256", verifier, b"message", proof)


# -- what is offered ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"is_encrypted": False}, ["SCRAM-SHA-256", "SCRAM-SHA-1"]),
        ({}, ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]),
        (
            {"channel_binding": BINDING},
            ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"],
        ),
        ({"hashes": ("sha-256",)}, ["SCRAM-SHA-256", "PLAIN"]),
    ],
    ids=["clear text", "TLS", "TLS with binding", "one hash"],
)
def test_offered(changes, names):
    assert offered_mechanisms(settings(**changes)) == names


@pytest.mark.parametrize(
    ("name", "changes", "condition"),
    [
        ("PLAIN", {"is_encrypted": False}, SaslCondition.ENCRYPTION_REQUIRED),
        ("SCRAM-SHA-256-PLUS", {}, SaslCondition.INVALID_MECHANISM),
        ("SCRAM-SHA-1", {"hashes": ("sha-256",)}, SaslCondition.INVALID_MECHANISM),
        ("scram-sha-1", {}, SaslCondition.INVALID_MECHANISM),
        ("", {}, SaslCondition.INVALID_MECHANISM),
    ],
)
def test_not_offered(name, changes, condition):
    refusal = start(name, **changes)
    assert isinstance(refusal, Failure)
    assert refusal.condition is condition


# -- exchanges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize(
    ("flag", "suffix", "binding"),
    [("n", "", None), ("y", "", None), ("n", "", BINDING), ("p=tls-server-end-point", "-PLUS", BINDING)],
)
@pytest.mark.parametrize("user", ["alice", "ALICE", f"alice@{DOMAIN}"])
@pytest.mark.parametrize("authzid", ["", f"alice@{DOMAIN}", f"Alice@{DOMAIN}"])
def test_scram(digest, flag, suffix, binding, user, authzid):
    hash_name = {"sha1": "sha-1", "sha256": "sha-256"}[digest]
    client = ScramClient(digest, flag, BINDING if suffix else b"", user, authzid)
    scram = start(f"SCRAM-{hash_name.upper()}{suffix}", channel_binding=binding)
    assert scram.respond(client.first().encode()) == WantVerifier(ALICE, hash_name)
    challenge = scram.give_verifier(ACCOUNTS[ALICE.bare][hash_name])
    success = scram.respond(client.final(challenge.data.decode()).encode())
    assert success == Success(ALICE, client.expected.encode())
    assert scram.respond(b"again").condition is SaslCondition.MALFORMED_REQUEST


def test_optional_extensions_are_ignored_but_proved():
    client = ScramClient()
    client.bare += ",x=what"
    scram = start("SCRAM-SHA-256")
    assert isinstance(scram.respond(client.first().encode()), WantVerifier)
    challenge = scram.give_verifier(ACCOUNTS[ALICE.bare]["sha-256"])
    assert isinstance(scram.respond(client.final(challenge.data.decode()).encode()), Success)


def test_names_are_decoded():
    scram = start("SCRAM-SHA-1")
    assert scram.respond(b"n,,n=a=2Cb=3Dc,r=x") == WantVerifier(Jid(f"a,b=c@{DOMAIN}"), "sha-1")


def test_an_unknown_user_fails_where_a_wrong_password_does():
    failures = []
    for user, verifier in (("alice", ACCOUNTS[ALICE.bare]["sha-256"]), ("nobody", None)):
        client = ScramClient(user=user, password="wrong")
        scram = start("SCRAM-SHA-256")
        assert isinstance(scram.respond(client.first().encode()), WantVerifier)
        challenge = scram.give_verifier(verifier)
        assert isinstance(challenge, Challenge)
        failures.append(scram.respond(client.final(challenge.data.decode()).encode()))
    assert [failure.condition for failure in failures] == [SaslCondition.NOT_AUTHORIZED] * 2
    assert [failure.account.bare for failure in failures] == [ALICE.bare, f"nobody@{DOMAIN}"]


def test_plain():
    plain = start("PLAIN")
    assert plain.respond(b"\0alice\0pencil") == WantVerifier(ALICE, "sha-256")
    verifier = ACCOUNTS[ALICE.bare]["sha-256"]
    assert plain.give_verifier(verifier) == WantCheck(ALICE, verifier, "pencil")
    assert plain.give_check(True) == Success(ALICE)
    assert plain.respond(b"\0alice\0pencil").condition is SaslCondition.MALFORMED_REQUEST


def test_plain_of_an_unknown_user_is_checked_and_fails_whatever_comes_out():
    plain = start("PLAIN")
    plain.respond(b"\0nobody\0pencil")
    wanted = plain.give_verifier(None)
    assert isinstance(wanted, WantCheck)
    assert wanted.verifier.iterations == make_verifiers("x")["sha-256"].iterations
    assert plain.give_check(True).condition is SaslCondition.NOT_AUTHORIZED


@pytest.mark.parametrize(
    ("text", "data"), [("", None), ("=", b""), ("AA==", b"\0"), (b64encode(b"abc").decode(), b"abc")]
)
def test_payload(text, data):
    assert decode_payload(text) == data


@pytest.mark.parametrize("text", ["AA", "A", "AA=", "AB==", "A A=", "AA==\n", "====", "AA==AA==", "é", "_-=="])
def test_payload_that_is_not_base64(text):
    with pytest.raises(ValueError):  # noqa: PT011 -- binascii's and ours are both just that
        decode_payload(text)
