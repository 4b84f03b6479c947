"""What a server offers: asked once by one client, so that the others can do without (as clients do that know the caps)."""

import re
from collections.abc import Callable, Generator

from tests.load.session import Script, Session, ask
from tests.load.target import Offers

DISCO = "<iq type='get' id='{0}' to='{1}'><query xmlns='http://jabber.org/protocol/disco#{2}'/></iq>"
HISTORY_FORM = "<iq type='get' id='form'><query xmlns='urn:xmpp:mam:2'/></iq>"
ITEM = re.compile(rb"<item\b[^>]*\bjid=['\"]([^'\"]+)")
FULL_TEXT = "{urn:xmpp:fulltext:0}fulltext"
SERVICES_AT_MOST = 32


def explore(session: Session, found: Callable[[Offers], None]) -> Script:
    """Ask the domain, the own account and the services beside the domain."""
    domain = session.account.domain
    server = yield from _disco(session, "server", domain)
    account = yield from _disco(session, "account", session.account.bare)
    items = yield from ask(session, "items", DISCO.format("items", domain, "items"))
    services = {domain: server}
    for number, item in enumerate(ITEM.findall(items)[:SERVICES_AT_MOST]):
        name = item.decode()
        if "@" not in name and name.endswith(domain):
            services[name] = yield from _disco(session, f"service{number}", name)
    has_history = b"urn:xmpp:mam:2" in account or b"urn:xmpp:mam:2" in server
    form = b""
    if has_history:
        form = yield from ask(session, "form", HISTORY_FORM)
    found(
        Offers(
            acks=session.has_acks,
            carbons=b"urn:xmpp:carbons:2" in server,
            history=has_history,
            text_search=FULL_TEXT if FULL_TEXT.encode() in form else "",
            contact_search=_first(services, b"jabber:iq:search"),
            rooms=_first(services, b"http://jabber.org/protocol/muc"),
        )
    )


def _disco(session: Session, name: str, address: str) -> Generator[bytes | re.Pattern[bytes], bytes, bytes]:
    return (yield from ask(session, name, DISCO.format(name, address, "info")))


def _first(services: dict[str, bytes], feature: bytes) -> str:
    pattern = re.compile(rb"\bvar=['\"]%b['\"]" % re.escape(feature))
    return next((name for name, answer in services.items() if pattern.search(answer)), "")
