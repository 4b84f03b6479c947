"""The registrar: owns every change of what is known of domains, members and aliases.

All changes go through this one worker, one after another, so nothing is decided on what another command changes meanwhile.
What changed is told to the domain, which pushes it to everyone online, and to the indexer; a client need not log in again. It
also keeps, and answers for, what users set for themselves: names and groups of their contacts, their photo, and whom they
block. A block is answered by the domain, when it holds.

Every message is answered, whatever becomes of it: a disk that cannot be written just now is ``resource-constraint``, a fault of
ours ``internal-server-error``, and the next message is handled as if nothing had been.
"""

import itertools
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, ClassVar, Final

import msgspec
import trio

from actors.departures import Depart, Departed, DepartureDelayed
from actors.directory import DEPARTURES, INDEXER, REGISTRAR, WEBMAIL, Directory
from actors.future import TrioFuture
from actors.mailbox import MailboxFull
from actors.provisioning import Outcome, carry_out
from actors.retention import with_history
from actors.runtime import Runtime, TrioActor
from actors.worker import Worker
from engine import administration as a
from engine import blocking
from engine import messages as m
from engine.contacts import Contact, RemovedContact
from engine.errors import Condition, Refusal, StreamCondition
from engine.jid import Jid
from engine.limits import NAME_CHARACTERS, PHOTO_BYTES, ROSTER_GROUPS
from engine.ports import Accounts, StorageUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0
"""Until a read without anyone to refuse to is tried again, or a mailbox that was full."""

CHANGES_AT_ONCE: Final = 500
"""Contacts in one push to everyone online: an import of 100,000 must not make stanzas of as many items."""

IMAGE_TYPES: Final = {
    "image/png": "image/png",
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",  # COMPAT: some clients write it so
    "image/gif": "image/gif",
    "image/webp": "image/webp",
    "image/avif": "image/avif",
}
"""Of a photo, as it is said -> as it is kept. SVG is none: it can carry scripts to whoever shows it."""


