"""Somebody who reads his whole history again and again, as fast as he can: ``python -m tests.scale.reader PORT FOLDER JID``.

One session turns pages, one counts, one asks for the list of conversations, each one question after the other. Runs until it is
ended; prints a line once it reads. Answers are looked at as bytes: whoever parses them would be slower than the server.
"""

import re
import sys
from pathlib import Path
from typing import Final

import trio

from tests.faults.client import Client
from tests.faults.server import Server
from tests.scale.members import DOMAIN, PASSWORD

PAGE: Final = 100
ANSWER: Final = re.compile(rb"<iq\b[^>]*?\bid='r\d+'.*?</iq>", re.DOTALL)
LAST: Final = re.compile(rb"<last>(\w+)</last>")
TAIL: Final = 4_096
QUERY: Final = "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>{}</set></query>"
INBOX: Final = "<inbox xmlns='urn:xmpp:inbox:1'/>"


class Reader(Client):
    """A client that, once it reads, looks for the ends of answers only, and asks one question after the other."""

    is_reading = False
    _asked = 0

    def hear(self, data: bytes) -> None:
        """Every byte counts, but only the last ones are kept."""
        if not self.is_reading:
            super().hear(data)
            return
        self._seen = self._seen[-TAIL:] + data
        answer = ANSWER.search(self._seen)
        if answer is not None:
            self._seen = b""
            self._answers.send_nowait(answer[0])

    def begins(self) -> None:
        """From now on it reads."""
        self._seen = b""
        self._answers, self._answered = trio.open_memory_channel[bytes](1)
        self.is_reading = True

    async def reads(self, inner: str, kind: str = "set") -> bytes:
        """The answer to one question, with everything before it received."""
        self._asked += 1
        await self.sends(f"<iq type='{kind}' id='r{self._asked}'>{inner}</iq>")
        answer = await self._answered.receive()
        assert b"type='error'" not in answer, answer
        return answer

    async def turns_pages(self) -> None:
        """For ever."""
        place = ""
        while True:
            answer = await self.reads(QUERY.format(f"<max>{PAGE}</max>{place}"))
            last = LAST.search(answer)
            place = "" if last is None or b"complete='true'" in answer else f"<after>{last[1].decode()}</after>"

    async def counts(self) -> None:
        """For ever."""
        while True:
            await self.reads(QUERY.format("<max>0</max>"))

    async def lists(self) -> None:
        """For ever."""
        while True:
            await self.reads(INBOX, "get")


async def read(port: int, folder: Path, jid: str) -> None:
    """All three sessions."""
    server = Server(folder, DOMAIN)
    server.ports = {"xmpps": port}
    async with trio.open_nursery() as nursery:
        for does in (Reader.turns_pages, Reader.counts, Reader.lists):
            reader = await Reader.enter(nursery, server, f"{jid}/{does.__name__}", PASSWORD)
            reader.begins()
            await reader.reads(QUERY.format("<max>1</max>"))
            nursery.start_soon(does, reader)
        sys.stdout.write("reading\n")
        sys.stdout.flush()


if __name__ == "__main__":
    trio.run(read, int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
