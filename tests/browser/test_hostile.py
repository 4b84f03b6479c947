"""Nothing that anybody says, is called, or shows of himself is more than text in the page.

The page and its policy come from the server; what the socket says comes from the test: as many hostile texts as fit at once, in
every place where a text can be.
"""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.desk import Desk
from tests.browser.hostile import STRINGS

pytestmark = pytest.mark.timeout(120)

ME, EVE = "alice@localhost", "eve@localhost"
WATCH = """
    window.ran = [];
    for (const name of ["alert", "confirm", "prompt", "print"]) window[name] = () => window.ran.push(name);
    window.violations = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
        window.violations.push(`${violatedDirective} ${blockedURI}`);
    });
"""
FOREIGN = (
    "script:not([src]), iframe, object, embed, base, video, audio, math, marquee, style, template, rookery-login, "
    "[onerror], [onload], [style]:not(.rows, .row-place, .heading, textarea)"
)
TEXTS = "(elements) => elements.map((element) => element.textContent)"


class Liar:
    """What the socket says. Every text is hostile."""

    def __init__(self) -> None:
        self.bodies = [self.chat(number, text) for number, text in enumerate(STRINGS)]
        self.files = [
            self.chat(number, "") | {"file": {"id": "1", "name": text, "size": 1, "type": text, "path": path}}
            for path in ("/files/1/x", "javascript:alert(1)//files/")
            for number, text in enumerate(STRINGS)
        ]

    def chat(self, number: int, body: str) -> dict[str, Any]:
        identity = f"{0x6620000000000 + number * 1_000_000:016x}"
        sender, to = (EVE, ME) if number % 3 else (ME, EVE)
        return {"t": "chat", "id": identity, "from": sender, "to": to, "body": body, "name": body, "origin": body}

    def serve(self, socket: WebSocketRoute) -> None:
        def tell(frame: dict[str, Any]) -> None:
            socket.send(json.dumps(frame))

        def hear(text: str) -> None:
            frame = json.loads(text)
            answer = getattr(self, f"on_{frame['t']}", None)
            for told in answer(frame) if answer else ():
                tell({**told, "q": frame["q"]} if "q" in frame else told)

        socket.on_message(hear)

    def on_hello(self, _: dict[str, Any]):
        yield {
            "t": "welcome",
            "v": 1,
            "epoch": "e",
            "n": 0,
            "you": {"address": ME, "resource": "r"},
            "status": "Available",
            "fresh": True,
        }
        people = [
            {"address": f"p{number}@localhost", "name": text, "title": text, "department": text, "phone": text}
            for number, text in enumerate(STRINGS)
        ]
        aliases = [
            {"address": f"a{number}@localhost", "name": text, "alias": True, "members": [f"p{number}@localhost"]}
            for number, text in enumerate(STRINGS)
        ]
        me = {"address": ME, "name": STRINGS[0]}
        eve = {"address": EVE, "name": "Eve", "title": STRINGS[1], "department": STRINGS[2], "phone": STRINGS[3]}
        yield {"t": "contacts", "contacts": [me, eve, *people, *aliases], "all": True}
        devices = [[f"p{number}@localhost", text, "Away", text] for number, text in enumerate(STRINGS)]
        yield {"t": "presences", "devices": [*devices, [EVE, "r", "Busy", STRINGS[4]]], "all": True}
        recent = [{"peer": f"p{number}@localhost", "newest": chat} for number, chat in enumerate(self.bodies)]
        yield {"t": "conversations", "conversations": [*recent, {"peer": EVE, "newest": self.bodies[-1], "unread": 1}]}

    def on_history(self, frame: dict[str, Any]):
        if frame.get("files"):
            yield {"t": "history", "items": self.files, "complete": True}
            return
        yield {"t": "history", "items": self.bodies if frame.get("peer") in (EVE, "", None) else [], "complete": True}

    def on_card(self, frame: dict[str, Any]):
        number = int("".join(filter(str.isdigit, frame["address"])) or 0)
        yield {"t": "card", "address": frame["address"], "photo": STRINGS[number % len(STRINGS)]}

    def on_since(self, frame: dict[str, Any]):
        yield {"t": "since", "address": frame["address"], "seconds": 120}

    def on_find(self, _: dict[str, Any]):
        crowd = [f"{kind}{number}@localhost" for kind in "pa" for number in range(len(STRINGS))]
        yield {"t": "found", "addresses": [EVE, *crowd]}