class Registrar(Worker):
    """Owns the writing end of the accounts."""

    batch_limit = 32

    def __init__(
        self,
        accounts: Accounts,
        runtime: Runtime,
        directory: Directory,
        *,
        configured: Collection[str],
        open_domain: Callable[[str], None],
        close_domain: Callable[[str], None],
    ) -> None:
        """Take what it works with.

        Args:
            accounts: where everything is kept.
            runtime: for retries.
            directory: whom to tell.
            configured: the domains of the configuration file.
            open_domain: starts the actor of a new domain, which is empty.
            close_domain: stops the actor of a removed domain, which was empty.
        """
        super().__init__()
        self._accounts = accounts
        self._runtime = runtime
        self._directory = directory
        self._configured = frozenset(configured)
        self._open_domain = open_domain
        self._close_domain = close_domain
        self._leaving: dict[str, tuple[a.Done, str]] = {}  # what to answer to whom, when the history is gone

    def on_start(self) -> None:
        """Take the address."""
        self._directory.bind(REGISTRAR, self.actor_ref)

    async def handle(self, batch: Sequence[Any]) -> None:
        """Handle one message after the other; none of them can spoil it for the next."""
        for message in batch:
            try:
                await self._handlers[type(message)](self, message)
            except StorageUnavailable as error:
                log.warning("accounts: %s failed: %s", type(message).__name__, error)
                self._refuse(message, Condition.RESOURCE_CONSTRAINT, "not possible just now; try again later")
            except Refusal as refusal:
                self._refuse(message, refusal.condition, refusal.text)
            except Exception:
                log.exception("accounts: %s failed", type(message).__name__)
                self._refuse(message, Condition.INTERNAL_SERVER_ERROR, "")

    def _refuse(self, message: Any, condition: Condition, text: str) -> None:
        if isinstance(message, a.Administer):
            answer = a.Refused(text or "internal error; see the server's log")
            self._directory.tell(message.reply_to, a.Administered(answer))
        elif isinstance(message, m.FetchPersonal):  # the user waits for it and nobody else will ask
            self._runtime.schedule(RETRY_SECONDS, self.actor_ref, message)
        else:
            self._directory.tell(message.request.session.full, m.RequestRefused(message.request, condition, text))

    # -- operators -----------------------------------------------------------------------------------------------------

    async def _administer(self, message: a.Administer) -> None:
        outcome = await carry_out(message.command, self._accounts, self._configured)
        await self._announce(outcome)
        if isinstance(message.command, a.SetPassword) and isinstance(outcome.result, a.Done):
            # Whoever knew the old one is to know no more of the account than the new one opens (RFC 6120, 4.9.3.16).
            account = Jid.parse(message.command.address.strip()).bare
            self._directory.tell(WEBMAIL, m.PasswordChanged(account))
            self._directory.tell(account, m.CloseSession(StreamCondition.RESET, "the password was changed"))
        if outcome.departed and isinstance(outcome.result, a.Done):
            self._leaving[outcome.departed] = outcome.result, message.reply_to
            if not self._directory.tell(DEPARTURES, Depart()):
                self._answer_leaving(outcome.departed, None)
        else:
            self._directory.tell(message.reply_to, a.Administered(outcome.result))

    async def _departed(self, event: Departed) -> None:
        if event.address in self._leaving:
            self._answer_leaving(event.address, event.messages)

    async def _departure_delayed(self, _: DepartureDelayed) -> None:
        for address in tuple(self._leaving):
            self._answer_leaving(address, None)

    def _answer_leaving(self, address: str, messages: int | None) -> None:
        result, reply_to = self._leaving.pop(address)
        self._directory.tell(reply_to, a.Administered(with_history(result, messages)))

    async def _announce(self, outcome: Outcome) -> None:
        for domain in outcome.opened:
            self._open_domain(domain)
        changes: defaultdict[str, list[Contact | RemovedContact]] = defaultdict(list)
        for change in outcome.changes:
            changes[change.address.rpartition("@")[2]].append(change)
        for domain, entries in changes.items():
            for start in range(0, len(entries), CHANGES_AT_ONCE):
                changed = m.ContactsChanged(domain, tuple(entries[start : start + CHANGES_AT_ONCE]))
                await self._tell_surely(domain, changed)
                await self._tell_surely(INDEXER, changed)
        for domain in outcome.closed:
            self._close_domain(domain)

    async def _tell_surely(self, address: str, changed: m.ContactsChanged | m.BlockedChanged) -> None:
        """Tell what must not be lost: the change is on disk already."""
        while True:
            try:
                if not self._directory.tell(address, changed):
                    log.warning("accounts: a %s found nobody at %s", type(changed).__name__, address)
            except MailboxFull:
                await trio.sleep(RETRY_SECONDS)
            else:
                return

    # -- users ---------------------------------------------------------------------------------------------------------

    async def _fetch_personal(self, command: m.FetchPersonal) -> None:
        personal = await self._accounts.personal(command.owner)
        self._directory.tell(command.owner, m.PersonalFetched(command.owner, tuple(personal)))

    async def _set_personal(self, command: m.SetPersonalContact) -> None:
        groups = command.groups or ()
        if len(groups) > ROSTER_GROUPS:
            raise Refusal(Condition.NOT_ACCEPTABLE, f"more than {ROSTER_GROUPS} groups")
        if any(len(text) > NAME_CHARACTERS for text in (command.name or "", *groups)):
            raise Refusal(Condition.NOT_ACCEPTABLE, f"a name of more than {NAME_CHARACTERS} characters")
        session = command.request.session
        await self._check_member(session.bare)
        kept = await self._accounts.set_personal(session.bare, command.address, command.name, command.groups)
        self._directory.tell(session.full, m.RequestDone(command.request))
        self._directory.tell(session.bare, m.PersonalContactChanged(session.bare, kept))

    async def _fetch_card(self, command: m.FetchCard) -> None:
        contact = await self._accounts.find(command.address)
        if contact is None:
            raise Refusal(Condition.ITEM_NOT_FOUND)
        photo = None if contact.is_alias else await self._accounts.photo(contact.address)
        self._directory.tell(command.request.session.full, m.CardFetched(command.request, contact, photo))

    async def _set_photo(self, command: m.SetPhoto) -> None:
        photo = command.photo
        if photo is not None:
            if len(photo.data) > PHOTO_BYTES:
                raise Refusal(Condition.NOT_ACCEPTABLE, f"a photo of more than {PHOTO_BYTES} bytes")
            media_type = IMAGE_TYPES.get(photo.media_type.strip().lower())
            if media_type is None or not photo.data:
                raise Refusal(Condition.NOT_ACCEPTABLE, "not a photo of a known type")
            photo = msgspec.structs.replace(photo, media_type=media_type)
        await self._check_member(command.request.session.bare)
        await self._accounts.set_photo(command.request.session.bare, photo)
        self._directory.tell(command.request.session.full, m.RequestDone(command.request))

    async def _fetch_blocked(self, command: m.FetchBlocked) -> None:
        self._directory.tell(command.request.session.domain, command)

    async def _change_blocked(self, command: m.ChangeBlocked) -> None:
        owner = command.request.session.bare
        await self._check_member(owner)
        items = blocking.changed(await self._accounts.blocked(owner), command.kind, command.addresses)
        await self._accounts.set_blocked(owner, items)
        event = m.BlockedChanged(command.request, command.kind, command.addresses, items)
        await self._tell_surely(command.request.session.domain, event)

    async def _check_member(self, address: str) -> None:
        """Sessions of a member that was removed live on for a moment; what they set is for nobody."""
        contact = await self._accounts.find(address)
        if contact is None or contact.is_alias:
            raise Refusal(Condition.NOT_ALLOWED, "the account was removed")

    _handlers: ClassVar[dict[type, Callable[[Any, Any], Awaitable[None]]]] = {
        a.Administer: _administer,
        Departed: _departed,
        DepartureDelayed: _departure_delayed,
        m.FetchPersonal: _fetch_personal,
        m.SetPersonalContact: _set_personal,
        m.FetchCard: _fetch_card,
        m.SetPhoto: _set_photo,
        m.FetchBlocked: _fetch_blocked,
        m.ChangeBlocked: _change_blocked,
    }


class Operator(TrioActor):
    """Whoever waits for one command: its address is told the result."""

    supervised = False

    def __init__(self, address: str, directory: Directory, answer: TrioFuture[a.Result]) -> None:
        super().__init__()
        self._address = address
        self._directory = directory
        self._answer = answer
        directory.bind(address, self.actor_ref)

    def on_receive(self, message: a.Administered) -> None:
        """Pass the result on and be gone."""
        self._answer.set(message.result)
        self.stop()

    def on_stop(self) -> None:
        """Give the address back."""
        self._directory.unbind(self._address, self.actor_ref)


_numbers = itertools.count(1)


async def administer(command: a.AccountsCommand, runtime: Runtime, directory: Directory) -> a.Result:
    """Have the registrar carry a command out, and await what comes of it. For the control gateway."""
    address = f"_operator/{next(_numbers)}"
    answer: TrioFuture[a.Result] = TrioFuture()
    operator = runtime.start(Operator, address, directory, answer)
    try:
        if not directory.tell(REGISTRAR, a.Administer(command, address)):
            return a.Refused("the server is starting or stopping; try again")
        return await answer.wait()
    except MailboxFull:
        return a.Refused("the server is busy; try again")
    finally:
        operator.stop(block=False)
