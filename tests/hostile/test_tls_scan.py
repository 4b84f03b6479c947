"""sslscan's view of the TLS ports: nothing below TLS 1.2, no weak suite, no compression, no renegotiation, no Heartbleed.

Precedents: CVE-2021-32920 (Prosody: a flood of renegotiations), and all that sslscan knows by name. Installs Debian's
package when it is missing.
"""

import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import trio

from tests.faults.server import Server
from tests.load.peers.debian import need
from tests.programs import SCANNERS

WEAK = (
    "RC4",
    "3DES",
    "DES-",
    "NULL",
    "EXP",
    "MD5",
    "ADH",
    "AECDH",
    "anon",
    "CBC",
    "SEED",
    "IDEA",
    "CAMELLIA",
    "ARIA",
    "AES128-SHA",
    "AES256-SHA",
)
SCAN_SECONDS = 60.0


async def scan(port: int, *options: str) -> ET.Element:
    with trio.fail_after(SCAN_SECONDS):
        done = await trio.run_process(
            ["sslscan", "--no-colour", "--xml=-", *options, f"localhost:{port}"],
            capture_stdout=True,
            stderr=subprocess.DEVNULL,
        )
    found = ET.fromstring(done.stdout).find("ssltest")
    assert found is not None, done.stdout[-500:]
    return found


def check(found: ET.Element) -> int:
    """How many suites were accepted."""
    enabled = {
        f"{protocol.get('type')}{protocol.get('version')}"
        for protocol in found.findall("protocol")
        if protocol.get("enabled") == "1"
    }
    assert enabled == {"tls1.2", "tls1.3"}
    suites = found.findall("cipher")
    for suite in suites:
        name = suite.get("cipher", "")
        assert suite.get("sslversion") in {"TLSv1.2", "TLSv1.3"}
        assert suite.get("strength") in {"strong", "acceptable"}, name
        assert int(suite.get("bits", "0")) >= 128
        assert not [weak for weak in WEAK if weak in name], name
    for name, good in (("compression", "0"), ("renegotiation", "0"), ("heartbleed", "0")):
        for entry in found.findall(name):
            value = entry.get("vulnerable") if name == "heartbleed" else entry.get("supported")
            assert value == good, (name, entry.attrib)
    return len(suites)


async def test_the_tls_ports_speak_nothing_weak(tmp_path: Path):
    need(SCANNERS)
    server = Server(tmp_path, "localhost")
    server.config.write_text(server.config.read_text().replace("[web]\n", "[web]\ntls = true\n"))
    async with server:
        counts = [
            check(await scan(server.ports["xmpps"])),
            check(await scan(server.ports["xmpp"], "--starttls-xmpp")),
            check(await scan(server.ports["web"])),
        ]
        assert min(counts) >= 2
        assert server.errors == []
