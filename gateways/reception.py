"""What all listeners of one process share, and who is not logged in yet.

Owns the one poller, the deadlines, the queue of handshakes and the login desk, and the tasks of logins that are under way. All
listeners hand their connections to the same reception, so there is one place where they are bounded: see `wait`.

Everything it needs is passed to it; it asks nobody for settings.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import trio

from actors.runtime import ActorRef, Runtime
from engine.jid import Jid
from engine.limits import Limits
from engine.ports import Accounts, Wire
from engine.xmpp.mux import Mux
from gateways.budget import Budget
from gateways.deadlines import Deadlines
from gateways.login import Logins
from gateways.poller import Poller
from gateways.throttle import Throttle
from gateways.transport import Handshakes

HALF_OPEN: Final = 4_096
"""Connections that are not logged in, over all listeners: at 30 KB with TLS, 120 MB."""

GIVE_WAY_SECONDS: Final = 5.0
"""Silence after which one of them gives way to a new one, when there is no room."""


class Sessions(Protocol):
    """Where the session of a client comes from. It is attached to the wire, and answers by it."""

    def start(self, jid: Jid, wire: Wire, *, is_generated: bool) -> ActorRef[Any]:
        """A new session of this full JID; `is_generated`: the server chose the resource."""

    def resume(self, account: Jid, token: str, handled: int, wire: Wire) -> ActorRef[Any]:
        """The session of this token, if it is the account's: here, or in the journal."""

    def keep(self) -> None:
        """Keep what the sessions have noted: to be called before anything is written to a client."""


class Visitor(Protocol):
    """A connection that is not logged in yet."""

    heard: float
    """When something came from it the last time (`trio.current_time`)."""

    def give_way(self) -> None:
        """Go, others wait."""


class Reception:
    """Where every connection comes in.

    Args:
        runtime: of the actors.
        accounts: knows the verifiers.
        sessions: asked when a client binds a resource, or resumes.
        mux: the features of XMPP.
        limits: of the configuration.
        clock: seconds since 1970.
        half_open: bound of the connections that are not logged in.
        budget: of memory for all clients.
        is_behind: the actors or the archive have not done yet what they were told.

    Attributes:
        poller, deadlines, handshakes, throttle, logins, budget: shared by all connections.
    """

    def __init__(
        self,
        runtime: Runtime,
        accounts: Accounts,
        sessions: Sessions,
        mux: Mux,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.time,
        half_open: int = HALF_OPEN,
        budget: Budget | None = None,
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self.runtime = runtime
        self.start_session = sessions.start
        self.resume_session = sessions.resume
        self.keep_sessions = sessions.keep
        self.mux = mux
        self.limits = limits
        self.clock = clock
        self.poller = Poller(runtime.batch, is_behind)
        self.deadlines = Deadlines(runtime.batch)
        self.handshakes = Handshakes()
        self.throttle = Throttle(limits.logins_per_minute)
        self.logins = Logins(accounts, self.throttle)
        self.budget = Budget() if budget is None else budget
        self._half_open = half_open
        self._visitors: OrderedDict[Visitor, None] = OrderedDict()
        self._room = trio.Event()
        self._nursery: trio.Nursery | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. To be started before any listener, and to be ended after all of them."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self.poller.run)
                nursery.start_soon(self.deadlines.run)
                nursery.start_soon(self.handshakes.run)
                task_status.started()
        finally:
            self._nursery = None
            self.poller.close()

    def spawn(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Run a login step, or what a web connection needs, in a task of its own; it must not raise."""
        if self._nursery is None:
            raise RuntimeError("the reception is closed")
        self._nursery.start_soon(work, *args)

    # -- those who are not logged in ------------------------------------------------------------------------------------

    @property
    def visitors(self) -> int:
        """Connections that are not logged in."""
        return len(self._visitors)

    def arrive(self, visitor: Visitor) -> None:
        """One more."""
        self._visitors[visitor] = None

    def leave(self, visitor: Visitor) -> None:
        """One less: logged in, or gone."""
        if self._visitors.pop(visitor, _GONE) is not _GONE:
            self._room.set()

    async def wait(self) -> None:
        """Until there is room for one more: see `gateways.listener`."""
        while len(self._visitors) >= self._half_open:
            oldest = next(iter(self._visitors))
            patience = oldest.heard + GIVE_WAY_SECONDS - trio.current_time()
            if patience <= 0:
                self.leave(oldest)
                with self.runtime.batch():
                    oldest.give_way()
                return
            self._room = trio.Event()
            with trio.move_on_after(patience):
                await self._room.wait()


_GONE: Final = object()
