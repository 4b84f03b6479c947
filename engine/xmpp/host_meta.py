"""XEP-0156 1.4.0: how a client that cannot ask the DNS finds the web socket.

A domain's host-meta (RFC 6415) links to where XMPP over WebSocket (RFC 7395) is spoken, as XRD and as JSON. The link names the
host as the client asked for it, which must be one that stands for a domain served here (`is_ours`): nobody gets a link that
somebody else wrote into his request.
"""

import ipaddress
import re
from collections.abc import Collection
from typing import Final

import msgspec

from engine.jid import Jid, JidError
from engine.xmpp.xml import E, serialise

XRD: Final = "http://docs.oasis-open.org/ns/xri/xrd-1.0"
RELATION: Final = "urn:xmpp:alt-connections:websocket"

_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:(?P<port>[0-9]{1,5}))?")
"""RFC 9110, 7.2, without what no browser sends: user information, percent signs, anything that could break out of a URL."""


def is_ours(host: str, domains: Collection[str]) -> bool:
    """Whether a ``Host`` header names a domain served here, a host below one, or a machine without a name of its own.

    Args:
        host: name or IP address, with or without a port.
        domains: prepared.
    """
    matched = _HOST.fullmatch(host)
    if matched is None or int(matched["port"] or 443) not in range(1, 65_536):
        return False
    name = matched["name"]
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        pass
    else:
        return True
    try:
        labels = Jid.parse(name).bare.split(".")
    except JidError:
        return False
    if labels == ["localhost"]:
        return True
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))


def as_xrd(url: str) -> str:
    """The document ``/.well-known/host-meta``.

    Args:
        url: of the web socket.
    """
    return serialise(E("XRD", XRD, E("Link", XRD, rel=RELATION, href=url)))


def as_json(url: str) -> str:
    """The document ``/.well-known/host-meta.json`` (RFC 6415, appendix A)."""
    return msgspec.json.encode({"links": [{"rel": RELATION, "href": url}]}).decode()
