"""Somebody who searches his whole history all the time: ``python -m tests.search.searcher PORT FOLDER JID``.

Some sessions, each with one question after the other, as fast as it is answered: words that half of all messages have, words
that are in none together, single letters, counts. Runs until it is ended; prints a line once it searches.
"""

import itertools
import sys
from pathlib import Path
from typing import Final

import trio

from tests.faults.server import Server
from tests.scale.members import DOMAIN, PASSWORD
from tests.scale.reader import Reader

SESSIONS: Final = 4
QUESTIONS: Final = (
    ("the", "<max>100</max><before/>"),
    ("yes figures", "<max>100</max><before/>"),
    ("t h e c", "<max>100</max>"),
    ("yes draft customer", "<max>100</max>"),
    ("paragraph", "<max>0</max>"),
    ("a b c d e f g h", "<max>100</max><before/>"),
)
"""Of the texts of `tests.scale.long_history`."""

QUERY: Final = (
    "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value>"
    "</field><field var='{{urn:xmpp:fulltext:0}}fulltext'><value>{}</value></field></x>"
    "<set xmlns='http://jabber.org/protocol/rsm'>{}</set></query>"
)


class Searcher(Reader):
    """A client that asks for words."""

    async def searches(self, first: int) -> None:
        """For ever."""
        for text, paging in itertools.islice(itertools.cycle(QUESTIONS), first, None):
            await self.reads(QUERY.format(text, paging))


async def search(port: int, folder: Path, jid: str) -> None:
    """All sessions."""
    server = Server(folder, DOMAIN)
    server.ports = {"xmpps": port}
    async with trio.open_nursery() as nursery:
        for number in range(SESSIONS):
            searcher = await Searcher.enter(nursery, server, f"{jid}/searcher{number}", PASSWORD)
            searcher.begins()
            found = await searcher.reads(QUERY.format("the", "<max>0</max>"))
            assert b"<count>0</count>" not in found, "nothing is found"
            nursery.start_soon(searcher.searches, number)
        sys.stdout.write("searching\n")
        sys.stdout.flush()


if __name__ == "__main__":
    trio.run(search, int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
