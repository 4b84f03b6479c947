"""One browser session: what lies between the session's actor and the tabs of one browser that is logged in.

A browser session has one session actor, whichever and however many tabs it has. Tabs come and go; what the actor is told goes
to all of them, what one of them asked for goes to that one.

- **Events are numbered**, and the newest are kept: a tab that comes back gets what it missed, or a fresh snapshot when that
  is no longer known.
- **Grace.** A reload, a new window or another network is no absence: only `GRACE_SECONDS` after the last tab has gone does the
  actor say goodbye. A tab that comes later begins a new browser session, under the same JID.
- **A slow tab harms itself only**: with more than `OUTPUT_BYTES` waiting it is cut, and comes back.

A `WebmailSession` is the actor's `Wire`. `WebmailDesk` knows them all and ends those whose login is no more.
"""

import secrets
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, ClassVar, Final, Protocol

import msgspec

from actors.directory import WEBMAIL, Directory
from actors.mailbox import MailboxFull
from actors.runtime import ActorDeadError, ActorRef, TrioActor
from engine import messages as m
from engine.errors import Refusal, StreamCondition
from engine.files import FileOffer
from engine.jid import Jid
from engine.ports import Burst, Login, Wire
from engine.presence import Status
from engine.webmail import frames as f
from engine.webmail import reading
from engine.webmail.writing import Writer
from gateways.deadlines import Deadline, Deadlines

GRACE_SECONDS: Final = 45.0
"""A page loads again within seconds, a network changes within ten; nobody should look available for long who closed his
browser."""

KEPT_EVENTS: Final = 512
KEPT_BYTES: Final = 262_144
"""Of one browser session, for a tab that comes back: minutes of a busy office. Beyond, a tab gets a fresh snapshot."""

TABS: Final = 32
"""Of one browser session. More: the oldest is cut."""

OVERLAP_SECONDS: Final = 1.0
"""Before a browser session begins: what was said then is told as an event although the snapshot has it, too. Pages know a
message by its id; none is lost between the two."""

SIGNED_OUT: Final = "signed-out"
AGAIN: Final = "again"


class Sessions(Protocol):
    """Where the session actors come from, see `actors.sessions`."""

    def start_web(self, jid: Jid, wire: Wire, since: int) -> ActorRef[Any]:
        """A new browser session of this full JID; `since`: archive id up to which it asks for the history itself."""


class Tab(Protocol):
    """One socket."""

    def send(self, text: str) -> None:
        """Have this written."""

    def end(self, reason: str) -> None:
        """Say goodbye and close."""


