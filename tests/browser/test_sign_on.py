"""A host webmail shows the chat in a frame and signs its user on, as docs/operating.md tells it to; other pages cannot."""

import html
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Office
from tests.interop.person import Person

KEY = "0123456789abcdef0123456789abcdef"
SCRIPT = 'document.getElementById("sign-on").submit()'
PAGE = """<!doctype html><html lang="en"><title>Mail</title><h1>Mail</h1>
<iframe name="chat" title="Chat" width="1300" height="700"></iframe>
<form id="sign-on" method="post" target="chat" action="{action}"><input type="hidden" name="token" value="{token}"></form>
<script src="/submit-sign-on.js"></script></html>"""


class Webmail:
    """The user's webmail: it knows who its user is. `address`: of its page; `chat`: of the chat that it shows."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.chat = ""
        self.tokens: list[str] = []

    def page(self) -> str:
        now = time.time()
        claims = {"iss": "localhost", "sub": "alice@localhost", "aud": "rookery", "iat": now, "exp": now + 60}
        token = jwt.encode(claims | {"jti": secrets.token_urlsafe(16)}, KEY, "HS256")
        self.tokens.append(token)
        return PAGE.format(action=f"{self.chat}api/sign-on", token=html.escape(token))


@contextmanager
def webmail() -> Iterator[Webmail]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_script = self.path.endswith(".js")
            body = (SCRIPT if is_script else mail.page() if self.path == "/" else "").encode()
            self.send_response(200 if body else 404)
            self.send_header("content-type", "text/javascript" if is_script else "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    mail = Webmail(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield mail
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.timeout(120)
def test_the_chat_in_a_webmail_asks_for_no_password(tmp_path, founded, chromium):
    folder = tmp_path / "server"
    shutil.copytree(founded, folder)
    with webmail() as mail, webmail() as stranger:
        office = Office(folder, chromium)
        mail.chat = stranger.chat = office.address
        (folder / "sign-on.key").write_text(KEY)
        file = folder / "rookery.toml"
        lines = f'frame_ancestors = ["{mail.address}"]\nsign_on_keys = {{ "localhost" = "sign-on.key" }}\n'
        file.write_text(file.read_text().replace("[web]\n", f"[web]\n{lines}"))
        with office.server.running():
            alice = chromium.new_page()
            alice.goto(f"{mail.address}/")
            chat = alice.frame_locator("iframe")
            expect(chat.get_by_role("list", name="Contacts")).to_be_visible()
            with Person(office.server, "bob") as bob:
                bob.sees("alice@localhost", "available")
                bob.says("alice@localhost", "lunch?")
                expect(chat.get_by_text("lunch?").first).to_be_visible()
            alice.goto(f"{office.address}")  # and in a window of its own
            expect(alice.get_by_role("list", name="Contacts")).to_be_visible()
            alice.context.close()

            eve = chromium.new_page()
            eve.goto(f"{stranger.address}/")
            expect(eve.frame_locator("iframe").get_by_text("this page may not sign on here")).to_be_visible()
            eve.context.close()
    log = (folder / "log.txt").read_text()
    assert [token for token in (*mail.tokens, *stranger.tokens) if token.rpartition(".")[2] in log] == []
