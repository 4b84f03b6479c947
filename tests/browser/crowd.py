"""A domain of ten thousand, and how quick the page is there: ``python -m tests.browser.crowd`` prints the figures.

Times are taken in the page, from when the browser began with it, or from the key that was pressed, until the frame in which the
person sees the answer was handed to the screen.
"""

import itertools
import json
import statistics
import sys
import tempfile
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS, Office
from tests.interop.server import Server, found
from tests.load.peers.debian import need
from tests.programs import BROWSERS, CHROMIUM

MEMBERS = 10_000
GIVEN = (
    "Ada", "Ben", "Cleo", "Dirk", "Elif", "Finn", "Gina", "Hugo", "Ines", "Jan", "Karl", "Lena", "Max", "Nora",
    "Olaf", "Paula", "Rosa", "Sami", "Tom", "Uta", "Vera", "Wim", "Yara", "Zeno",
)  # fmt: skip
FAMILY = (
    "Abel", "Brandt", "Chen", "Dietz", "Engel", "Fuchs", "Graf", "Haas", "Ivers", "Jung", "Kern", "Lenz", "Maier",
    "Nowak", "Otto", "Peters", "Roth", "Sauer", "Thoma", "Voigt",
)  # fmt: skip
TITLES = ("Developer", "Head of Sales", "Assistant", "Engineer", "Accountant")

WATCH = """
    window.told = new Promise((resolve) => {
        const look = () => {
            const isThere = document.querySelector("rookery-people .row") !== null;
            requestAnimationFrame(isThere ? () => setTimeout(() => resolve(performance.now())) : look);
        };
        look();
    });
"""
KEYS = """
    window.times = [];
    const pane = document.querySelector(".nav-scroll");
    let pressed = 0;
    document.querySelector(".search input").addEventListener("input", () => (pressed = performance.now()), { capture: true });
    new MutationObserver(() => {
        if (!pressed) return;
        const from = pressed;
        pressed = 0;
        requestAnimationFrame(() => setTimeout(() => window.times.push(performance.now() - from)));
    }).observe(pane, { childList: true, subtree: true, characterData: true, attributes: true });
"""
SCROLL = """
    () => new Promise((resolve) => {
        const pane = document.querySelector(".nav-scroll");
        const frames = [];
        let empty = 0, last = performance.now();
        const step = (now) => {
            frames.push(now - last);
            last = now;
            const { top, bottom } = pane.getBoundingClientRect();
            for (let y = top + 30; y < bottom; y += 60) {
                if (!document.elementFromPoint(100, y)?.closest(".row, .heading")) empty += 1;
            }
            if (frames.length > 120) resolve({ frames: frames.slice(1), empty, rows: pane.querySelectorAll(".row").length });
            else { pane.scrollTop += 1500; requestAnimationFrame(step); }
        };
        requestAnimationFrame(step);
    })
"""


class Figures(msgspec.Struct):
    """Milliseconds, unless their name says otherwise. Lists: one for each try."""

    script_bytes: int
    first_screen: list[float]
    keystrokes: list[float]
    frames: list[float]
    rows_drawn: int
    gaps_seen: int

    def lines(self) -> list[str]:
        """For people."""
        first, keys, frames = self.first_screen, self.keystrokes, self.frames
        return [
            f"script of the first load, compressed  {self.script_bytes / 1024:8.1f} KB",
            f"first usable screen, median           {statistics.median(first):8.0f} ms   of {len(first)}",
            f"first usable screen, worst            {max(first):8.0f} ms",
            f"keystroke to results, median          {statistics.median(keys):8.0f} ms   of {len(keys)}",
            f"keystroke to results, worst           {max(keys):8.0f} ms",
            f"frame while scrolling, median         {statistics.median(frames):8.1f} ms   of {len(frames)}",
            f"frame while scrolling, 95 of 100      {statistics.quantiles(frames, n=20)[-1]:8.1f} ms",
            f"rows drawn of {MEMBERS}                 {self.rows_drawn:8}",
            f"places without a row while scrolling  {self.gaps_seen:8}",
        ]


def gather(folder: Path) -> None:
    """Make the domain: the five people that have a password, and the crowd."""
    found(folder)
    csv = folder / "crowd.csv"
    names = itertools.cycle(itertools.product(FAMILY, GIVEN))
    with csv.open("w") as file:
        file.write("address,name,password,title,department\n")
        for number, (family, given) in zip(range(MEMBERS), names, strict=False):
            title = TITLES[number % len(TITLES)]
            file.write(f"m{number:05}@localhost,{given} {family} {number},,{title},Department {number % 40}\n")
    Server(folder).command("user", "import", str(csv))


def measure(office: Office, browser: Browser, tries: int) -> Figures:
    """Alice looks for people."""
    alice = office.desk("alice").is_in()
    context = alice.page.context
    first = []
    for _ in range(tries):  # without a cache, but logged in
        page = context.new_page()
        page.add_init_script(WATCH)
        page.route("**", lambda route: route.continue_())  # turns the browser's cache off
        page.goto(office.address)
        first.append(page.evaluate("window.told"))
        page.close()
    page = alice.page
    page.evaluate(KEYS)
    words = ("lena ma", "otto 77", "develo")
    for word in words:
        page.get_by_role("searchbox").fill("")
        for letter in word.replace(" ", ""):
            before = page.evaluate("window.times.length")
            page.keyboard.type(letter)
            page.wait_for_function("count => window.times.length > count", arg=before)
    keys = page.evaluate("window.times")
    page.get_by_role("searchbox").press("Escape")
    scrolled = page.evaluate(SCROLL)
    scripts = page.evaluate(
        "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('.js')).map((e) => e.encodedBodySize)"
    )
    return Figures(sum(scripts), first, keys, scrolled["frames"], scrolled["rows"], scrolled["empty"])


def main() -> None:
    """Print the figures."""
    need(BROWSERS)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        folder = Path(name)
        gather(folder)
        office = Office(folder, browser)
        with office.server.running():
            figures = measure(office, browser, tries=9)
            office.close()
        browser.close()
    sys.stdout.write("\n".join([*figures.lines(), json.dumps(msgspec.to_builtins(figures)), ""]))


if __name__ == "__main__":
    main()
