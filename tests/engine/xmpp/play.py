"""A client on paper: XML in, commands and XML out. XML is compared as elements, never as strings."""

from engine.contacts import Contact, ContactKind
from engine.files import FileOffer
from engine.jid import Jid
from engine.messages import Request
from engine.xmpp.client import XmppClient
from engine.xmpp.features import build_mux
from engine.xmpp.framing import split
from engine.xmpp.mux import Mux, Reply, Software
from engine.xmpp.parser import Parser
from engine.xmpp.rendering import Renderer
from engine.xmpp.xml import CLIENT, Element

ALICE = Jid("alice@example.com", "desk")
BOB = Jid("bob@example.com", "phone")
NOW = 1_700_000_000.25

BOB_CONTACT = Contact(
    address="bob@example.com",
    name="Bob <B.> Builder",
    title="Head of Sales & More",
    department="Sales",
    phone="+1 555 0100",
    changed=2,
)
CAROL_CONTACT = Contact(address="carol@example.com", name="Carol", changed=3)
ALICE_CONTACT = Contact(address="alice@example.com", name="Alice", department="IT", changed=1)
TEAM = Contact(
    address="salesteam@example.com",
    kind=ContactKind.ALIAS,
    name="Sales team",
    members=("bob@example.com", "carol@example.com"),
    changed=4,
)


def make_mux() -> Mux:
    names = {TEAM.address: TEAM.display_name}
    return build_mux(
        Software("Rookery", "0.1", "https://rookery.example/"),
        Renderer(lambda address: names.get(address, "")),
        FileOffer("https://chat.example.com", 1_000_000),
    )


def make_client(jid: Jid = ALICE, mux: Mux | None = None) -> XmppClient:
    return XmppClient(jid, mux or make_mux())


def elements(text: str | bytes) -> list[Element]:
    """The elements of a text, in the default namespace of a client's stream."""
    data = text if isinstance(text, bytes) else text.encode()
    parser = Parser(10_000_000, is_stream=False)
    parser.receive(b"<r xmlns='%s' xmlns:stream='http://etherx.jabber.org/streams'>" % CLIENT.encode() + data + b"</r>")
    root = parser.next_item()
    assert isinstance(root, Element)
    return root.elements()


def xml(text: str | bytes) -> Element:
    """One element; whitespace between elements is for the reader."""
    (element,) = elements(text)
    return strip(element)


def strip(element: Element) -> Element:
    children = [strip(child) if isinstance(child, Element) else child for child in element.children]
    if any(isinstance(child, Element) for child in children):
        children = [child for child in children if isinstance(child, Element) or child.strip()]
    return Element(element.name, element.namespace, element.attributes, children)


def send(client: XmppClient, text: str, now: float = NOW):
    """The one outcome of one stanza."""
    (outcome,) = client.receive(xml(text), now)
    return outcome


def reply(client: XmppClient, text: str, now: float = NOW) -> Element:
    """The stanza that the server writes back."""
    outcome = send(client, text, now)
    assert isinstance(outcome, Reply), outcome
    return xml(outcome.data)


def raw_reply(client: XmppClient, text: str) -> bytes:
    outcome = send(client, text)
    assert isinstance(outcome, Reply), outcome
    return outcome.data


def told(client: XmppClient, event) -> Element:
    """The one stanza that the client gets for an event."""
    burst = client.render(event)
    assert burst is not None
    assert burst.count == 1
    return xml(burst.data)


def rendered(client: XmppClient, event) -> bytes:
    """All that the client gets for an event, as it counts itself."""
    burst = client.render(event)
    if burst is None:
        return b""
    assert len(split(burst.data)) == burst.count
    return burst.data


def error(
    kind: str, condition: str, error_type: str, *, from_: str | None = None, id_: str | None = "1", text: str = ""
) -> Element:
    """A refusal as alice gets it."""
    sender = f" from='{from_}'" if from_ else ""
    ident = f" id='{id_}'" if id_ else ""
    words = f"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>{text}</text>" if text else ""
    return xml(
        f"<{kind} type='error'{ident}{sender} to='alice@example.com/desk'><error type='{error_type}'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>{words}</error></{kind}>"
    )


def request(name: str, to: str = "", id_: str = "1") -> Request:
    return Request(ALICE, id_, to, name)
