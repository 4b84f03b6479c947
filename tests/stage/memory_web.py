"""The webmail's socket in memory: a browser session with its tabs, without a network."""

import trio

from actors.runtime import Runtime
from engine.webmail import frames
from gateways.webmail_session import WebmailSession
from tests.stage.web_player import WebPlayer


class MemoryTab:
    """The session's end, see `gateways.webmail_session.Tab`."""

    def __init__(self, player: WebPlayer) -> None:
        self._player = player
        self.is_closed = False

    def send(self, text: str) -> None:
        if not self.is_closed:
            self._player.hear(text)

    def end(self, reason: str) -> None:
        self.send(frames.encode(frames.Bye(reason)).decode())
        self.close()

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._player.hear_end()


class MemoryWebLine:
    """The player's end."""

    def __init__(self, player: WebPlayer, session: WebmailSession, runtime: Runtime) -> None:
        self._session = session
        self._runtime = runtime
        self._tab = MemoryTab(player)
        player.line, player.is_cut = self, False
        with runtime.batch():
            self._number = session.attach(self._tab)

    async def send(self, text: str) -> None:
        frame = frames.decode(text)
        with self._runtime.batch():
            if isinstance(frame, frames.Hello):
                self._session.greet(self._number, frame)
            else:
                self._session.receive(self._number, frame)
        await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        self._tab.close()
        with self._runtime.batch():
            self._session.detach(self._number)
        await trio.lowlevel.checkpoint()
