"""What reaches a person who looks elsewhere, or nowhere: notifications, sound, quiet hours, the title; and Away by itself."""

import pytest
from playwright.sync_api import expect

from tests.interop.person import Person

pytestmark = pytest.mark.timeout(120)

RECORD = """
    window.told = [];
    window.Notification = class {
        static permission = "granted";
        static requestPermission = async () => "granted";
        constructor(title, options) { window.told.push([title, options.body]); window.lastTold = this; }
        close() {}
    };
    window.chimes = 0;
    window.OscillatorNode = class extends OscillatorNode { start(...when) { window.chimes += 0.5; super.start(...when); } };
    document.hasFocus = () => !window.looksElsewhere;
"""
NOON, NIGHT = "2026-03-02T12:00:00", "2026-03-02T23:00:00"


def test_who_looks_elsewhere_is_told(office):
    alice = office.desk("alice")
    page = alice.page
    page.clock.install(time=NOON)
    page.add_init_script(RECORD)
    page.reload()
    alice.is_in()
    with Person(office.server, "bob") as bob:

        def tells(text: str) -> tuple[list[list[str]], float]:
            """What is shown and heard of a message, once it is in the page and its time has come."""
            bob.says("alice@localhost", text)
            expect(page.get_by_role("list", name="Recent conversations").get_by_text(text)).to_be_visible()
            page.clock.run_for(1_000)
            told, chimes = page.evaluate("[window.told.splice(0), window.chimes]")
            page.evaluate("window.chimes = 0")
            return told, chimes

        alice.button("Recent").click()
        page.evaluate("window.looksElsewhere = true")
        assert tells("nobody wished to be told") == ([], 1)
        page.get_by_role("button", name="Chat status").click()
        page.get_by_label("Notify me on the desktop").check()
        page.keyboard.press("Escape")
        assert tells("hello Alice") == ([["Bob Berger", "hello Alice"]], 1)
        expect(page).to_have_title("(2) Rookery")
        page.evaluate("window.looksElsewhere = false")
        assert tells("you look") == ([], 1)
        page.evaluate("window.looksElsewhere = true")
        page.get_by_role("button", name="Chat status").click()
        page.get_by_label("Play a sound").uncheck()
        page.get_by_label("Quiet hours").check()
        alice.is_accessible()
        page.keyboard.press("Escape")
        assert tells("at noon") == ([["Bob Berger", "at noon"]], 0)
        page.clock.set_fixed_time(NIGHT)
        assert tells("at night") == ([], 0)
        page.clock.set_fixed_time(NOON)
        alice.sets_status("Busy")
        assert tells("are you busy?") == ([], 0)
        # a notification leads to the conversation
        alice.sets_status("Available")
        tells("look here")
        page.evaluate("window.lastTold.onclick()")
        alice.hears("look here")
        page.evaluate("window.looksElsewhere = false; window.dispatchEvent(new Event('focus'))")
        expect(page).to_have_title("Rookery")


def test_who_touches_nothing_is_away(office):
    alice = office.desk("alice")
    alice.page.clock.install()
    alice.page.reload()
    alice.is_in()
    bob = office.desk("bob").is_in()
    expect(bob.contact("Alice Arden, Available")).to_be_visible()
    alice.page.clock.fast_forward("11:00")
    expect(bob.contact("Alice Arden, Away")).to_be_visible()
    bob.contact("Alice Arden").click()
    alice.page.mouse.move(5, 5)
    alice.page.mouse.move(50, 50)
    expect(bob.contact("Alice Arden, Available")).to_be_visible()


def test_a_status_has_words_and_an_age(office):
    alice, bob = office.desk("alice"), office.desk("bob").is_in()
    alice.page.clock.install()
    alice.page.reload()
    alice.is_in()
    bob.sets_status("Busy")
    bob.page.get_by_role("button", name="Chat status").click()
    words = bob.page.get_by_role("textbox", name="What are you up to?")
    words.fill("in a call until three")
    words.press("Enter")
    alice.contact("Bob Berger, Busy").click()
    card = alice.page.get_by_role("region", name="Contact")
    expect(card).to_contain_text("in a call until three")
    alice.page.clock.fast_forward("08:30")
    expect(card).to_contain_text("Busy for 8 min")
    with Person(office.server, "carol"):
        alice.contact("Carol Chen, Available").click()
    expect(alice.contact("Carol Chen, Unavailable")).to_be_visible()
    alice.page.clock.fast_forward("02:00:30")
    expect(card).to_contain_text("Unavailable for 2 hr")
