"""The indexer: keeps the contact search current and answers it.

What changed in one batch is indexed with one commit; a new member is found within the second in which it was added. If the
index cannot be written the changes are kept and tried again: search is behind, but nothing else waits for it.
"""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.directory import Directory
from actors.runtime import Runtime
from actors.worker import Worker
from engine import messages as m
from engine.contacts import Contact, RemovedContact
from engine.errors import Condition
from engine.limits import SEARCH_RESULTS
from engine.ports import ContactSearch, StorageUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Until changes that could not be written to the index are tried again."""


class RetryUpdate(msgspec.Struct, frozen=True):
    """indexer -> itself: try the kept changes again."""


class Indexer(Worker):
    """Owns the contact search."""

    batch_limit = 64

    def __init__(self, search: ContactSearch, runtime: Runtime, directory: Directory) -> None:
        super().__init__()
        self._search = search
        self._runtime = runtime
        self._directory = directory
        self._changes: list[Contact | RemovedContact] = []

    async def handle(self, batch: Sequence[Any]) -> None:
        """Index what changed, then answer: who asks after a change finds it."""
        for message in batch:
            if isinstance(message, m.ContactsChanged):
                self._changes.extend(message.changes)
        if self._changes:
            await self._update()
        for message in batch:
            if isinstance(message, m.SearchContacts):
                await self._answer(message)

    async def _update(self) -> None:
        changes, self._changes = self._changes, []
        try:
            await self._search.update(changes)
        except StorageUnavailable as error:
            log.warning("contact index: not written, tried again in %s s: %s", RETRY_SECONDS, error)
            self._changes = changes
            self._runtime.schedule(RETRY_SECONDS, self.actor_ref, RetryUpdate())

    async def _answer(self, question: m.SearchContacts) -> None:
        session = question.request.session
        limit = min(question.limit, SEARCH_RESULTS)
        try:
            found = await self._search.search(session.domain, question.text, question.fields, limit)
        except StorageUnavailable as error:
            log.warning("contact index: not read: %s", error)
            refused = m.RequestRefused(
                question.request, Condition.RESOURCE_CONSTRAINT, "search is not available just now"
            )
            self._directory.tell(session.full, refused)
            return
        contacts = (self._directory.contact(session.domain, address) for address in found.addresses)
        known = tuple(contact for contact in contacts if contact is not None)
        self._directory.tell(session.full, m.ContactsFound(question.request, known, found.is_complete))
