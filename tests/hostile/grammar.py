"""Stanzas as a hostile client makes them: everything that the server understands, with values that it must not, and worse.

A stanza is a tree of `Node`; it is grown from templates of every feature, then mutated as a tree (which stays well-formed),
and now and then as bytes (which may not). All chance comes from the dice that are given, so a seed says it all.
"""

import json
import random
from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

from tests.hostile.words import ADDRESSES, FIELDS, FRAMES, KINDS, NAMES, NAMESPACES, VALUES

XML = "http://www.w3.org/XML/1998/namespace"


class Node:
    """An element of a stanza to be."""

    def __init__(self, name: str, namespace: str, attributes: dict[str, str], children: "list[Node | str]") -> None:
        self.name, self.namespace, self.attributes, self.children = name, namespace, attributes, children

    def written(self, around: str = "jabber:client") -> str:
        """As XML within an element of the namespace `around`."""
        name, around_children = self.name, self.namespace
        if self.namespace == XML:  # nobody may declare it; it has its prefix everywhere
            name, around_children = f"xml:{name}", around
        pieces = [f"<{name}"]
        if around_children != around:
            pieces.append(f" xmlns={quoteattr(self.namespace)}")
        pieces += [f" {key}={quoteattr(value)}" for key, value in self.attributes.items()]
        if not self.children:
            return "".join((*pieces, "/>"))
        inner = (escape(child) if isinstance(child, str) else child.written(around_children) for child in self.children)
        return "".join((*pieces, ">", *inner, f"</{name}>"))


