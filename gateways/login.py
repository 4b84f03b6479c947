"""Who logs in: looking credentials up, checking passwords, and the pace of both.

Owns the waits of a login, which the connection does not have: the throttle's delay, the accounts, and the worker threads that
compute a password's hash for PLAIN (3 ms each; at most `PASSWORD_THREADS` at a time, others queue). What they find goes to the
stream, which decides. The delay comes before the look-up and does not depend on its outcome, and an account that does not exist
takes the same way: so neither answer nor time tells one from the other.

Beyond `LOGINS_IN_FLIGHT` attempts that wait, further ones are turned away at once (``temporary-auth-failure``, 503 for a
browser).
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import trio

from actors.seat import describe
from engine.jid import Jid
from engine.ports import Accounts, StorageUnavailable, Verifier
from engine.xmpp.sasl import SaslCondition
from engine.xmpp.scram import check_password
from engine.xmpp.stream import ClientStream
from engine.xmpp.stream_events import Event, PasswordCheckWanted, VerifierWanted
from gateways.throttle import Throttle

LOGINS_IN_FLIGHT: Final = 4_096
"""Attempts that wait for a look-up, their turn or a worker thread: what two threads check in some seconds, and as many as
there may be connections that are not logged in."""

log = logging.getLogger(__name__)

PASSWORD_THREADS: Final = 2
"""A flood of PLAIN logins takes no more of the machine than this."""


class Logins:
    """The login desk of one process.

    Attributes:
        in_flight: attempts that wait now.
        shed, failures, successes: how attempts ended, since the start.
    """

    def __init__(self, accounts: Accounts, throttle: Throttle) -> None:
        self._accounts = accounts
        self._throttle = throttle
        self._threads = trio.CapacityLimiter(PASSWORD_THREADS)
        self.in_flight = 0
        self.shed = 0
        self.failures = 0
        self.successes = 0

    async def find_answer(
        self, peer: str, question: VerifierWanted | PasswordCheckWanted, stream: ClientStream
    ) -> Callable[[], Sequence[Event]]:
        """What to tell the stream, as a call to make; never raises."""
        if self.in_flight >= LOGINS_IN_FLIGHT:
            self.shed += 1
            return partial(stream.refuse_login, SaslCondition.TEMPORARY_AUTH_FAILURE)
        self.in_flight += 1
        try:
            if isinstance(question, VerifierWanted):
                return partial(stream.provide_verifier, await self._find(peer, question))
            return partial(stream.password_checked, await self._check(question))
        except StorageUnavailable as error:
            log.warning("login from %s: %s", peer, error)
        except Exception as error:  # noqa: BLE001 -- the client may try again; others must not notice
            log.error("login from %s failed: %s", peer, describe(error))  # noqa: TRY400 -- never an error's text
        finally:
            self.in_flight -= 1
        return partial(stream.refuse_login, SaslCondition.TEMPORARY_AUTH_FAILURE)

    async def _find(self, peer: str, wanted: VerifierWanted) -> Verifier | None:
        """The verifier, after the time that this attempt has to wait."""
        delay = self._throttle.login_delay(peer, wanted.account.bare, trio.current_time())
        if delay:
            await trio.sleep(delay)
        return await self._accounts.verifier(wanted.account.bare, wanted.hash_name)

    async def _check(self, wanted: PasswordCheckWanted) -> bool:
        return await trio.to_thread.run_sync(
            check_password, wanted.verifier, wanted.password, limiter=self._threads, abandon_on_cancel=True
        )

    async def check(self, peer: str, account: Jid, password: str, fake: Verifier) -> bool:
        """Whether this is the account's password, after the time that this attempt has to wait.

        Args:
            peer: who asks.
            account: bare JID.
            password: as typed.
            fake: stands in for an account that does not exist (`engine.xmpp.scram.fake_verifier`).

        Raises:
            StorageUnavailable: nobody can tell just now.
        """
        if self.in_flight >= LOGINS_IN_FLIGHT:
            self.shed += 1
            raise StorageUnavailable("too many logins at once")
        self.in_flight += 1
        try:
            return await self._check_as_found(peer, account, password, fake)
        finally:
            self.in_flight -= 1

    async def _check_as_found(self, peer: str, account: Jid, password: str, fake: Verifier) -> bool:
        verifier = await self._find(peer, VerifierWanted(account, "sha-256"))
        wanted = PasswordCheckWanted(account, verifier or fake, password)
        is_right = await self._check(wanted) and verifier is not None
        (self.succeeded if is_right else self.failed)(peer, account)
        return is_right

    def failed(self, peer: str, account: Jid | None) -> None:
        """A login failed; None: before it was clear whose."""
        self.failures += 1
        self._throttle.failed(peer, "" if account is None else account.bare, trio.current_time())

    def succeeded(self, peer: str, account: Jid) -> None:
        """A login was right."""
        self.successes += 1
        self._throttle.succeeded(peer, account.bare, trio.current_time())
