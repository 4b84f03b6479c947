"""The client's half of SCRAM (RFC 5802; SHA-256: RFC 7677), without channel binding.

What a password costs is paid once for each account: clients keep their keys (RFC 5802, 3), and so a second login is cheap here.
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from functools import lru_cache

HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
"""Mechanisms, the strongest first."""

ITERATIONS_AT_MOST = 1_000_000
KEYS_KEPT = 200_000


class WrongServerError(Exception):
    """The server does not know the password, or speaks something else."""


class Scram:
    """One login.

    Args:
        mechanism: one of `HASHES`.
        user: local part.
        password: that both sides know.
    """

    def __init__(self, mechanism: str, user: str, password: str) -> None:
        self._hash = HASHES[mechanism]
        self._password = password
        self._nonce = secrets.token_hex(12)
        self._bare_first = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={self._nonce}"
        self._server_signature = b""

    def first(self) -> bytes:
        """Client-first, in base64."""
        return b64encode(f"n,,{self._bare_first}".encode())

    def final(self, challenge: bytes) -> bytes:
        """Client-final for a challenge, both in base64.

        Raises:
            WrongServerError: it is no answer to ours.
        """
        server_first = b64decode(challenge).decode()
        fields = dict(part.split("=", 1) for part in server_first.split(","))
        nonce, iterations = fields.get("r", ""), int(fields.get("i", "0"))
        if not nonce.startswith(self._nonce) or not 0 < iterations <= ITERATIONS_AT_MOST:
            raise WrongServerError(f"SCRAM: {server_first!r}")
        client_key, stored_key, server_key = _keys(self._hash, self._password, b64decode(fields["s"]), iterations)
        without_proof = f"c=biws,r={nonce}"
        signed = f"{self._bare_first},{server_first},{without_proof}".encode()
        signature = hmac.digest(stored_key, signed, self._hash)
        proof = b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()
        self._server_signature = hmac.digest(server_key, signed, self._hash)
        return b64encode(f"{without_proof},p={proof}".encode())

    def check(self, success: bytes) -> None:
        """Whether the server knows the password, too.

        Raises:
            WrongServerError: it does not.
        """
        if b64decode(success) != b"v=" + b64encode(self._server_signature):
            raise WrongServerError("SCRAM: the server's signature is wrong")


@lru_cache(KEYS_KEPT)
def _keys(hash_name: str, password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes, bytes]:
    salted = hashlib.pbkdf2_hmac(hash_name, password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", hash_name)
    return client_key, hashlib.new(hash_name, client_key).digest(), hmac.digest(salted, b"Server Key", hash_name)
