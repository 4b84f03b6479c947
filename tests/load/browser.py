"""A browser with the webmail page: it logs in by a call, and speaks the page's JSON over a web socket.

To a workload it is a `tests.load.session.Session`: it says frames in place of stanzas, and what comes are whole frames, one
behind the other.
"""

import http.client
import json
import re

from tests.load.loop import Loop
from tests.load.session import Account, Script, Session, SessionError
from tests.load.target import Target
from tests.load.web import WebLine

HELLO = b'{"t":"hello","v":1}'
SNAPSHOT_ENDS = b'"t":"conversations"'
CALL_SECONDS = 30.0

SAID = rb'"from":"([^"]*)","to":"[^"]*"(?:,"via":"[^"]*")?,"body":"[^"]*%b (\d+)"'


class Browser(Session):
    """One tab of one browser.

    Args:
        loop: that it runs in.
        target: the web port.
        account: whose.
        resource: names the browser; the server has names of its own.
        cookie: of its login.
    """

    __slots__ = ("_cookie", "_is_opening")

    def __init__(self, loop: Loop, target: Target, account: Account, resource: str, cookie: str) -> None:
        self._cookie = cookie
        self._is_opening = True
        super().__init__(loop, target, account, resource)
        self.jid = f"{account.bare} in {resource}"

    def open_line(self, loop: Loop) -> WebLine:
        """Its socket."""
        return WebLine(
            loop, self.target.address, self._hear, self._lost, self.target.path, "", f"Cookie: {self._cookie}\r\n"
        )

    def say(self, *frames: bytes) -> None:
        """Send frames, together."""
        self.line.say(*frames)

    def say_goodbye(self) -> None:
        """A page says none."""

    def leave(self) -> None:
        """Close the tab."""
        self.line.close()
        self.failure = self.failure or "left"

    def others(self, chunk: bytes, said: re.Pattern[bytes]) -> list[bytes]:
        """The numbers that others said; a page hears what it said itself, too. `said`: of `SAID` with the word before them."""
        own = self.account.bare.encode()
        return [number for sender, number in said.findall(chunk) if sender != own]

    def _hear_counted(self, data: bytes) -> None:
        if self._is_opening:  # the script has cut this frame in two
            self._is_opening = False
            data = SNAPSHOT_ENDS + data
        self.on_chunk(self, data)


def call_login(target: Target, account: Account) -> str:
    """The cookie of a new login.

    Raises:
        SessionError: it was refused.
    """
    connection = http.client.HTTPConnection(*target.address, timeout=CALL_SECONDS)
    body = json.dumps({"address": account.bare, "password": account.password})
    connection.request("POST", "/api/login", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status != 200:
        raise SessionError(f"{account.bare}: login refused: {said[:200]!r}")
    return (answer.getheader("set-cookie") or "").partition(";")[0]


def open_page(session: Session) -> Script:
    """From the first frame to the end of the snapshot."""
    session.line.send(HELLO)
    yield SNAPSHOT_ENDS
    session.is_ready = True