class Grammar:
    """Grows stanzas. `dice`: says everything."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def stanza(self) -> bytes:
        """One of them, mostly well-formed."""
        dice = self.dice
        node = self._grown()
        for _ in range(dice.choice((0, 0, 1, 1, 2, 5))):
            self._mutate(node)
        data = node.written().encode("utf-8", "replace")
        return self._spoilt(data) if dice.random() < 0.08 else data

    def frame(self) -> bytes:
        """What a browser says, likewise."""
        dice = self.dice
        fields: dict[str, object] = {"t": dice.choice((*FRAMES, self.value()))}
        for name in dice.sample(FIELDS, dice.randrange(9)):
            others = (dice.randrange(-3, 60), True, None, 1 << 70, [1], {}, 0.5)
            fields[name] = dice.choice((self.value(), self.address(), *others))
        if dice.random() < 0.6:
            fields |= {"q": dice.randrange(9), "to": self.address(), "peer": self.address(), "id": self.value()}
            fields |= {"v": 1, "limit": dice.randrange(-1, 120), "text": self.value(), "address": self.address()}
            fields |= {"body": self.value()}
        data = json.dumps(fields).encode()
        return self._spoilt(data) if dice.random() < 0.08 else data

    def address(self) -> str:
        return self.dice.choice(ADDRESSES)

    def value(self) -> str:
        dice = self.dice
        return (
            dice.choice(VALUES) if dice.random() < 0.8 else "".join(chr(dice.randrange(32, 0x3000)) for _ in range(9))
        )

    def _grown(self) -> Node:
        dice = self.dice
        name = dice.choice(
            ("message", "message", "message", "presence", "presence", "iq", "iq", "iq", "iq", "iq", "nonza")
        )
        if name == "nonza":
            return dice.choice(NONZAS)(self)
        attributes = {
            "id": dice.choice(("i1", "i2", self.value())),
            "to": self.address(),
            "type": dice.choice(KINDS[name]),
        }
        if dice.random() < 0.03:
            attributes["from"] = self.address()
        attributes = {key: value for key, value in attributes.items() if value or dice.random() < 0.05}
        payloads = [dice.choice(PAYLOADS[name])(self) for _ in range(dice.choice((0, 1, 1, 1, 1, 2, 4)))]
        return Node(name, "jabber:client", attributes, list(payloads))

    def _mutate(self, root: Node) -> None:
        dice, node = self.dice, root
        while (inner := [child for child in node.children if isinstance(child, Node)]) and dice.random() < 0.9:
            node = dice.choice(inner)
        dice.choice(MUTATIONS)(self, node)

    def _spoilt(self, data: bytes) -> bytes:
        dice = self.dice
        at, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
        cut = dice.choice(
            (b"", b"", b"<", b"&", b"\0", b"\xff", b"]]>", b"<!--", b"<?x", b"<!DOCTYPE a>", b"&lol;", data[at:end])
        )
        return data[:at] + cut + data[end if dice.random() < 0.5 else at :]

    # -- payloads ------------------------------------------------------------------------------------------------------

    def node(self, name: str, namespace: str, /, *children: "Node | str", **attributes: str) -> Node:
        return Node(name, namespace, {key: value for key, value in attributes.items() if value}, list(children))

    def form(self, kind: str, /, **fields: str) -> Node:
        data = "jabber:x:data"
        made = [
            self.node("field", data, self.node("value", data, value), var=name.replace("__", "-"))
            for name, value in fields.items()
        ]
        return self.node(
            "x", data, self.node("field", data, self.node("value", data, kind), var="FORM_TYPE"), *made, type="submit"
        )

    def paging(self) -> Node:
        rsm = "http://jabber.org/protocol/rsm"
        made = [
            self.node(name, rsm, self.value()) if self.dice.random() < 0.8 else self.node(name, rsm)
            for name in self.dice.sample(("max", "after", "before", "index"), self.dice.randrange(4))
        ]
        return self.node("set", rsm, *made)

    def chat(self) -> Node:
        """A message as the wrappers of others carry it."""
        body = self.node("body", "jabber:client", self.value())
        return Node("message", "jabber:client", {"from": self.address(), "to": self.address(), "type": "chat"}, [body])

    def forwarded(self) -> Node:
        delay = self.node("delay", "urn:xmpp:delay", stamp=self.value())
        return self.node("forwarded", "urn:xmpp:forward:0", delay, self.chat())

    def history(self) -> Node:
        names = ("with", "start", "end", "before__id", "after__id", "ids", "{urn:xmpp:fulltext:0}fulltext")
        fields = {name: self.address() if name == "with" else self.value() for name in self.dice.sample(names, 2)}
        form = self.form("urn:xmpp:mam:2", **fields)
        return self.node("query", "urn:xmpp:mam:2", form, self.paging(), queryid=self.value())

    def vcard(self) -> Node:
        vcard = "vcard-temp"
        photo = self.node(
            "PHOTO", vcard, self.node("TYPE", vcard, self.value()), self.node("BINVAL", vcard, self.value() * 30)
        )
        return self.node("vCard", vcard, self.node("FN", vcard, self.value()), photo)

    def roster(self) -> Node:
        roster = "jabber:iq:roster"
        item = self.node(
            "item", roster, self.node("group", roster, self.value()), jid=self.address(), name=self.value()
        )
        item.attributes |= {"subscription": self.dice.choice(("remove", "both", "none", self.value()))}
        return self.node("query", roster, *self.dice.choice(((), (item,), (item, item))), ver=self.value())

    def blocking(self) -> Node:
        name = self.dice.choice(("blocklist", "block", "unblock"))
        items = [self.node("item", "urn:xmpp:blocking", jid=self.address()) for _ in range(self.dice.randrange(4))]
        return self.node(name, "urn:xmpp:blocking", *items)


def _simple(name: str, *namespaces: str) -> Callable[[Grammar], Node]:
    return lambda g: g.node(name, g.dice.choice(namespaces), *g.dice.choice(((), (g.value(),))))


def _named(name: str, namespace: str, *attributes: str) -> Callable[[Grammar], Node]:
    return lambda g: g.node(name, namespace, **{key: g.dice.choice((g.value(), g.address())) for key in attributes})


MESSAGE_PAYLOADS: tuple[Callable[[Grammar], Node], ...] = (
    _simple("body", "jabber:client"),
    _simple("body", "jabber:client"),
    _simple("subject", "jabber:client"),
    _simple("thread", "jabber:client"),
    _simple("active", "http://jabber.org/protocol/chatstates"),
    _simple("composing", "http://jabber.org/protocol/chatstates"),
    _named("origin-id", "urn:xmpp:sid:0", "id"),
    _named("stanza-id", "urn:xmpp:sid:0", "id", "by"),
    _named("request", "urn:xmpp:receipts"),
    _named("received", "urn:xmpp:receipts", "id"),
    _named("markable", "urn:xmpp:chat-markers:0"),
    _named("displayed", "urn:xmpp:chat-markers:0", "id"),
    _named("reply", "urn:xmpp:reply:0", "id", "to"),
    _named("replace", "urn:xmpp:message-correct:0", "id"),
    _named("retract", "urn:xmpp:message-retract:1", "id"),
    _named("delay", "urn:xmpp:delay", "from", "stamp"),
    _simple("no-store", "urn:xmpp:hints"),
    _simple("private", "urn:xmpp:carbons:2"),
    lambda g: g.node("received", "urn:xmpp:carbons:2", g.forwarded()),
    lambda g: g.node("sent", "urn:xmpp:carbons:2", g.forwarded()),
    lambda g: g.node("result", "urn:xmpp:mam:2", g.forwarded(), id=g.value(), queryid=g.value()),
    lambda g: g.node("x", "http://jabber.org/protocol/muc#user", _named("invite", g.value(), "to")(g)),
    lambda g: g.node("x", "jabber:x:oob", g.node("url", "jabber:x:oob", g.value())),
    lambda g: g.node("error", "jabber:client", _simple(g.dice.choice(NAMES), NAMESPACES[-7])(g), type=g.value()),
    lambda g: g.form(g.value(), a=g.value()),
)
PRESENCE_PAYLOADS: tuple[Callable[[Grammar], Node], ...] = (
    _simple("show", "jabber:client"),
    lambda g: g.node("show", "jabber:client", g.dice.choice(("away", "dnd", "xa", "chat", g.value()))),
    _simple("status", "jabber:client"),
    _simple("priority", "jabber:client"),
    lambda g: g.node("priority", "jabber:client", g.dice.choice(("-128", "127", "128", g.value()))),
    _named("c", "http://jabber.org/protocol/caps", "hash", "node", "ver"),
    lambda g: g.node("x", "vcard-temp:x:update", g.node("photo", "vcard-temp:x:update", g.value())),
    _named("x", "http://jabber.org/protocol/muc"),
    _named("delay", "urn:xmpp:delay", "from", "stamp"),
)
IQ_PAYLOADS: tuple[Callable[[Grammar], Node], ...] = (
    Grammar.roster,
    Grammar.roster,
    Grammar.blocking,
    Grammar.blocking,
    Grammar.history,
    Grammar.history,
    Grammar.vcard,
    _named("metadata", "urn:xmpp:mam:2"),
    _named("prefs", "urn:xmpp:mam:2", "default"),
    _named("ping", "urn:xmpp:ping"),
    _named("time", "urn:xmpp:time"),
    _named("query", "jabber:iq:version"),
    _named("query", "http://jabber.org/protocol/disco#info", "node"),
    _named("query", "http://jabber.org/protocol/disco#items", "node"),
    _named("enable", "urn:xmpp:carbons:2"),
    _named("disable", "urn:xmpp:carbons:2"),
    _named("session", "urn:ietf:params:xml:ns:xmpp-session"),
    _named("bind", "urn:ietf:params:xml:ns:xmpp-bind"),
    _named("query", "jabber:iq:private"),
    _named("query", "jabber:iq:register"),
    _named("request", "urn:xmpp:http:upload:0", "filename", "size", "content-type"),
    lambda g: g.node("query", "jabber:iq:search", g.form("jabber:iq:search", name=g.value(), email=g.address())),
    lambda g: g.node(
        "query", "jabber:iq:search", *(g.node(n, "jabber:iq:search", g.value()) for n in ("nick", "email"))
    ),
    lambda g: g.node("inbox", "urn:xmpp:inbox:1", g.paging(), **{"unread-only": g.value(), "messages": g.value()}),
    lambda g: g.node("pubsub", "http://jabber.org/protocol/pubsub", _named("publish", g.value(), "node")(g)),
    lambda g: g.node("error", "jabber:client", type=g.value()),
)
PAYLOADS = {"message": MESSAGE_PAYLOADS, "presence": PRESENCE_PAYLOADS, "iq": IQ_PAYLOADS}
NONZAS: tuple[Callable[[Grammar], Node], ...] = (
    _named("r", "urn:xmpp:sm:3"),
    _named("a", "urn:xmpp:sm:3", "h"),
    lambda g: g.node("a", "urn:xmpp:sm:3", h=str(g.dice.randrange(20))),
    lambda g: g.node("enable", "urn:xmpp:sm:3", resume=g.dice.choice(("true", "1", g.value())), max=g.value()),
    _named("resume", "urn:xmpp:sm:3", "h", "previd"),
    _named("active", "urn:xmpp:csi:0"),
    _named("inactive", "urn:xmpp:csi:0"),
    _named("r", "urn:xmpp:sm:3"),
    _named("inactive", "urn:xmpp:csi:0"),
    _named("a", "urn:xmpp:sm:3"),
    lambda g: g.node(g.dice.choice(NAMES), g.dice.choice(NAMESPACES)),
)


def _rename(g: Grammar, node: Node) -> None:
    node.name = g.dice.choice(NAMES)


def _move_namespace(g: Grammar, node: Node) -> None:
    node.namespace = g.dice.choice(NAMESPACES)


def _set_attribute(g: Grammar, node: Node) -> None:
    name = g.dice.choice((*node.attributes, "id", "to", "from", "type", "xml:lang", "jid", "node", "var", "stamp"))
    node.attributes[name] = g.dice.choice((g.value(), g.address()))


def _drop_attribute(g: Grammar, node: Node) -> None:
    if node.attributes:
        del node.attributes[g.dice.choice(list(node.attributes))]


def _set_foreign_attribute(g: Grammar, node: Node) -> None:
    """One with a prefix: declared here, XML's own, that of streams, or none."""
    name = g.dice.choice(("p:x", "p:id", "p:xmlns", "xml:lang", "xml:space", "xml:x", "stream:x", "q:x"))
    node.attributes[name] = g.value()
    if name.startswith("p:"):
        node.attributes["xmlns:p"] = g.dice.choice(NAMESPACES) or "urn:p"


