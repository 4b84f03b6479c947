"""A browser, a server for each test, and people at their desks."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.desk import Desk
from tests.interop.server import Server, found
from tests.load.peers.debian import need
from tests.programs import BROWSERS, CHROMIUM

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 15_000.0


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, installed when it is missing."""
    need(BROWSERS)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def founded(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("founded")
    found(folder)
    return folder


class Office:
    """A server on a port that it keeps, and everybody who has a desk there."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.server = Server(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        configuration = folder / "rookery.toml"
        text = configuration.read_text()
        configuration.write_text(text.replace('[web]\nlisten = "127.0.0.1:0"', f'[web]\nlisten = "127.0.0.1:{port}"'))
        self.port = port
        self.address = f"http://127.0.0.1:{port}/"
        self._browser = browser
        self._desks: list[Desk] = []

    def desk(self, name: str, port: int = 0, **options) -> Desk:
        """Somebody opens the page in a browser of his own. `port`: another way to the server."""
        options = {"viewport": {"width": 1360, "height": 820}, "locale": "en-GB", **options}
        context = self._browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        page: Page = context.new_page()
        desk = Desk(name, page)
        self._desks.append(desk)
        page.goto(f"http://127.0.0.1:{port or self.port}/")
        return desk

    def close(self) -> None:
        complaints = [f"{desk.name}: {complaint}" for desk in self._desks for complaint in desk.complaints]
        for desk in self._desks:
            desk.page.context.close()
        self._desks.clear()
        assert complaints == []


@pytest.fixture
def office(tmp_path, founded, chromium) -> Iterator[Office]:
    folder = tmp_path / "server"
    shutil.copytree(founded, folder)
    office = Office(folder, chromium)
    with office.server.running():
        yield office
        office.close()
