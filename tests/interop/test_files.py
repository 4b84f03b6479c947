"""Files by XEP-0363, as slixmpp and Profanity share them: XMPP and HTTP over TLS, the certificate verified."""

import shutil
import ssl
import urllib.error
import urllib.request
from xml.etree import ElementTree as ET

import pytest

from tests.interop.person import Person
from tests.interop.profanity import Profanity
from tests.interop.server import Server

UPLOAD = "urn:xmpp:http:upload:0"
IMAGE = bytes(range(256)) * 4096  # 1 MiB

pytestmark = pytest.mark.timeout(240)  # packages may have to be installed


@pytest.fixture
def server(tmp_path, founded):
    """As everywhere here, with TLS on the web port, too."""
    folder = tmp_path / "server"
    shutil.copytree(founded, folder)
    server = Server(folder, has_web_tls=True)
    with server.running():
        yield server


def call(server, url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """What any program with an HTTP library gets that trusts the certificate."""
    context = ssl.create_default_context(cafile=str(server.certificate))
    request = urllib.request.Request(url, data=body, method=method, headers={"content-type": "image/png"})
    try:
        with urllib.request.urlopen(request, context=context, timeout=15) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


def test_slixmpp_finds_the_service_and_shares_a_file(server):
    with Person(server, "alice") as alice, Person(server, "bob", direct_tls=True) as bob:
        info = alice.do(lambda: alice.client.plugin["xep_0030"].get_info("localhost"))["disco_info"]
        assert ("store", "file") in {(category, kind) for category, kind, *_ in info["identities"]}
        assert UPLOAD in info["features"]
        assert info.xml.findtext(".//{jabber:x:data}field[@var='max-file-size']/{jabber:x:data}value") == "52428800"

        def ask():  # slixmpp's own plugin wants an HTTP library that nothing else needs
            iq = alice.client.make_iq_get(ito="localhost")
            iq.append(ET.Element(f"{{{UPLOAD}}}request", {"filename": "très cool.png", "size": str(len(IMAGE))}))
            return iq.send()

        slot = alice.do(ask).xml
        put, get = (slot.find(f".//{{{UPLOAD}}}{name}").get("url") for name in ("put", "get"))
        assert get.startswith(f"https://localhost:{server.web_port}/upload/")
        assert call(server, get)[0] == 404
        assert call(server, put, "PUT", IMAGE)[0] == 201

        def share():
            message = alice.client.make_message(bob.address, get, mtype="chat")
            message["oob"]["url"] = get
            message.send()

        alice.client.loop.call_soon_threadsafe(share)
        heard = bob.hears(get)
        assert call(server, heard.body) == (200, IMAGE)
        assert call(server, put, "PUT", IMAGE)[0] == 409
        assert get in alice.reads_history(bob.address)


@pytest.mark.usefixtures("programs")
def test_profanity_sends_a_file(server, tmp_path):
    home = tmp_path / "profanity"
    home.mkdir()
    (home / "notes.txt").write_bytes(b"what we said")
    with Person(server, "bob") as bob, Profanity(home) as profanity:
        profanity.connect(server, "alice")
        chat = profanity.conversation("bob@localhost", "Bob Berger")
        chat.type(f"/sendfile {home / 'notes.txt'}")
        chat.wait_for(r"/notes\.txt")
        address = bob.hears_of_file("notes.txt")
        assert call(server, address) == (200, b"what we said")