class WebmailSession:
    """One browser session.

    Args:
        jid: full JID of its session actor.
        sessions: makes the actor.
        writer: makes frames of events.
        deadlines: for the grace period.
        since: archive id: what follows is an event, what was before is in a page's snapshot.
        files: what may be shared, and where it lies.
        on_end: called once, when it is over.
    """

    def __init__(
        self,
        jid: Jid,
        sessions: Sessions,
        writer: Writer,
        deadlines: Deadlines,
        *,
        since: int,
        files: FileOffer,
        on_end: Callable[[], None],
    ) -> None:
        self.jid = jid
        self.epoch = secrets.token_urlsafe(9)
        self._writer = writer
        self._deadlines = deadlines
        self._files = files
        self._on_end = on_end
        self._tabs: dict[int, Tab] = {}
        self._welcomed: dict[int, Tab] = {}  # those that are told of events: what they missed is told before
        self._numbers = 0  # of tabs so far
        self._events: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._last = 0
        self._status = Status.OFFLINE
        self._text = ""
        self._early: list[tuple[int, f.Hello]] | None = []  # what tabs said until the session was open
        self._has_begun = False
        self._grace: Deadline | None = None
        self.is_over = False
        self._session = sessions.start_web(jid, self, since)

    # -- for the tabs --------------------------------------------------------------------------------------------------

    def attach(self, tab: Tab) -> int:
        """One more tab; its number."""
        self._cancel_grace()
        self._numbers += 1
        self._tabs[self._numbers] = tab
        if len(self._tabs) > TABS:
            oldest = next(iter(self._tabs))
            self._welcomed.pop(oldest, None)
            self._tabs.pop(oldest).end(AGAIN)
        return self._numbers

    def detach(self, number: int) -> None:
        """A tab is gone."""
        self._welcomed.pop(number, None)
        if self._tabs.pop(number, None) is not None and not self._tabs and not self.is_over:
            self._grace = self._deadlines.add(GRACE_SECONDS, self.end)

    def greet(self, number: int, hello: f.Hello) -> None:
        """A tab said hello."""
        tab = self._tabs.get(number)
        if self._early is not None:
            self._early.append((number, hello))
        elif tab is not None:
            is_told = not self._has_begun and self._begin(hello)
            missed = self._missed(hello)
            self._welcome(tab, is_fresh=missed is None)
            self._welcomed[number] = tab
            if missed is None:
                self._tell_all(reading.snapshot_questions(self.jid, number, has_presences=is_told))
            for n, body in missed or ():
                tab.send(f.numbered(n, body))

    def receive(self, number: int, frame: Any) -> None:
        """A frame of a tab that was welcomed; what cannot be is refused."""
        try:
            commands = reading.read(frame, self.jid, number, self._files)
        except Refusal as refusal:
            answer, tab = reading.refusal(frame, refusal), self._tabs.get(number)
            if tab is not None and answer is not None:
                tab.send(f.encode(answer).decode())
            return
        self._tell_all(commands)
        if isinstance(frame, f.SetStatus):
            self._set_status(frame.status, frame.text)

    def end(self, reason: str = AGAIN) -> None:
        """The browser session is over; nothing happens if it was already."""
        if not self.is_over:
            self._tell(m.Disconnect(is_goodbye=True))
            self._close(reason)

    # -- for the session actor: its wire -------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """A browser session takes what it is told whether a tab is there or not."""
        return True

    def deliver(self, event: msgspec.Struct) -> None:
        """Tell all tabs of an event, or the one that asked."""
        handle = self._handlers.get(type(event))
        if handle is not None:
            handle(self, event)
            return
        request = getattr(event, "request", None)
        asked = None if request is None else reading.parse_request_id(request.id)
        if asked is not None:
            self._answer(asked[0], event)
        elif (body := self._writer.event(event)) is not None:
            self._broadcast(body)

    def render(self, event: msgspec.Struct) -> Burst | None:  # noqa: ARG002
        """Not asked for: this session does not count stanzas, it counts events itself."""
        return None

    def write(self, burst: Burst) -> None:
        """See `render`."""

    def tell_when_written(self, message: msgspec.Struct) -> None:
        """What was told is in the archive, and a page reads that: it has it as soon as there is a tab."""
        if self._tabs or not isinstance(message, m.Written):
            self._tell(message)

    def close(self, condition: StreamCondition | None, text: str) -> None:  # noqa: ARG002
        """The actor ended."""
        self._close(SIGNED_OUT if condition is StreamCondition.NOT_AUTHORIZED else AGAIN)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _opened(self, _: m.SessionOpened) -> None:
        early, self._early = self._early or [], None
        for number, hello in early:
            self.greet(number, hello)

    def _begin(self, hello: f.Hello) -> bool:
        """The first tab says with which status; whether the session is told of everybody's presence because of it."""
        self._has_begun = True
        self._status, self._text = hello.status, hello.text[: reading.STATUS_CHARACTERS]
        self._tell(m.SetPresence(self.jid, reading.presence(hello.status, hello.text)))
        return hello.status is not Status.OFFLINE

    def _refused(self, _: m.SessionRefused) -> None:
        self._close(AGAIN)

    def _welcome(self, tab: Tab, *, is_fresh: bool) -> None:
        you = f.You(self.jid.bare, self.jid.resource)
        limit = self._files.file_bytes
        welcome = f.Welcome(f.VERSION, self.epoch, self._last, you, self._status, self._text, is_fresh, limit)
        tab.send(f.encode(welcome).decode())

    def _missed(self, hello: f.Hello) -> Collection[tuple[int, bytes]] | None:
        """What a tab has not got; None: it is not known any more."""
        if hello.epoch != self.epoch or not 0 <= hello.last <= self._last:
            return None
        first = self._events[0][0] if self._events else self._last + 1
        return None if hello.last < first - 1 else [entry for entry in self._events if entry[0] > hello.last]

    def _set_status(self, status: Status, text: str) -> None:
        self._status, self._text = status, text[: reading.STATUS_CHARACTERS]
        self._broadcast(f.encode(f.OwnStatus(self._status, self._text)))

    def _answer(self, number: int, event: Any) -> None:
        tab = self._tabs.get(number)
        body = None if tab is None else self._writer.answer(event)
        if tab is not None and body is not None:
            tab.send(body.decode())

    def _broadcast(self, body: bytes) -> None:
        self._last += 1
        self._events.append((self._last, body))
        self._kept_bytes += len(body)
        while len(self._events) > KEPT_EVENTS or (self._kept_bytes > KEPT_BYTES and self._events):
            self._kept_bytes -= len(self._events.popleft()[1])
        if self._welcomed:
            text = f.numbered(self._last, body)
            for tab in tuple(self._welcomed.values()):
                tab.send(text)

    def _tell_all(self, commands: Collection[msgspec.Struct]) -> None:
        for command in commands:
            self._tell(command)

    def _tell(self, command: msgspec.Struct) -> None:
        try:
            self._session.tell(command)
        except (ActorDeadError, MailboxFull):
            self._close(AGAIN)  # what was said is said again: it has its id

    def _cancel_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def _close(self, reason: str) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._cancel_grace()
        tabs, self._tabs, self._welcomed = self._tabs, {}, {}
        for tab in tabs.values():
            tab.end(reason)
        self._on_end()

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.SessionOpened: _opened,
        m.SessionRefused: _refused,
    }


