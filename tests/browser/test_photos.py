"""Faces: the own photo, changed in the page, is seen by others, and an XMPP client's is seen in the page."""

from base64 import b64encode

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.desk import PICTURE, Desk, text_file
from tests.interop.person import Person

pytestmark = pytest.mark.timeout(120)


def chooses(desk: Desk, file: dict) -> None:
    with desk.page.expect_file_chooser() as chooser:
        desk.button("Change photo").click()
    chooser.value.set_files([file])


def photo_on(card: Locator) -> str:
    """Once there is one."""
    image = card.locator("img").first
    expect(image).to_be_visible()
    return image.get_attribute("src") or ""


def test_a_photo(office):
    alice, bob = office.desk("alice").is_in(), office.desk("bob").is_in()
    bob.contact("Alice Arden").click()
    card = bob.page.get_by_role("region", name="Contact")
    expect(card.locator("img")).to_have_count(0)
    status = alice.page.get_by_role("button", name="Chat status")
    status.click()
    chooses(alice, text_file("words.txt", "no picture"))
    expect(alice.page.get_by_role("alert")).to_have_text("This picture cannot be shown. Choose another one.")
    chooses(alice, PICTURE)
    own = photo_on(status)
    assert own.startswith("data:image/jpeg;base64,")
    expect(alice.page.get_by_role("alert")).to_have_count(0)
    bob.contact("Dan Dupont").click()
    bob.contact("Alice Arden").click()
    assert photo_on(card) == own
    assert photo_on(bob.contact("Alice Arden")) == own
    with Person(office.server, "carol") as carol:
        carol.shows_photo(PICTURE["buffer"])
        bob.contact("Carol Chen").click()
        assert photo_on(card) == f"data:image/png;base64,{b64encode(PICTURE['buffer']).decode()}"
