"""The client's half of the tests: its own SCRAM, and a harness that answers the stream's questions from a table."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator

from engine.jid import Jid
from engine.xmpp.scram import check_password, make_verifiers
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_events import (
    BindRequested,
    PasswordCheckWanted,
    StartTls,
    StreamEnded,
    StreamOptions,
    VerifierWanted,
)

DOMAIN = "example.org"
BINDING = b"\x01" * 32
PASSWORD = "pencil"
ACCOUNTS = {f"alice@{DOMAIN}": make_verifiers(PASSWORD, iterations=4096, salt=b"salty salty salt")}
DECLARATION = b"<?xml version='1.0'?>"
HEADER = b"<stream:stream to='example.org' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
BIND = b"<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>desk</resource></bind></iq>"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


def options(**changes) -> StreamOptions:
    counter = iter(range(10**6))
    values = {"domains": {DOMAIN}, "secret": b"secret", "token": lambda: f"token{next(counter)}"}
    return StreamOptions(**{**values, **changes})


def auth(mechanism: str, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{b64encode(data).decode() or '='}</auth>".encode()


def response(data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return f"<response xmlns='{SASL}'>{b64encode(data).decode() or '='}</response>".encode()


def plain(user: str = "alice", password: str = PASSWORD, authzid: str = "") -> bytes:
    return auth("PLAIN", f"{authzid}\0{user}\0{password}")


class ScramClient:
    """RFC 5802 from the client's side, written for these tests only; every part can be made wrong."""

    def __init__(
        self, digest="sha256", flag="n", binding=b"", user="alice", authzid="", password=PASSWORD, nonce="cnonce"
    ):
        self.digest, self.binding, self.password = digest, binding, password
        self.header = f"{flag},{'a=' + authzid if authzid else ''},"
        self.bare = f"n={user},r={nonce}"

    def first(self) -> str:
        return self.header + self.bare

    def final(self, server_first: str, *, nonce: str | None = None, header: str | None = None) -> str:
        fields = dict(part.split("=", 1) for part in server_first.split(","))
        bound = b64encode((header or self.header).encode() + self.binding).decode()
        without = f"c={bound},r={nonce or fields['r']}"
        salted = hashlib.pbkdf2_hmac(self.digest, self.password.encode(), b64decode(fields["s"]), int(fields["i"]))
        key = hmac.digest(salted, b"Client Key", self.digest)
        message = f"{self.bare},{server_first},{without}".encode()
        signature = hmac.digest(hashlib.new(self.digest, key).digest(), message, self.digest)
        self.expected = (
            "v="
            + b64encode(hmac.digest(hmac.digest(salted, b"Server Key", self.digest), message, self.digest)).decode()
        )
        return f"{without},p={b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()}"


class Harness:
    """Drives a stream as a gateway does, with the accounts above; keeps all events and all output."""

    def __init__(
        self, *, piece: int = 0, binding: bytes | None = BINDING, is_encrypted: bool = False, framing=None, **changes
    ):
        self.stream = ClientStream(
            options(**changes), framing, is_encrypted=is_encrypted, channel_binding=binding if is_encrypted else None
        )
        self.binding, self.piece = binding, piece
        self.events, self.output = [], b""

    def send(self, data: bytes) -> bytes:
        """Feed it, whole or in pieces, answer what is asked; what the server wrote meanwhile."""
        before = len(self.output)
        for start in range(0, len(data), self.piece or max(1, len(data))):
            self._take(self.stream.receive_data(data[start : start + (self.piece or len(data))]))
        return self.output[before:]

    def _take(self, events) -> None:
        for event in events:
            self.events.append(event)
            answer = ANSWERS.get(type(event))
            if answer is not None and not self.ended:
                self._take(answer(self, event))
        self.output += self.stream.data_to_send()

    @property
    def ended(self) -> StreamEnded | None:
        return next((event for event in self.events if isinstance(event, StreamEnded)), None)

    def of(self, kind) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def secure(self) -> bytes:
        self.send(HEADER + STARTTLS)
        return self.send(HEADER)

    def log_in(self) -> bytes:
        self.secure()
        self.send(plain())
        return self.send(HEADER)

    def bind(self) -> bytes:
        self.log_in()
        return self.send(BIND)

    def challenge(self, data: bytes) -> str:
        """Send SASL data and give the server's challenge."""
        written = self.send(data).decode()
        assert "<challenge" in written, written
        return b64decode(written.split(">")[1].split("<")[0]).decode()

    def scram(self, client: ScramClient, mechanism: str) -> bytes:
        return self.send(response(client.final(self.challenge(auth(mechanism, client.first())))))


def _tls(harness: Harness, _event: StartTls):
    harness.output += harness.stream.data_to_send()
    return harness.stream.tls_started(harness.binding)


def _verifier(harness: Harness, event: VerifierWanted):
    return harness.stream.provide_verifier(ACCOUNTS.get(event.account.bare, {}).get(event.hash_name))


def _check(harness: Harness, event: PasswordCheckWanted):
    return harness.stream.password_checked(check_password(event.verifier, event.password))


def _bind(harness: Harness, event: BindRequested):
    return harness.stream.bound(Jid(event.account.bare, event.resource))


ANSWERS: dict[type, Callable[[Harness, object], list]] = {
    StartTls: _tls,
    VerifierWanted: _verifier,
    PasswordCheckWanted: _check,
    BindRequested: _bind,
}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))
