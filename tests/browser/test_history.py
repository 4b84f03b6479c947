"""What was said: in the preview, in a window of the history, found, printed, kept; and upwards in a chat without end."""

import pytest
from playwright.sync_api import expect

from tests.interop.person import Person

pytestmark = pytest.mark.timeout(120)


def test_a_past_conversation(office):
    with Person(office.server, "bob") as bob, Person(office.server, "carol") as carol:
        for text in ("Is the room free at noon?", "The projector is there", "See you at noon then"):
            bob.says("alice@localhost", text)
        carol.says("alice@localhost", "Afternoon tea?")
        alice = office.desk("alice").is_in()
        alice.contact("Bob Berger").click()
        day = alice.page.get_by_role("tabpanel").get_by_role("listitem").first
        expect(day).to_contain_text("3 messages")
        expect(day).to_contain_text("Is the room free at noon?")
        history = alice.window(day.get_by_role("button", name="Open"))
        history.hears("The projector is there")
        expect(history.page.get_by_text("This is where your conversation begins.")).to_have_count(0)  # the day only
        history.button("Show earlier messages").click()
        expect(history.page.get_by_text("This is where your conversation begins.")).to_be_visible()

        # found in it
        history.finds("noon")
        expect(history.page.get_by_text("2 of 2")).to_be_visible()
        expect(history.log.locator("mark")).to_have_text(["noon", "noon"])
        history.button("Earlier match").click()
        expect(history.page.get_by_text("1 of 2")).to_be_visible()
        expect(history.log.locator(".shown")).to_contain_text("Is the room free at noon?")
        history.is_accessible()

        # kept and printed
        with history.page.expect_download() as download:
            history.button("Download").click()
        assert download.value.suggested_filename.startswith("Bob Berger ")
        text = download.value.path().read_text()
        assert [line.partition(" Bob Berger: ")[2] for line in text.splitlines() if "Bob Berger" in line] == [
            "Is the room free at noon?",
            "The projector is there",
            "See you at noon then",
        ]
        history.page.emulate_media(media="print")
        expect(history.log).to_be_visible()
        expect(history.button("Download")).to_be_hidden()
        history.page.close()

        # found from outside
        alice.searches("noon")
        matches = alice.page.get_by_role("list", name="In your messages").get_by_role("listitem")
        expect(matches).to_have_count(2)
        expect(matches.first.locator("mark")).to_have_text("noon")
        alice.is_accessible()
        alice.chats_here()
        matches.last.get_by_role("button").click()
        expect(alice.page.get_by_role("region", name="History with Bob Berger")).to_be_visible()
        expect(alice.log.locator("mark").first).to_have_text("noon")
        expect(alice.log.locator(".shown")).to_contain_text("Is the room free at noon?")
        expect(alice.page.get_by_text("1 of 2")).to_be_visible()
        alice.button("Open the chat").click()
        expect(alice.page.get_by_role("region", name="Chat with Bob Berger")).to_be_visible()


def test_a_long_conversation(office):
    with Person(office.server, "bob") as bob:
        for number in range(1, 131):
            bob.says("alice@localhost", f"message {number}" + (" with a needle" if number in (3, 128) else ""))
        bob.says("alice@localhost", "the last")
        alice = office.desk("alice").is_in()
        expect(alice.contact("Bob Berger, Available, 131 unread")).to_be_visible()
        alice.opens("Bob Berger")
        # who comes back to much that is new begins to read where it begins, as far as it is here
        expect(alice.button("To the newest message")).to_be_visible()
        alice.button("To the newest message").click()
        alice.hears("the last")
        expect(alice.contact("Bob Berger, Available, 131 unread")).to_have_count(0)
        # upwards without end
        first = alice.log.get_by_role("article").filter(has_text="message 1").first
        while alice.page.get_by_text("This is where your conversation begins.").count() == 0:
            alice.log.hover()
            alice.page.mouse.wheel(0, -3000)
            alice.page.evaluate("new Promise(requestAnimationFrame)")
        expect(first).to_contain_text("message 1")
        expect(alice.log.get_by_role("article")).to_have_count(131)
        # what comes meanwhile does not move what is read
        first.scroll_into_view_if_needed()
        before = first.bounding_box()
        bob.says("alice@localhost", "one more")
        expect(alice.button("To the newest message")).to_contain_text("1")
        assert first.bounding_box() == before
        alice.button("To the newest message").click()
        alice.hears("one more")
        # and found in it
        alice.finds("needle")
        expect(alice.log.locator(".shown")).to_contain_text("message 128")
        alice.button("Later match").click()
        expect(alice.log.locator(".shown")).to_contain_text("message 3")
        expect(alice.log.locator(".shown mark")).to_have_text("needle")
        alice.page.keyboard.press("Escape")
        expect(alice.box).to_be_focused()
