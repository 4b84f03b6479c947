"""Departures: takes the history of removed members out of the archive, while the others chat.

The registrar tells of them (`Depart`) once everybody knows that they are gone. The sessions of such a member
may still be closing, and what was said to him be on its way to the archive; so this worker waits for the domain, for his
own actors and for the archiver, in the order in which his last words pass them, before it begins. Afterwards nothing can
come any more: nobody hands over what is to or from who is no contact.

What cannot be done just now is tried again until it is done; the registrar is told of the first failure, so that the
operator need not wait. What an earlier process left undone is begun at the start.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from pykka import ActorDeadError
from pykka.messages import ProxyGetAttr

from actors.directory import ARCHIVER, REGISTRAR, Directory
from actors.mailbox import Policy
from actors.retention import take_leave
from actors.runtime import ActorRef, Runtime
from actors.worker import Worker
from engine import messages as m
from engine.files import FileStore
from engine.ports import Accounts, StorageUnavailable
from engine.retention import Retention

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 5.0
"""Until the disk is tried again."""


class Depart(msgspec.Struct, frozen=True):
    """registrar, or this worker itself -> departures: there is somebody to take leave of; the accounts know whom."""


class Departed(msgspec.Struct, frozen=True):
    """departures -> registrar: the history of this one is gone. `messages`: were in it."""

    address: str
    messages: int


class DepartureDelayed(msgspec.Struct, frozen=True):
    """departures -> registrar: whoever is still departing does so later."""


class Departures(Worker):
    """Owns the removal of histories. At the limit of its mailbox the oldest notice goes: each says the same."""

    mailbox_limit = 64
    mailbox_policy = Policy.DROP_OLDEST
    batch_limit = 64

    def __init__(
        self,
        retention: Retention,
        accounts: Accounts,
        runtime: Runtime,
        directory: Directory,
        *,
        files: FileStore,
        clock: Callable[[], float],
    ) -> None:
        super().__init__()
        self._files = files
        self._clock = clock
        self._retention = retention
        self._accounts = accounts
        self._runtime = runtime
        self._directory = directory

    def on_start(self) -> None:
        """What an earlier process left undone is done now."""
        self.actor_ref.tell(Depart())

    async def handle(self, batch: Sequence[Any]) -> None:  # noqa: ARG002 -- each says the same
        """Take one leave after the other."""
        try:
            for address in await self._accounts.departing():
                await self._wait_for_the_last_words(address)
                messages = await take_leave(address, self._accounts, self._retention)
                await self._files.sweep(int(self._clock() * 1_000_000))  # what nobody's message carries any more
                log.info("history of a removed member: %d messages removed", messages)
                self._directory.tell(REGISTRAR, Departed(address, messages))
        except StorageUnavailable as error:
            log.warning("history of a removed member: not removed, tried again in %s s: %s", RETRY_SECONDS, error)
            self._runtime.schedule(RETRY_SECONDS, self.actor_ref, Depart())
            self._directory.tell(REGISTRAR, DepartureDelayed())

    async def _wait_for_the_last_words(self, address: str) -> None:
        directory = self._directory
        await _settle(directory.find(address.rpartition("@")[2]))  # it tells his account to close the sessions
        await _settle(directory.find(address))
        for session in directory.sessions(address):
            await _settle(session)
        await _settle(directory.find(address))
        directory.tell(ARCHIVER, m.ForgetClients(address))
        await _settle(directory.find(ARCHIVER))


async def _settle(ref: ActorRef[Any] | None) -> None:
    """Wait until this actor has handled all that it was told before; one that stopped has."""
    if ref is not None:
        with suppress(ActorDeadError):
            await ref.ask(_QUESTION, block=False).wait()  # type: ignore[attr-defined]


_QUESTION: Final = ProxyGetAttr(attr_path=("actor_urn",))
"""Pykka answers it for every actor, in its turn."""
