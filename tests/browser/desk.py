"""What a person does with the page: a few words over Playwright, by the names that assistive technology reads."""

import re
from base64 import b64decode
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.interop.server import password_of

AXE = Path(__file__).parents[2] / "gateways" / "webmail_ui" / "node_modules" / "axe-core" / "axe.min.js"


PICTURE: dict[str, Any] = {
    "name": "dot.png",
    "mimeType": "image/png",
    "buffer": b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR42mPQSg7BgxhGpbEhACr1V+UlbiJ9AAAAAElFTkSuQmCC"
    ),
}


def text_file(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


class Desk:
    """One person at one page.

    Attributes:
        complaints: what the browser said against the page: errors, and what its policy forbids.
        themes: in which the page is looked at by `is_accessible`.
    """

    themes: tuple[str, ...] = ("light", "dark")

    def __init__(self, name: str, page: Page) -> None:
        self.name = name
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._listen)

    def _listen(self, message) -> None:
        if message.type == "error" and not re.search(
            r"WebSocket connection to|status of 401|ERR_CONNECTION", message.text
        ):
            self.complaints.append(message.text)

    # -- what there is -------------------------------------------------------------------------------------------------

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def contact(self, name: str) -> Locator:
        """The entry of a contact, by name, or by name and status."""
        return self.page.get_by_role("list", name="Contacts").get_by_role("listitem", name=name)

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log", name="Conversation")

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message")

    # -- what he does --------------------------------------------------------------------------------------------------

    def signs_in(self, password: str = "") -> "Desk":
        self.page.get_by_role("textbox", name="Address").fill(f"{self.name}@localhost")
        self.page.get_by_label("Password").fill(password or password_of(self.name))
        self.button("Sign in").click()
        return self

    def is_in(self) -> "Desk":
        self.signs_in()
        expect(self.page.get_by_role("list", name="Contacts")).to_be_visible()
        return self

    def chats_here(self) -> "Desk":
        """Chats open in the page from now on."""
        self.page.get_by_role("button", name="Chat status").click()
        self.page.get_by_label("Open chats in their own window").uncheck()
        self.page.keyboard.press("Escape")
        return self

    def window(self, button: Locator) -> "Desk":
        """The window that a button opens."""
        with self.page.expect_popup() as opened:
            button.click()
        return Desk(self.name, opened.value)

    def opens(self, contact: str) -> None:
        """A chat with this contact, in the page."""
        self.contact(contact).click()
        if self.log.count() == 0:
            self.button("Chat in this pane").click()
        expect(self.page.get_by_role("region", name=f"Chat with {contact}")).to_be_visible()

    def says(self, body: str) -> None:
        self.box.fill(body)
        self.button("Send").click()

    def hears(self, body: str) -> Locator:
        message = self.log.get_by_role("article").filter(has_text=body)
        expect(message).to_have_count(1)
        return message

    def searches(self, words: str) -> None:
        self.page.get_by_role("searchbox", name="Search contacts").fill(words)

    def finds(self, words: str) -> None:
        """In the conversation that is open."""
        box = self.page.get_by_role("searchbox", name="Find in this conversation")
        if box.count() == 0:
            self.button("Find in this conversation").click()
        box.fill(words)

    def sends_files(self, *files: dict[str, Any]) -> None:
        """See `text_file` and `PICTURE`."""
        with self.page.expect_file_chooser() as chooser:
            self.button("Attach files").click()
        chooser.value.set_files(list(files))

    def sets_status(self, status: str) -> None:
        self.page.get_by_role("button", name="Chat status").click()
        self.page.get_by_role("menuitem", name=status, exact=True).click()
        expect(self.page.get_by_role("button", name=f"Chat status: {status}")).to_be_visible()

    # -- for all who cannot see ----------------------------------------------------------------------------------------

    def is_accessible(self) -> None:
        """axe-core finds nothing wrong with the page as it is, in all `themes`."""
        found = []
        for theme in self.themes:
            self.page.emulate_media(color_scheme=theme)
            if not self.page.evaluate("'axe' in window"):
                self.page.evaluate(AXE.read_text("utf-8"))
            tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
            result = self.page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
            found += [
                f"{theme}: {one['id']}: {node['html'][:200]} {node['failureSummary']}"
                for one in result["violations"]
                for node in one["nodes"]
            ]
        assert found == [], "\n".join(found)
