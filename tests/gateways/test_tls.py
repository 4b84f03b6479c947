"""Certificates: made, kept, renewed, refused; and what a connection may be encrypted with."""

import hashlib
import ipaddress
import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from gateways import tls

NOW = datetime(2026, 3, 1, tzinfo=UTC)

SHA256 = hashes.SHA256()

# Made with `openssl req -x509 -sha1` and `-md5`: no library of today signs like this any more.
WEAK = {
    "SHA1": """\
-----BEGIN CERTIFICATE-----
MIIBbTCCARSgAwIBAgIUX6F9QM8zk7gEv5UTsgTFIEDGGaIwCQYHKoZIzj0EATAM
MQowCAYDVQQDDAFhMCAXDTI2MTEyNDA4MzkxNFoYDzIxMjYxMDMxMDgzOTE0WjAM
MQowCAYDVQQDDAFhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQvcJ9UVdHzwr
k6z3Bsn6TAcF+Uc9tw9yP2RbKLB2hVHakVcBlb4yXSEkHUHtH1m2d8gWHuYCcb4D
k21DliotP6NTMFEwHQYDVR0OBBYEFLMIb4+FGKQbx/ZeITqcx2aU4zuqMB8GA1Ud
IwQYMBaAFLMIb4+FGKQbx/ZeITqcx2aU4zuqMA8GA1UdEwEB/wQFMAMBAf8wCQYH
KoZIzj0EAQNIADBFAiBLrsCL4jIcDdGtx867sEFRTQ5WYw8Bf3yDWWI1AfE7kwIh
AIQDfAWIz8XC9ubRkB+bThE+t0mmA47iPz8APnEMxZkb
-----END CERTIFICATE-----
""",
    "MD5": """\
-----BEGIN CERTIFICATE-----
MIIB9jCCAV+gAwIBAgIUAjhL6IVy0fFD51qlHUaO+d7irnAwDQYJKoZIhvcNAQEE
BQAwDDEKMAgGA1UEAwwBYTAgFw0yNjExMjQwODM5MTRaGA8yMTI2MTAzMTA4Mzkx
NFowDDEKMAgGA1UEAwwBYTCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEAoF4Q
0N41hPRrxaM3dRkLYt0LErokxorAjS2i9mimaZhCrdsvX4QelAPZFwv+/E4Q0KYA
Cn/f/8EMk0mfTvxexzpxtPVfcO6Hm1TVOSHEELSLSsTCAWGzbP6JE5NLSchad5hx
lALykDWWauSUMusXvGWzjLVjdzU6+gYv/7ArnKcCAwEAAaNTMFEwHQYDVR0OBBYE
FFp/5M9Vz5VVzdK8NN0L3HbcQio5MB8GA1UdIwQYMBaAFFp/5M9Vz5VVzdK8NN0L
3HbcQio5MA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQEEBQADgYEASkGhDd53
bwhnV82SBG2g3wCAAxbyR4VpVZ64DkRUtyzcXqYh6mY6VKethyygIbFco1+EZ0lH
ZYyYprDeemIYUzUpEyoUaZaIbd/qnG3FOyfJF18nQJ/04/90XkRZN+B/oS26r0BL
Mkl81l0ixtwlnnM5gGK2dvF8zbL6GST20a0=
-----END CERTIFICATE-----
""",
}


def write_pair(folder, key, algorithm=SHA256, *, names=("a.example",), begin=None, days=30):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    begin = begin or datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        .sign(key, algorithm)
    )
    folder.mkdir(exist_ok=True)
    (folder / "chain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
    return folder / "chain.pem", folder / "key.pem"


def der(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.chain_file.read_text())


def refusal(*files):
    with pytest.raises(tls.CertificateError) as caught:
        tls.load(*files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- self-signed --------------------------------------------------------------------------------------------------------


def test_a_certificate_is_made_for_all_domains(tmp_path):
    made = tls.ensure_self_signed(tmp_path / "tls", ["b.example", "münchen.de", "127.0.0.1"], NOW)
    leaf = x509.load_der_x509_certificate(der(made))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"b.example", "xn--mnchen-3ya.de"}
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert made.is_self_signed
    assert made.not_after - NOW == timedelta(days=tls.VALID_DAYS)
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    assert sorted(file.name for file in (tmp_path / "tls").iterdir()) == ["self-signed.key", "self-signed.pem"]


def test_it_is_kept_while_it_is_good(tmp_path):
    first = tls.ensure_self_signed(tmp_path, ["a.example", "b.example"], NOW)
    later = NOW + timedelta(days=tls.VALID_DAYS - tls.RENEW_DAYS)
    again = tls.ensure_self_signed(tmp_path, ["b.example", "a.example"], later)
    assert der(again) == der(first)
    assert again.end_point == first.end_point


@pytest.mark.parametrize(
    ("domains", "days"),
    [
        (["a.example", "b.example"], 0),
        (["b.example"], 0),
        (["a.example"], tls.VALID_DAYS - tls.RENEW_DAYS + 1),
        (["a.example"], -2),
    ],
)
def test_it_is_made_again_with_the_same_key(tmp_path, domains, days):
    first = tls.ensure_self_signed(tmp_path, ["a.example"], NOW)
    before = der(first)
    key = first.key_file.read_bytes()
    again = tls.ensure_self_signed(tmp_path, domains, NOW + timedelta(days=days))
    assert der(again) != before
    assert again.end_point != first.end_point
    assert again.key_file.read_bytes() == key


@pytest.mark.parametrize("name", ["self-signed.pem", "self-signed.key"])
def test_a_damaged_file_is_made_again(tmp_path, name):
    tls.ensure_self_signed(tmp_path, ["a.example"], NOW)
    (tmp_path / name).write_text("scribble")
    assert tls.ensure_self_signed(tmp_path, ["a.example"], NOW).names == ("a.example",)


def test_a_server_without_domains_and_one_with_a_very_long_one_have_certificates(tmp_path):
    assert tls.ensure_self_signed(tmp_path, [], NOW).names == ("localhost",)
    long = ".".join(["x" * 60] * 3)
    assert tls.ensure_self_signed(tmp_path, [long], NOW).names == (long,)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "tls").write_text("a file")
    with pytest.raises(tls.CertificateError, match="cannot be written"):
        tls.ensure_self_signed(tmp_path / "tls", ["a.example"], NOW)


