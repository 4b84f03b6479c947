"""For everybody: axe-core finds nothing on any screen, light or dark, wide or narrow; the main job is done without a mouse."""

import pytest
from playwright.sync_api import expect

from tests.browser.desk import PICTURE, Desk, text_file
from tests.interop.person import Person

pytestmark = pytest.mark.timeout(180)

SIZES = {"desktop": (1360, 820), "tablet": (768, 1024), "phone": (320, 640)}
THEMES = {"desktop": ("light", "dark"), "tablet": ("light",), "phone": ("dark",)}
"""Colours are the same at all sizes."""


@pytest.mark.parametrize("kind", SIZES)
def test_every_screen(office, kind):
    width, height = SIZES[kind]
    is_phone = width < 720
    alice = office.desk("alice", viewport={"width": width, "height": height}, has_touch=is_phone, is_mobile=is_phone)
    page = alice.page
    alice.themes = THEMES[kind]
    alice.is_accessible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    alice.signs_in("wrong")
    expect(page.get_by_role("alert")).to_have_text("Address and password do not fit together.")
    alice.is_accessible()
    alice.is_in()
    page.get_by_role("button", name="Chat status").click()
    if not is_phone:
        page.get_by_label("Open chats in their own window").uncheck()
    page.get_by_label("Quiet hours").check()
    alice.is_accessible()
    page.keyboard.press("Escape")
    with Person(office.server, "bob") as bob:
        bob.is_present("dnd", "in a call")
        bob.says("alice@localhost", "Good morning! See https://example.com/plan")
        bob.says("salesteam@localhost", "Hello team")
        expect(alice.contact("Bob Berger, Busy, 1 unread")).to_be_visible()
        alice.is_accessible()

        def back() -> None:
            while is_phone and alice.button("Back").is_visible():
                alice.button("Back").click()

        alice.contact("Sales team").click()
        expect(page.get_by_role("heading", name="Sales team")).to_be_visible()
        alice.is_accessible()
        back()
        alice.contact("Bob Berger").click()
        for tab in ("Messages", "Appointments", "Attachments", "Chat"):
            page.get_by_role("tab", name=tab).click()
            alice.is_accessible()
        alice.button("Open").click()
        alice.hears("Good morning!")
        alice.finds("morning")
        expect(alice.log.locator("mark")).to_be_visible()
        alice.is_accessible()
        back()
        if is_phone:
            alice.contact("Bob Berger").click()
        else:
            alice.button("Close history").click()
        alice.button("Chat").click()
        alice.says("an answer")
        alice.sends_files(PICTURE, text_file("plan.txt", "plan"), text_file("nothing.txt", ""))
        expect(alice.log.get_by_role("link", name="Save plan.txt")).to_be_visible()
        message = alice.hears("an answer")
        message.hover()
        message.get_by_role("button", name="Reply").click()
        alice.button("Emoji").click()
        alice.is_accessible()
        alice.page.keyboard.press("Escape")
        alice.finds("nothing that was said")
        expect(page.get_by_text("No message", exact=True)).to_be_visible()
        alice.is_accessible()
        office.server.is_killed()
        expect(page.get_by_role("region", name="Chat with Bob Berger")).to_contain_text("Connection lost")
        alice.says("later")
        alice.is_accessible()
        office.server.starts_again()
    expect(alice.hears("later").get_by_role("img", name="Sent and kept")).to_be_visible()
    back()
    alice.searches("answer")
    expect(page.get_by_role("list", name="In your messages").get_by_role("listitem")).to_have_count(1)
    alice.is_accessible()
    alice.searches("")
    alice.button("Recent").click()
    alice.is_accessible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert alice.complaints == []


def test_without_a_mouse(office):
    bob = office.desk("bob").is_in()
    alice = office.desk("alice")
    page, keys = alice.page, alice.page.keyboard
    expect(page.get_by_role("textbox", name="Address")).to_be_focused()
    keys.type("alice@localhost")
    keys.press("Tab")
    keys.type("alice-secret")
    keys.press("Enter")
    expect(page.get_by_role("list", name="Contacts")).to_be_visible()

    # a status, from the menu
    goes_to(alice, "Chat status: Available")
    keys.press("Enter")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Busy")).to_be_focused()
    keys.press("Enter")
    expect(bob.contact("Alice Arden, Busy")).to_be_visible()
    expect(page.get_by_role("button", name="Chat status: Busy")).to_be_focused()

    # somebody, by name
    keys.press("Control+k")
    keys.type("berger")
    expect(page.get_by_role("list", name="Contacts").get_by_role("listitem")).to_have_count(1)
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Bob Berger")).to_be_visible()
    goes_to(alice, "Chat in this pane")
    keys.press("Enter")
    expect(alice.box).to_be_focused()
    keys.type("no mouse needed")
    keys.press("Enter")
    bob.opens("Alice Arden")
    bob.hears("no mouse needed")
    bob.says("so I see")
    alice.hears("so I see")

    # an answer to what was said, with a face
    keys.press("Shift+Tab")
    keys.press("Shift+Tab")
    goes_to(alice, "Reply", step="Shift+Tab")
    keys.press("Enter")
    expect(alice.box).to_be_focused()
    keys.press("Shift+Tab")
    keys.press("Enter")
    keys.press("ArrowRight")
    keys.press("Enter")
    keys.press("Enter")
    expect(bob.hears("😀").locator("blockquote")).to_contain_text("so I see")

    # second thoughts, and looking for something
    keys.press("ArrowUp")
    keys.type(" really")
    keys.press("Enter")
    expect(bob.hears("😀 really")).to_contain_text("edited")
    goes_to(alice, "Find in this conversation", step="Shift+Tab")
    keys.press("Enter")
    keys.type("mouse")
    expect(page.get_by_text("1 of 1")).to_be_visible()
    keys.press("Escape")
    expect(alice.box).to_be_focused()

    # what there was
    goes_to(alice, "Chat", role="tab")
    keys.press("End")
    expect(page.get_by_role("tabpanel")).to_contain_text("No files")
    keys.press("Home")
    goes_to(alice, "Open")
    with page.expect_popup() as opened:
        keys.press("Enter")
    Desk("alice", opened.value).hears("no mouse needed")


def goes_to(desk: Desk, name: str, *, role: str = "button", step: str = "Tab") -> None:
    """With the Tab key, and each stop on the way can be seen."""
    wanted = desk.page.get_by_role(role, name=name, exact=True).last
    for _ in range(40):
        desk.page.keyboard.press(step)
        assert desk.page.evaluate(IS_SEEN), desk.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if wanted.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"no way to {name}")


IS_SEEN = """
    () => {
        const place = document.activeElement;
        if (place === document.body) return true;
        const { width, height } = place.getBoundingClientRect();
        const outlines = [place, place.querySelector(".bubble")].filter(Boolean)
            .flatMap((one) => [getComputedStyle(one), getComputedStyle(one, "::after")]);
        return width > 0 && height > 0 && outlines.some((style) => style.outlineStyle !== "none");
    }
"""
