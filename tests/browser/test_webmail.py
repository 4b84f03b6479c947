"""Two people in two browsers and one with an XMPP client, through every screen."""

import pytest
from playwright.sync_api import expect

from tests.interop.person import Person

pytestmark = pytest.mark.timeout(120)

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    '"><svg onload=alert(1)>',
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)} <!-- --> ]]> &lt;b&gt; \u202eevil\u202c",
    'https://example.com/"onmouseover="alert(1)',
)


def test_a_working_day(office):
    alice, bob = office.desk("alice"), office.desk("bob", color_scheme="dark")
    alice.signs_in("wrong")
    expect(alice.page.get_by_role("alert")).to_have_text("Address and password do not fit together.")
    alice.is_in()
    expect(alice.contact("Bob Berger, Unavailable")).to_be_visible()
    bob.is_in()
    with Person(office.server, "carol", wants_copies=True) as carol:
        # who is there
        expect(alice.contact("Bob Berger, Available")).to_be_visible()
        expect(alice.contact("Carol Chen, Available")).to_be_visible()
        expect(alice.contact("Sales team, Available")).to_be_visible()
        for status, show in (("Busy", "dnd"), ("Away", "away"), ("Available", "available")):
            bob.sets_status(status)
            expect(alice.contact(f"Bob Berger, {status}")).to_be_visible()
            carol.sees(f"bob@localhost/{resource_of(carol, 'bob')}", show)
        carol.is_present("dnd", "in a call")
        expect(alice.contact("Carol Chen, Busy")).to_contain_text("in a call")

        # a chat between two browsers
        alice.opens("Bob Berger")
        alice.says("Did the customer call back?")
        sent = alice.hears("Did the customer call back?")
        expect(sent.get_by_role("img", name="Sent and kept")).to_be_visible()
        expect(bob.contact("Alice Arden, Available, 1 unread")).to_be_visible()
        expect(bob.page).to_have_title("(1) Rookery")
        bob.opens("Alice Arden")
        bob.hears("Did the customer call back?")
        expect(bob.contact("Alice Arden, Available")).not_to_contain_text("1")
        expect(sent.get_by_role("img", name="Seen")).to_be_visible()
        bob.box.press_sequentially("An hour ago")
        expect(alice.page.get_by_text("Bob Berger is typing")).to_be_visible()
        bob.box.press("Enter")
        alice.hears("An hour ago")
        expect(alice.page.get_by_text("Bob Berger is typing")).to_have_count(0)

        # second thoughts
        bob.box.press("ArrowUp")
        expect(bob.box).to_have_value("An hour ago")
        bob.says("Two hours ago")
        expect(alice.hears("Two hours ago")).to_contain_text("edited")
        mistake = bob.log.get_by_role("article").filter(has_text="Two hours ago")
        mistake.hover()
        mistake.get_by_role("button", name="Take back").click()
        alice.hears("This message was taken back.")
        sent_by_alice = bob.hears("Did the customer call back?")
        sent_by_alice.hover()
        sent_by_alice.get_by_role("button", name="Reply").click()
        bob.says("Yes, he did")
        expect(alice.hears("Yes, he did").locator("blockquote")).to_contain_text("Did the customer call back?")

        # with an XMPP client, and through the alias
        alice.opens("Carol Chen")
        alice.says("Grüße <3 & \N{GRINNING FACE}")
        assert carol.hears("Grüße <3 & \N{GRINNING FACE}").sender.startswith("alice@localhost/")
        carol.says("alice@localhost", "and to you")
        alice.hears("and to you")
        alice.opens("Sales team")
        alice.says("Good morning, sales")
        assert carol.hears("Good morning, sales").via == "salesteam@localhost"
        expect(bob.hears("Good morning, sales")).to_contain_text("via Sales team")

        # details, and what there was
        alice.button("Close chat").click()
        expect(alice.page.get_by_role("heading", name="Sales team")).to_be_visible()
        expect(
            alice.page.get_by_role("region", name="Contact").get_by_role("button", name="Dan Dupont")
        ).to_be_visible()
        alice.contact("Bob Berger").click()
        expect(alice.page.get_by_text("+49 30", exact=False)).to_have_count(0)
        for tab, words in (
            ("Messages", "No mail source"),
            ("Appointments", "No calendar"),
            ("Attachments", "No files"),
        ):
            alice.page.get_by_role("tab", name=tab).click()
            expect(alice.page.get_by_role("tabpanel")).to_contain_text(words)
        alice.page.get_by_role("tab", name="Chat").click()
        history = alice.window(alice.button("Open"))
        history.hears("Yes, he did")
        history.is_accessible()
        history.page.close()

        # search
        box = alice.page.get_by_role("searchbox", name="Search contacts")
        box.press_sequentially("evans")
        expect(alice.contact("Erin Evans")).to_be_visible()
        expect(alice.contact("Bob Berger")).to_have_count(0)
        box.fill("customer")
        found = alice.page.get_by_role("list", name="In your messages").get_by_role("listitem")
        expect(found.filter(has_text="Did the customer call back?")).to_have_count(1)
        box.fill("dup")
        alice.button("Search").click()
        expect(alice.contact("Dan Dupont")).to_be_visible()
        box.press("Escape")
        expect(alice.contact("Bob Berger")).to_be_visible()
        alice.button("Recent").click()
        recent = alice.page.get_by_role("list", name="Recent conversations").get_by_role("listitem")
        expect(recent).to_have_count(3)
        expect(recent.first).to_contain_text("Good morning, sales")