# -- the operator's own -------------------------------------------------------------------------------------------------


def test_files_that_cannot_be_used_are_told_by_their_name(tmp_path):
    chain, key = write_pair(tmp_path / "good", ec.generate_private_key(ec.SECP256R1()))
    _, other = write_pair(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    assert tls.load(chain, key).names == ("a.example",)
    missing = tmp_path / "none.pem"
    assert refusal(missing, key) == f"{missing}: cannot be read: No such file or directory"
    assert refusal(chain, missing) == f"{missing}: cannot be read: No such file or directory"
    assert refusal(key, key) == f"{key}: has no certificate in PEM form"
    assert refusal(chain, chain) == f"{chain}: has no private key in PEM form that can be used"
    assert refusal(chain, other) == f"{other}: this private key does not belong to {chain}"


def test_a_key_with_a_passphrase_is_told(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    chain, file = write_pair(tmp_path, key)
    lock = serialization.BestAvailableEncryption(b"secret")
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
    assert "has a passphrase" in refusal(chain, file)


def test_a_key_that_openssl_finds_weak_is_told(tmp_path):
    chain, file = write_pair(tmp_path, rsa.generate_private_key(65_537, 1024))
    assert "OpenSSL refuses it" in refusal(chain, file)


def test_what_clients_would_complain_about_is_told(tmp_path):
    chain, key = write_pair(
        tmp_path, ec.generate_private_key(ec.SECP256R1()), names=("A.example", "*.b.example"), begin=NOW
    )
    certificate = tls.load(chain, key)
    during = NOW + timedelta(days=1)
    assert tls.problems(certificate, ["a.example", "chat.b.example"], during) == []
    assert tls.problems(certificate, ["a.example"], NOW - timedelta(hours=1)) == [
        f"{chain}: is not valid before 2026-03-01 00:00 UTC"
    ]
    assert tls.problems(certificate, ["a.example"], NOW + timedelta(days=31)) == [
        f"{chain}: expired on 2026-03-31 00:00 UTC"
    ]
    assert tls.problems(certificate, ["b.example", "x.y.b.example", "a.example"], during) == [
        f"{chain}: does not stand for b.example, x.y.b.example"
    ]


# -- channel binding ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "name"), [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384"), (hashes.SHA512(), "sha512")]
)
def test_the_binding_is_the_hash_of_the_signature(tmp_path, algorithm, name):
    certificate = tls.load(*write_pair(tmp_path, ec.generate_private_key(ec.SECP256R1()), algorithm))
    assert certificate.end_point == hashlib.new(name, der(certificate)).digest()


def test_the_binding_of_a_signature_without_a_hash_is_sha_256(tmp_path):
    certificate = tls.load(*write_pair(tmp_path, ed25519.Ed25519PrivateKey.generate(), None))
    assert certificate.end_point == hashlib.sha256(der(certificate)).digest()


@pytest.mark.parametrize("weak", ["SHA1", "MD5"])
def test_the_binding_of_a_weak_hash_is_sha_256(weak):
    leaf = x509.load_pem_x509_certificate(WEAK[weak].encode())
    assert leaf.signature_hash_algorithm.name == weak.lower()
    assert tls.end_point_binding(leaf) == leaf.fingerprint(hashes.SHA256())


# -- contexts -----------------------------------------------------------------------------------------------------------


def handshake(server_context, client_context, name="a.example"):
    """A handshake in memory; returns both ends."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(there, back, server_side=True)
    client = client_context.wrap_bio(back, there, server_hostname=name)
    done = set()
    for _ in range(20):
        for end in (client, server):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
        if len(done) == 2:
            return server, client
    raise AssertionError("the handshake does not end")


@pytest.fixture
def certificate(tmp_path):
    return tls.ensure_self_signed(tmp_path, ["a.example"])


@pytest.fixture
def client(certificate):
    context = ssl.create_default_context(cafile=certificate.chain_file)
    assert context.verify_mode is ssl.CERT_REQUIRED
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_are_spoken_without_compression(certificate, client, version):
    client.minimum_version = client.maximum_version = version
    server, _ = handshake(tls.server_context(certificate), client)
    assert server.version() == version.name.replace("v1_", "v1.")
    assert server.compression() is None
    assert "GCM" in server.cipher()[0] or "CHACHA20" in server.cipher()[0]


def test_old_versions_are_not_spoken(certificate, client):
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        handshake(tls.server_context(certificate), client)


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA"])
def test_weak_ciphers_are_not_spoken(certificate, client, ciphers):
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    with pytest.raises(ssl.SSLError):
        handshake(tls.server_context(certificate), client)


def test_direct_tls_says_what_it_speaks(certificate, client):
    client.set_alpn_protocols(["xmpp-client"])
    server, _ = handshake(tls.server_context(certificate, protocols=[tls.XMPP_CLIENT]), client)
    assert server.selected_alpn_protocol() == "xmpp-client"


def test_a_client_without_alpn_is_served_too(certificate, client):
    server, _ = handshake(tls.server_context(certificate, protocols=[tls.XMPP_CLIENT]), client)
    assert server.selected_alpn_protocol() is None
