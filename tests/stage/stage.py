"""What a play can ask of the stage that it runs on."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol
from xml.etree.ElementTree import Element

from engine.contacts import Contact, ContactKind
from tests.stage.player import Player
from tests.stage.web_player import Frame, WebPlayer

DOMAIN = "example.com"
PASSWORD = "correct horse"

CAST: Iterable[Contact] = (
    Contact(address="alice@example.com", name="Alice Archer", title="Engineer", phone="+1 555 0100"),
    Contact(address="bob@example.com", name="Bob Baker", department="Sales"),
    Contact(address="carol@example.com", name="Carol Cole", title="Head of sales", department="Sales"),
    Contact(address="dan@example.com", name="Dan Drew", department="Support"),
    Contact(address="erin@example.com", name="Erin Eve"),
    Contact(
        address="salesteam@example.com",
        kind=ContactKind.ALIAS,
        name="Sales team",
        members=("bob@example.com", "carol@example.com", "dan@example.com"),
    ),
    Contact(address="zoe@example.org", name="Zoe Zinn"),
)


class Stage(Protocol):
    """A running system with the cast as its members."""

    async def enter(
        self,
        name: str,
        resource: str = "",
        *,
        domain: str = DOMAIN,
        is_present: bool = True,
        show: str = "",
        priority: int = 0,
    ) -> Player:
        """A client of this account logs in and, unless told otherwise, says that it is available."""

    async def resume(self, player: Player, handled: int | None = None) -> Element:
        """The player's client comes back over another connection; the answer, ``<resumed/>`` or ``<failed/>``.

        `handled`: so many stanzas it says it has got; None: as many as it heard.
        """

    async def enter_web(self, name: str, status: str = "Available", *, domain: str = DOMAIN) -> WebPlayer:
        """A browser logs in to webmail and opens the page; the snapshot has been told."""

    async def open_tab(self, player: WebPlayer) -> WebPlayer:
        """One more tab of the player's browser; the snapshot has been told."""

    async def come_back(self, player: WebPlayer) -> Frame:
        """The tab's socket is opened again; the welcome."""

    async def upload(self, player: WebPlayer, name: str, content: bytes) -> str:
        """The player's browser uploads a file; what a message says to carry it."""

    async def fetch(self, player: WebPlayer, path: str) -> bytes | None:
        """The player's browser fetches a file; None: there is none for him."""

    async def settle(self, player: Player | WebPlayer) -> None:
        """Wait until everything that was sent so far has reached this player, if it reaches it at all."""

    async def operate(self, command: object) -> None:
        """What an operator does with the command line."""

    async def history(self, owner: str) -> list[tuple[str, str, str]]:
        """The archive of one account: stanza-id, sender's bare JID, body; oldest first."""

    async def conversations(self, owner: str) -> list[str]:
        """With whom this account has history, in order of address."""

    async def ledger(self, body: str) -> dict[str, str]:
        """Account -> ``sent``, ``received`` or ``absent`` for the one message with this body."""

    def broken_archive(self) -> AbstractContextManager[None]:
        """Until the end of the block the archive cannot be written."""
