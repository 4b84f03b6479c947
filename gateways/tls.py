"""TLS: the server's certificate and how connections are encrypted.

Owns two things. **The certificate**: the operator's own (`load`), or a self-signed one that is made in the data folder
(`ensure_self_signed`), names every domain that is served, and is made again when the domains change or its end is near. Its
key stays the same then, so that clients that pinned the key go on without a question. **The context** (`server_context`): TLS
1.2 and 1.3, ciphers with forward secrecy and authentication, no compression, no renegotiation (RFC 7590, RFC 9325).

`Certificate.end_point` is the channel binding ``tls-server-end-point`` of RFC 5929, 4.1, for SCRAM-…-PLUS.
"""

import ipaddress
import os
import secrets
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

XMPP_CLIENT: Final = "xmpp-client"
"""ALPN of direct TLS (XEP-0368)."""

VALID_DAYS: Final = 3_650
"""Of a self-signed certificate: a person confirms it once per client, so it should outlive the client."""

RENEW_DAYS: Final = 30
"""A self-signed certificate that ends sooner than this is made again at the start."""

CIPHERS: Final = "@SECLEVEL=2:ECDHE+AESGCM:ECDHE+CHACHA20"
"""No key or digest of less than 112 bits; of TLS 1.2, the ciphers that RFC 9325 recommends. The suites of TLS 1.3 are all good
and are not in this list."""

_CERTIFICATE_FILE: Final = "self-signed.pem"
_KEY_FILE: Final = "self-signed.key"


class CertificateError(Exception):
    """The certificate cannot be used. The text is one line that names the file."""


class Certificate(msgspec.Struct, frozen=True, eq=False):
    """A certificate that was loaded and fits its key.

    Attributes:
        chain_file: PEM; the server's own certificate is the first in it.
        key_file: PEM, without a passphrase.
        end_point: the binding ``tls-server-end-point``.
        names: the DNS names and IP addresses for which it stands, in ASCII and lower case; may have wildcards.
        not_before: it is valid from then
        not_after: until then.
        is_self_signed: issuer and subject are the same.
    """

    chain_file: Path
    key_file: Path
    end_point: bytes
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    is_self_signed: bool


def load(chain_file: Path, key_file: Path) -> Certificate:
    """Load a certificate and see that its key fits.

    Raises:
        CertificateError: a file is missing, unreadable or no PEM, or the two do not belong together.
    """
    leaf = _read_leaf(chain_file)
    key = _read_key(key_file)
    if _public_bytes(key.public_key()) != _public_bytes(leaf.public_key()):
        raise CertificateError(f"{key_file}: this private key does not belong to {chain_file}")
    certificate = Certificate(
        chain_file=chain_file,
        key_file=key_file,
        end_point=end_point_binding(leaf),
        names=_names(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        is_self_signed=leaf.issuer == leaf.subject,
    )
    try:
        server_context(certificate)
    except (ssl.SSLError, OSError) as error:  # OpenSSL is stricter than the parser: a weak key or digest
        raise CertificateError(f"{chain_file}: OpenSSL refuses it: {error}") from error
    return certificate


def problems(certificate: Certificate, domains: Sequence[str], now: datetime) -> list[str]:
    """What clients will complain about; one line each, with the file."""
    found = []
    if now < certificate.not_before:
        found.append(f"{certificate.chain_file}: is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC")
    if now > certificate.not_after:
        found.append(f"{certificate.chain_file}: expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC")
    uncovered = [domain for domain in domains if not _is_covered(_ascii(domain), certificate.names)]
    if uncovered:
        found.append(f"{certificate.chain_file}: does not stand for {', '.join(uncovered)}")
    return found


def ensure_self_signed(folder: Path, domains: Sequence[str], now: datetime | None = None) -> Certificate:
    """The self-signed certificate of the data folder, made when it is missing, does not fit or ends soon.

    Args:
        folder: ``data_dir/tls``; made when it is not there.
        domains: every domain that is served.
        now: the time, with zone.

    Raises:
        CertificateError: the folder cannot be written.
    """
    now = now or datetime.now(UTC)
    chain_file, key_file = folder / _CERTIFICATE_FILE, folder / _KEY_FILE
    wanted = {_ascii(domain) for domain in domains} or {"localhost"}
    try:
        certificate = load(chain_file, key_file)
    except CertificateError:
        certificate = None
    if (
        certificate is not None
        and set(certificate.names) == wanted
        and certificate.not_before <= now <= certificate.not_after - timedelta(days=RENEW_DAYS)
    ):
        return certificate
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = _keep_key(key_file)
        _write(chain_file, _make(key, sorted(wanted), now).public_bytes(serialization.Encoding.PEM), 0o644)
    except OSError as error:
        raise CertificateError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
    return load(chain_file, key_file)


def server_context(certificate: Certificate, *, protocols: Sequence[str] = ()) -> ssl.SSLContext:
    """A context for accepting connections.

    Args:
        certificate: what is shown to clients.
        protocols: of ALPN, the best first: `XMPP_CLIENT` for direct TLS. A client that offers none of them is served too.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE
    context.load_cert_chain(certificate.chain_file, certificate.key_file, password=_refuse_passphrase)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def end_point_binding(certificate: x509.Certificate) -> bytes:
    """The channel binding ``tls-server-end-point`` (RFC 5929, 4.1).

    The hash of the certificate with the hash function of its signature; SHA-256 where that is MD5 or SHA-1. A signature
    without one (Ed25519) is not covered by the RFC; SHA-256 is what GnuTLS, and so most clients, take then.
    """
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    return certificate.fingerprint(algorithm)


# -- reading ------------------------------------------------------------------------------------------------------------


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateError(f"{file}: cannot be read: {error.strerror}") from error


def _read_leaf(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(_read(file))[0]
    except ValueError as error:
        raise CertificateError(f"{file}: has no certificate in PEM form") from error


def _read_key(file: Path) -> PrivateKeyTypes:
    data = _read(file)
    try:
        return serialization.load_pem_private_key(data, None)
    except TypeError as error:
        raise CertificateError(f"{file}: the private key has a passphrase; the server needs one without") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{file}: has no private key in PEM form that can be used") from error


def _public_bytes(key: object) -> bytes:
    encode = getattr(key, "public_bytes")  # noqa: B009 -- every kind of public key has it, but they share no type
    result: bytes = encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return result


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    names = [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]
    return (*names, *(str(address) for address in extension.value.get_values_for_type(x509.IPAddress)))


def _is_covered(domain: str, names: Sequence[str]) -> bool:
    # RFC 6125, 6.4.3: a wildcard stands for exactly one label.
    return domain in names or f"*.{domain.partition('.')[2]}" in names


def _refuse_passphrase() -> str:
    """OpenSSL must not ask at the terminal of a server."""
    raise CertificateError("the private key has a passphrase; the server needs one without")


# -- making -------------------------------------------------------------------------------------------------------------


def _keep_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """The key that is there, or a new one."""
    try:
        key = _read_key(file)
    except CertificateError:
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    made = ec.generate_private_key(ec.SECP256R1())  # every client that does TLS 1.2 knows this curve
    form = serialization.PrivateFormat.PKCS8
    _write(file, made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()), 0o600)
    return made


def _make(key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime) -> x509.Certificate:
    first = next((name for name in names if len(name) <= 64), "rookery")  # a common name has 64 characters at most
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, first)])
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of clients are never quite right
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _ascii(domain: str) -> str:
    """The form in which certificates name a domain."""
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return domain


def _write(file: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all, with its mode from the start."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
