"""Files: chosen, pasted and dropped, seen by the other side and by an XMPP client, listed, and what is refused."""

import pytest
from playwright.sync_api import expect

from tests.browser.desk import PICTURE, text_file
from tests.interop.person import Person

pytestmark = pytest.mark.timeout(120)

TRANSFER = """
    ([name, text]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], name, { type: "text/plain" }));
        return transfer;
    }
"""


def test_files_go_both_ways(office):
    alice, bob = office.desk("alice").is_in(), office.desk("bob").is_in()
    with Person(office.server, "carol") as carol:
        alice.opens("Bob Berger")
        alice.sends_files(PICTURE, text_file("plan.txt", "the plan"))
        expect(alice.log.get_by_role("link", name="Save plan.txt")).to_be_visible()
        expect(bob.contact("Alice Arden, Available, 2 unread")).to_be_visible()
        bob.opens("Alice Arden")
        picture = bob.log.get_by_role("img", name="Picture dot.png")
        expect(picture).to_be_visible()
        assert picture.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 10
        with bob.page.expect_download() as download:
            bob.log.get_by_role("link", name="Save plan.txt").click()
        assert download.value.suggested_filename == "plan.txt"
        assert download.value.path().read_text() == "the plan"
        bob.is_accessible()

        # dropped, and pasted
        drop = bob.page.evaluate_handle(TRANSFER, ["dropped.txt", "from the desk"])
        bob.log.dispatch_event("dragenter", {"dataTransfer": drop})
        expect(bob.page.get_by_text("Drop files here to send them to Alice Arden")).to_be_visible()
        bob.log.dispatch_event("drop", {"dataTransfer": drop})
        expect(alice.log.get_by_role("link", name="Save dropped.txt")).to_be_visible()
        expect(bob.page.get_by_text("Drop files here")).to_have_count(0)
        paste = bob.page.evaluate_handle(TRANSFER, ["pasted.txt", "from the clipboard"])
        bob.box.evaluate(
            "(box, data) => box.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))", paste
        )
        expect(alice.log.get_by_role("link", name="Save pasted.txt")).to_be_visible()

        # all files of the conversation
        alice.page.get_by_role("tab", name="Attachments").click()
        files = alice.page.get_by_role("list", name="Attachments").get_by_role("listitem")
        expect(files).to_have_count(4)
        expect(files.first).to_contain_text("pasted.txt")
        expect(files.first).to_contain_text("Bob Berger, Today")
        alice.is_accessible()

        # to somebody without a browser; and taken back
        alice.opens("Carol Chen")
        expect(files).to_have_count(0)
        alice.sends_files(text_file("offer.txt", "120 seats"))
        assert carol.hears_of_file("offer.txt").startswith("http")
        sent = alice.log.get_by_role("article").filter(has=alice.page.get_by_role("link", name="Save offer.txt"))
        sent.hover()
        expect(sent.get_by_role("button", name="Edit")).to_have_count(0)
        sent.get_by_role("button", name="Take back").click()
        expect(alice.log.get_by_role("link", name="Save offer.txt")).to_have_count(0)


def test_what_cannot_be_sent_says_why(office):
    alice = office.desk("alice").is_in()
    alice.opens("Bob Berger")
    alice.sends_files(text_file("nothing.txt", ""), text_file("good.txt", "good"))
    expect(alice.log.get_by_role("link", name="Save good.txt")).to_be_visible()
    waiting = alice.page.get_by_role("list", name="Files on their way").get_by_role("listitem")
    expect(waiting).to_have_text("nothing.txt This file is empty.")
    alice.is_accessible()
    alice.button("Remove nothing.txt").click()
    expect(waiting).to_have_count(0)
    alice.page.route("**/files/?name=*", lambda route: route.fulfill(status=507, json={"error": "quota", "limit": 10}))
    alice.sends_files(text_file("much.txt", "much"))
    expect(waiting).to_have_text("much.txt You have no room left for files.")
    alice.complaints.clear()  # the browser says on its console that a request was refused
