"""Where the server is that is driven, and what it can do. Only loopback: a load is never sent to anybody else's machine."""

import ipaddress
import socket
import ssl
from functools import cache
from typing import Literal

import msgspec

Security = Literal["none", "starttls", "direct", "web", "page", "mixed"]
"""How a connection begins: clear text, clear text and then TLS, TLS at once, as a web socket in clear text (RFC 7395), as the
webmail page's, or half of them in clear text and half as pages."""


class NotLoopbackError(ValueError):
    """The target is on another machine."""


def loopback_address(host: str) -> str:
    """The address of a name, which must be on loopback.

    Raises:
        NotLoopbackError: one of its addresses is not.
    """
    found = {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    if not all(ipaddress.ip_address(address).is_loopback for address in found):
        raise NotLoopbackError(f"{host} is {', '.join(sorted(found))}: only loopback is driven")
    return min(found)


class Offers(msgspec.Struct, frozen=True):
    """What a server can do, as a scout found out.

    Attributes:
        acks: stream management (XEP-0198).
        carbons: XEP-0280.
        history: XEP-0313.
        text_search: the field of the history form that takes words to look for; empty: none.
        contact_search: where XEP-0055 is answered; empty: nowhere.
        rooms: where rooms are (XEP-0045); empty: nowhere.
    """

    acks: bool = False
    carbons: bool = False
    history: bool = False
    text_search: str = ""
    contact_search: str = ""
    rooms: str = ""


class Target(msgspec.Struct, frozen=True):
    """One way into a server.

    Attributes:
        host: address on loopback.
        port: of the listener.
        security: how TLS begins.
        domain: that is served.
        offers: what it can do.
        wants_acks: stream management is switched on where it is offered.
        path: of the web socket; empty for TCP.
    """

    host: str
    port: int
    security: Security
    domain: str
    offers: Offers = Offers()
    wants_acks: bool = True
    path: str = ""

    def __post_init__(self) -> None:
        loopback_address(self.host)

    @property
    def address(self) -> tuple[str, int]:
        """For a socket."""
        return self.host, self.port

    @property
    def tls(self) -> ssl.SSLContext:
        """What a client trusts: on loopback whatever the server shows."""
        return _context()


@cache
def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
