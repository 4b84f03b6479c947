"""The scribe: has the history search know what the archive knows.

It is told only that there is something new, never what, and reads from the archive what comes after the index. So nothing
waits in a queue, a fault loses nothing, and an index that is missing, damaged or deleted is just one that is far behind: chat
goes on, and searches find what is there already.

**Pace.** It hears of what is new from the cataloguer, which lets some come together. Whoever is far behind fetches page after
page with a pause between two, so that the chat has the processor whenever it wants it.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from actors.directory import Directory
from actors.mailbox import Policy
from actors.runtime import Runtime
from actors.worker import Worker
from engine import messages as m
from engine.ports import HistorySearch, Indexed, StorageUnavailable, Texts

log = logging.getLogger(__name__)

PAGE: Final = 256
"""Messages fetched at a time, in 10 to 20 ms."""

PAUSE_SECONDS: Final = 0.01
"""Between two pages."""

KEEP_SECONDS: Final = 15.0
"""From the first message that is in the memory of the index only until it is on disk. A crash costs as much reading again."""

RETRY_SECONDS: Final = 1.0
"""Until archive or index are tried again after a fault."""


class Fetch(msgspec.Struct, frozen=True):
    """scribe -> itself: fetch the next page."""


class Keep(msgspec.Struct, frozen=True):
    """scribe -> itself: have what was fetched on disk."""


class Scribe(Worker):
    """Owns the growing of the history index.

    At the limit of its mailbox the oldest notice goes: the newest says everything.

    Args:
        search: the index.
        texts: the archive.
        newest: archive id, at the start.
        runtime: for the timers.
        _directory: it tells nobody anything.
    """

    mailbox_limit = 64
    mailbox_policy = Policy.DROP_OLDEST

    def __init__(
        self, search: HistorySearch, texts: Texts, newest: int, runtime: Runtime, _directory: Directory
    ) -> None:
        super().__init__()
        self._search = search
        self._texts = texts
        self._newest = newest
        self._runtime = runtime
        self._is_fetch_due = False
        self._is_keep_due = False

    def on_start(self) -> None:
        """Look for what came after the index was last kept."""
        self._fetch_in(0)

    async def handle(self, batch: Sequence[Any]) -> None:
        """Note what is new; fetch at most one page."""
        for message in batch:
            if isinstance(message, m.ArchiveGrew):
                self._newest = max(self._newest, message.newest)
        wanted = {type(message) for message in batch}
        self._is_keep_due = self._is_keep_due and Keep not in wanted
        self._is_fetch_due = self._is_fetch_due and Fetch not in wanted
        try:
            if Keep in wanted:
                await self._search.keep()
            if not self._is_fetch_due:
                await self._fetch()
        except StorageUnavailable as error:
            log.warning("history index: not written, tried again in %s s: %s", RETRY_SECONDS, error)
            self._fetch_in(RETRY_SECONDS)

    async def _fetch(self) -> None:
        after = await self._search.newest()
        if after >= self._newest:
            return
        page = await self._texts.since(after, PAGE)
        if not page:
            return
        await self._add(page, after)
        if not self._is_keep_due:
            self._is_keep_due = True
            self._runtime.schedule(KEEP_SECONDS, self.actor_ref, Keep())
        if self._newest > page[-1].id:
            self._fetch_in(PAUSE_SECONDS)

    async def _add(self, page: Sequence[Indexed], after: int) -> None:
        try:
            await self._search.add(page, after)
        except StorageUnavailable:
            raise
        except Exception:  # the others of the page must not pay for one message
            log.exception("history index: a page of %d failed", len(page))
            if len(page) == 1:
                page = [Indexed(page[0].id, "", ())]  # never found, and passed over
                await self._search.add(page, after)
                return
            for message in page:
                await self._add([message], after)
                after = message.id

    def _fetch_in(self, seconds: float) -> None:
        if not self._is_fetch_due:
            self._is_fetch_due = True
            self._runtime.schedule(seconds, self.actor_ref, Fetch())
