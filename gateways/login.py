"""Who logs in: looking credentials up, checking passwords, and the pace of both.

Owns the waits of a login, which the connection does not have: the throttle's delay, the accounts, and the worker threads that
compute a password's hash for PLAIN (3 ms each; at most `PASSWORD_THREADS` at a time, others queue). What they find goes to the
stream, which decides. The delay comes before the look-up and does not depend on its outcome, and an account that does not exist
takes the same way: so neither answer nor time tells one from the other.
"""

from typing import Final

import trio

from engine.jid import Jid
from engine.ports import Accounts, Verifier
from engine.xmpp.scram import check_password
from gateways.throttle import Throttle

PASSWORD_THREADS: Final = 2
"""A flood of PLAIN logins takes no more of the machine than this."""


class Logins:
    """The login desk of one process."""

    def __init__(self, accounts: Accounts, throttle: Throttle) -> None:
        self._accounts = accounts
        self._throttle = throttle
        self._threads = trio.CapacityLimiter(PASSWORD_THREADS)

    async def find_verifier(self, peer: str, account: Jid, hash_name: str) -> Verifier | None:
        """The verifier of an account, after the time that this attempt has to wait; None if there is none.

        Raises:
            StorageUnavailable: nobody can tell just now.
        """
        await trio.sleep(self._throttle.login_delay(peer, account.bare, trio.current_time()))
        return await self._accounts.verifier(account.bare, hash_name)

    async def check(self, verifier: Verifier, password: str) -> bool:
        """Whether this is the password."""
        return await trio.to_thread.run_sync(
            check_password, verifier, password, limiter=self._threads, abandon_on_cancel=True
        )

    def failed(self, peer: str, account: Jid | None) -> None:
        """A login failed; None: before it was clear whose."""
        self._throttle.failed(peer, "" if account is None else account.bare, trio.current_time())

    def succeeded(self, peer: str, account: Jid) -> None:
        """A login was right."""
        self._throttle.succeeded(peer, account.bare, trio.current_time())