def test_offline_here_is_offline_here_only(office):
    alice = office.desk("alice").is_in()
    with Person(office.server, "alice", resource="phone") as phone, Person(office.server, "bob") as bob:
        expect(alice.contact("Bob Berger, Available")).to_be_visible()
        alice.sets_status("Offline")
        for name in ("Bob Berger", "Sales team"):
            expect(alice.contact(f"{name}, Unavailable")).to_be_visible()
        bob.says("alice@localhost", "to the phone")
        phone.hears("to the phone")
        bob.sees(phone.jid, "available")
        assert alice.page.title() == "Rookery"
        alice.sets_status("Available")
        expect(alice.contact("Bob Berger, Available, 1 unread")).to_be_visible()


def test_reload_windows_and_a_server_that_restarts(office):
    alice, bob = office.desk("alice").is_in(), office.desk("bob").is_in()
    alice.contact("Bob Berger").click()
    window = alice.window(alice.button("Chat"))
    window.says("from a window of its own")
    bob.opens("Alice Arden")
    bob.hears("from a window of its own")
    window.is_accessible()
    bob.page.reload()
    expect(bob.contact("Alice Arden, Available")).to_be_visible()
    bob.opens("Alice Arden")
    bob.hears("from a window of its own")
    window.page.context.set_offline(True)
    office.server.is_killed()
    expect(bob.page.get_by_text("Connection lost", exact=False).first).to_be_visible()
    bob.says("written while nobody was there")
    expect(bob.hears("written while nobody was there").get_by_role("img", name="Waiting to be sent")).to_be_visible()
    window.page.context.set_offline(False)
    office.server.starts_again()
    expect(bob.hears("written while nobody was there").get_by_role("img", name="Seen")).to_be_visible()
    window.hears("written while nobody was there")
    window.page.close()
    bob.page.get_by_role("button", name="Chat status").click()
    bob.button("Sign out").click()
    expect(bob.button("Sign in")).to_be_visible()
    bob.page.reload()
    expect(bob.button("Sign in")).to_be_visible()


def test_nothing_that_somebody_says_is_more_than_text(office):
    for number, text in enumerate(HOSTILE[:4]):
        office.server.command("user", "add", f"evil{number}@localhost", "--name", text, "--title", text)
    office.server.command("alias", "add", "evils@localhost", "alice@localhost", "--name", HOSTILE[0])
    alice, bob = office.desk("alice").is_in(), office.desk("bob").is_in()
    bob.page.on("dialog", lambda _: bob.complaints.append("a dialog"))
    for text in HOSTILE[:4]:
        expect(bob.page.get_by_text(text, exact=True).first).to_be_visible()
    with Person(office.server, "carol") as carol:
        for text in HOSTILE:
            carol.is_present("away", text)
            expect(bob.contact("Carol Chen, Away").locator("small")).to_have_text(text)
    alice.opens("Bob Berger")
    bob.opens("Alice Arden")
    for text in HOSTILE:
        alice.says(text)
        expect(bob.hears(text).locator("p")).to_have_text(text)
    link = bob.log.get_by_role("link")
    expect(link).to_have_count(1)
    expect(link).to_have_attribute("href", "https://example.com/")


def test_a_phone(office):
    bob = office.desk("bob").is_in()
    alice = office.desk("alice", viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True).is_in()
    alice.contact("Bob Berger, Available").click()
    expect(alice.page.get_by_role("heading", name="Bob Berger")).to_be_visible()
    alice.button("Chat").click()
    alice.says("on the train")
    bob.opens("Alice Arden")
    bob.hears("on the train")
    width = alice.page.evaluate("document.documentElement.scrollWidth")
    assert width == 320
    alice.page.reload()
    alice.hears("on the train")
    alice.page.go_back()  # the phone's own way back
    expect(alice.page.get_by_role("heading", name="Bob Berger")).to_be_visible()
    alice.page.go_back()
    expect(alice.contact("Bob Berger, Available")).to_be_visible()
    alice.contact("Bob Berger").click()
    alice.button("Chat").click()
    for _ in range(2):
        alice.button("Back").click()
    expect(alice.contact("Bob Berger, Available")).to_be_visible()


def resource_of(person: Person, name: str) -> str:
    """The resource of the one device of a member, once it was seen."""
    person._wait(lambda: any(jid.startswith(f"{name}@") for jid in person.seen), f"a device of {name}")
    return next(jid for jid in person.seen if jid.startswith(f"{name}@")).partition("/")[2]
