"""Single sign-on over real sockets: which tokens log in, how often, from where; and nothing of them in the log."""

import base64
import json
import logging
import time
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateways import sign_on
from tests.stage.socket_stage import SocketStage, socket_stage
from tests.stage.socket_web import call
from tests.stage.web_player import WebPlayer

SECRET = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
MAIL = "https://mail.example.com"
WEB = (
    f"url = 'https://chat.example.com'\nframe_ancestors = ['{MAIL}']\n"
    "sign_on_keys = { 'example.com' = 'sso.key', 'example.org' = 'other.key' }"
)
AUDIENCE = "https://chat.example.com"
ALICE = "alice@example.com"


@pytest.fixture
async def stage():
    async with socket_stage(WEB, {"sso.key": f"{SECRET}\n", "other.key": OTHER}) as stage:
        yield stage


def token(key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    now = time.time()
    claims = {"iss": "example.com", "sub": ALICE, "aud": AUDIENCE, "iat": now, "exp": now + 60, "jti": "one", **changes}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm)


async def post(stage: SocketStage, text: str, **headers: str) -> tuple[int, dict[str, str]]:
    fields = {"origin": MAIL, "content-type": "application/x-www-form-urlencoded"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    body = urlencode({"token": text}).encode()
    status, answered, _ = await call(stage._ports["web"], "POST", sign_on.PATH, body, fields)
    return status, answered


async def test_a_token_logs_in_once(stage):
    signed = token()
    status, headers = await post(stage, signed)
    assert (status, headers["location"]) == (303, "/")
    assert headers["cache-control"] == "no-store"
    cookie, *rules = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict"} < set(rules)
    alice = await stage._open_page(WebPlayer("alice", cookie), "Available")
    assert alice.bare == ALICE
    status, headers = await post(stage, signed)
    assert status == 401
    assert "set-cookie" not in headers
    assert (await post(stage, token(jti="two"), cookie=cookie))[0] == 303
    assert (await alice.hears("bye"))["reason"] == "signed-out"  # a new login of the same browser, a new cookie


def wrong(now: float) -> dict[str, dict[str, Any]]:
    """What may be wrong with a token, and how it differs from a good one."""
    return {
        "another key": {"key": OTHER},
        "no signature": {"key": None, "algorithm": "none"},
        "another algorithm": {"algorithm": "HS512", "key": SECRET * 2},
        "another domain's member": {"sub": "zoe@example.org"},
        "another domain's key": {"iss": "example.org"},
        "an unknown domain": {"iss": "example.net"},
        "no issuer": {"iss": None},
        "an alias": {"sub": "salesteam@example.com"},
        "nobody": {"sub": "nobody@example.com"},
        "a device": {"sub": f"{ALICE}/desk"},
        "another spelling": {"sub": "Alice@example.com"},
        "no subject": {"sub": None},
        "for somebody else": {"aud": "https://other.example"},
        "for nobody": {"aud": None},
        "too old": {"iat": now - 100, "exp": now - 40},
        "too new": {"iat": now + 500, "exp": now + 560},
        "living too long": {"exp": now + 500},
        "living for ever": {"exp": None},
        "without a beginning": {"iat": None},
        "no number": {"exp": "soon"},
        "not a number": {"exp": float("nan")},
        "without a name": {"jti": None},
        "an empty name": {"jti": ""},
        "a long name": {"jti": "x" * 300},
        "a strange name": {"jti": "\ud800"},
        "a list as a name": {"jti": ["one"]},
    }


async def test_what_is_wrong_with_a_token_is_not_told_to_its_bearer(stage, caplog):
    tokens = {}
    for what, changes in wrong(time.time()).items():
        try:
            tokens[what] = token(**changes)
        except (TypeError, ValueError, jwt.PyJWTError):  # the library makes none like this
            claims = {"iss": "example.com", "sub": ALICE, "aud": AUDIENCE, "jti": "one", **changes}
            claims = {"iat": time.time(), "exp": time.time() + 60} | claims
            parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
            signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
            signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed, SECRET.encode())
            tokens[what] = f"{signed.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    deep = base64.urlsafe_b64encode(b"[" * 2_500).decode()
    tokens |= {"nothing": "", "nonsense": "a.b.c", "one part": token().partition(".")[0], "depth": f"{deep}.{deep}.x"}
    with caplog.at_level(logging.DEBUG):
        answers = {what: await post(stage, text) for what, text in tokens.items()}
    assert {what: status for what, (status, _) in answers.items() if status != 401} == {}
    assert all("set-cookie" not in headers for _, headers in answers.values())
    parts = {part for text in tokens.values() for part in text.split(".") if len(part) > 20}
    assert {part for part in parts if part in caplog.text} == set()
    assert "Traceback" not in caplog.text
    assert (await post(stage, token()))[0] == 303


async def test_only_pages_that_may_show_the_chat_sign_on(stage):
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"content_type": "application/json"},
        {"content_type": "text/plain"},
    ):
        assert (await post(stage, token(), **headers))[0] in {403, 415}
    port = stage._ports["web"]
    assert (await call(port, "GET", f"{sign_on.PATH}?{urlencode({'token': token()})}"))[0] == 405
    assert (await post(stage, "x" * 9_000))[0] == 413
    assert (await post(stage, token(), origin=f"http://127.0.0.1:{port}"))[0] == 303


async def test_without_a_key_there_is_no_sign_on():
    async with socket_stage() as stage:
        assert (await post(stage, token()))[0] == 404


PRIVATE = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RS256": lambda: rsa.generate_private_key(65_537, 2_048),
}


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_public_key_says_which_algorithm(tmp_path, algorithm):
    private = PRIVATE[algorithm]()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    key = sign_on.load_key(tmp_path / "key.pem")
    assert key.algorithm == algorithm
    signed = token(private, algorithm)
    claims = jwt.decode(signed, key.value, algorithms=[key.algorithm], audience=AUDIENCE)
    assert claims["sub"] == ALICE


def test_what_is_no_key_is_told(tmp_path):
    file = tmp_path / "key"
    for content, problem in (
        (b"short", "at least 32 bytes"),
        (b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n", "not a public key"),
        (
            rsa.generate_private_key(65_537, 1_024)
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "RSA with at least 2048 bits",
        ),
    ):
        file.write_bytes(content)
        with pytest.raises(sign_on.KeyRefused, match=problem):
            sign_on.load_key(file)
    with pytest.raises(sign_on.KeyRefused, match="No such file"):
        sign_on.load_key(tmp_path / "missing")