def _double_child(g: Grammar, node: Node) -> None:
    if node.children:
        node.children.append(g.dice.choice(node.children))


def _drop_child(g: Grammar, node: Node) -> None:
    if node.children:
        del node.children[g.dice.randrange(len(node.children))]


def _add_text(g: Grammar, node: Node) -> None:
    node.children.insert(g.dice.randrange(len(node.children) + 1), g.value())


def _add_child(g: Grammar, node: Node) -> None:
    node.children.append(g.dice.choice(PAYLOADS[g.dice.choice(list(PAYLOADS))])(g))


def _wrap(g: Grammar, node: Node) -> None:
    for _ in range(g.dice.choice((1, 2, 29, 31))):
        node.children = [Node(g.dice.choice(NAMES), g.dice.choice(NAMESPACES), {}, node.children)]


def _many(g: Grammar, node: Node) -> None:
    node.children += [Node(g.dice.choice(NAMES), node.namespace, {}, []) for _ in range(g.dice.choice((3, 60, 501)))]


MUTATIONS: tuple[Callable[[Grammar, Node], None], ...] = (
    _rename,
    _move_namespace,
    _set_attribute,
    _set_attribute,
    _drop_attribute,
    _set_foreign_attribute,
    _double_child,
    _drop_child,
    _add_text,
    _add_child,
    _wrap,
    _many,
)
