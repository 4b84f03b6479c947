"""XEP-0156: the documents, and for which hosts they are given."""

import json
from xml.etree import ElementTree as ET

import pytest

from engine.xmpp import host_meta

DOMAINS = {"example.com", "münchen.de"}


def test_both_documents_have_the_link():
    url = "wss://chat.example.com/xmpp-websocket"
    xrd = ET.fromstring(host_meta.as_xrd(url))
    assert xrd.tag == "{http://docs.oasis-open.org/ns/xri/xrd-1.0}XRD"
    (link,) = xrd
    assert link.tag == "{http://docs.oasis-open.org/ns/xri/xrd-1.0}Link"
    assert link.attrib == {"rel": "urn:xmpp:alt-connections:websocket", "href": url}
    assert json.loads(host_meta.as_json(url)) == {"links": [link.attrib]}


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "EXAMPLE.com:8080",
        "example.com.",
        "chat.example.com",
        "a.b.example.com:443",
        "xn--mnchen-3ya.de",
        "chat.xn--mnchen-3ya.de",
        "localhost:8080",
        "127.0.0.1:8080",
        "192.0.2.7",
        "[::1]:8080",
    ],
)
def test_hosts_that_are_ours(host):
    assert host_meta.is_ours(host, DOMAINS)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.org",
        "notexample.com",
        "example.com.evil.org",
        "com",
        "example.com:0",
        "example.com:65536",
        "example.com:",
        "example.com:8080:8080",
        "me@example.com",
        "evil.org#example.com",
        "evil.org/example.com",
        "evil.org?.example.com",
        "evil.org'.example.com",
        "example.com ",
        "::1",
        "[::1",
        "[::z]",
        "..",
        "münchen.de",
        "xn--99999999.de",
    ],
)
def test_hosts_that_are_not(host):
    assert not host_meta.is_ours(host, DOMAINS)