def besieged(office, height: int) -> Desk:
    """Alice's desk; `height` of the screen: what is not in sight of it is not drawn."""
    desk = office.desk("alice", viewport={"width": 1360, "height": height})
    desk.page.add_init_script(WATCH)
    desk.page.route_web_socket("**/ws", Liar().serve)
    desk.page.goto(office.address)
    expect(desk.page.get_by_role("list", name="Contacts")).to_be_visible()
    return desk


def is_text_only(page: Page) -> None:
    """Nothing ran, nothing was stopped, nothing came into the page that is not its own, and no link leads to a script."""
    assert page.evaluate("window.ran") == []
    assert page.evaluate("window.violations") == []
    assert page.locator(FOREIGN).count() == 0
    protocols = set(page.locator("a").evaluate_all("(links) => links.map((link) => link.protocol)"))
    assert protocols <= {"http:", "https:", "mailto:", "tel:"}


def test_two_hundred_hostile_texts_in_every_place(office):
    desk = besieged(office, 22_000)
    page = desk.page
    assert len(STRINGS) == 200
    # names of people and aliases, titles, status texts
    contacts = page.get_by_role("list", name="Contacts")
    shown = contacts.locator(".row").evaluate_all(
        """(rows) => rows.map((row) => [
            row.querySelector(".row-name > span").textContent,
            row.querySelector("small").textContent,
        ])"""
    )
    assert sorted(name for name, _ in shown) == sorted([*STRINGS, *STRINGS, "Eve"])
    assert {words for _, words in shown} >= set(STRINGS)
    is_text_only(page)

    # a contact with its card; an alias with its members
    contacts.get_by_role("listitem", name="Eve").get_by_role("button").click()
    card = page.get_by_role("region", name="Contact")
    for text in STRINGS[1:5]:
        expect(card.get_by_text(text, exact=True).first).to_be_visible()
    is_text_only(page)

    # bodies and links, in a chat and in the preview
    desk.chats_here()
    desk.button("Chat in this pane").click()
    bodies = desk.log.locator(".bubble p")
    expect(bodies).to_have_count(len(STRINGS))
    assert bodies.evaluate_all(TEXTS) == list(STRINGS)
    is_text_only(page)

    # names of files
    page.get_by_role("tab", name="Attachments").click()
    files = page.get_by_role("list", name="Attachments").locator(".file-name")
    expect(files).to_have_count(len(STRINGS))
    assert sorted(files.evaluate_all(TEXTS)) == sorted(f"Save {text}" for text in STRINGS)
    page.get_by_role("tab", name="Chat").click()
    is_text_only(page)

    # marked, in the chat, in the history and among the matches of a search
    desk.button("Find in this conversation").click()
    page.get_by_role("searchbox", name="Find in this conversation").fill("alert script example")
    expect(desk.log.locator("mark").first).to_be_visible()
    assert bodies.evaluate_all(TEXTS) == list(STRINGS)
    is_text_only(page)
    page.get_by_role("tabpanel").get_by_role("button", name="Open").first.click()
    history = page.get_by_role("region", name="History with Eve")
    expect(history.locator(".bubble p")).to_have_count(len(STRINGS))
    assert history.locator(".bubble p").evaluate_all(TEXTS) == list(STRINGS)
    is_text_only(page)
    page.get_by_role("searchbox", name="Search contacts").fill("alert")
    matches = page.get_by_role("list", name="In your messages").get_by_role("listitem")
    expect(matches).to_have_count(len(STRINGS))
    is_text_only(page)
    assert desk.complaints == []


def test_what_is_written_here_is_text_too(office):
    desk = besieged(office, 900)
    page = desk.page
    desk.chats_here()
    desk.searches("Eve")
    page.get_by_role("list", name="Contacts").get_by_role("listitem", name="Eve").get_by_role("button").click()
    desk.button("Chat in this pane").click()
    for text in STRINGS[::20]:
        desk.says(text)
    waiting = desk.log.locator(".state-waiting .bubble p")
    assert waiting.evaluate_all(TEXTS) == [text.strip() for text in STRINGS[::20]]
    page.get_by_role("button", name="Chat status").click()
    words = page.get_by_role("textbox", name="What are you up to?")
    words.fill(STRINGS[20])
    words.press("Enter")
    desk.searches(STRINGS[20])
    is_text_only(page)