class WebmailDesk:
    """Knows all browser sessions, by the key of their login.

    Args:
        sessions: makes session actors.
        deadlines: of the gateways.
        clock: seconds since 1970.
        files: what may be shared, and where it lies.
    """

    def __init__(
        self, sessions: Sessions, deadlines: Deadlines, clock: Callable[[], float], files: FileOffer | None = None
    ) -> None:
        self._files = FileOffer() if files is None else files
        self._sessions = sessions
        self._clock = clock
        self._deadlines = deadlines
        self._writer = Writer()
        self._open: dict[bytes, WebmailSession] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, login: Login) -> WebmailSession:
        """The browser session of this login, which was looked up just now."""
        session = self._open.get(login.key)
        if session is None:
            jid = Jid(login.owner, f"webmail.{login.key.hex()[:8]}")
            session = WebmailSession(
                jid,
                self._sessions,
                self._writer,
                self._deadlines,
                since=int((self._clock() - OVERLAP_SECONDS) * 1_000_000),
                files=self._files,
                on_end=partial(self._close, login.key),
            )
            if not session.is_over:
                self._open[login.key] = session
        return session

    def end(self, key: bytes) -> None:
        """This browser is logged out."""
        session = self._open.get(key)
        if session is not None:
            session.end(SIGNED_OUT)

    def end_account(self, account: str) -> None:
        """All browsers of this account are logged out."""
        for session in tuple(self._open.values()):
            if session.jid.bare == account:
                session.end(SIGNED_OUT)

    def _close(self, key: bytes) -> None:
        self._open.pop(key, None)


class WebmailBell(TrioActor):
    """Tells the desk what other actors say: a new password. Found in the directory as `WEBMAIL`."""

    def __init__(self, desk: WebmailDesk, directory: Directory) -> None:
        super().__init__()
        self._desk = desk
        self._directory = directory

    def on_start(self) -> None:
        """Take the address."""
        self._directory.bind(WEBMAIL, self.actor_ref)

    def on_receive(self, message: m.PasswordChanged) -> None:
        """Handle one message."""
        self._desk.end_account(message.account)
