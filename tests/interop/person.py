"""A person with slixmpp: an asyncio client in a thread of its own, told what to do from the test's thread.

The certificate is verified for ``localhost``, like a client's that was told to trust it.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import slixmpp

from tests.interop.server import Server, password_of

PATIENCE_SECONDS = 15.0
PLUGINS = (
    "xep_0030",
    "xep_0033",
    "xep_0054",
    "xep_0055",
    "xep_0092",
    "xep_0199",
    "xep_0203",
    "xep_0280",
    "xep_0313",
    "xep_0066",
)


class Heard(NamedTuple):
    """A message as the client got it. `via`: the alias of its XEP-0033 address, if any."""

    sender: str
    body: str
    is_delayed: bool
    via: str


class Copy(NamedTuple):
    """A carbon as the client got it. `is_sent`: by another device of the account, else it was sent to one."""

    is_sent: bool
    sender: str
    to: str
    body: str


class Person:
    """One client of one account; use it in a ``with``, which logs out at the end.

    Args:
        server: where to log in.
        name: localpart, and with that the password.
        direct_tls: rather than STARTTLS.
        mechanism: of SASL; None: the best.
        password: another one than the right one.
        wants_copies: of what other devices of the account send and get (XEP-0280).

    Attributes:
        heard: the chats, in the order in which they came.
        copies: likewise.
        seen: show by full JID: `available` when none is told; who is gone is not in it.
        came_and_went: every presence, in order: full JID and show, or `unavailable`.
    """

    def __init__(
        self,
        server: Server,
        name: str,
        *,
        direct_tls: bool = False,
        mechanism: str | None = None,
        password: str | None = None,
        resource: str = "slixmpp",
        wants_copies: bool = False,
    ) -> None:
        self.address = f"{name}@localhost"
        self.jid = f"{self.address}/{resource}"
        self.heard: list[Heard] = []
        self.copies: list[Copy] = []
        self.seen: dict[str, str] = {}
        self.came_and_went: list[tuple[str, str]] = []
        self.is_refused = False
        self.is_logged_in = False
        self._port = server.direct_tls_port if direct_tls else server.port
        self._is_direct = direct_tls
        self._certificate = server.certificate
        self._mechanism = mechanism
        self._wants_copies = wants_copies
        self._password = password or password_of(name)
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=self.jid)
        self.client: slixmpp.ClientXMPP

    # -- life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.do(self._connect)
            self._wait(lambda: self.is_logged_in or self.is_refused, "an answer to the login")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.do(self.client.disconnect)
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def do(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """The result of something that slixmpp does, which is begun and awaited in its thread."""

        async def wait() -> Any:
            return await asyncio.wait_for(work(), PATIENCE_SECONDS)

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(PATIENCE_SECONDS + 1)

    async def _connect(self) -> None:
        client = self.client = slixmpp.ClientXMPP(self.jid, self._password, sasl_mech=self._mechanism)
        client.loop = self._loop
        for plugin in PLUGINS:
            client.register_plugin(plugin)
        client.enable_plaintext = False
        client.enable_direct_tls, client.enable_starttls = self._is_direct, not self._is_direct
        client.ca_certs = Path(self._certificate)
        client.add_event_handler("session_start", self._start)
        client.add_event_handler("failed_all_auth", self._refuse)
        client.add_event_handler("message", self._hear)
        client.add_event_handler("carbon_sent", lambda carbon: self._copy(carbon["carbon_sent"], is_sent=True))
        client.add_event_handler("carbon_received", lambda carbon: self._copy(carbon["carbon_received"], is_sent=False))
        client.add_event_handler("presence", self._see)
        client.add_event_handler("roster_update", lambda _: self._note(lambda: None))
        client.connect("127.0.0.1", self._port)

    async def _start(self, _: object) -> None:
        await self.client.get_roster()
        if self._wants_copies:
            await self.client.plugin["xep_0280"].enable()
        self.client.send_presence()
        self._note(lambda: setattr(self, "is_logged_in", True))

    def _refuse(self, _: object) -> None:
        self._note(lambda: setattr(self, "is_refused", True))

    def _hear(self, message: slixmpp.Message) -> None:
        if not message["body"]:
            return  # a typing notification
        via = next((str(address["jid"]) for address in message["addresses"]), "")
        is_delayed = message.xml.find("{urn:xmpp:delay}delay") is not None
        self._note(lambda: self.heard.append(Heard(str(message["from"]), message["body"], is_delayed, via)))

    def _copy(self, message: slixmpp.Message, *, is_sent: bool) -> None:
        if message["body"]:
            copy = Copy(is_sent, str(message["from"]), str(message["to"]), message["body"])
            self._note(lambda: self.copies.append(copy))

    def _see(self, presence: slixmpp.Presence) -> None:
        jid, kind = str(presence["from"]), presence["type"]

        def note() -> None:
            self.came_and_went.append((jid, kind))
            if kind == "unavailable":
                self.seen.pop(jid, None)
            else:
                self.seen[jid] = kind

        self._note(note)

    def _note(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while not is_so():
                left = deadline - time.monotonic()
                assert left > 0, f"{self.address} waits for {what}; heard {self.heard}, sees {self.seen}"
                self._changed.wait(left)

    # -- what a person does --------------------------------------------------------------------------------------------

    def roster(self) -> dict[str, tuple[str, list[str], str]]:
        """Name, groups and subscription of each contact."""
        entries = ((address, self.client.client_roster[address]) for address in self.client.client_roster.keys())  # noqa: SIM118
        return {
            str(address): (entry["name"], list(entry["groups"]), entry["subscription"])
            for address, entry in entries
            if address != self.address
        }

    def knows(self, address: str, name: str) -> None:
        """Wait until a contact is in the roster with this name."""
        self._wait(lambda: self.roster().get(address, ("",))[0] == name, f"{address} in the roster")

    def says(self, to: str, body: str) -> None:
        """Send a chat."""
        self._loop.call_soon_threadsafe(lambda: self.client.send_message(to, body, mtype="chat"))

    def is_present(self, show: str | None = None, status: str | None = None) -> None:
        """Send presence: None is available."""
        self._loop.call_soon_threadsafe(lambda: self.client.send_presence(pshow=show, pstatus=status))

    def hears(self, body: str) -> Heard:
        """The message with this text, once it is there."""
        self._wait(lambda: any(heard.body == body for heard in self.heard), f"message {body!r}")
        return next(heard for heard in self.heard if heard.body == body)

    def shows_photo(self, png: bytes) -> None:
        """Set the own photo (XEP-0054)."""

        async def publish() -> None:
            card = self.client.plugin["xep_0054"].make_vcard()
            card["PHOTO"]["TYPE"], card["PHOTO"]["BINVAL"] = "image/png", png
            await self.client.plugin["xep_0054"].publish_vcard(card)

        self.do(publish)

    def hears_of_file(self, name: str) -> str:
        """The address that a message gives for a file of this name."""
        self._wait(lambda: any(heard.body.endswith(f"/{name}") for heard in self.heard), f"the file {name!r}")
        return next(heard.body for heard in self.heard if heard.body.endswith(f"/{name}"))

    def gets_copy(self, body: str) -> Copy:
        """The copy of the message with this text, once it is there."""
        self._wait(lambda: any(copy.body == body for copy in self.copies), f"a copy of {body!r}")
        return next(copy for copy in self.copies if copy.body == body)

    def reads_history(self, with_jid: str | None = None, *, page: int = 10, is_backwards: bool = False) -> list[str]:
        """The bodies of the own history (with somebody), page by page, oldest first or newest first."""

        async def read() -> list[str]:
            messages = self.client.plugin["xep_0313"].iterate(
                with_jid=with_jid, reverse=is_backwards, rsm={"max": page}
            )
            return [message["mam_result"]["forwarded"]["stanza"]["body"] async for message in messages]

        return self.do(read)

    def sees(self, address: str, show: str) -> None:
        """Wait until somebody (bare JID: any of its resources) is seen so; `unavailable`: not at all."""
        self._wait(lambda: self._shows_of(address) == ({show} - {"unavailable"}), f"{address} to be {show}")

    def _shows_of(self, address: str) -> set[str]:
        return {show for jid, show in self.seen.items() if address in {jid, jid.partition("/")[0]}}


def talk(one: Person, other: Person, numbers: range) -> list[tuple[str, bool]]:
    """A conversation in turns; the body of each message, and whether the other said it."""
    said = []
    for number in numbers:
        for speaker, listener in ((one, other), (other, one)):
            body = f"{speaker.address} {number:03}"
            speaker.says(listener.address, body)
            listener.hears(body)
            said.append((body, speaker is other))
    return said
