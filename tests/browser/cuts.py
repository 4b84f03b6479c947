"""Two browsers chat while their sockets are cut at random: ``python -m tests.browser.cuts --cuts 500`` says what became of it.

Each browser reaches the server through a cable of its own. Somebody writes; before, while or after it goes out, one of the
cables is cut, or both, and the page comes back by itself. In the end both conversations, as they stand in the pages and as they
are read from the archive after a reload, have every message once, in the order of its writer, and in the same order.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, Office
from tests.browser.desk import Desk
from tests.interop.cable import Cable
from tests.interop.server import found
from tests.load.peers.debian import need
from tests.programs import BROWSERS, CHROMIUM

BODIES = "(articles) => articles.map((article) => article.querySelector('.bubble p').textContent)"
START = "This is where your conversation begins."


class Outcome(msgspec.Struct):
    """What became of it: messages that were written, in the order of each writer, and as each page showed them."""

    cuts: int
    written: list[str]
    shown: list[list[str]]

    @property
    def lost(self) -> int:
        """Messages that a page does not show."""
        return sum(len(set(self.written) - set(shown)) for shown in self.shown)

    @property
    def doubled(self) -> int:
        """Messages that a page shows again."""
        return sum(len(shown) - len(set(shown)) for shown in self.shown)

    @property
    def disordered(self) -> int:
        """Pages in which a writer's messages are not as he wrote them, or that differ from the first."""
        wrong = 0
        for shown in self.shown:
            kept = all([m for m in shown if m[0] == name] == [m for m in self.written if m[0] == name] for name in "ab")
            wrong += not kept or shown != self.shown[0]
        return wrong


class Chatter:
    """Somebody at a page behind a cable."""

    def __init__(self, office: Office, name: str, peer: str, cable: Cable) -> None:
        self.name = name
        self.peer = peer
        self.cable = cable
        self.desk: Desk = office.desk(name, port=cable.port).is_in()
        self.desk.opens(peer)

    def writes(self, text: str) -> None:
        self.desk.box.fill(text)
        self.desk.box.press("Enter")

    def cut(self) -> None:
        """End the page's connection, once there is one."""
        expect(self.desk.page.locator(".line")).to_have_text("")
        self.cable.cut()

    def settles(self) -> None:
        expect(self.desk.log.locator(".state-waiting, .state-failed")).to_have_count(0, timeout=60_000)

    def shows(self) -> list[str]:
        return self.desk.log.get_by_role("article").evaluate_all(BODIES)

    def reads_all(self) -> list[str]:
        """After a reload, upwards to the beginning."""
        self.desk.page.reload()
        self.desk.opens(self.peer)
        expect(self.desk.log.get_by_role("article").first).to_be_visible()
        self.desk.log.hover()
        while self.desk.page.get_by_text(START).count() == 0:
            self.desk.page.mouse.wheel(0, -5_000)
            self.desk.page.evaluate("new Promise(requestAnimationFrame)")
        return self.shows()


def play(office: Office, cuts: int, seed: int) -> Outcome:
    """The chat, and so many cuts."""
    chance = random.Random(seed)
    port = office.port
    with Cable(port) as one, Cable(port) as two:
        chatters = Chatter(office, "alice", "Bob Berger", one), Chatter(office, "bob", "Alice Arden", two)
        written: list[str] = []
        done = 0
        while done < cuts:
            writer = chance.choice(chatters)
            chosen = chance.choice([(), chatters[:1], chatters[1:], chatters])
            is_before = chance.random() < 0.5
            if is_before:
                for chatter in chosen:
                    chatter.cut()
            text = f"{writer.name} {len(written)}"
            written.append(text)
            writer.writes(text)
            if not is_before:
                for chatter in chosen:
                    chatter.cut()
            done += len(chosen)
        for chatter in chatters:
            chatter.settles()
        last = f"{chatters[0].name} {len(written)}"
        written.append(last)
        chatters[0].writes(last)
        for chatter in chatters:
            chatter.desk.hears(last)
            chatter.settles()
        shown = [chatter.shows() for chatter in chatters]
        begins = max(len(written) - min(map(len, shown)), 0)
        read = [chatter.reads_all() for chatter in chatters]
        office.close()
    assert all(page == whole[len(whole) - len(page) :] for page, whole in zip(shown, read, strict=True)), begins
    return Outcome(done, written, read)


def main() -> None:
    """Play it and print the outcome; 1 if anything was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.cuts", description=__doc__)
    parser.add_argument("--cuts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    need(BROWSERS)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        found(Path(name))
        office = Office(Path(name), browser)
        began = time.monotonic()
        with office.server.running():
            outcome = play(office, asked.cuts, asked.seed)
        browser.close()
    sys.stdout.write(
        f"{outcome.cuts} cuts in {time.monotonic() - began:.0f} s, {len(outcome.written)} messages: "
        f"{outcome.lost} lost, {outcome.doubled} doubled, {outcome.disordered} pages out of order\n"
    )
    sys.exit(1 if outcome.lost or outcome.doubled or outcome.disordered else 0)


if __name__ == "__main__":
    main()
