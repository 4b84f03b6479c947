"""SCRAM arithmetic and password verifiers: RFC 5802, RFC 7677, RFC 4013; no state, no messages.

A `Verifier` is what the server keeps of a password, one for each hash. With it a login can be checked, but one who steals
it cannot log in. An account that does not exist has verifiers too: made from a secret of the server and the name, the
same each time, so that a login to it goes the same way, and takes the same time, as one with a wrong password.
"""

import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from engine.limits import SCRAM_ITERATIONS
from engine.ports import Verifier

HASHES: Final = ("sha-256", "sha-1")
"""Names of the hashes that every account has a verifier for, the better one first."""

_SALT_BYTES = 16
_HASHLIB = {"sha-256": "sha256", "sha-1": "sha1"}


class BadPasswordError(ValueError):
    """SASLprep forbids a character, or leaves nothing of the password."""


def make_verifiers(
    password: str, *, iterations: int = SCRAM_ITERATIONS, salt: bytes | None = None
) -> dict[str, Verifier]:
    """The verifiers of a new password, by hash name; costs some milliseconds and releases the GIL.

    Args:
        password: as the person typed it.
        iterations: of PBKDF2.
        salt: 16 random bytes for each hash when None.

    Raises:
        BadPasswordError: the password is empty or has characters that no client could send.
    """
    prepared = saslprep(password, is_stored=True)
    return {
        name: derive(name, prepared, secrets.token_bytes(_SALT_BYTES) if salt is None else salt, iterations)
        for name in HASHES
    }


def derive(hash_name: str, prepared: str, salt: bytes, iterations: int) -> Verifier:
    """The verifier of a prepared password (RFC 5802, section 3)."""
    digest = _HASHLIB[hash_name]
    salted = hashlib.pbkdf2_hmac(digest, prepared.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", digest)
    stored_key = hashlib.new(digest, client_key).digest()
    return Verifier(salt, iterations, stored_key, hmac.digest(salted, b"Server Key", digest))


def fake_verifier(hash_name: str, bare: str, secret: bytes, iterations: int = SCRAM_ITERATIONS) -> Verifier:
    """The verifier of an account that does not exist: the same each time, and no password fits."""
    size = hashlib.new(_HASHLIB[hash_name]).digest_size

    def part(label: str, length: int) -> bytes:
        return hmac.digest(secret, f"{label}\0{hash_name}\0{bare}".encode(), "sha512")[:length]

    return Verifier(part("salt", _SALT_BYTES), iterations, part("stored", size), part("server", size))


def check_password(verifier: Verifier, password: str) -> bool:
    """Whether this is the password (for PLAIN). Costs some milliseconds: call it in a thread."""
    hash_name = {20: "sha-1", 32: "sha-256"}[len(verifier.stored_key)]
    try:
        prepared = saslprep(password)
    except BadPasswordError:
        prepared = ""  # fits nothing, and takes as long
    derived = derive(hash_name, prepared, verifier.salt, verifier.iterations)
    return hmac.compare_digest(derived.stored_key, verifier.stored_key) and bool(prepared)


def check_proof(hash_name: str, verifier: Verifier, auth_message: bytes, proof: bytes) -> bool:
    """Whether the client's proof shows that it knows the password (RFC 5802, section 3)."""
    digest = _HASHLIB[hash_name]
    signature = hmac.digest(verifier.stored_key, auth_message, digest)
    client_key = bytes(a ^ b for a, b in zip(signature, proof, strict=False))
    is_right = hmac.compare_digest(hashlib.new(digest, client_key).digest(), verifier.stored_key)
    return is_right and len(proof) == len(signature)


def server_signature(hash_name: str, verifier: Verifier, auth_message: bytes) -> str:
    """The server's proof towards the client, in base64."""
    return b64encode(hmac.digest(verifier.server_key, auth_message, _HASHLIB[hash_name])).decode()


_PROHIBITED: Final[tuple[Callable[[str], bool], ...]] = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, *, is_stored: bool = False) -> str:
    """One spelling of a password (RFC 4013).

    Args:
        text: as typed.
        is_stored: it will be kept: code points that Unicode 3.2 does not assign are refused too (RFC 4013, 2.5).

    Raises:
        BadPasswordError: a character is prohibited, letters of both directions are mixed, or nothing is left.
    """
    if text.isascii() and text.isprintable() and text:
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared:
        raise BadPasswordError("the password is empty")
    if any(is_prohibited(character) for character in prepared for is_prohibited in _PROHIBITED):
        raise BadPasswordError("the password has a character that SASLprep forbids")
    if is_stored and any(stringprep.in_table_a1(character) for character in prepared):
        raise BadPasswordError("the password has a character that is newer than SASLprep (Unicode 3.2)")
    if any(map(stringprep.in_table_d1, prepared)):
        # Right-to-left letters: no left-to-right ones beside them, and they stand at both ends (RFC 3454, section 6).
        ends = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
        if not ends or any(map(stringprep.in_table_d2, prepared)):
            raise BadPasswordError("the password mixes writing directions")
    return prepared
